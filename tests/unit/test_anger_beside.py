"""Anger beside an urgent hand-off: a further reason only where it is as sure as any other statement (decision 0011)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conversation_kit import COMPLAINT, HUMAN, SHIP, THRESHOLDS, after, mumbled, said, talk
from yingda.decide.evidence import Evidence
from yingda.domain.decision import Outcome, Reason, SentimentScore
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Tier

DOUBTED, SURE = (THRESHOLDS.angry + THRESHOLDS.angry_beside) / 2, THRESHOLDS.angry_beside


def angry(evidence: Evidence, confidence: float) -> Evidence:
    """The message, said with anger of this confidence."""
    mood = SentimentScore(Sentiment.ANGRY, confidence, {Sentiment.ANGRY: confidence})
    return replace(evidence, classification=replace(evidence.classification, sentiment=mood))


def test_doubtful_anger_adds_nothing_to_a_complaint() -> None:
    verdict = after(angry(COMPLAINT, DOUBTED))

    assert verdict.handoff == replace(after(COMPLAINT).handoff, priority=Priority.HIGH)
    assert verdict.handoff.reasons == (Reason.COMPLAINT,)
    assert verdict.step.detail == "a complaint; anger is no further reason below 0.800"


def test_sure_anger_stands_beside_a_complaint_and_calls_the_senior_group() -> None:
    verdict = after(angry(COMPLAINT, SURE))

    assert (verdict.handoff.reasons, verdict.handoff.skill) == ((Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT), "senior")
    assert "no further reason" not in verdict.step.detail


@pytest.mark.parametrize(
    "message", [SHIP, mumbled(), said("冒烟了", entry="repair-dangerous")], ids=["answerable", "mumbled", "needs a person"]
)
def test_doubtful_anger_still_calls_a_person_where_nothing_else_does(message: Evidence) -> None:
    assert after(angry(message, DOUBTED)).handoff.reasons == (Reason.NEGATIVE_SENTIMENT,)


def test_doubtful_anger_still_makes_a_request_for_a_person_urgent() -> None:
    handoff = after(angry(HUMAN, DOUBTED)).handoff

    assert after(HUMAN).handoff.priority is Priority.LOW
    assert (handoff.reasons, handoff.priority) == ((Reason.REQUESTED, Reason.NEGATIVE_SENTIMENT), Priority.HIGH)


def test_a_vip_who_asks_for_a_person_is_urgent_already() -> None:
    asking = said("转人工", entry="general-human", tier=Tier.VIP)

    assert after(angry(asking, DOUBTED)).handoff.reasons == (Reason.REQUESTED, Reason.VIP)


def test_a_hand_off_that_stands_and_is_urgent_changes_hands_for_sure_anger_alone() -> None:
    _, doubted, sure = talk(COMPLAINT, angry(mumbled(), DOUBTED), angry(mumbled(), SURE))

    assert (doubted.handoff.reasons, doubted.handoff.skill) == ((Reason.COMPLAINT,), "complaint")
    assert doubted.step.detail == "a hand-off stands; anger is no further reason below 0.800"
    assert (sure.handoff.reasons, sure.handoff.skill) == ((Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT), "senior")


def test_a_hand_off_that_stands_and_can_wait_becomes_urgent_by_doubtful_anger() -> None:
    raised = after(HUMAN, angry(mumbled(), DOUBTED))

    assert (raised.handoff.reasons, raised.handoff.priority) == ((Reason.REQUESTED, Reason.NEGATIVE_SENTIMENT), Priority.HIGH)


def test_a_bundle_that_knows_no_such_threshold_counts_anger_as_before() -> None:
    older = replace(COMPLAINT, thresholds=replace(THRESHOLDS, angry_beside=0.0))

    assert after(angry(older, THRESHOLDS.angry)).handoff.reasons == (Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT)


@given(
    confidence=st.floats(0.0, 1.0),
    message=st.sampled_from([SHIP, mumbled(), COMPLAINT, HUMAN, mumbled("账号被盗了"), said("冒烟了", entry="repair-dangerous")]),
    before=st.sampled_from([(), (HUMAN,), (COMPLAINT,)]),
    tier=st.sampled_from(list(Tier)),
)
def test_nobody_whose_anger_calls_a_person_is_left_with_the_bot_or_waits(
    confidence: float, message: Evidence, before: tuple[Evidence, ...], tier: Tier
) -> None:
    customer = message.message.customer
    assert customer is not None
    own = replace(angry(message, confidence), message=replace(message.message, customer=replace(customer, tier=tier)))

    verdict = after(*before, own)

    if confidence >= THRESHOLDS.angry:
        assert (verdict.outcome, verdict.handoff.priority) == (Outcome.HANDOFF, Priority.HIGH)
    if confidence >= THRESHOLDS.angry_beside:
        assert Reason.NEGATIVE_SENTIMENT in verdict.handoff.reasons
