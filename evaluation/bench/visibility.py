"""Time from an acknowledged change of knowledge to the engine that knows it: ``python -m evaluation.bench.visibility --out DIR``.

A shop in an SQLite store holds the bundle's entries and, up to each size, entries drawn as ``evaluation.bench.retrieval`` draws
them. An answer is changed, a wording added, and a file of entries imported; each time the steps that a server takes from then on
are timed: read the records, make the engine. A server begins them at its next look, up to ``POLL_S`` seconds later; wall time
counts that in full. The process that took the file has compared its entries and remembers their vectors; another process at the
same store reads them first, and is timed as well. Each figure is the median of ``--rounds`` changes. The index is read back as a
server does that starts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np

from evaluation.bench.retrieval import perturbed, table
from evaluation.bench.serving.machine import read_machine
from yingda.assemble import Opened, engine_builder, open_parts, prepare_store
from yingda.domain.errors import YingdaError
from yingda.domain.records import Draft, ImportRow, Payload, RecordId, RecordKind, Sheet, Signed
from yingda.engine import Engine
from yingda.live import POLL_S, REMEMBERED, RememberedVectors, Shop, open_knowledge, open_shop, seed_from, seeder_of
from yingda.pack.exchange.entries import payload_of
from yingda.retrieve.keep import SavedIndex
from yingda.store.base import Store, open_store

TARGET_S = 1.0
"""Seconds in which a change is to be visible."""

IMPORTED = 100
BY = Signed("bench", "measuring", reviewer="reviewer")
_ANSWER = {"zh": "好的，马上为您处理。"}

Times = tuple[float, float]
"""Processor seconds, and seconds by the clock."""


@dataclass(frozen=True)
class Measured:
    """Figures of one size in seconds: processor and wall time of a change, and processor time of an index built and read."""

    entries: int
    answer: Times
    wording: Times
    imported: Times
    imported_elsewhere: Times
    build_cpu_s: float
    load_cpu_s: float


def timed(call: Callable[[], object]) -> Times:
    """Processor seconds of this process, and seconds by the clock, that ``call`` takes."""
    start, processor = perf_counter(), process_time()
    call()
    return process_time() - processor, perf_counter() - start


def drawn(parts: Opened, number: int, prefix: str, generator: np.random.Generator) -> Iterator[Payload]:
    """``number`` entries like those of the bundle, of other ids and wordings."""
    for entry in perturbed(list(parts.knowledge.faq.values()), number, generator).values():
        yield payload_of(replace(entry, id=f"{prefix}-{entry.id}", answer=_ANSWER))


def sheet(payloads: Iterator[Payload]) -> Sheet:
    """Entries as the rows of a file."""
    return Sheet(tuple(ImportRow(line, payload["id"], payload) for line, payload in enumerate(payloads, 2)))


def fill(url: str, parts: Opened, size: int, generator: np.random.Generator) -> None:
    """Have up to ``size`` entries in the store at ``url``; a drawn one that cannot be an entry is left out."""
    prepare_store(url)
    with closing(open_store(url)) as store:
        records = open_knowledge(store, parts.knowledge, embed=parts.embed)
        seed_from(records, parts.knowledge, seeder_of(parts.knowledge))
        more = max(0, size - len(parts.knowledge.faq))
        if more:
            records.import_kinds({RecordKind.FAQ: sheet(drawn(parts, more, "filled", generator))}, BY, partial=True)


def changed_entry(shop: Shop[Engine], id_: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Publish the entry ``id_`` with a ``change``."""
    record = RecordId(RecordKind.FAQ, id_)
    head = shop.records.get(record)
    payload = json.loads(json.dumps(dict(head.payload)))
    change(payload)
    shop.records.write(Draft(record, payload), BY, if_match=head.etag)


def measure(parts: Opened, size: int, folder: Path, *, rounds: int, imported: int = IMPORTED) -> Measured:
    """All figures of ``size`` entries; store and index stand in ``folder``."""
    generator, url = np.random.default_rng(size), f"sqlite:///{folder / 'store.db'}"
    fill(url, parts, size, generator)
    with closing(open_store(url)) as store, closing(open_store(url)) as beside:
        shop, elsewhere = _shop(store, parts), _shop(beside, parts)
        shop.live.engine.warm_up()
        knowledge, numbers = shop.live.engine.knowledge, count(1)
        ids = [id_ for id_ in knowledge.faq if id_.startswith("filled-")] or list(knowledge.faq)

        def answer() -> None:
            text = f"已更新第{next(numbers)}次。"
            changed_entry(shop, ids[0], lambda payload: payload["answer"].update(zh=text))

        def wording() -> None:
            text = f"这是第{next(numbers)}个新的问法吗"
            changed_entry(shop, ids[-1], lambda payload: payload.setdefault("similar", {}).setdefault("zh", []).append(text))

        def file() -> None:
            rows = sheet(drawn(parts, imported, f"file{next(numbers)}", generator))
            shop.records.import_rows(RecordKind.FAQ, rows, BY, partial=True)

        def visible(change: Callable[[], None], *shops: Shop[Engine]) -> list[Times]:
            found: list[list[Times]] = [[] for _ in shops]
            for _ in range(rounds):
                change()
                for one, times in zip(shops, found, strict=True):
                    times.append(timed(one.live.look))
                    if one.live.health().knowledge_version != shop.records.version():
                        raise SystemExit(f"a change did not become visible: {one.live.health().error}")
            return [(round(median(cpu for cpu, _ in each), 4), round(POLL_S + median(wall for _, wall in each), 4)) for each in found]

        (answered,), (worded,) = visible(answer, shop), visible(wording, shop)
        elsewhere.live.look()
        here, there = visible(file, shop, elsewhere)
    build, load = (timed(lambda: _kept(folder, parts).engine(knowledge))[0] for _ in range(2))
    return Measured(len(knowledge.faq), answered, worded, here, there, round(build, 4), round(load, 4))


def _shop(store: Store, parts: Opened) -> Shop[Engine]:
    vectors = RememberedVectors(parts.embed, most=REMEMBERED)
    return open_shop(store, parts.knowledge, embed=vectors, build=engine_builder(parts, vectors=vectors))


def _kept(folder: Path, parts: Opened) -> Opened:
    return replace(parts, saved=SavedIndex(folder / "index"))


def report(rows: Sequence[Measured], machine: dict[str, Any], bundle: str) -> str:
    """The figures as Markdown."""
    late = [f"{row.entries:,}" for row in rows if max(row.answer[1], row.wording[1], row.imported[1], row.imported_elsewhere[1]) > TARGET_S]
    verdict = f"missed at {', '.join(late)} entries" if late else "kept at every size"
    return "\n".join(
        [
            "# From an acknowledged change to the engine that knows it",
            "",
            f"`python -m evaluation.bench.visibility`; {machine['processor']}, {machine['cores']} cores; bundle {bundle[:12]}.",
            "",
            f"Seconds: processor / wall, a whole wait of {POLL_S} s for the server's next look counted into wall. `build_cpu_s` and",
            "`load_cpu_s`: processor seconds of a start without a saved index (and of saving it), and with one.",
            "",
            table([asdict(row) for row in rows]),
            f"Target: visible within {TARGET_S:g} s by the clock; {verdict}.",
            "",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every size and write ``visibility.json`` and ``visibility.md``; 2 where the bundle cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.visibility", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/current"))
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[176, 1_000, 10_000], help="entries; never fewer than the bundle's own")
    parser.add_argument("--rounds", type=int, default=5, help="changes of each kind; their median counts")
    parser.add_argument("--imported", type=int, default=IMPORTED, help="entries of a file")
    args = parser.parse_args(argv)
    try:
        parts = open_parts(args.bundle, cache_size=4096)
    except YingdaError as error:
        parser.exit(2, f"{error}\n")
    rows: list[Measured] = []
    args.out.mkdir(parents=True, exist_ok=True)
    machine, bundle = read_machine(), parts.model.identity.sha256
    for size in args.sizes:
        with TemporaryDirectory() as folder:
            rows.append(measure(parts, size, Path(folder), rounds=args.rounds, imported=args.imported))
        figures = {"machine": machine, "bundle": bundle, "rounds": args.rounds, "sizes": [asdict(row) for row in rows]}
        (args.out / "visibility.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        (args.out / "visibility.md").write_text(report(rows, machine, bundle), "utf-8")
    sys.stdout.write(report(rows, machine, bundle))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
