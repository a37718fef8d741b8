"""The bench of the FAQ index: other libraries in turns with ours, ratios, graphs that go on growing, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.bench.beside import Library, Trial, available, flat, hnsw, ratio_of_medians, recall, times_in_turn
from evaluation.bench.graph import Settings, grow, measure_alone
from evaluation.bench.retrieval import report, write
from yingda.retrieve.neighbours import CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH, GraphNeighbours

Floats = NDArray[np.float32]


def unit(rows: int, seed: int = 0) -> Floats:
    drawn = np.random.default_rng(seed).normal(size=(rows, 16))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def best(vectors: Floats, vector: Floats, k: int) -> NDArray[np.intp]:
    return np.argsort(-(vectors @ vector[0]), kind="stable")[None, :k]


def sorted_search(_: Any, vectors: Floats) -> Callable[[Floats, int], NDArray[np.intp]]:
    return lambda vector, k: best(vectors, vector, k)


def worst_search(_: Any, vectors: Floats) -> Callable[[Floats, int], NDArray[np.intp]]:
    return lambda vector, k: best(-vectors, vector, k)


RIGHT = Library("right", "exact", "json", "no-such-package", sorted_search)
WRONG = Library("wrong", "graph", "json", "no-such-package", worst_search)


class FakeFaiss:
    """The few calls of faiss that are made, with what they were made with."""

    def __init__(self) -> None:
        self.threads = 0

    def omp_set_num_threads(self, threads: int) -> None:
        self.threads = threads

    def IndexFlatIP(self, width: int) -> FakeFlat:  # noqa: N802 (as faiss calls it)
        return FakeFlat(width)


class FakeFlat:
    def __init__(self, width: int) -> None:
        self.vectors = np.zeros((0, width), np.float32)

    def add(self, vectors: Floats) -> None:
        self.vectors = np.concatenate((self.vectors, vectors))

    def search(self, vector: Floats, k: int) -> tuple[Floats, NDArray[np.intp]]:
        numbers = best(self.vectors, vector, k)
        return np.take_along_axis(vector @ self.vectors.T, numbers, 1), numbers


class FakeHnswlib:
    """The few calls of hnswlib that are made, with what they were made with."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}

    def Index(self, *, space: str, dim: int) -> FakeHnswlib:  # noqa: N802 (as hnswlib calls it)
        self.said |= {"space": space, "dim": dim}
        return self

    def init_index(self, **settings: int) -> None:
        self.said |= settings

    def set_num_threads(self, threads: int) -> None:
        self.said["threads"] = threads

    def add_items(self, vectors: Floats, *, num_threads: int) -> None:
        self.vectors, self.said["adding"] = vectors, num_threads

    def set_ef(self, weighed: int) -> None:
        self.said["ef"] = weighed

    def knn_query(self, vector: Floats, k: int, *, num_threads: int) -> tuple[NDArray[np.intp], Floats]:
        self.said["searching"] = num_threads
        return best(self.vectors, vector, k), np.zeros((1, k), np.float32)


def ticking() -> Iterator[float]:
    return (float(tick) for tick in count())


def test_calls_take_turns_and_the_first_changes() -> None:
    made: list[tuple[str, float]] = []
    messages = np.arange(3, dtype=np.float32)[:, None]
    calls = [lambda message: made.append(("a", float(message[0, 0]))), lambda message: made.append(("b", float(message[0, 0])))]
    times_in_turn(calls, messages, rounds=2)
    assert made[:6] == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert made[6:] == [("b", 0), ("a", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]


def test_the_least_of_the_rounds_counts() -> None:
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    assert times_in_turn([lambda message: None], unit(1), rounds=3, clock=lambda: next(ticks)).tolist() == [[2e6]]


def test_a_ratio_that_is_the_same_for_every_message_is_certain() -> None:
    other = np.asarray([10.0, 30.0, 20.0, 50.0, 40.0])
    assert ratio_of_medians(0.5 * other, other) == (0.5, 0.5, 0.5)


def test_the_interval_holds_the_ratio_and_widens_with_the_scatter() -> None:
    generator = np.random.default_rng(0)
    calm, wild = 100 + generator.normal(size=200), 100 + 30 * generator.normal(size=200)
    ratio, low, high = ratio_of_medians(calm, np.full(200, 100.0))
    assert low < ratio < high
    _, wild_low, wild_high = ratio_of_medians(wild, np.full(200, 100.0))
    assert wild_high - wild_low > high - low


def test_recall_is_the_mean_share_found_in_any_order() -> None:
    assert recall(np.asarray([[1, 2], [3, 4]]), np.asarray([[2, 1], [3, 9]])) == 0.75


def test_each_library_stands_beside_the_search_that_does_the_same() -> None:
    vectors, messages = unit(300), unit(8, 1)
    trial = Trial(vectors, messages, GraphNeighbours.build(vectors), rounds=1, clock=ticking().__next__)
    rows = trial.compare({"right": object(), "wrong": object()}, libraries=(RIGHT, WRONG), tops=(5, 9))
    assert [(row.other, row.ours, row.top) for row in rows] == [
        ("right", "exact", 5),
        ("right", "exact", 9),
        ("wrong", "graph", 5),
        ("wrong", "graph", 9),
    ]
    assert [row.other_recall for row in rows] == [1.0, 1.0, 0.0, 0.0]
    assert rows[0].ours_recall == 1.0
    assert all(row.ratio == row.ratio_low == row.ratio_high == 1.0 for row in rows)


def test_without_a_graph_only_exact_searches_are_compared() -> None:
    rows = Trial(unit(50), unit(3, 1), None, rounds=1).compare({"right": object(), "wrong": object()}, libraries=(RIGHT, WRONG), tops=(5,))
    assert [row.other for row in rows] == ["right"]


def test_a_library_that_is_absent_is_named_with_what_to_do() -> None:
    absent = Library("ours", "exact", "no_such_module", "some-package", sorted_search)
    modules, missing = available((RIGHT, absent))
    assert modules == {"right": json}
    assert list(missing) == ["ours"]
    assert "no_such_module cannot be imported" in missing["ours"]
    assert "pip install some-package" in missing["ours"]


def test_faiss_searches_on_one_thread() -> None:
    faiss, vectors = FakeFaiss(), unit(40)
    assert flat(faiss, vectors)(vectors[3:4], 4).tolist() == best(vectors, vectors[3:4], 4).tolist()
    assert faiss.threads == 1


def test_hnswlib_gets_our_numbers_and_one_thread() -> None:
    hnswlib, vectors = FakeHnswlib(), unit(40)
    assert hnsw(hnswlib, vectors)(vectors[3:4], 4).tolist() == best(vectors, vectors[3:4], 4).tolist()
    said = hnswlib.said
    assert (said["M"], said["ef_construction"], said["ef"], said["max_elements"]) == (CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH, 40)
    assert said["threads"] == said["adding"] == said["searching"] == 1


def test_a_graph_goes_on_from_what_was_kept(tmp_path: Path) -> None:
    vectors, told = unit(70), list[str]()
    settings = Settings(70, 0.5, 8, 32)

    def stop(line: str) -> None:
        told.append(line)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow(vectors, settings, tmp_path, threads=1, step=20, tell=stop)
    built = grow(vectors, settings, tmp_path, threads=1, step=20, tell=told.append)

    assert [line.split()[0] for line in told] == ["20", "40", "60", "70"]
    assert built.neighbours.search(vectors, 1)[0][:, 0].tolist() == list(range(70))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".usearch"]
    again = grow(vectors, settings, tmp_path, threads=1, step=20, tell=told.append)
    assert len(told) == 4
    assert again.seconds == built.seconds


def test_a_graph_alone_is_measured_for_each_number_asked_for_and_weighed(tmp_path: Path) -> None:
    vectors, settings = unit(200), Settings(200, 0.5, 8, 32)
    built = grow(vectors, settings, tmp_path, threads=1, tell=lambda line: None)
    rows = measure_alone(built, vectors, unit(5, 1), settings, tops=(3, 9), expansions=(64, 200), rounds=1)
    assert [(row.expansion_search, row.top) for row in rows] == [(64, 3), (64, 9), (200, 3), (200, 9)]
    assert rows[-1].recall == 1.0
    assert all(row.graph_us[0] <= row.graph_us[1] <= row.graph_us[2] for row in rows)
    assert rows[0].vectors_mib == round(vectors.nbytes / 2**20, 1)


def test_parts_measured_earlier_are_kept(tmp_path: Path) -> None:
    (tmp_path / "retrieval.json").write_text("[]", "utf-8")
    write(tmp_path, {"graphs": [{"entries": 5, "graph_us": (1.0, 2.0)}]})
    write(tmp_path, {"sizes": [{"entries": 7}], "missing": {"hnswlib": "not measured: it is not there"}})
    write(tmp_path, {"cut_off": {"9 entries": "not measured: its graph was not finished"}})
    figures = json.loads((tmp_path / "retrieval.json").read_text("utf-8"))
    assert figures["graphs"][0]["entries"] == 5
    assert figures["sizes"] == [{"entries": 7}]
    page = (tmp_path / "retrieval.md").read_text("utf-8")
    assert "| 5 | 1.0 / 2.0 |" in page
    assert "hnswlib: not measured: it is not there" in page
    assert "9 entries: not measured: its graph was not finished" in page
    write(tmp_path, {"cut_off": {}})
    assert "9 entries" not in (tmp_path / "retrieval.md").read_text("utf-8")
    assert "Beside other libraries" not in page


def test_a_report_names_the_machine() -> None:
    assert "Measured on Abacus, 2 cores." in report({"machine": {"processor": "Abacus", "cores": 2}})
