"""While the database is away replies go on; what they said waits on the disk and reaches the database once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from tests.lasting_kit import Shop
from tests.store_kit import NOON, STANDING, a_turn, handed_over
from yingda.domain.conversation import NEW
from yingda.domain.errors import StoreError
from yingda.domain.rollout import RolloutPlan, Stage
from yingda.domain.takeover import Reason
from yingda.store.health import StoreHealth
from yingda.store.lasting.breaker import Hands
from yingda.store.lasting.journal import MAGIC
from yingda.store.lasting.memory import LastingMemory
from yingda.store.lasting.recent import Recent
from yingda.store.memory import NotStored, Write
from yingda.store.records import Conflict, Duplicate, Feedback, HandoffOpened, IdUsed
from yingda.store.rollouts import Rollouts, rollouts_of

OPENED = HandoffOpened((Reason.REQUESTED,), NOON, {"summary": "要人工"})
GOOD = Feedback(a_turn(1).turn_id, "d" * 64, NOON, 5)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with closing(Shop(tmp_path)) as shop:
        yield shop


def health(memory: LastingMemory) -> StoreHealth:
    found = memory.health()
    assert found is not None
    return found


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


def test_feedback_waits_behind_the_turn_it_is_about_and_counts_once(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)

    assert memory.add_feedback(GOOD)
    assert not memory.add_feedback(GOOD)

    shop.trouble.down = None
    assert memory.tend()
    assert shop.stored.feedback(GOOD.answer_id) == [GOOD]
    assert not memory.add_feedback(GOOD)


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


def test_a_process_that_ends_in_peace_leaves_nothing_behind(shop: Shop) -> None:
    memory = shop.process()
    shop.trouble.down = "store_unreachable"
    memory.remember(a_turn(1), version=0)
    shop.trouble.down = None
    memory.tend()
    memory.close()

    assert shop.journals() == []


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
