"""Roll-out plans: how they are read, who takes part, and how they move from stage to stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from yingda.decide.guardrail import Guardrail, GuardrailVerdict, Limits, harms_between, observe
from yingda.decide.rollout import advance, assign, next_stage, plan_fields, read_plan, share_of, stop
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.knowledge import Priority
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import Arm, Metric, RolloutError, RolloutPlan, Stage
from yingda.domain.takeover import Handoff, Reason

CALLED = Handoff(True, (Reason.REQUESTED,), "general", Priority.HIGH)
GRAY = RolloutPlan("2026.12", "pepper", Stage.GRAY)


def written(**fields: Any) -> dict[str, Any]:
    return {"release": "2026.12", "salt": "pepper", **fields}


def broken() -> GuardrailVerdict:
    harmed = [(Arm.AUTOMATED, 0.5, [Metric.HANDOFF])] * 60 + [(Arm.CONTROL, 0.5, [])] * 60
    return observe(Guardrail(), harmed).verdict()


def test_a_plan_says_little_and_means_shadow_first_and_ten_per_cent_then() -> None:
    assert read_plan(written(), source="rollout.yaml") == RolloutPlan("2026.12", "pepper", Stage.SHADOW, 0.1)


def test_a_plan_reads_back_as_it_was_written() -> None:
    plan = replace(GRAY, share=0.25, channels={Channel.EMAIL: 0.5}, tiers={Tier.VIP: 0.0}, reference=Arm.CONTROL, reason="why")

    assert read_plan(plan_fields(plan), source="store") == plan


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ([], "rollout.yaml: a roll-out plan is a mapping; write release, salt and stage"),
        ({"salt": "s"}, "rollout.yaml: release is missing; write a text, in quotes where it looks like a number"),
        (written(release=2026.1), "rollout.yaml: release is float; write a text, in quotes where it looks like a number"),
        (written(salt=" "), "rollout.yaml: salt is empty; give the salt a text of its own"),
        (written(stage="grey"), "rollout.yaml: stage 'grey' is unknown; write one of shadow, gray, full"),
        (written(share=10), "rollout.yaml: share is 10.0; write a fraction from 0 to 1, such as 0.1 for 10 %"),
        (written(share=float("nan")), "rollout.yaml: share is nan; write a fraction from 0 to 1, such as 0.1 for 10 %"),
        (written(share="10 %"), "rollout.yaml: share is no number; write a fraction from 0 to 1, such as 0.1 for 10 %"),
        (written(share=True), "rollout.yaml: share is no number; write a fraction from 0 to 1, such as 0.1 for 10 %"),
        (written(channels={"fax": 0.1}), "rollout.yaml: channels 'fax' is unknown; write one of web, app, wechat, email, sms, phone"),
        (written(channels=0.1), "rollout.yaml: channels is no mapping; write a share for each, such as web: 0.05"),
        (written(tiers={"vip": -0.1}), "rollout.yaml: tiers.vip is -0.1; write a fraction from 0 to 1, such as 0.1 for 10 %"),
        (written(reference="shadow"), "rollout.yaml: reference is 'shadow'; write human or control"),
        (
            written(percent=10),
            "rollout.yaml: unknown field 'percent'; known are release, salt, stage, share, channels, tiers, reference, reason",
        ),
    ],
)
def test_a_mistake_in_a_plan_is_one_line_that_says_what_to_do(fields: object, told: str) -> None:
    with pytest.raises(RolloutError) as caught:
        read_plan(fields, source="rollout.yaml")

    assert str(caught.value) == told


def test_in_shadow_nobody_is_answered_by_the_release() -> None:
    assert {assign(replace(GRAY, stage=Stage.SHADOW, share=1.0), customer_id=str(n)) for n in range(50)} == {Arm.SHADOW}


def test_in_gray_some_are_and_the_others_have_their_person_or_the_release_of_today() -> None:
    assert {assign(GRAY, customer_id=str(n)) for n in range(200)} == {Arm.AUTOMATED, Arm.HUMAN}
    assert {assign(replace(GRAY, reference=Arm.CONTROL), customer_id=str(n)) for n in range(200)} == {Arm.AUTOMATED, Arm.CONTROL}


def test_at_full_everyone_is_also_without_any_id() -> None:
    full = replace(GRAY, stage=Stage.FULL)

    assert {assign(full, customer_id=str(n)) for n in range(50)} | {assign(full)} == {Arm.AUTOMATED}


def test_without_any_id_nobody_takes_part_in_gray() -> None:
    assert assign(replace(GRAY, share=0.999)) is Arm.HUMAN


def test_a_customer_is_no_conversation_of_the_same_name() -> None:
    plan = replace(GRAY, share=0.5)
    arms = [(assign(plan, customer_id=str(n)), assign(plan, conversation_id=str(n))) for n in range(200)]

    assert len(set(arms)) == 4


def test_the_customer_decides_whatever_the_conversation() -> None:
    arms = {assign(replace(GRAY, share=0.5), customer_id="c", conversation_id=str(n)) for n in range(50)}

    assert len(arms) == 1


def test_of_the_shares_of_channel_and_tier_the_lower_counts_also_at_full() -> None:
    plan = replace(GRAY, channels={Channel.EMAIL: 0.5, Channel.PHONE: 0.0}, tiers={Tier.VIP: 0.02})

    assert share_of(plan) == 0.1
    assert share_of(plan, channel=Channel.EMAIL) == 0.5
    assert share_of(plan, channel=Channel.EMAIL, tier=Tier.VIP) == 0.02
    assert share_of(replace(plan, stage=Stage.FULL), channel=Channel.PHONE) == 0.0
    assert share_of(replace(plan, stage=Stage.FULL)) == 1.0


@pytest.mark.parametrize("stage", [Stage.GRAY, Stage.FULL])
def test_a_broken_guardrail_sends_a_release_back_to_shadow_and_says_why(stage: Stage) -> None:
    plan = next_stage(replace(GRAY, stage=stage), broken())

    assert plan.stage is Stage.SHADOW
    assert plan.share == GRAY.share
    assert plan.reason.startswith("转人工率变化 +100.0 个百分点 [")
    assert "hand-off rate +100.0 points [" in plan.reason


def test_a_guardrail_that_holds_changes_nothing_and_never_moves_a_release_on() -> None:
    assert next_stage(GRAY, GuardrailVerdict(())) is GRAY


def test_a_release_in_shadow_has_nowhere_to_go_back_to() -> None:
    shadow = replace(GRAY, stage=Stage.SHADOW, reason="first")

    assert next_stage(shadow, broken()) is shadow


def test_a_person_moves_a_release_on() -> None:
    moved = advance(GRAY, by="王店长", reason="一周无异常", share=0.3)

    assert (moved.stage, moved.share, moved.reason) == (Stage.GRAY, 0.3, "王店长: 一周无异常")
    assert advance(GRAY, by="w", reason="r", stage=Stage.FULL).stage is Stage.FULL


def test_from_shadow_to_full_skips_the_guardrails_and_needs_force() -> None:
    shadow = replace(GRAY, stage=Stage.SHADOW)

    with pytest.raises(RolloutError, match="full skips gray and its guardrails; advance it to gray first, or use force"):
        advance(shadow, by="w", reason="r", stage=Stage.FULL)
    assert advance(shadow, by="w", reason="r", stage=Stage.FULL, force=True).stage is Stage.FULL
    assert advance(shadow, by="w", reason="r", stage=Stage.GRAY).stage is Stage.GRAY


def test_a_share_of_a_channel_or_tier_is_set_and_taken_away_and_the_others_stay() -> None:
    plan = replace(GRAY, channels={Channel.PHONE: 0.0, Channel.EMAIL: 0.5})

    moved = advance(plan, by="w", reason="r", channels={Channel.PHONE: None, Channel.SMS: 0.1}, tiers={Tier.VIP: 0.02})

    assert (moved.channels, moved.tiers) == ({Channel.EMAIL: 0.5, Channel.SMS: 0.1}, {Tier.VIP: 0.02})
    assert plan_fields(moved)["share"] == plan.share


def test_a_person_stops_a_release_whatever_its_stage() -> None:
    stopped = stop(replace(GRAY, stage=Stage.FULL), by="王店长", reason="投诉增多")

    assert (stopped.stage, stopped.share, stopped.reason) == (Stage.SHADOW, GRAY.share, "王店长: 投诉增多")


@pytest.mark.parametrize(
    ("before", "states", "harms"),
    [
        (NEW, [], set()),
        (NEW, [ConversationState(repeats=1)], set()),
        (NEW, [ConversationState(repeats=1), ConversationState(repeats=2)], {Metric.REPEAT}),
        (NEW, [ConversationState(dissatisfied=1), NEW], {Metric.DISSATISFIED}),
        (NEW, [ConversationState(standing=CALLED), ConversationState(standing=CALLED)], {Metric.HANDOFF}),
        (
            ConversationState(repeats=2, dissatisfied=1, standing=CALLED),
            [ConversationState(repeats=2, dissatisfied=1, standing=CALLED)],
            set(),
        ),
        (ConversationState(repeats=2), [ConversationState(repeats=3)], {Metric.REPEAT}),
    ],
)
def test_what_stood_before_the_release_is_no_harm_of_it(
    before: ConversationState, states: list[ConversationState], harms: set[Metric]
) -> None:
    assert harms_between(before, states) == harms


@pytest.mark.parametrize(("by", "reason"), [("", "r"), ("w", " ")])
def test_nobody_moves_a_release_on_without_name_and_reason(by: str, reason: str) -> None:
    with pytest.raises(RolloutError, match="only a person"):
        advance(GRAY, by=by, reason=reason, stage=Stage.FULL)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"alpha": 0.0}, "alpha is 0.0; write a probability between 0 and 1"),
        ({"margins": {}}, "no metric is watched"),
        ({"margins": {Metric.REPEAT: 1.0}}, "margin of repeat is 1.0; write a difference of rates"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(limits: dict[str, Any], told: str) -> None:
    with pytest.raises(RolloutError, match=told):
        Limits(**limits)
