"""What replies said while the database was away waits on the disk, survives the process, and is read whatever became of the file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes import FakeEngine
from tests.lasting_kit import GOOD, OPENED, Shop, health
from tests.store_kit import NOON, a_turn, handed_over
from yingda.domain.errors import StoreError
from yingda.store.lasting.journal import MAGIC
from yingda.store.memory import NotStored, Write


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with closing(Shop(tmp_path)) as shop:
        yield shop


def test_what_waits_survives_the_process_and_is_known_to_the_next(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(handed_over(1), version=0, handoff=OPENED)
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(2), version=1)
    memory.add_feedback(GOOD)
    shop.kill()

    following = shop.process()

    assert following.recall("c-1") == (a_turn(2).state, 2)
    assert following.find("c-1", "m-2") == a_turn(2)
    shop.trouble.down = None
    assert following.tend()
    assert shop.stored.turns("c-1") == [handed_over(1), a_turn(2)]
    assert shop.stored.feedback(GOOD.answer_id) == [GOOD]
    assert len(shop.journals()) == 1, "the file of the process that is gone goes, once it is empty"


def test_what_a_process_took_over_it_knows_in_the_next_outage_too(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(2), version=1)
    shop.kill()
    shop.trouble.down = None
    following = shop.process()
    assert following.tend()

    shop.trouble.down = "store_unreachable"

    assert following.recall("c-1") == (a_turn(2).state, 2)
    assert following.find("c-1", "m-2") == a_turn(2)


def test_what_one_process_waits_with_is_not_touched_by_another(shop: Shop) -> None:
    first = shop.process()
    shop.trouble.down = "store_unreachable"
    first.remember(a_turn(1), version=0)

    second = shop.process()

    assert health(second).waiting == 0
    assert len(shop.journals()) == 2


def test_with_the_disk_full_the_turn_is_told_as_not_stored_and_is_written_when_there_is_room(shop: Shop) -> None:
    memory = shop.process()
    memory.remember(a_turn(1), version=0)
    shop.trouble.down, shop.trouble.disk_full = "store_full", True

    (error,) = memory.remember_all([Write(a_turn(2), 1)])

    assert isinstance(error, NotStored)
    assert not memory.holds(a_turn(2).turn_id)
    assert memory.find("c-1", "m-2") == a_turn(2), "and it is not decided twice"
    with pytest.raises(StoreError, match="send the feedback again"):
        memory.add_feedback(GOOD)
    shop.trouble.disk_full = False
    memory.remember(a_turn(3), version=memory.recall("c-1")[1])
    assert memory.holds(a_turn(3).turn_id)
    assert (health(memory).waiting, health(memory).unsaved) == (2, 1)
    shop.trouble.down = None
    assert memory.tend()
    assert shop.stored.turns("c-1") == [a_turn(1), a_turn(2), a_turn(3)]
    assert memory.holds(a_turn(2).turn_id)


def test_a_record_that_the_disk_took_by_half_is_cut_and_those_around_it_are_kept(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_full"
    memory.remember(a_turn(1, conversation_id="a"), version=0)
    shop.trouble.disk_full = True
    memory.remember_all([Write(a_turn(2, conversation_id="b"), 0)])
    shop.trouble.disk_full = False
    memory.remember(a_turn(3, conversation_id="c", text="短"), version=0)  # shorter than the torn one it is written over
    shop.trouble.disk_full = True
    memory.remember_all([Write(a_turn(4, conversation_id="d"), 0)])
    shop.kill()
    shop.trouble.down, shop.trouble.disk_full = None, False

    assert shop.process().tend()

    assert [turn.conversation_id for turn in shop.stored.turns_since(NOON)] == ["a", "c"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_tail_takes_nothing_with_it(shop: Shop, cut: int) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    for number in (1, 2, 3):
        memory.remember(a_turn(number), version=number - 1)
    shop.kill()
    (path,) = shop.journals()
    path.write_bytes(path.read_bytes()[:-cut])
    shop.trouble.down = None

    assert shop.process().tend()

    assert shop.stored.turns("c-1") == [a_turn(1), a_turn(2)]


def test_a_file_of_garbage_is_no_journal_and_does_no_harm(shop: Shop) -> None:
    shop.process()
    shop.kill()
    (path,) = shop.journals()
    for number, data in enumerate((b"", b"YDJRNL1", bytes(100), b"nonsense" * 50)):
        path.with_name(f"{number}.journal").write_bytes(data)

    assert shop.process().tend()


@pytest.mark.parametrize("mark", [0, 1, 17, 99, 2**40, 2**64 - 1])
def test_a_mark_where_no_record_begins_hides_none(shop: Shop, mark: int) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    memory.remember(a_turn(2), version=1)
    shop.kill()
    (path,) = shop.journals()
    path.write_bytes(MAGIC + mark.to_bytes(8, "big") + path.read_bytes()[16:])
    shop.trouble.down = None

    assert shop.process().tend()

    assert shop.stored.turns("c-1") == [a_turn(1), a_turn(2)]


@pytest.mark.parametrize("payload", [b"0", b"[]", b"null", b'"turn"', b"{}", b"[" * 100_000, b"\xff", b'{"turn":{}}', b'{"feedback":[]}'])
def test_a_record_that_says_something_else_is_set_aside_and_those_around_it_are_kept(shop: Shop, payload: bytes) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    shop.kill()
    (path,) = shop.journals()
    file = path.read_bytes()
    path.write_bytes(file[:16] + len(payload).to_bytes(4, "big") + crc32(payload).to_bytes(4, "big") + payload + file[16:])
    shop.trouble.down = None

    memory = shop.process()

    assert memory.tend()
    assert shop.stored.turns("c-1") == [a_turn(1)]
    assert (health(memory).refused, (shop.folder / "waiting" / "refused.jsonl").read_bytes()) == (1, payload + b"\n")


def test_a_full_journal_holds_no_more_and_the_process_holds_so_much_and_counts_the_rest(tmp_path: Path) -> None:
    with closing(Shop(tmp_path, limit=2500, unsaved=2)) as shop:
        memory = shop.process()
        shop.trouble.down = "store_unreachable"

        errors = [memory.remember_all([Write(a_turn(number), memory.recall("c-1")[1])])[0] for number in range(1, 8)]

        kept = errors.count(None)
        assert 0 < kept < 7 and all(isinstance(error, NotStored) for error in errors[kept:])
        found = health(memory)
        assert (found.waiting, found.unsaved, found.lost) == (kept + 2, 2, 7 - kept - 2)
        assert found.journal_bytes <= found.journal_limit == 2500
        assert memory.recall("c-1") == (a_turn(kept + 2).state, kept + 2), "the conversation is what waits of it"


def test_what_the_store_will_never_take_is_set_aside_and_holds_up_nothing(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1, conversation_id="half \ud83d"), version=0)
    memory.remember(a_turn(2), version=0)
    memory.add_feedback(replace(GOOD, answer_id="nobody"))
    shop.trouble.down = None

    assert memory.tend()

    assert (health(memory).refused, health(memory).waiting) == (2, 0)
    assert (shop.folder / "waiting" / "refused.jsonl").read_text().count("\n") == 2
    assert shop.stored.turns("c-1") == [a_turn(2)]


def test_what_is_erased_is_not_brought_back_from_a_journal(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = None

    assert memory.erase_customer("a" * 64) == 1

    shop.kill()
    assert shop.process().tend()
    assert shop.stored.turns("c-1") == []
    assert all(b"message_id" not in path.read_bytes() for path in shop.journals())


def test_a_process_that_ends_in_peace_leaves_nothing_behind(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = None
    memory.tend()
    memory.close()

    assert shop.journals() == []


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_damage_costs_the_record_it_goes_through_and_is_told_everywhere(shop: Shop, lost: int) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    for number in range(1, 5):
        memory.remember(a_turn(number), version=number - 1)
    memory.add_feedback(GOOD)
    shop.kill()
    (path,) = shop.journals()
    file = path.read_bytes()
    at = 16
    for _ in range(lost):
        at += 8 + int.from_bytes(file[at : at + 4], "big")
    path.write_bytes(file[: at + 2] + file[at + 40 :])
    shop.trouble.down = None
    stream = io.StringIO()

    with closing(shop.process()) as memory:
        app = create_app(Settings(), FakeEngine(), log=open_log(stream), memory=memory)
        with TestClient(app) as client:
            assert client.get("/readyz").json()["store"]["damaged"] == 1
            assert "yingda_store_damaged_places_total 1.0" in client.get("/metrics").text
        line = next(line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "journal_damaged")
        assert (line["level"], line["places"], line["waiting"]) == ("error", 1, 4)
        assert memory.tend()

    # feedback on a turn that is gone is set aside, the conversation goes on without the turn
    assert [turn.message_id for turn in shop.stored.turns("c-1")] == [f"m-{number}" for number in range(1, 5) if number != lost + 1]
    assert shop.stored.recall("c-1") == (a_turn(4).state, 3)
    assert (health(memory).refused, shop.stored.feedback(GOOD.answer_id)) == ((1, []) if lost == 0 else (0, [GOOD]))


def test_a_journal_that_cannot_be_cut_is_given_up_for_a_new_one(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    memory.remember(a_turn(2), version=1)
    shop.trouble.down, shop.trouble.uncut = None, True
    assert memory.tend()
    shop.trouble.uncut, shop.trouble.down = False, "store_unreachable"
    memory.remember(a_turn(3), version=2)
    (path,) = shop.journals()

    assert path.read_bytes().count(b'"message_id"') == 1, "what is in the store stands in no journal any more"
    shop.kill()
    shop.trouble.down = None
    assert shop.process().tend()
    assert shop.stored.turns("c-1") == [a_turn(1), a_turn(2), a_turn(3)]
