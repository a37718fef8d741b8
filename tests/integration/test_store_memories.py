"""What holds for every memory: in the process, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store_kit import BACKENDS, NOON, STANDING, a_turn, handed_over, opened
from yingda.assemble import Lasting, lasting_memory
from yingda.domain.conversation import NEW
from yingda.domain.errors import StoreError
from yingda.domain.takeover import Reason
from yingda.store.conversations import SqlMemory
from yingda.store.health import StoreHealth
from yingda.store.memory import Memory, Recalled, VolatileMemory, Write
from yingda.store.records import (
    IDLE,
    Conflict,
    Duplicate,
    Feedback,
    HandoffOpened,
    IdUsed,
    Masked,
    Reused,
    StoredTurn,
    TurnFacts,
    Unknown,
    hash_customer,
)

OPENED = HandoffOpened((Reason.REQUESTED, Reason.VIP), NOON, {"summary": "要人工", "tried": ["ship-when"]})
WANG, LI = hash_customer("王"), hash_customer("李")


@pytest.fixture(params=("process", *BACKENDS, *(f"{backend}, lasting" for backend in BACKENDS)))
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    if request.param == "process":
        yield VolatileMemory()
        return
    backend, _, lasting = request.param.partition(", ")
    with opened(backend, tmp_path) as store:
        if not lasting:
            yield SqlMemory(store, page=2)
            return
        with closing(lasting_memory(store, Lasting(patience_s=60), tmp_path / "journals")) as memory:
            yield memory
            assert memory.health() == StoreHealth(journal_bytes=16, journal_limit=Lasting.journal_bytes)


def feedback(**changes: Any) -> Feedback:
    given = Feedback(a_turn(1).turn_id, "d" * 64, NOON, 2, reasons=("太慢",), correct_faq="cancel-how", comment=Masked("打〔手机号〕"))
    return replace(given, **changes)


def remember_three(memory: Memory) -> list[StoredTurn]:
    turns = [a_turn(number) for number in (1, 2, 3)]
    for version, turn in enumerate(turns):
        memory.remember(turn, version=version)
    return turns


def test_an_unknown_conversation_has_not_begun(memory: Memory) -> None:
    assert memory.recall("c-1") == (NEW, 0)
    assert (memory.turns("c-1"), memory.find("c-1", "m-1"), memory.turn("t"), memory.handoffs("c-1")) == ([], None, None, [])


def test_a_turn_comes_back_as_it_was_written(memory: Memory) -> None:
    turn = a_turn(1)

    memory.remember(turn, version=0)

    assert memory.recall("c-1") == (turn.state, 1)
    assert memory.turn(turn.turn_id) == memory.find("c-1", "m-1") == turn
    found = memory.turn(turn.turn_id)
    assert found is not None and found.at.isoformat() == turn.at.isoformat()
    assert list(found.answer) == list(turn.answer)  # served again byte for byte, so keys stay in order


def test_text_of_any_script_and_bare_facts_come_back(memory: Memory) -> None:
    text = Masked("‘\"\\;--' 🙂 𠮷 \u202e\u200b é\n\t%s {x} \ufffd")
    turn = a_turn(
        1, message_id=None, text=text, answer={"reply": text, "half": "\ud83d", "nul": "\x00"}, facts=TurnFacts("a", "b", "c", "d")
    )

    memory.remember(turn, version=0)

    assert memory.turn(turn.turn_id) == turn


def test_turns_follow_in_the_order_of_writing_even_when_a_clock_goes_back(memory: Memory) -> None:
    late, early = a_turn(1, at=NOON), a_turn(2, at=NOON - timedelta(hours=1), turn_id="01H")

    memory.remember(late, version=0)
    memory.remember(early, version=1)

    assert memory.turns("c-1") == [late, early]
    assert memory.recall("c-1") == (early.state, 2)


def test_a_stale_version_conflicts_and_writes_nothing(memory: Memory) -> None:
    turns = remember_three(memory)

    for version in (0, 2, 4):
        with pytest.raises(Conflict):
            memory.remember(handed_over(9), version=version, handoff=OPENED)

    assert memory.turns("c-1") == turns
    assert memory.recall("c-1") == (turns[-1].state, 3)
    assert memory.handoffs("c-1") == []


def test_a_conversation_nobody_began_has_no_version(memory: Memory) -> None:
    with pytest.raises(Conflict):
        memory.remember(a_turn(1), version=3)

    assert memory.recall("c-1") == (NEW, 0)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_message_sent_again_is_a_duplicate_whatever_its_version(memory: Memory, version: int) -> None:
    turns = remember_three(memory)

    with pytest.raises(Duplicate) as caught:
        memory.remember(a_turn(9, message_id="m-2", digest="other"), version=version)

    assert caught.value.stored == turns[1]
    assert memory.recall("c-1")[1] == 3


def test_the_same_message_id_may_be_used_in_another_conversation_and_none_often(memory: Memory) -> None:
    memory.remember(a_turn(1), version=0)
    memory.remember(a_turn(2, conversation_id="c-2", message_id="m-1"), version=0)
    memory.remember(a_turn(3, message_id=None), version=1)
    memory.remember(a_turn(4, message_id=None), version=2)

    assert len(memory.turns("c-1")) == 3


def test_an_id_of_a_turn_is_used_once(memory: Memory) -> None:
    memory.remember(a_turn(1), version=0)

    with pytest.raises(IdUsed):
        memory.remember(a_turn(2, turn_id=a_turn(1).turn_id, conversation_id="c-2"), version=0)

    assert memory.recall("c-2") == (NEW, 0)


def test_what_is_no_json_is_refused_and_nothing_written(memory: Memory) -> None:
    for answer in ({"confidence": float("nan")}, {"faq": {1, 2}}):
        with pytest.raises(StoreError, match="no JSON"):
            memory.remember(a_turn(1, answer=answer), version=0)

    assert memory.recall("c-1") == (NEW, 0)


def test_a_handoff_stands_until_it_is_released(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    assert memory.recall("c-1")[0].standing == STANDING
    assert [(one.opened, one.released_at) for one in memory.handoffs("c-1")] == [(OPENED, None)]

    state = memory.release("c-1", by="小王", at=NOON + timedelta(minutes=5))

    assert state.standing is None and state.dissatisfied == 0
    assert memory.recall("c-1") == (state, 2)
    (handoff,) = memory.handoffs("c-1")
    assert (handoff.released_by, handoff.released_at) == ("小王", NOON + timedelta(minutes=5))
    assert memory.turns("c-1")[-1].state.standing == STANDING  # what was decided then stays as it was


def test_a_turn_decided_before_a_release_conflicts(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    memory.release("c-1", by="小王", at=NOON)

    with pytest.raises(Conflict):
        memory.remember(handed_over(2), version=1)


def test_releasing_what_does_not_stand_changes_nothing(memory: Memory) -> None:
    turns = remember_three(memory)

    assert memory.release("c-1", by="小王", at=NOON) == turns[-1].state
    assert memory.recall("c-1")[1] == 3
    with pytest.raises(Unknown):
        memory.release("c-2", by="小王", at=NOON)


def test_a_second_handoff_leaves_the_first_release_as_it_was(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    memory.release("c-1", by="小王", at=NOON)
    memory.remember(handed_over(2), version=2, handoff=OPENED)
    memory.release("c-1", by="小李", at=NOON)

    assert [one.released_by for one in memory.handoffs("c-1")] == ["小王", "小李"]


def test_a_turn_after_the_idle_time_releases_what_stood_before_it_and_no_more(memory: Memory) -> None:
    early = HandoffOpened((Reason.COMPLAINT,), NOON - timedelta(days=9), {})
    memory.remember(handed_over(1), version=0, handoff=early)
    memory.release("c-1", by="小王", at=NOON)
    memory.remember(handed_over(2), version=2, handoff=OPENED)
    memory.remember(handed_over(3, conversation_id="c-2"), version=0, handoff=OPENED)
    late, renewed = NOON + timedelta(days=3), HandoffOpened((Reason.REQUESTED,), NOON + timedelta(days=3), {})

    errors = memory.remember_all([Write(handed_over(4, at=late), 3, renewed, idle_since=NOON)])

    assert errors == [None]
    found = [(one.opened, one.released_at, one.released_by) for one in memory.handoffs("c-1")]
    assert found == [(early, NOON, "小王"), (OPENED, late, IDLE), (renewed, None, None)]
    assert [one.released_at for one in memory.handoffs("c-2")] == [None]


def test_what_was_opened_since_the_idle_time_is_not_released_by_it(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    memory.remember_all([Write(a_turn(2, at=NOON + timedelta(days=3)), 1, idle_since=NOON - timedelta(seconds=1))])

    assert [one.released_at for one in memory.handoffs("c-1")] == [None]


def test_turns_are_streamed_by_time_then_id_across_pages(memory: Memory) -> None:
    same = [a_turn(n, conversation_id=f"c-{n}", at=NOON + timedelta(microseconds=1), turn_id=f"01{n}") for n in (3, 1, 2, 5, 4)]
    for turn in (*same, a_turn(8, conversation_id="c-8"), a_turn(9, conversation_id="c-9", at=NOON)):
        memory.remember(turn, version=0)

    ids = [turn.turn_id for turn in memory.turns_since(NOON + timedelta(microseconds=1))]

    assert ids == ["011", "012", "013", "014", "015", a_turn(8).turn_id]
    assert list(memory.turns_since(NOON + timedelta(days=1))) == []


def test_feedback_counts_once_and_comes_back(memory: Memory) -> None:
    memory.remember(a_turn(1), version=0)

    assert memory.add_feedback(feedback())
    assert not memory.add_feedback(feedback())
    with pytest.raises(Reused, match="message_id"):
        memory.add_feedback(feedback(rating=1))
    assert memory.add_feedback(feedback(digest="e" * 64, rating=None, helpful=False, comment=None, reasons=()))
    assert memory.feedback(a_turn(1).turn_id)[0] == feedback()
    assert len(memory.feedback(a_turn(1).turn_id)) == 2


def test_feedback_on_an_unknown_answer_is_refused(memory: Memory) -> None:
    with pytest.raises(Unknown, match="answer"):
        memory.add_feedback(feedback())


def test_old_conversations_are_forgotten_with_all_that_hangs_on_them(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    memory.add_feedback(feedback())
    memory.remember(a_turn(5, conversation_id="c-2"), version=0)

    assert memory.forget_before(a_turn(5).at) == 1

    assert memory.recall("c-1") == (NEW, 0)
    assert (memory.turns("c-1"), memory.handoffs("c-1"), memory.feedback(a_turn(1).turn_id)) == ([], [], [])
    assert [turn.conversation_id for turn in memory.turns_since(NOON)] == ["c-2"]
    memory.remember(a_turn(1), version=0)  # the name is free again


def test_a_customer_is_erased_wherever_they_took_part(memory: Memory) -> None:
    said = TurnFacts("answered", "X", "Y", "neutral")
    memory.remember(a_turn(1, facts=replace(said, customer=WANG)), version=0)
    memory.remember(a_turn(2, facts=said), version=1)
    memory.remember(a_turn(3, conversation_id="c-2", facts=replace(said, customer=LI)), version=0)

    assert memory.erase_customer(WANG) == 1
    assert memory.erase_customer(WANG) == 0
    assert [turn.turn_id for turn in memory.turns_since(NOON)] == [a_turn(3).turn_id]


def test_of_many_writers_with_one_version_one_wins(memory: Memory) -> None:
    def attempt(number: int) -> bool:
        try:
            memory.remember(a_turn(number), version=0)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(attempt, range(8)))

    assert won.count(True) == 1
    assert [turn.message_id for turn in memory.turns("c-1")] == [f"m-{won.index(True)}"]


def test_of_many_who_send_one_message_all_learn_the_one_answer(memory: Memory) -> None:
    def attempt(number: int) -> str:
        turn = a_turn(number, message_id="m")
        try:
            memory.remember(turn, version=0)
        except Duplicate as error:
            return error.stored.turn_id
        return turn.turn_id

    with ThreadPoolExecutor(4) as pool:
        told = set(pool.map(attempt, range(8)))

    assert told == {memory.turns("c-1")[0].turn_id}


def test_many_are_recalled_at_once_with_what_they_were_told(memory: Memory) -> None:
    first, second = a_turn(1), a_turn(2, conversation_id="c-2")
    memory.remember(first, version=0)
    memory.remember(second, version=0)

    found = memory.recall_all([("c-2", None), ("nobody", "m-1"), ("c-1", "m-1"), ("c-1", "m-9"), ("c-1", "m-1")])

    told = Recalled(first.state, 1, first)
    assert found == [Recalled(second.state, 1), Recalled(), told, Recalled(first.state, 1), told]
    assert memory.recall_all([]) == []


def test_turns_of_many_conversations_are_written_together(memory: Memory) -> None:
    memory.remember(a_turn(1), version=0)
    turns = [a_turn(2), a_turn(3, conversation_id="c-3"), handed_over(4, conversation_id="a-4"), a_turn(5)]

    errors = memory.remember_all([Write(turns[0], 1), Write(turns[1], 0), Write(turns[2], 0, OPENED), Write(turns[3], 2)])

    assert errors == [None] * 4
    assert memory.turns("c-1") == [a_turn(1), turns[0], turns[3]]
    assert (memory.turns("c-3"), memory.turns("a-4")) == ([turns[1]], [turns[2]])
    assert [one.opened for one in memory.handoffs("a-4")] == [OPENED]
    assert memory.recall("c-1") == (turns[3].state, 3)
    assert memory.remember_all([]) == []


def test_one_that_cannot_be_written_takes_no_other_with_it(memory: Memory) -> None:
    memory.remember(a_turn(1), version=0)
    memory.remember(a_turn(2, conversation_id="c-2"), version=0)
    good = [a_turn(20 + number, conversation_id=f"new-{number}") for number in range(4)]
    bad = [
        Write(a_turn(3, message_id="m-1"), 1),  # answered before
        Write(a_turn(4, conversation_id="c-2"), 7),  # decided on another version
        Write(a_turn(5, conversation_id="c-5", turn_id=a_turn(1).turn_id), 0),  # an id used before
        Write(a_turn(6, conversation_id="c-6", answer={"confidence": float("nan")}), 0),
    ]

    errors = memory.remember_all([each for turn, wrong in zip(good, bad, strict=True) for each in (Write(turn, 0), wrong)])

    assert errors[::2] == [None] * 4
    assert [type(error) for error in errors[1::2]] == [Duplicate, Conflict, IdUsed, StoreError]
    assert isinstance(errors[1], Duplicate) and errors[1].stored == a_turn(1)
    assert [memory.turns(f"new-{number}") for number in range(4)] == [[turn] for turn in good]
    assert [memory.recall(name)[1] for name in ("c-1", "c-2", "c-5", "c-6")] == [1, 1, 0, 0]


def test_what_no_database_takes_is_refused_alone(memory: Memory) -> None:
    if isinstance(memory, VolatileMemory):
        return  # a process takes anything
    errors = memory.remember_all([Write(a_turn(1, conversation_id="half \ud83d"), 0), Write(a_turn(2, conversation_id="c-2"), 0)])

    assert [error and error.code for error in errors] == ["store_refused", None]
    assert memory.turns("c-2") == [a_turn(2, conversation_id="c-2")]


def test_an_agent_is_told_all_there_is(memory: Memory) -> None:
    memory.remember(handed_over(1), version=0, handoff=OPENED)

    found = memory.so_far("c-1")

    assert ([turn.text for turn in found.turns], [one.opened.reasons for one in found.handoffs]) == ([a_turn(1).text], [OPENED.reasons])
    assert memory.holds(a_turn(1).turn_id)
