"""A turn is decided in its conversation, stored once, and told only when it is stored."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import PERSON, FakeEngine
from tests.fakes_core import tiny_engine
from yingda.dialogue import Dialogue, Request, ReusedError, Told, scope_of, turn_record
from yingda.domain.decision import Answer
from yingda.domain.errors import StoreError
from yingda.domain.message import Customer, CustomerProfile, Message, Tier
from yingda.domain.takeover import Reason
from yingda.store.memory import NotStored, VolatileMemory
from yingda.store.records import IDLE, Conflict, HandoffOpened, StoredTurn

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def render(engine: Any, answer: Answer, turn_id: str) -> Mapping[str, Any]:
    return {"answer_id": turn_id, "asked": answer.state.repeats}


def dialogue(memory: VolatileMemory) -> Dialogue:
    numbers = count(1)
    return Dialogue(memory, render=render, record=turn_record, new_id=lambda: f"{next(numbers):026d}")


def ask(
    text: str = "发货", conversation: str | None = "c", message_id: str | None = None, digest: str = "d", *, dry_run: bool = False
) -> Request:
    return Request(Message(text, conversation_id=conversation, message_id=message_id, at=AT), digest, dry_run)


def record(told: Told | ReusedError) -> Mapping[str, Any]:
    assert isinstance(told, Told)
    return told.record


def test_the_next_turn_knows_the_one_before() -> None:
    memory, engine = VolatileMemory(), FakeEngine()
    talk = dialogue(memory)

    found = [record(talk.take(engine, [ask()])[0])["asked"] for _ in range(3)]

    assert found == [1, 2, 3]
    assert [turn.state.repeats for turn in memory.turns("c")] == [1, 2, 3]


def test_turns_of_one_conversation_in_one_batch_follow_each_other() -> None:
    engine = FakeEngine()

    told = dialogue(VolatileMemory()).take(engine, [ask(), ask(conversation="other"), ask(), ask(conversation=None)])

    assert [record(each)["asked"] for each in told] == [1, 1, 2, 1]
    assert [len(call) for call in engine.calls] == [3, 1], "all that can share a pass of the engine do"


def test_a_message_sent_again_is_told_again_and_counts_once() -> None:
    memory, engine = VolatileMemory(), FakeEngine()
    talk = dialogue(memory)

    first, again = talk.take(engine, [ask(message_id="m")])[0], talk.take(engine, [ask(message_id="m")])[0]

    assert record(first) == record(again)
    assert len(engine.calls) == 1
    assert len(memory.turns("c")) == 1


def test_a_message_sent_twice_in_one_batch_counts_once() -> None:
    memory = VolatileMemory()

    first, again = dialogue(memory).take(FakeEngine(), [ask(message_id="m"), ask(message_id="m")])

    assert record(first) == record(again)
    assert len(memory.turns("c")) == 1


def test_a_message_without_conversation_is_found_again_by_its_id() -> None:
    memory, engine = VolatileMemory(), FakeEngine()
    talk = dialogue(memory)

    told = [talk.take(engine, [ask(conversation=None, message_id="m")])[0] for _ in range(2)]

    assert record(told[0]) == record(told[1])
    assert len(engine.calls) == 1


def test_an_id_used_for_another_message_is_refused_and_nothing_is_stored() -> None:
    memory = VolatileMemory()
    talk = dialogue(memory)
    talk.take(FakeEngine(), [ask(message_id="m", digest="one")])

    told = talk.take(FakeEngine(), [ask(message_id="m", digest="two")])[0]

    assert isinstance(told, ReusedError)
    assert len(memory.turns("c")) == 1


def test_a_dry_run_decides_and_leaves_no_trace() -> None:
    memory = VolatileMemory()
    talk = dialogue(memory)

    told = talk.take(FakeEngine(), [ask(message_id="m", dry_run=True)])[0]

    assert record(told)["asked"] == 1
    assert memory.turns("c") == []
    assert record(talk.take(FakeEngine(), [ask(message_id="m")])[0])["asked"] == 1


def test_who_comes_second_decides_again_in_the_conversation_as_it_is() -> None:
    class Overtaken(VolatileMemory):
        """Another worker writes a turn just before ours, once."""

        overtaken = False

        def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
            if not self.overtaken:
                self.overtaken = True
                super().remember(replace(turn, turn_id="other"), version=version)
            super().remember(turn, version=version, handoff=handoff)

    memory = Overtaken()

    told = dialogue(memory).take(FakeEngine(), [ask()])[0]

    assert record(told)["asked"] == 2
    assert [turn.state.repeats for turn in memory.turns("c")] == [1, 2]


def test_a_conversation_that_never_rests_ends_in_an_error_not_in_an_endless_loop() -> None:
    class Restless(VolatileMemory):
        def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
            raise Conflict

    with pytest.raises(Conflict):
        dialogue(Restless()).take(FakeEngine(), [ask()])


def test_what_could_not_be_stored_is_not_told() -> None:
    class Full(VolatileMemory):
        def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
            raise StoreError("disk full", code="store_full")

    with pytest.raises(StoreError, match="disk full"):
        dialogue(Full()).take(FakeEngine(), [ask()])


def test_what_no_disk_takes_is_told_and_said_to_be_told_only() -> None:
    class Away(VolatileMemory):
        """Keeps what it is given in the process, and says so."""

        def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
            super().remember(turn, version=version, handoff=handoff)
            raise NotStored

        def holds(self, _: str, /) -> bool:
            return False

    talk, engine = dialogue(Away()), FakeEngine()

    first, again = (talk.take(engine, [ask(message_id="m")])[0] for _ in range(2))

    assert isinstance(first, Told) and isinstance(again, Told)
    assert (first.stored, again.stored) == (False, False)
    assert first.record == again.record
    assert len(engine.calls) == 1


def test_what_is_stored_says_so_and_a_dry_run_does_not() -> None:
    talk = dialogue(VolatileMemory())

    told = talk.take(FakeEngine(), [ask(message_id="m"), ask(message_id="m"), ask(dry_run=True)])

    assert [isinstance(each, Told) and each.stored for each in told] == [True, True, False]


def test_text_is_stored_masked_and_the_customer_as_a_hash() -> None:
    memory = VolatileMemory()
    message = Message("我的电话是13812345678", conversation_id="c", customer=Customer("u-42", name="王小明"), at=AT)

    dialogue(memory).take(FakeEngine(), [Request(message, "d")])

    stored = repr(memory.turns("c"))
    assert "13812345678" not in stored
    assert "u-42" not in stored
    assert "王小明" not in stored


def test_a_hand_off_is_opened_once_however_many_messages_follow() -> None:
    memory = VolatileMemory()
    talk = dialogue(memory)

    for text in (PERSON, "发货", PERSON):
        talk.take(FakeEngine(), [ask(text)])

    assert len(memory.handoffs("c")) == 1


def test_a_hand_off_that_rises_is_told_and_gives_the_agent_a_renewed_package() -> None:
    memory, engine = VolatileMemory(), tiny_engine()
    talk = dialogue(memory)

    for number, text in enumerate(("转人工", "什么时候发货", "我要投诉", "我要投诉", "什么时候发货")):
        talk.take(engine, [ask(text, message_id=str(number))])
        talk.take(engine, [ask(text, message_id=str(number))])

    first, renewed = memory.handoffs("c")
    assert (first.opened.reasons, renewed.opened.reasons) == ((Reason.REQUESTED,), (Reason.REQUESTED, Reason.COMPLAINT))
    assert [turn["text_masked"] for turn in renewed.opened.package["transcript"]] == ["转人工", "什么时候发货", "我要投诉"]
    assert [len(turn.facts.reasons) for turn in memory.turns("c")] == [1, 1, 2, 2, 2]


def test_a_release_ends_a_hand_off_with_all_it_rose_by() -> None:
    memory, engine = VolatileMemory(), tiny_engine()
    talk = dialogue(memory)
    for text in ("转人工", "我要投诉"):
        talk.take(engine, [ask(text)])

    memory.release("c", by="agent", at=AT)

    assert all(each.released_at == AT for each in memory.handoffs("c"))
    assert memory.recall("c")[0].standing is None


def test_the_agent_is_given_the_conversation_masked() -> None:
    memory = VolatileMemory()
    talk = dialogue(memory)
    customer = Customer("u-42", name="王小明", gender="male")
    for text in ("我的电话是13812345678，快递没动", PERSON):
        talk.take(FakeEngine(), [Request(Message(text, conversation_id="c", customer=customer, at=AT), text)])

    package = memory.handoffs("c")[0].opened.package

    assert [turn["outcome"] for turn in package["transcript"]] == ["answered", "handoff"]
    assert package["customer"]["address"] == "王先生"
    assert package["reasons"] == ["requested"]
    handoff = memory.recall("c")[0].standing
    assert handoff is not None
    assert (package["skill"], package["priority"]) == (handoff.skill, handoff.priority.value)
    assert package["summary"]
    assert "13812345678" not in repr(package)
    assert "王小明" not in repr(package)


def test_a_customer_named_once_is_known_for_the_rest_of_the_conversation() -> None:
    memory, engine = VolatileMemory(), tiny_engine()
    talk = dialogue(memory)
    vip = Customer("u-42", name="王小明", gender="male", tier=Tier.VIP)
    for text, customer in (("什么时候发货", vip), ("转人工", None)):
        talk.take(engine, [Request(Message(text, conversation_id="c", customer=customer, at=AT), text)])

    handoff = memory.handoffs("c")[0].opened

    assert handoff.reasons == (Reason.REQUESTED, Reason.VIP)
    assert (handoff.package["skill"], handoff.package["notify"]) == ("vip", ["supervisor"])
    assert handoff.package["customer"] == {"tier": "vip", "address": "王先生"}
    assert not [kept for kept in ("u-42", "王小明") for turn in memory.turns("c") if kept in repr(turn.state)]


def test_another_customer_of_the_conversation_takes_the_place_of_the_first_and_idle_time_forgets_both() -> None:
    memory, engine = VolatileMemory(), tiny_engine()
    talk, later = dialogue(memory), AT + timedelta(days=3)
    vip, other = Customer("u-42", name="王小明", gender="male", tier=Tier.VIP), Customer("u-43")
    for number, (customer, at) in enumerate(((vip, AT), (other, AT), (None, AT), (None, later))):
        talk.take(engine, [Request(Message("什么时候发货", conversation_id="c", customer=customer, at=at), str(number))])

    known = [turn.state.customer for turn in memory.turns("c")]

    assert known == [CustomerProfile(Tier.VIP, "王先生"), CustomerProfile(Tier.NORMAL), CustomerProfile(Tier.NORMAL), None]


def test_after_the_idle_time_the_old_hand_off_is_released_and_the_agent_is_given_what_was_said_since() -> None:
    memory, engine = VolatileMemory(), tiny_engine()
    talk, later = dialogue(memory), AT + timedelta(days=3)
    for text, at in (("怎么取消", AT), ("我要投诉", AT), ("什么时候发货", later), ("转人工", later + timedelta(hours=1))):
        talk.take(engine, [Request(Message(text, conversation_id="c", at=at), text)])

    old, new = memory.handoffs("c")

    assert (old.released_at, old.released_by) == (later, IDLE)
    assert (new.released_at, new.opened.reasons) == (None, (Reason.REQUESTED,))
    assert [turn["text_masked"] for turn in new.opened.package["transcript"]] == ["什么时候发货", "转人工"]
    assert new.opened.package["tried"] == ["ship-when"]
    assert "投诉" not in new.opened.package["summary"]


def test_a_thousand_copies_of_one_message_from_many_threads_make_one_turn() -> None:
    memory, engine = VolatileMemory(), FakeEngine()
    talk = dialogue(memory)
    told: list[Mapping[str, Any]] = []

    def send() -> None:
        for _ in range(125):
            told.append(record(talk.take(engine, [ask(message_id="m")])[0]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) == 1000
    assert {each["answer_id"] for each in told} == {told[0]["answer_id"]}
    assert len(memory.turns("c")) == 1
    assert len(engine.calls) == 1


def test_message_ids_without_a_conversation_are_a_callers_and_a_customers_own() -> None:
    memory, engine = VolatileMemory(), FakeEngine()
    talk = dialogue(memory)
    whose = [(None, None), ("web", None), ("app", None), ("web", "u-1"), ("web", "u-2"), ("app", "u-1"), (None, "u-1"), ("webu-1", None)]
    asked = [
        Request(Message("发货", message_id="1", at=AT, caller=caller, customer=Customer(customer) if customer else None), "d")
        for caller, customer in whose
    ]

    first = [talk.take(engine, [each])[0] for each in asked]
    again = talk.take(engine, asked)

    assert len({each.turn_id for each in first if isinstance(each, Told)}) == len(whose)
    assert [record(each) for each in again] == [record(each) for each in first], "and each finds its own again"
    assert all(isinstance(each, ReusedError) for each in talk.take(engine, [replace(each, digest="e") for each in asked]))


def test_a_conversation_is_shared_by_all_who_name_it() -> None:
    talk, engine = dialogue(VolatileMemory()), FakeEngine()

    told = [talk.take(engine, [Request(Message("发货", conversation_id="c", at=AT, caller=caller))])[0] for caller in ("web", "app")]

    assert [record(each)["asked"] for each in told] == [1, 2]


@given(st.lists(st.tuples(*[st.text("a1:", max_size=4)] * 3), unique=True, max_size=20))
def test_no_two_message_ids_of_different_people_share_a_name(whose: list[tuple[str, str, str]]) -> None:
    names = [
        scope_of(Message("x", message_id=id_, caller=caller or None, customer=Customer(customer) if customer else None))
        for caller, customer, id_ in whose
        if id_
    ]
    assert len(set(names)) == len(names)
