"""What it costs to refuse hostile templates and rule files: ``python -m evaluation.bench.hostile_saves --out DIR``.

Each is saved through the store, over a database that holds the whole shop, as the server does it; nothing of it may be
stored. The processor time of the call (all threads of the process, the database's included) is the least of several, for
other work on the machine can only add to it. The last line is a rule file that is accepted, for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from evaluation.bench.hostile_cases import RULE, Case, cases_of, row, table
from yingda.decide.rules import forget_rules
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import ANY, Draft, Refused, Signed
from yingda.live import open_knowledge, seed_from
from yingda.pack import read_knowledge
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore
from yingda.store.migrate import migrate

BY = Signed("bench", "hostile")
LIMIT_MS = 20.0
"""What a refusal may cost."""
HONEST = Case("rule: accepted, for comparison", RULE, table([row("vip", tier="'vip'", priority="'high'")]), "")


@dataclass(frozen=True, slots=True)
class Measured:
    """One save: the first reason of its refusal, and the least processor time in milliseconds."""

    name: str
    refused: bool
    reason: str
    cpu_ms: float


def shop_in(folder: Path, shop: Knowledge) -> Callable[[], KnowledgeStore]:
    """Seed a database with ``shop``; what is returned opens it again."""
    url = f"sqlite:///{folder / 'store.db'}"
    migrate(url)
    with closing(open_store(url)) as store:
        seed_from(open_knowledge(store, shop, embed=_no_vectors), shop, BY)
    return lambda: open_knowledge(open_store(url), shop, embed=_no_vectors)


def refusal(records: KnowledgeStore, case: Case) -> tuple[str, ...]:
    """Save the case as a draft; the reasons why it is refused, none when it is not."""
    try:
        records.save(Draft(case.id, case.payload), BY, if_match=ANY)
    except Refused as error:
        return error.reasons
    return ()


def measure(records: KnowledgeStore, case: Case, times: int) -> Measured:
    """The least of ``times`` saves, each as of a file that was never seen."""
    spent, reasons = [], refusal(records, case)
    for _ in range(times):
        forget_rules()
        start = process_time()
        refusal(records, case)
        spent.append(1000 * (process_time() - start))
    return Measured(case.name, bool(reasons), reasons[0] if reasons else "", round(min(spent), 2))


def report(rows: Sequence[Measured]) -> str:
    """The figures as a Markdown table, the dearest first, with what holds for all of them."""
    hostile = [one for one in rows if one.name != HONEST.name]
    worst, middle = max(one.cpu_ms for one in hostile), float(np.median([one.cpu_ms for one in hostile]))
    refused = sum(one.refused for one in hostile)
    lines = [
        f"{refused} of {len(hostile)} hostile templates and rule files are refused; processor time of a refused save: "
        f"median {middle:.2f} ms, most {worst:.2f} ms (at most {LIMIT_MS:.0f} ms is asked).",
        "",
        "| save | refused | processor ms | first reason |",
        "|---|---|---|---|",
    ]
    for one in sorted(rows, key=lambda one: -one.cpu_ms):
        reason = "".join(char if char.isprintable() else "�" for char in one.reason[:100]).replace("|", "\\|").replace("`", "'")
        lines.append(f"| {one.name} | {'yes' if one.refused else 'no'} | {one.cpu_ms:.2f} | `{reason}` |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every case and write ``hostile-saves.json`` and ``hostile-saves.md``; 1 when one is accepted or costs too much."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.hostile_saves", description=__doc__)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"))
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--times", type=int, default=7, help="saves of each, of which the least counts")
    args = parser.parse_args(argv)
    try:
        shop = read_knowledge(args.pack)
    except (YingdaError, OSError) as error:
        parser.exit(2, f"{args.pack}: no readable pack ({type(error).__name__}); name one with --pack\n")
    with TemporaryDirectory() as folder:
        records = shop_in(Path(folder), shop)()
        hostile = [measure(records, case, args.times) for case in cases_of(shop)]
        rows = [*hostile, measure(records, HONEST, args.times)]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "hostile-saves.json").write_text(json.dumps([asdict(one) for one in rows], indent=2, ensure_ascii=True) + "\n", "utf-8")
    (args.out / "hostile-saves.md").write_text(report(rows), "utf-8")
    sys.stdout.write(report(rows))
    return 0 if all(one.refused and one.cpu_ms <= LIMIT_MS for one in hostile) else 1


def _no_vectors(texts: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.zeros((len(texts), 1), np.float32)  # entries alone are embedded, and none is saved


if __name__ == "__main__":
    raise SystemExit(main())
