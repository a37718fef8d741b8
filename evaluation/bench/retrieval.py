"""Speed, recall, memory and load time of the FAQ index by number of entries: ``python -m evaluation.bench.retrieval --out DIR``.

Entries are drawn: a class vector of the bundle plus noise of length ``--noise``, and wordings of a real entry with
characters exchanged. Messages are drawn the same way. Searches take turns message by message, so that what else the
machine does weighs on all of them alike; least and median times are given, and ratios of the least. Where faiss and
hnswlib can be imported, they are measured beside ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from evaluation.bench.beside import ROUNDS, TOPS, Trial, available, recall, summary, times_in_turn
from evaluation.bench.graph import Settings, grow, measure_alone
from evaluation.bench.serving.machine import read_machine
from yingda import bundle as layout
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import FaqEntry
from yingda.pack import read_knowledge
from yingda.retrieve.index import FaqIndex, Search, draw_sample
from yingda.retrieve.lexical import EntrySearch
from yingda.retrieve.neighbours import (
    CONNECTIVITY,
    EXACT_SEARCH,
    EXPANSION_ADD,
    EXPANSION_SEARCH,
    ExactNeighbours,
    GraphNeighbours,
    aligned,
)
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import index_source, load_index, save_index

Floats = NDArray[np.float32]
T = TypeVar("T")
MESSAGES = 100
WORDINGS = 2
PARTS = {
    "sizes": (
        "Whole index",
        "Microseconds are least and median of a message; seconds and MiB otherwise. `brute` is a matrix product and a full sort.",
    ),
    "beside": (
        "Beside other libraries",
        "The same vectors, messages and number of neighbours, one thread each, in turns. Microseconds are least and median of a message; "
        "`ratio` is of the medians, ours by theirs, with its 95 % bootstrap interval over messages. Recall is the share of the true "
        "neighbours.",
    ),
    "graphs": (
        "Graph alone",
        "`graph_us`: least, median and 95th percentile of a message; `exact_us`: least and median. Build on one thread unless told.",
    ),
}


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


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Result and seconds of ``call``."""
    start = perf_counter()
    result = call()
    return result, round(perf_counter() - start, 3)


def measure(
    size: int,
    vectors: Floats,
    faq: dict[str, FaqEntry],
    messages: Floats,
    *,
    graph: GraphNeighbours | None,
    graph_build: float | None,
) -> Measured:
    """All figures for ``size`` entries; ``graph_build``: seconds that ``graph`` took."""
    intents = tuple(sorted({entry.intent for entry in faq.values()}))
    space = build_space(faq.values(), [], intents)
    wordings = {id_: entry.texts() for id_, entry in faq.items()}
    exact = ExactNeighbours(vectors)
    lexical, tables_build = timed(lambda: EntrySearch.build(space.entries, wordings))
    neighbours = graph if graph and size > EXACT_SEARCH else exact
    index = FaqIndex(space, vectors, wordings, search=Search(neighbours, lexical, draw_sample(space)))
    text = next(iter(faq.values())).texts()[0]
    calls: list[Callable[[Floats], object]] = [
        lambda message: exact.search(message, 10),
        lambda message: np.argsort(-(vectors @ message[0]), kind="stable")[:10],
        lambda message: index.shortlist(message[0], text),
    ]
    if graph:
        calls.append(lambda message: graph.search(message, 10))
    times = [summary(spent) for spent in times_in_turn(calls, messages)]
    found = recall(exact.search(messages, 10)[0], graph.search(messages, 10)[0]) if graph else None
    with TemporaryDirectory() as folder:
        source = index_source(space, faq, model="bench")
        _, save_s = timed(lambda: save_index(index, Path(folder), source=source))
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20
        processor = process_time()
        _, load_s = timed(lambda: load_index(Path(folder), space, source=index_source(space, faq, model="bench")))
        load_cpu = round(process_time() - processor, 3)
    ratio = round(times[0][0] / times[1][0], 2)
    return Measured(
        size,
        times[0],
        times[1],
        ratio,
        times[3] if graph else None,
        found,
        times[2],
        graph_build,
        tables_build,
        save_s,
        load_s,
        load_cpu,
        round(disk, 1),
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Figures as a Markdown table."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    for row in rows:
        values = [" / ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value) for value in row.values()]
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


def report(figures: Mapping[str, Any]) -> str:
    """All figures as Markdown: a table a part, and what was not measured."""
    machine = figures.get("machine", {})
    lines = [f"Measured on {machine['processor']}, {machine['cores']} cores.\n"] if machine else []
    for part, (title, text) in PARTS.items():
        if figures.get(part):
            lines += [f"## {title}\n", f"{text}\n", table(figures[part])]
    lines += [f"{name}: {why}\n" for kind in ("missing", "cut_off") for name, why in figures.get(kind, {}).items()]
    return "# FAQ index\n\n" + "\n".join(lines)


def write(out: Path, figures: dict[str, Any]) -> None:
    """Write ``figures`` over those of the same parts in ``retrieval.json``, and all of them as ``retrieval.md``."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "retrieval.json"
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    kept = known if isinstance(known, dict) else {}  # older reports were a list of one part
    figures = {**kept, **figures, "machine": read_machine()}
    path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    (out / "retrieval.md").write_text(report(figures), "utf-8")


def measure_all(args: argparse.Namespace, faq: Sequence[FaqEntry], base: Floats) -> None:
    """Measure every size, the whole index and its searches beside those of libraries, and write after each."""
    modules, missing = available()
    rows: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    for size in args.sizes:
        generator = np.random.default_rng(size)
        entries = perturbed(faq, size, generator)
        vectors, messages = near(base, size, args.noise, generator), near(base, MESSAGES, args.noise, generator)
        graph, build_s = timed(partial(GraphNeighbours.build, vectors, threads=args.threads)) if size >= args.graph_from else (None, None)
        beside += [asdict(row) for row in Trial(vectors, messages, graph, args.rounds).compare(modules)]
        rows.append(asdict(measure(size, vectors, entries, messages, graph=graph, graph_build=build_s)))
        write(args.out, {"sizes": rows, "beside": beside, "missing": missing})


def measure_graphs(args: argparse.Namespace, base: Floats) -> None:
    """Measure the graph alone at every size, and write after each."""
    rows: list[dict[str, Any]] = []
    for size in args.sizes:
        generator = np.random.default_rng(size)
        vectors, messages = aligned(near(base, size, args.noise, generator)), near(base, MESSAGES, args.noise, generator)
        settings = Settings(size, args.noise, args.connectivity, args.expansion_add)
        write(args.out, {"cut_off": {f"{size:,} entries": "not measured: its graph was not finished; run again with the same --keep"}})
        built = grow(vectors, settings, args.keep, threads=args.threads)
        measured = measure_alone(built, vectors, messages, settings, tops=TOPS, expansions=tuple(args.expansion_search), rounds=args.rounds)
        rows += [asdict(row) for row in measured]
        write(args.out, {"graphs": rows, "cut_off": {}})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every size and write ``retrieval.json`` and ``retrieval.md``; 2 where the bundle cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.retrieval", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/current"))
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000, 100_000])
    parser.add_argument("--graph-from", type=int, default=10_000, help="entries from which a graph is built and compared")
    parser.add_argument("--noise", type=float, default=0.6, help="length of the noise around a class vector")
    parser.add_argument("--threads", type=int, default=1, help="threads that build the graph")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times each message is searched for; the least counts")
    parser.add_argument("--graph-only", action="store_true", help="measure the graph alone, at the same sizes")
    parser.add_argument("--keep", type=Path, default=Path("var/bench"), help="folder in which such a graph grows, to go on after a cut")
    parser.add_argument("--connectivity", type=int, default=CONNECTIVITY, help="links a node keeps in such a graph")
    parser.add_argument("--expansion-add", type=int, default=EXPANSION_ADD, help="nodes weighed while a vector is added to it")
    parser.add_argument("--expansion-search", type=int, nargs="+", default=[EXPANSION_SEARCH], help="nodes weighed in a search of it")
    args = parser.parse_args(argv)
    try:
        knowledge = read_knowledge(args.bundle / layout.KNOWLEDGE)
        base = load_file(args.bundle / layout.FAQ_VECTORS)["classes"]
    except (YingdaError, OSError) as error:
        parser.exit(2, f"{args.bundle}: no readable bundle ({type(error).__name__}); name one with --bundle\n")
    if args.graph_only:
        measure_graphs(args, base)
    else:
        measure_all(args, list(knowledge.faq.values()), base)
    sys.stdout.write((args.out / "retrieval.md").read_text("utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
