"""Speed, recall, memory and load time of the FAQ index by number of entries: ``python -m evaluation.bench.retrieval --out DIR``.

Entries are drawn: a class vector of the bundle plus noise of length ``--noise``, and wordings of a real entry with
characters exchanged. Messages are drawn the same way. Searches take turns message by message, so that what else the
machine does weighs on all of them alike; least and median times are given, and ratios of the least.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from yingda import bundle as layout
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import FaqEntry
from yingda.pack import read_knowledge
from yingda.retrieve.index import FaqIndex, Search, draw_sample
from yingda.retrieve.lexical import EntrySearch
from yingda.retrieve.neighbours import EXACT_SEARCH, ExactNeighbours, GraphNeighbours
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import index_source, load_index, save_index

Floats = NDArray[np.float32]
T = TypeVar("T")
MESSAGES = 100
WORDINGS = 2


@dataclass(frozen=True)
class Measured:
    """Figures of one size; times in microseconds are least and median of a message, others in seconds and MiB."""

    entries: int
    exact_us: tuple[float, float]
    brute_us: tuple[float, float]
    exact_ratio: float
    graph_us: tuple[float, float] | None
    recall_at_10: float | None
    shortlist_us: tuple[float, float]
    graph_build_s: float | None
    tables_build_s: float
    save_s: float
    load_s: float
    load_cpu_s: float
    disk_mib: float


def near(base: Floats, count: int, noise: float, generator: np.random.Generator) -> Floats:
    """``count`` unit vectors around randomly drawn rows of ``base`` [B, D], away by noise of length ``noise``."""
    away = generator.standard_normal((count, base.shape[1]), np.float32)
    away *= noise / np.linalg.norm(away, axis=1, keepdims=True)
    drawn = base[generator.integers(0, len(base), count)] + away
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def perturbed(faq: Sequence[FaqEntry], count: int, generator: np.random.Generator) -> dict[str, FaqEntry]:
    """``count`` entries with ``WORDINGS`` wordings of a real one, in each of which two characters are exchanged."""
    letters = np.asarray(sorted({letter for entry in faq for text in entry.texts() for letter in text}))

    def changed(text: str) -> str:
        spelled = np.asarray(list(text))
        spelled[generator.integers(0, len(spelled), 2)] = generator.choice(letters, 2)
        return "".join(spelled)

    made = {}
    for number in range(count):
        model = faq[int(generator.integers(len(faq)))]
        texts = tuple(changed(text) for text in model.texts()[:WORDINGS])
        made[f"e{number}"] = FaqEntry(f"e{number}", model.intent, {"zh": texts[0]}, {"zh": texts[1:]}, {"zh": ""})
    return made


def time_in_turn(calls: Sequence[Callable[[int], object]], rows: int) -> list[tuple[float, float]]:
    """Least and median microseconds of each of ``calls``, which take turns at each of ``rows`` messages."""
    spent = np.zeros((len(calls), rows))
    for row in range(rows):
        for place, call in enumerate(calls):
            start = perf_counter()
            call(row)
            spent[place, row] = 1e6 * (perf_counter() - start)
    return [(round(float(times.min()), 1), round(float(np.median(times)), 1)) for times in spent]


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Result and seconds of ``call``."""
    start = perf_counter()
    result = call()
    return result, round(perf_counter() - start, 3)


def measure(size: int, vectors: Floats, faq: dict[str, FaqEntry], messages: Floats, *, graph: bool, threads: int) -> Measured:
    """All figures for ``size`` entries."""
    intents = tuple(sorted({entry.intent for entry in faq.values()}))
    space = build_space(faq.values(), [], intents)
    wordings = {id_: entry.texts() for id_, entry in faq.items()}
    exact = ExactNeighbours(vectors)
    approximate, graph_build = timed(lambda: GraphNeighbours.build(vectors, threads=threads)) if graph else (None, None)
    table, tables_build = timed(lambda: EntrySearch.build(space.entries, wordings))
    neighbours = approximate if approximate and size > EXACT_SEARCH else exact
    index = FaqIndex(space, vectors, wordings, search=Search(neighbours, table, draw_sample(space)))
    texts = [next(iter(faq.values())).texts()[0]] * len(messages)
    calls: list[Callable[[int], object]] = [
        lambda row: exact.search(messages[row : row + 1], 10),
        lambda row: np.argsort(-(vectors @ messages[row]), kind="stable")[:10],
        lambda row: index.shortlist(messages[row], texts[row]),
    ]
    if approximate:
        calls.append(lambda row: approximate.search(messages[row : row + 1], 10))
    times = time_in_turn(calls, len(messages))
    recall = recall_at_10(exact, approximate, messages) if approximate else None
    with TemporaryDirectory() as folder:
        source = index_source(space, faq, model="bench")
        _, save_s = timed(lambda: save_index(index, Path(folder), source=source))
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20
        processor = process_time()
        _, load_s = timed(lambda: load_index(Path(folder), space, source=index_source(space, faq, model="bench")))
        load_cpu = round(process_time() - processor, 3)
    ratio = round(times[0][0] / times[1][0], 2)
    found = times[3] if approximate else None
    return Measured(
        size, times[0], times[1], ratio, found, recall, times[2], graph_build, tables_build, save_s, load_s, load_cpu, round(disk, 1)
    )


def recall_at_10(exact: ExactNeighbours, graph: GraphNeighbours, messages: Floats) -> float:
    """Mean share of the ten true neighbours that the graph finds."""
    truth, found = exact.search(messages, 10)[0].tolist(), graph.search(messages, 10)[0].tolist()
    return round(float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(truth, found, strict=True)])), 4)


def report(rows: Sequence[Measured]) -> str:
    """The figures as a Markdown table."""
    names = list(asdict(rows[0]))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        values = [" / ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value) for value in asdict(row).values()]
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every size and write ``retrieval.json`` and ``retrieval.md``; 2 where the bundle cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.retrieval", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/current"))
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000, 100_000])
    parser.add_argument("--graph-from", type=int, default=10_000, help="entries from which a graph is built and compared")
    parser.add_argument("--noise", type=float, default=0.6, help="length of the noise around a class vector")
    parser.add_argument("--threads", type=int, default=1, help="threads that build the graph")
    args = parser.parse_args(argv)
    try:
        knowledge = read_knowledge(args.bundle / layout.KNOWLEDGE)
        base = load_file(args.bundle / layout.FAQ_VECTORS)["classes"]
    except (YingdaError, OSError) as error:
        parser.exit(2, f"{args.bundle}: no readable bundle ({type(error).__name__}); name one with --bundle\n")
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[Measured] = []
    for size in args.sizes:
        generator = np.random.default_rng(size)
        faq = perturbed(list(knowledge.faq.values()), size, generator)
        vectors, messages = near(base, size, args.noise, generator), near(base, MESSAGES, args.noise, generator)
        rows.append(measure(size, vectors, faq, messages, graph=size >= args.graph_from, threads=args.threads))
        (args.out / "retrieval.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", "utf-8")
        (args.out / "retrieval.md").write_text(report(rows), "utf-8")
    sys.stdout.write(report(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
