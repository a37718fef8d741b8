"""While the database is away replies go on, from this process and what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.lasting_kit import OPENED, Shop, health
from tests.store_kit import NOON, a_turn, handed_over
from yingda.domain.conversation import NEW
from yingda.domain.errors import StoreError
from yingda.domain.rollout import RolloutPlan, Stage
from yingda.store.lasting.breaker import Hands
from yingda.store.lasting.recent import Recent
from yingda.store.records import Conflict, Duplicate, IdUsed
from yingda.store.rollouts import Rollouts, rollouts_of


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with closing(Shop(tmp_path)) as shop:
        yield shop


@pytest.mark.parametrize("code", ["store_unreachable", "store_locked", "store_full", "store_busy", "store_broken"])
def test_a_conversation_goes_on_while_the_store_is_away_and_is_whole_when_it_is_back(shop: Shop, code: str) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = code

    memory.remember(a_turn(2), version=memory.recall("c-1")[1])
    memory.remember(a_turn(3), version=memory.recall("c-1")[1])

    assert memory.recall("c-1") == (a_turn(3).state, 3)
    assert shop.stored.turns("c-1") == [a_turn(1)]
    assert (health(memory).down_since, health(memory).code, health(memory).waiting) == (NOON, code, 2)
    assert not memory.tend()
    shop.trouble.down = None
    assert memory.tend()
    assert shop.stored.turns("c-1") == [a_turn(1), a_turn(2), a_turn(3)]
    assert shop.stored.recall("c-1") == (a_turn(3).state, 3)
    found = health(memory)
    assert (found.down_since, found.code, found.waiting, found.drained, found.moved) == (None, None, 0, 2, 0)


def test_a_store_that_is_away_is_asked_once_and_then_left_in_peace(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_locked"
    memory.remember(a_turn(1), version=0)
    asked = shop.trouble.asked

    for number in range(2, 9):
        memory.remember(a_turn(number), version=memory.recall("c-1")[1])

    assert shop.trouble.asked == asked
    memory.tend()
    assert shop.trouble.asked == asked + 1


def test_a_message_sent_again_is_known_while_the_store_is_away_whether_told_before_or_since(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(2), version=memory.recall("c-1")[1])

    for number in (1, 2):
        assert memory.find("c-1", f"m-{number}") == a_turn(number)
        with pytest.raises(Duplicate) as caught:
            memory.remember(a_turn(9, message_id=f"m-{number}"), version=2)
        assert caught.value.stored == a_turn(number)
    with pytest.raises(IdUsed):
        memory.remember(a_turn(9, turn_id=a_turn(2).turn_id), version=2)
    with pytest.raises(Conflict):
        memory.remember(a_turn(9), version=1)


def test_an_agent_is_told_the_last_turns_while_the_store_is_away(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = "store_unreachable"
    memory.remember(handed_over(2), version=1, handoff=OPENED)

    found = memory.so_far("c-1")

    assert [turn.answer["reply"] for turn in found.turns] == [a_turn(1).answer["reply"]] * 2
    assert [(one.opened.reasons, one.released_at) for one in found.handoffs] == [(OPENED.reasons, None)]


def test_who_releases_or_erases_waits_for_the_store(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    calls: tuple[Callable[[], object], ...] = (
        lambda: memory.release("c-1", by="小王", at=NOON),
        lambda: memory.erase_customer("a" * 64),
        lambda: memory.forget_before(NOON),
        lambda: memory.turns("c-1"),
        lambda: memory.turn("t"),
    )
    for call in calls:
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.code in ("store_away", "store_unreachable")

    shop.trouble.down = None
    assert memory.release("c-1", by="小王", at=NOON).standing is None
    shop.trouble.down = "store_unreachable"
    assert memory.recall("c-1") == (shop.stored.recall("c-1")[0], 2), "it is given back here too"
    assert [one.released_by for one in memory.so_far("c-1").handoffs] == ["小王"]
    shop.trouble.down = None
    memory.tend()
    assert memory.erase_customer("a" * 64) == 1
    assert memory.recall("c-1") == (NEW, 0)
    shop.trouble.down = "store_unreachable"
    assert memory.recall("c-1") == (NEW, 0), "what was erased is not remembered here either"


def test_a_call_that_hangs_costs_a_message_its_patience_once_and_no_more(tmp_path: Path) -> None:
    """The patience is over at once here, so that no clock is looked at."""
    with closing(Shop(tmp_path, within=Hands(0.0))) as shop:
        memory = shop.process(recent=Recent(conversations=2))

        assert memory.recall("c-1") == (NEW, 0)

        assert health(memory).code == "store_slow"
        memory.remember(a_turn(1), version=0)
        assert memory.recall("c-1") == (a_turn(1).state, 1)


def test_the_plan_seen_last_stays_in_force_while_the_store_is_away(shop: Shop) -> None:
    plan = RolloutPlan("2026.12", "pepper", Stage.SHADOW)
    begun = Rollouts(shop.plain).start(plan, by="w", reason="r", at=NOON)
    rollouts = rollouts_of(shop.process())
    never_looked = Rollouts(shop.process().store)
    shop.trouble.down = "store_unreachable"

    assert rollouts is not None and rollouts.in_force() == begun
    with pytest.raises(StoreError):
        never_looked.in_force()  # a plan that nobody knows may forbid to send
    with pytest.raises(StoreError):
        rollouts.history()


def test_of_many_conversations_only_the_last_are_remembered_here(shop: Shop) -> None:
    memory = shop.process(recent=Recent(conversations=2, answers=2))
    for number in (1, 2, 3):
        memory.remember(a_turn(number, conversation_id=f"c-{number}"), version=0)
    shop.trouble.down = "store_unreachable"

    assert [memory.recall(f"c-{number}")[1] for number in (1, 2, 3)] == [0, 1, 1]
    memory.remember(a_turn(9), version=0)  # the store knows better, and will say so
    shop.trouble.down = None
    assert memory.tend()
    assert [turn.message_id for turn in shop.stored.turns("c-1")] == ["m-1", "m-9"]
