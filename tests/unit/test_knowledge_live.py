"""The engine in use: another takes its place when knowledge changes, and the last good one stays when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from threading import Barrier, Event

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import START, Clock, a_version, an_entry, embed_characters, faq, hours
from yingda.domain.errors import StoreError
from yingda.domain.records import KnowledgeSnapshot, RecordId, RecordKind
from yingda.live import LiveEngine, RememberedVectors, knowledge_of


class Shelf:
    """Knowledge that tests change; it counts how often it was read whole."""

    def __init__(self) -> None:
        self.number = 1
        self.change: datetime | None = None
        self.broken: Exception | None = None
        self.read = 0

    def version(self) -> int:
        if self.broken:
            raise self.broken
        return self.number

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:
        self.read += 1
        return KnowledgeSnapshot(self.number, {}, self.change if self.change and at < self.change else None)


class Builder:
    """Builds a name for an engine, unless the knowledge is of a version that cannot be built."""

    def __init__(self) -> None:
        self.bad: dict[int, Exception] = {}
        self.tries = 0

    def __call__(self, snapshot: KnowledgeSnapshot) -> str:
        self.tries += 1
        if error := self.bad.get(snapshot.version):
            raise error
        return f"engine {snapshot.version}.{self.tries}"


def test_another_engine_is_in_use_once_the_version_grew() -> None:
    shelf, build, clock = Shelf(), Builder(), Clock()
    live = LiveEngine(shelf, build, clock=clock)

    assert (live.engine, live.look(), live.engine, shelf.read) == ("engine 1.1", False, "engine 1.1", 1)
    shelf.number = 2
    assert live.look()
    assert live.engine == "engine 2.2"
    assert live.health().knowledge_version == 2


def test_a_change_that_was_announced_comes_by_itself() -> None:
    shelf, clock = Shelf(), Clock()
    shelf.change = hours(2)
    live = LiveEngine(shelf, Builder(), clock=clock)
    clock.go(hours=1.99)
    assert not live.look()
    clock.go(hours=0.01)

    assert live.look()
    assert live.engine == "engine 1.2"
    assert live.health().next_change_at is None
    assert not live.look()


def test_knowledge_that_cannot_be_built_leaves_the_last_good_in_use() -> None:
    shelf, build, clock = Shelf(), Builder(), Clock()
    live = LiveEngine(shelf, build, clock=clock)
    shelf.number, build.bad[2] = 2, ValueError("我的电话13800138000")
    assert not live.look()

    health = live.health()
    assert (live.engine, health.knowledge_version, health.failing_since) == ("engine 1.1", 1, START)
    assert health.error == "ValueError while knowledge was built"


def test_what_failed_is_tried_again_after_a_while_and_at_once_when_it_changed() -> None:
    shelf, build, clock = Shelf(), Builder(), Clock()
    live = LiveEngine(shelf, build, clock=clock)
    shelf.number, build.bad[2] = 2, ValueError()
    tries = []
    for _ in range(8):
        live.look()
        tries.append(build.tries)
        clock.go(seconds=1)
    assert tries == [2, 3, 3, 4, 4, 4, 4, 5]

    shelf.number = 3
    assert live.look()
    assert live.health().error is None


def test_a_store_that_is_away_is_told_and_forgotten_when_it_is_back() -> None:
    shelf = Shelf()
    live = LiveEngine(shelf, Builder(), clock=Clock())
    shelf.broken = StoreError("it cannot be reached", code="store_unreachable")
    assert not live.look()
    assert live.health().error == "it cannot be reached"
    shelf.broken = None
    live.look()

    assert live.health().error is None
    assert live.engine == "engine 1.1"


def test_whoever_asked_is_told_of_changes_alone() -> None:
    shelf, build, clock = Shelf(), Builder(), Clock()
    told: list[tuple[int, str | None]] = []
    live = LiveEngine(shelf, build, clock=clock, changed=lambda health: told.append((health.knowledge_version, health.code)))
    live.look()
    shelf.number, build.bad[2] = 2, ValueError()
    live.look()
    live.look()
    shelf.broken = StoreError("it cannot be reached", code="store_unreachable")
    live.look()
    shelf.broken, shelf.number = None, 3
    live.look()

    assert told == [(1, "knowledge_not_built"), (1, "store_unreachable"), (3, None)]


def test_without_a_first_engine_there_is_none() -> None:
    build = Builder()
    build.bad[1] = StoreError("broken", code="store_broken")

    with pytest.raises(StoreError):
        LiveEngine(Shelf(), build, clock=Clock())


def test_the_thread_follows_until_it_is_told_to_end() -> None:
    shelf, looked, go_on = Shelf(), Event(), Event()
    live = LiveEngine(shelf, Builder(), clock=Clock())
    waits = 0

    def wait() -> bool:
        nonlocal waits
        waits += 1
        if waits == 2:
            looked.set()
            go_on.wait()
        return waits > 1

    shelf.number = 2
    live.start(wait=wait)
    looked.wait()
    assert live.engine == "engine 2.2"
    go_on.set()
    live.close()


def test_a_live_engine_that_never_started_can_be_closed() -> None:
    builder = Builder()
    live = LiveEngine(Shelf(), builder, clock=Clock())
    before = live.engine

    live.close()

    assert live.engine is before, "it still answers; nothing but the looking ends"


# ---- snapshot to knowledge ----


def test_kinds_that_the_store_never_held_come_from_the_pack() -> None:
    base = tiny_knowledge()

    assert knowledge_of(base, KnowledgeSnapshot(0)) == base


def test_records_take_the_place_of_the_packs_own() -> None:
    base = tiny_knowledge()
    entry = a_version(payload=an_entry("new", intent="ORDER_CANCEL"))
    policy = RecordId(RecordKind.POLICY, "发货时限")
    word = RecordId(RecordKind.KEYWORD, "退")
    records = {
        faq("new"): entry,
        policy: a_version(payload={"value": "24 小时", "translations": {"en": "24 hours"}}),
        word: a_version(payload={"term": "退", "intents": ["ORDER_CANCEL"]}),
    }
    knowledge = knowledge_of(base, KnowledgeSnapshot(3, records, None, frozenset(RecordKind)))

    assert list(knowledge.faq) == ["new"]
    assert knowledge.faq["new"].answer["zh"] == "{发货时限}内发出。"
    assert knowledge.policy.values_in("zh")["发货时限"] == "24 小时"
    assert knowledge.policy.values_in("en")["发货时限"] == "24 hours"
    assert knowledge.policy.values["店铺名称"] == "小店"
    assert [keyword.term for keyword in knowledge.keywords] == ["退"]
    assert knowledge.digest != base.digest


def test_the_digest_names_the_records() -> None:
    base, kinds = tiny_knowledge(), frozenset({RecordKind.FAQ})
    first, same, other = (
        knowledge_of(base, KnowledgeSnapshot(version, {faq(): a_version(payload=an_entry(needs_human=flag))}, None, kinds)).digest
        for version, flag in ((1, True), (2, True), (3, False))
    )

    assert first == same != other


def test_only_new_texts_are_embedded_and_old_ones_forgotten() -> None:
    asked: list[str] = []

    def embed(texts: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        asked.extend(texts)
        return embed_characters(texts)

    vectors = RememberedVectors(embed)  # type: ignore[arg-type]  # a list is a sequence; the fake says what it is given
    first = vectors(["a", "b", "a"])
    vectors.turn_over()
    second = vectors(["b", "c"])

    assert asked == ["a", "b", "c"]
    assert np.array_equal(first[1], second[0])
    vectors.turn_over()
    vectors(["a"])
    assert asked == ["a", "b", "c", "a"]


def test_vectors_beyond_the_most_are_forgotten_when_nobody_asks_for_them() -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return embed_characters(texts)

    vectors = RememberedVectors(embed, most=2)
    for text in "abcdefa":
        vectors([text])

    assert asked == [*"abcdefa"]
    assert vectors.has(["f", "a"])
    assert not vectors.has(["f", "b"])


def test_an_engine_is_built_of_vectors_at_hand_and_what_it_reads_is_not_remembered() -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return embed_characters(texts)

    vectors = RememberedVectors(embed)
    vectors(["a", "b"])
    found = vectors.before(embed)(["c", "b", "c"])

    assert asked == ["a", "b", "c"]
    assert np.array_equal(found, embed_characters(["c", "b", "c"]))
    assert not vectors.has(["c"])


def test_many_wordings_are_read_on_two_threads_and_come_in_their_order() -> None:
    texts, readers = [f"问法{number}" for number in range(101)], Barrier(2, timeout=30)

    def embed(some: Sequence[str]) -> NDArray[np.float32]:
        readers.wait()  # one reader alone would wait in vain
        return embed_characters(some)

    assert np.array_equal(RememberedVectors(embed).before(embed)(texts), embed_characters(texts))


# ---- another model ----


def test_another_builder_takes_over_the_knowledge_in_force() -> None:
    shelf, ready = Shelf(), list[str]()
    live = LiveEngine(shelf, Builder(), clock=Clock())
    shelf.number = 2

    made = live.adopt(lambda snapshot: f"new {snapshot.version}", ready=ready.append)

    assert (made, live.engine, ready, live.health().knowledge_version) == ("new 2", "new 2", ["new 2"], 2)
    assert not live.look()
    shelf.number = 3
    assert live.look()
    assert live.engine == "new 3"


def test_knowledge_that_was_built_meanwhile_is_not_taken_back() -> None:
    shelf = Shelf()
    live = LiveEngine(shelf, Builder(), clock=Clock())

    def while_it_gets_ready(_engine: str) -> None:
        shelf.number = 2
        assert live.look()

    live.adopt(lambda snapshot: f"new {snapshot.version}", ready=while_it_gets_ready)

    assert live.engine == "new 2"


def test_a_builder_that_fails_changes_nothing() -> None:
    shelf = Shelf()
    live = LiveEngine(shelf, Builder(), clock=Clock())

    def refuse(_snapshot: KnowledgeSnapshot) -> str:
        raise ValueError

    with pytest.raises(ValueError):
        live.adopt(refuse)
    shelf.number = 2
    assert live.engine == "engine 1.1"
    assert live.look()
    assert live.engine == "engine 2.2"


def test_vectors_of_two_encoders_are_never_mixed() -> None:
    asked = list[str]()

    def second(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.full((len(texts), 2), 2, np.float32)

    def first(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors.follow(second)  # another bundle comes while this one is asked
        return np.full((len(texts), 2), 1, np.float32)

    vectors = RememberedVectors(first)

    assert vectors(["甲"]).tolist() == [[1, 1]]
    assert not vectors.has(["甲"])
    assert vectors(["甲"]).tolist() == [[2, 2]]
    assert asked == ["甲"]


def test_vectors_of_another_encoder_build_no_engine() -> None:
    vectors = RememberedVectors(embed_characters)
    vectors(["甲"])

    def fresh(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.full((len(texts), 2), 7, np.float32)

    assert vectors.before(fresh)(["甲"]).tolist() == [[7, 7]]
