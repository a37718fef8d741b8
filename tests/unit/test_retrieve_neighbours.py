"""Nearest entries: exact search against a plain sort, ties, and which search is chosen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from yingda.retrieve.neighbours import ExactNeighbours, GraphNeighbours, aligned, build_neighbours, largest


def unit(count: int, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(size=(count, 16))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def test_the_largest_come_first_and_equal_ones_in_order_of_place() -> None:
    scores = np.asarray([0.5, 0.9, 0.5, 0.1, 0.9, 0.5], np.float32)
    assert largest(scores, 4).tolist() == [1, 4, 0, 2]
    assert largest(scores, 99).tolist() == [1, 4, 0, 2, 5, 3]


@pytest.mark.parametrize("count", [1, 15, 16, 160, 176, 1_000, 4_001])
@pytest.mark.parametrize("k", [1, 10, 64])
@pytest.mark.parametrize("values", [1, 2, 30, 100_000])
def test_the_largest_are_those_of_a_stable_sort(count: int, k: int, values: int) -> None:
    generator = np.random.default_rng(count * k + values)
    scores = np.asarray(generator.integers(0, values, count) / 7 - 1, np.float32)
    for case in (scores, np.where(generator.random(count) < 0.02, scores, np.float32(0)), np.sort(scores), np.sort(scores)[::-1]):
        assert largest(case, k).tolist() == np.argsort(-case, kind="stable")[:k].tolist()


@pytest.mark.parametrize("offset", range(16))
def test_aligned_vectors_are_the_same_and_begin_a_line(offset: int) -> None:
    vectors = np.arange(16 + 7 * 24, dtype=np.float32)[offset : offset + 7 * 24].reshape(7, 24)
    moved = aligned(vectors)
    assert moved.ctypes.data % 64 == 0
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous
    assert moved.tolist() == vectors.tolist()
    assert aligned(moved) is moved


def test_where_vectors_lie_changes_no_bit() -> None:
    vectors, messages = unit(500), unit(9, 1)
    room = np.empty(vectors.size + 1, np.float32)
    apart = room[1:].reshape(vectors.shape)
    apart[...] = vectors
    (ids, cosines), (others, same) = ExactNeighbours(vectors).search(messages, 7), ExactNeighbours(apart).search(messages, 7)
    assert ids.tolist() == others.tolist()
    assert cosines.tobytes() == same.tobytes()


def test_equal_vectors_are_found_in_order_of_number() -> None:
    vectors = np.repeat(unit(1), 9, axis=0)
    for search in (ExactNeighbours(vectors), GraphNeighbours.build(vectors)):
        ids, cosines = search.search(vectors[:1], 9)
        assert ids.tolist() == [list(range(9))]
        np.testing.assert_allclose(cosines, 1.0, atol=1e-6)


def test_a_message_alone_fares_as_in_a_batch() -> None:
    search = ExactNeighbours(unit(300))
    together, cosines = search.search(unit(5, 1), 7)
    for row, message in enumerate(unit(5, 1)):
        alone, own = search.search(message[None], 7)
        assert alone[0].tolist() == together[row].tolist()
        assert own[0].tobytes() == cosines[row].tobytes()


def test_more_neighbours_than_vectors_gives_all_of_them() -> None:
    vectors = unit(12)
    for search in (ExactNeighbours(vectors), GraphNeighbours.build(vectors)):
        ids, _ = search.search(vectors[:1], 50)
        assert sorted(ids[0].tolist()) == list(range(12))


def test_the_size_chooses_the_search() -> None:
    assert isinstance(build_neighbours(unit(20), exact=20), ExactNeighbours)
    assert isinstance(build_neighbours(unit(21), exact=20), GraphNeighbours)


def test_a_graph_of_other_vectors_is_refused() -> None:
    graph = GraphNeighbours.build(unit(20)).graph
    with pytest.raises(ValueError, match="other vectors"):
        GraphNeighbours(unit(21), graph)


def test_a_graph_read_from_a_file_searches_as_it_did_before(tmp_path: Path) -> None:
    vectors, messages = unit(3000), unit(30, 1)
    built = GraphNeighbours.build(vectors)
    built.graph.save(str(tmp_path / "graph"))

    read = GraphNeighbours.open(vectors, tmp_path / "graph")

    assert read.graph.expansion_search == built.graph.expansion_search
    assert read.search(messages, 10)[0].tolist() == built.search(messages, 10)[0].tolist()


def test_threads_share_a_graph() -> None:
    graph, messages = GraphNeighbours.build(unit(2000)), unit(64, 1)
    alone = [graph.search(message[None], 10)[0].tolist() for message in messages]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda message: graph.search(message[None], 10)[0].tolist(), messages))
    assert together == alone


def test_the_graph_says_the_same_cosines_as_the_exact_search() -> None:
    vectors, messages = unit(500), unit(20, 1)
    exact, graph = ExactNeighbours(vectors).search(messages, 10), GraphNeighbours.build(vectors).search(messages, 10)
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact[0].tolist(), graph[0].tolist(), strict=True)])
    assert same >= 0.98
    for ids, cosines, message in zip(*graph, messages, strict=True):
        np.testing.assert_allclose(cosines, vectors[ids] @ message, atol=1e-6)
