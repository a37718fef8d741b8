"""A turn in a roll-out: who gets the reply, what is recorded, and that no call for a person is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from tests.fakes import PERSON, FakeEngine
from tests.rollout_kit import asked, render
from yingda.decide.rollout import placement_of
from yingda.dialogue import Dialogue, Told, turn_record
from yingda.domain.message import Channel, Customer, Message, Tier
from yingda.domain.rollout import Arm, PlanRevision, RolloutPlan, Stage
from yingda.store.memory import VolatileMemory

AT = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def revision(stage: Stage = Stage.GRAY, number: int = 2, **fields: Any) -> PlanRevision:
    return PlanRevision(number, RolloutPlan("2026.12", "pepper", stage, **fields), AT, "w", "r")


def dialogue(memory: VolatileMemory, plan: PlanRevision | None) -> Dialogue:
    numbers = count(len(memory.turns("c-u")) + 1)
    return Dialogue(memory, render=render, record=turn_record, new_id=lambda: f"{next(numbers):026d}", plan=lambda: plan)


def take(memory: VolatileMemory, plan: PlanRevision | None, text: str = "发货", **fields: Any) -> Told:
    told = dialogue(memory, plan).take(FakeEngine(), [asked("u", text, **fields)])[0]
    assert isinstance(told, Told)
    return told


NOBODY, EVERYBODY = revision(share=0.0), revision(number=3, share=1.0)


def test_without_a_plan_the_machine_answers_and_the_decision_says_so() -> None:
    memory = VolatileMemory()

    told = take(memory, None)

    assert told.placement is None
    assert "rollout" not in told.record, "what is told is the renderer's"
    facts = memory.turns("c-u")[0].facts
    assert (facts.arm, facts.release) == ("automated", FakeEngine().identity.version)


@pytest.mark.parametrize(
    ("plan", "arm", "send"),
    [
        (revision(Stage.SHADOW), "shadow", False),
        (NOBODY, "human", False),
        (revision(share=0.0, reference=Arm.CONTROL), "control", False),
        (EVERYBODY, "automated", True),
        (revision(Stage.FULL), "automated", True),
    ],
)
def test_the_caller_is_told_the_arm_and_whether_to_send(plan: PlanRevision, arm: str, send: bool) -> None:
    memory = VolatileMemory()

    told = take(memory, plan)

    assert told.record["rollout"] == {"arm": arm, "release": "2026.12", "send": send, "revision": plan.number}
    assert told.record["reply"]["text"], "what would have been said is shown in every arm"
    facts = memory.turns("c-u")[0].facts
    assert (facts.arm, facts.release) == (arm, "2026.12")


def test_a_dry_run_says_the_arm_and_stores_nothing() -> None:
    memory = VolatileMemory()
    request = asked("u")

    told = dialogue(memory, NOBODY).take(FakeEngine(), [type(request)(request.message, dry_run=True)])[0]

    assert isinstance(told, Told) and told.record["rollout"]["send"] is False
    assert memory.turns("c-u") == []


def test_a_message_sent_again_keeps_its_arm_whatever_the_plan_is_now() -> None:
    memory = VolatileMemory()

    first, again = take(memory, NOBODY, message_id="m"), take(memory, EVERYBODY, message_id="m")

    assert first.record == again.record


def test_where_nothing_is_sent_the_conversation_goes_on_and_nobody_is_called() -> None:
    memory = VolatileMemory()

    for text in ("发货", PERSON):
        take(memory, NOBODY, text)

    assert memory.recall("c-u")[0].standing is not None
    assert [turn.state.repeats for turn in memory.turns("c-u")] == [1, 2]
    assert memory.handoffs("c-u") == []


def test_who_comes_in_later_is_not_left_waiting_for_a_person_whom_nobody_called() -> None:
    memory = VolatileMemory()
    take(memory, NOBODY, PERSON)

    for _ in range(2):
        take(memory, EVERYBODY, PERSON)

    (opened,) = memory.handoffs("c-u")
    transcript = opened.opened.package["transcript"]
    assert [bool(turn["reply_text"]) for turn in transcript] == [False, True], "what was not sent was not said"


def test_a_hand_off_stays_with_its_person_when_the_release_is_stopped() -> None:
    memory = VolatileMemory()
    take(memory, EVERYBODY, PERSON)

    take(memory, revision(Stage.SHADOW, 4), PERSON)

    assert [each.released_at for each in memory.handoffs("c-u")] == [None]


def test_channel_and_tier_of_the_message_count_and_the_conversation_where_no_customer_is_named() -> None:
    plan = revision(share=1.0, channels={Channel.PHONE: 0.0}, tiers={Tier.VIP: 0.0})
    messages = [
        Message("x", conversation_id="c"),
        Message("x", conversation_id="c", channel=Channel.PHONE),
        Message("x", customer=Customer("u", tier=Tier.VIP)),
        Message("x", customer=Customer("u")),
    ]

    assert [placement_of(plan, message).arm for message in messages] == [Arm.AUTOMATED, Arm.HUMAN, Arm.HUMAN, Arm.AUTOMATED]


def test_one_plan_is_asked_for_a_batch() -> None:
    looks: list[int] = []

    def plan() -> PlanRevision:
        looks.append(1)
        return EVERYBODY

    talk = Dialogue(VolatileMemory(), render=render, record=turn_record, new_id=iter(map(str, count())).__next__, plan=plan)
    talk.take(FakeEngine(), [asked("a"), asked("b"), asked("a")])

    assert len(looks) == 1
