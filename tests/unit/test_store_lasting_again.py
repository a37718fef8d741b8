"""What the machine of outages found: three stories in which a journal or a memory knew too little, or kept too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lasting_kit import Shop, health
from tests.store_kit import NOON, a_turn
from yingda.domain.errors import StoreError
from yingda.store.records import Duplicate, Feedback


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_a_message_that_the_store_knows_is_not_answered_anew_when_its_answer_is_lost(shop: Shop) -> None:
    turn = a_turn(1)
    shop.process().remember(turn, version=0)
    shop.kill()
    memory = shop.process()
    assert turn.message_id is not None
    found = memory.find(turn.conversation_id, turn.message_id)
    assert found is not None
    shop.trouble.mute = True

    again = a_turn(2, conversation_id=turn.conversation_id, message_id=turn.message_id)
    with pytest.raises(Duplicate) as told:
        memory.remember(again, version=memory.recall(turn.conversation_id)[1])
    assert told.value.stored.turn_id == turn.turn_id


def test_what_a_sick_disk_does_not_cut_is_taken_over_all_the_same(shop: Shop) -> None:
    shop.trouble.down = "store_unreachable"
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.disk_full = True
    with pytest.raises(StoreError):
        memory.add_feedback(Feedback(a_turn(1).turn_id, "d" * 64, NOON, 5))
    shop.kill()

    heir = shop.process()
    assert health(heir).waiting == 1
    shop.trouble.down, shop.trouble.disk_full = None, False
    assert heir.tend()
    assert [each.turn_id for each in shop.stored.turns(a_turn(1).conversation_id)] == [a_turn(1).turn_id]


def test_what_the_disk_would_not_let_go_of_goes_when_it_is_well_again(shop: Shop) -> None:
    shop.trouble.down = "store_unreachable"
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down, shop.trouble.disk_full = None, True
    assert memory.tend()
    assert health(memory).waiting == 0
    shop.trouble.disk_full = False
    assert memory.tend()
    assert health(memory).journal_bytes in (0, 16)
