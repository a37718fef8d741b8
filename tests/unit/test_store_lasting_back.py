"""When the database is back it gets what waited, once, also where others went on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.lasting_kit import GOOD, OPENED, Shop, health
from tests.store_kit import NOON, STANDING, a_turn, handed_over
from yingda.domain.takeover import Reason
from yingda.store.memory import Write
from yingda.store.records import IDLE, HandoffOpened, Reused


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with closing(Shop(tmp_path)) as shop:
        yield shop


def test_a_write_whose_answer_was_lost_is_not_written_twice(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.mute = True
    memory.remember(a_turn(1), version=0)
    memory.remember(handed_over(2), version=memory.recall("c-1")[1], handoff=OPENED)
    assert shop.stored.turns("c-1") == [a_turn(1)]
    shop.trouble.mute = False

    assert memory.tend()

    assert shop.stored.turns("c-1") == [a_turn(1), handed_over(2)]
    assert len(shop.stored.handoffs("c-1")) == 1
    assert (health(memory).drained, health(memory).moved) == (2, 0)


def test_a_turn_of_a_conversation_that_went_on_without_it_is_kept_behind_and_noted(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(2), version=1)
    memory.remember(a_turn(3), version=2)
    shop.stored.remember(a_turn(7), version=1)  # another process, whose connection holds
    shop.trouble.down = None

    assert memory.tend()

    assert [turn.message_id for turn in shop.stored.turns("c-1")] == ["m-1", "m-7", "m-2", "m-3"]
    assert shop.stored.recall("c-1") == (a_turn(3).state, 4) == memory.recall("c-1")
    assert (health(memory).drained, health(memory).moved) == (2, 2)
    shop.trouble.down = "store_unreachable"
    assert memory.recall("c-1") == (a_turn(3).state, 4), "and it is known how it stands"


def test_a_message_that_two_processes_answered_is_kept_twice_and_its_id_once(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    shop.stored.remember(a_turn(7, message_id="m-1"), version=0)
    shop.trouble.down = None

    assert memory.tend()

    assert shop.stored.turns("c-1") == [a_turn(7, message_id="m-1"), replace(a_turn(1), message_id=None)]


def test_a_hand_off_that_idle_time_released_is_released_while_the_store_is_away_and_when_it_is_back(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    shop.trouble.down = "store_unreachable"
    later = NOON + timedelta(days=3)
    renewed = HandoffOpened((Reason.COMPLAINT,), later)
    assert memory.remember_all([Write(handed_over(2, at=later), 1, renewed, idle_since=NOON)]) == [None]

    assert [one.released_by for one in memory.so_far("c-1").handoffs] == [IDLE, None]
    shop.trouble.down = None
    memory.breaker.close()
    assert [(one.released_at, one.released_by) for one in memory.handoffs("c-1")] == [(later, IDLE), (None, None)], "while it waits"
    assert memory.tend()
    assert [(one.released_at, one.released_by) for one in shop.stored.handoffs("c-1")] == [(later, IDLE), (None, None)]


def test_a_call_after_the_idle_time_is_kept_though_the_conversation_went_on_without_it(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    shop.trouble.down = "store_unreachable"
    later = NOON + timedelta(days=3)
    renewed = HandoffOpened((Reason.COMPLAINT,), later)
    memory.remember_all([Write(handed_over(2, at=later), 1, renewed, idle_since=NOON)])
    shop.stored.remember(handed_over(7), version=1)  # another process, whose connection holds
    shop.trouble.down = None

    assert memory.tend()

    assert [(one.opened.reasons, one.released_by) for one in shop.stored.handoffs("c-1")] == [
        (OPENED.reasons, IDLE),
        (renewed.reasons, None),
    ]


def test_a_hand_off_of_the_meantime_is_neither_lost_nor_doubled(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(2), version=1)
    memory.remember(handed_over(3), version=2, handoff=OPENED)
    shop.stored.remember(handed_over(7), version=1, handoff=OPENED)
    shop.trouble.down = None

    assert memory.tend()

    assert shop.stored.recall("c-1")[0].standing == STANDING
    assert len(shop.stored.handoffs("c-1")) == 1


def test_who_was_given_back_meanwhile_stays_with_the_machine(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    shop.trouble.down = "store_unreachable"
    memory.remember(handed_over(2), version=1)  # the hand-off stood when it was decided
    shop.stored.release("c-1", by="小王", at=NOON)
    shop.trouble.down = None

    assert memory.tend()

    assert shop.stored.recall("c-1")[0].standing is None
    assert [one.released_by for one in shop.stored.handoffs("c-1")] == ["小王"]


def test_feedback_waits_behind_the_turn_it_is_about_and_counts_once(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)

    assert memory.add_feedback(GOOD)
    assert not memory.add_feedback(GOOD)
    with pytest.raises(Reused):
        memory.add_feedback(replace(GOOD, rating=1))

    shop.trouble.down = None
    assert memory.tend()
    assert shop.stored.feedback(GOOD.answer_id) == [GOOD]
    assert not memory.add_feedback(GOOD)
    with pytest.raises(Reused):
        memory.add_feedback(replace(GOOD, rating=1))


def test_the_thread_that_tends_writes_what_waits_when_the_store_is_back(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    written = threading.Event()
    tend = memory.tend

    def tended() -> bool:
        shop.trouble.down = None  # by the time it looks, the store is back
        found = tend()
        written.set()
        return found

    memory.tend = tended  # type: ignore[method-assign]
    memory.watch(pace_s=0.0)

    assert written.wait(60)
    assert shop.stored.turns("c-1") == [a_turn(1)]
    memory.close()
