"""``make fuzz``: every target for a number of inputs, then requests made from the OpenAPI document; a report of all of it.

An input that breaks something is kept in tests/fuzz/corpus/, where pytest tries it from then on.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests.fuzz.target import CORPUS, TARGETS, inputs_of

REPORT = Path("reports/bench")
_STUCK_S = 60
"""Seconds after which libFuzzer ends an input that does not come to its end."""
_MEMORY_MB = 4096
_LAST = re.compile(rb"#(\d+)\s+(?:DONE|INITED|NEW|REDUCE|pulse|RELOAD)\s+cov: (\d+) ft: (\d+)")


@dataclass(frozen=True)
class Result:
    """What became of one target: inputs tried, edges of code reached, seconds, and what broke it."""

    target: str
    seed: int
    runs: int
    edges: int
    features: int
    seconds: float
    failures: list[str]
    detail: str = ""


def fuzz(name: str, runs: int, *, seed: int) -> Result:
    """Run a target for ``runs`` inputs, or until one breaks it."""
    module = import_module(f"tests.fuzz.targets.{name}")
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for part in ("seeds", "found"):
            (root / part).mkdir()
        for data in inputs_of(name):
            (root / "seeds" / sha256(data).hexdigest()[:16]).write_bytes(data)
        (root / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in module.WORDS if word), "ascii")
        options = [
            f"-runs={runs}",
            f"-seed={seed}",
            f"-max_len={module.MOST_BYTES}",
            f"-dict={root / 'words'}",
            f"-artifact_prefix={root}/found/",
            f"-timeout={_STUCK_S}",
            f"-report_slow_units={_STUCK_S}",  # by the clock on the wall, which says little; the target has its own
            f"-rss_limit_mb={_MEMORY_MB}",
            str(root / "seeds"),
        ]
        began = perf_counter()
        done = subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.fuzz.target", name, *options], capture_output=True, check=False)
        seconds = perf_counter() - began
        kept = [_keep(name, path) for path in sorted((root / "found").iterdir())]
    last = _LAST.findall(done.stderr)
    tried, edges, features = (int(number) for number in last[-1]) if last else (0, 0, 0)
    detail = "" if done.returncode == 0 else _why(done.stderr + done.stdout)
    return Result(
        name, seed, tried, edges, features, round(seconds, 1), kept or ([f"exit {done.returncode}"] if done.returncode else []), detail
    )


def _keep(name: str, path: Path) -> str:
    """Put an input that broke the target where pytest finds it."""
    home = CORPUS / name
    home.mkdir(parents=True, exist_ok=True)
    data = path.read_bytes()
    kept = home / f"{path.name.partition('-')[0]}-{sha256(data).hexdigest()[:12]}"
    kept.write_bytes(data)
    return str(kept.relative_to(CORPUS.parents[2]))


def _why(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").splitlines()
    start = next((number for number, line in enumerate(lines) if "Uncaught Python exception" in line), max(0, len(lines) - 20))
    return "\n".join(lines[start : start + 40])


def _escaped(word: str) -> str:
    """As libFuzzer's dictionaries write bytes."""
    return "".join(
        chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass")
    )


def schema(cases: int, *, number: int) -> dict[str, object]:
    """Requests made from the OpenAPI document."""
    from tests.fuzz.schema import run, service

    began = perf_counter()
    with TemporaryDirectory() as folder, service(Path(folder)) as client:
        tally = run(client, cases, number=number)
    statuses: dict[str, int] = {}
    for key, count in tally.requests.items():
        statuses[key.rpartition(" ")[2]] = statuses.get(key.rpartition(" ")[2], 0) + count
    operations = {key.rpartition(" ")[0] for key in tally.requests}
    return {
        "seed": number,
        "requests": tally.total,
        "operations": len(operations),
        "statuses": dict(sorted(statuses.items())),
        "failures": tally.failures,
        "seconds": round(perf_counter() - began, 1),
    }


def write(results: Sequence[Result], made: dict[str, object] | None) -> None:
    """The report, as JSON and to be read."""
    REPORT.mkdir(parents=True, exist_ok=True)
    told = {"python": platform.python_version(), "targets": [asdict(one) for one in results], "schema": made}
    (REPORT / "fuzz.json").write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", "utf-8")
    lines = ["# Fuzzing", "", f"Python {told['python']}. See docs/fuzzing.md.", ""]
    lines += ["| target | inputs | edges reached | seconds | broke it |", "|---|---:|---:|---:|---:|"]
    lines += [f"| {one.target} | {one.runs:,} | {one.edges:,} | {one.seconds:,.0f} | {len(one.failures)} |" for one in results]
    if made:
        failures = made["failures"]
        assert isinstance(failures, dict)
        lines += [
            "",
            f"OpenAPI: {made['requests']:,} requests to {made['operations']} operations, {len(failures)} answered otherwise than declared.",
        ]
        lines += ["", "| status | responses |", "|---|---:|"]
        statuses = made["statuses"]
        assert isinstance(statuses, dict)
        lines += [f"| {status} | {count:,} |" for status, count in statuses.items()]
    (REPORT / "fuzz.md").write_text("\n".join(lines) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each target (100000); 0 for none")
    parser.add_argument("--cases", type=int, default=5_500, help="requests made from the OpenAPI document (5500); 0 for none")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only these targets")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time (1)")
    parser.add_argument("--seed", type=int, default=1, help="of all random choices (1)")
    parser.add_argument("--no-report", action="store_true", help=f"leave {REPORT} as it is")
    given = parser.parse_args(arguments)
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(
            pool.map(lambda name: _told(fuzz(name, given.runs, seed=given.seed)), (given.target or TARGETS) if given.runs else ())
        )
    made = schema(given.cases, number=given.seed) if given.cases else None
    if made:
        print(f"schema: {made['requests']} requests, {len(made['failures'])} answered otherwise than declared")  # type: ignore[arg-type]
    if not given.no_report:
        write(results, made)
    return int(any(one.failures for one in results) or bool(made and made["failures"]))


def _told(result: Result) -> Result:
    rate = result.runs / result.seconds if result.seconds else 0
    print(f"{result.target}: {result.runs:,} inputs, {result.edges:,} edges, {rate:,.0f}/s, {len(result.failures)} broke it", flush=True)
    if result.detail:
        print(result.detail, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
