"""``python -m tests.harness.chaos``: faults at a real server, a ledger, a verdict; exit 0 when all holds, else 1."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from evaluation.bench.serving import processes
from evaluation.bench.serving.environments import Venv
from evaluation.bench.serving.load import Generator
from evaluation.bench.serving.traffic import Fresh, read_texts
from evaluation.provenance import Environment, read_environment
from evaluation.report import write_whole
from tests.harness.chaos.findings import Check, Finding, SkippedError
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.page import to_markdown
from tests.harness.chaos.scenarios import bundles, clients, clocks, disk, duplicates, hostile, kills, overload, stores
from tests.harness.chaos.site import ROOT

Scenario = Callable[[Ground], Finding]
SCENARIOS: Mapping[str, Scenario] = {
    "overload": overload.overload,
    "kill-sqlite": kills.kills_sqlite,
    "kill-postgres": kills.kills_postgres,
    "disk-full": disk.disk_full,
    "sqlite-locked": stores.sqlite_locked,
    "postgres-stopped": stores.postgres_stopped,
    "postgres-cut": stores.postgres_cut,
    "bundles-altered": bundles.altered_bundles,
    "bundles-swapped": bundles.swapped_bundles,
    "slow-clients": clients.slow_clients,
    "too-many-clients": clients.too_many_clients,
    "many-connections": clients.many_connections,
    "hostile-bodies": hostile.hostile_bodies,
    "duplicates": duplicates.duplicates,
    "clock-jumps": clocks.clock_jumps,
}
_HOLDS, _FAILED, _INTERRUPTED = 0, 1, 130


def run(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios named, or all, and tell what was found."""
    args = _parse(argv)
    names = list(dict.fromkeys(args.only)) or list(SCENARIOS)
    environment = read_environment()
    server_cores, other_cores = processes.cores()
    os.sched_setaffinity(0, other_cores)
    with TemporaryDirectory(prefix="chaos-") as folder:
        ground = Ground(
            folder=Path(folder),
            server_cores=server_cores,
            fresh=Fresh(read_texts(ROOT / "data" / "packs" / "retail"), seed=args.seed),
            generator=_generator(args.work.absolute(), other_cores, Path(folder)),
            say=_say,
            kills=args.kills,
            mutations=args.mutations,
            repeats=args.repeats,
            seed=args.seed,
        )
        try:
            found = {name: attempt(name, SCENARIOS[name], ground) for name in names}
        except KeyboardInterrupt:
            _say("interrupted; nothing was written")
            return _INTERRUPTED
    _tell(found, args.out, environment)
    return _HOLDS if all(finding.holds for finding in found.values()) else _FAILED


def attempt(name: str, scenario: Scenario, ground: Ground) -> Finding:
    """What ``scenario`` found; that it broke down is a finding, too."""
    _say(f"{name} …")
    begun = monotonic()
    try:
        found = scenario(ground)
    except SkippedError as reason:
        found = Finding(name, "–", skipped=str(reason))
    except Exception as error:
        traceback.print_exc()
        found = Finding(name, "–", [Check("ran to its end", "yes", type(error).__name__, False)])
    for check in found.checks:
        if not check.holds:
            _say(f"  {'missed' if check.timed else 'FAILS'}: {check.name}: wanted {check.wanted}, found {check.found}")
    _say(f"{name}: {found.skipped or ('holds' if found.holds else 'FAILS')}, {monotonic() - begun:.0f} s")
    return found


def _generator(work: Path, cores: frozenset[int], folder: Path) -> Callable[[], Generator]:
    @cache
    def made() -> Generator:
        venv = Venv("k9", ("k9-load==0.1.0",))
        venv.prepare(work)
        return Generator(venv.python(work).with_name("k9"), cores, folder / "load")

    return made


def entries_of(found: Mapping[str, Finding], former: Sequence[Mapping[str, Any]], commit: str | None) -> list[dict[str, Any]]:
    """What the report holds: what was ``found`` now, and what a ``former`` report says of scenarios that did not run now."""
    known = {each["name"]: dict(each) for each in former}
    now = {name: {"name": name, "commit": commit, **asdict(finding), "holds": finding.holds} for name, finding in found.items()}
    return [{**known, **now}[name] for name in SCENARIOS if name in known or name in now]


def _tell(found: Mapping[str, Finding], out: Path, environment: Environment) -> None:
    file = out / "chaos.json"
    former = json.loads(file.read_text(encoding="utf-8"))["scenarios"] if file.is_file() else []
    tree: dict[str, Any] = {
        "run": {"python": environment.python, "packages": environment.packages, "cores": os.cpu_count()},
        "scenarios": entries_of(found, former, environment.commit),
    }
    page = to_markdown(tree)
    write_whole(out, {file.name: json.dumps(tree, ensure_ascii=False, indent=1) + "\n", "chaos.md": page})
    sys.stdout.write(page)


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.chaos", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], choices=list(SCENARIOS), metavar="NAME", help=", ".join(SCENARIOS)
    )
    parser.add_argument("--kills", type=int, default=20, help="kill -9 on SQLite; a quarter as many on PostgreSQL")
    parser.add_argument("--mutations", type=int, default=1000, help="altered bundles")
    parser.add_argument("--repeats", type=int, default=3, help="of comparisons side by side")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), help="folder for the load generator, that of `make bench`")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "bench", help="folder of the report")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run())
