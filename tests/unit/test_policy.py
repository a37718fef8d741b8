"""The hand-off and answer table, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes_core import THRESHOLDS, tiny_knowledge
from yingda.decide.policy import HANDOFF_ROWS, Evidence, decide, triage
from yingda.domain.decision import (
    Acceptance,
    Candidate,
    Classification,
    IntentScore,
    LanguageGuess,
    Outcome,
    Reason,
    SentimentScore,
    Timing,
)
from yingda.domain.knowledge import OUT_OF_SCOPE, Priority, Sentiment
from yingda.domain.message import Customer, Message, Tier
from yingda.understand.intent import judge

CALM = SentimentScore(Sentiment.NEUTRAL, 0.9, {Sentiment.NEUTRAL: 0.9})


def angry(confidence: float) -> SentimentScore:
    return SentimentScore(Sentiment.ANGRY, confidence, {Sentiment.ANGRY: confidence})


def evidence(
    intent: str = "ORDER_SHIP_TIME",
    *,
    decision: Acceptance = Acceptance.ACCEPT,
    entry: str | None = None,
    candidates: tuple[float, ...] = (0.1, 0.1, 0.1),
    sentiment: SentimentScore = CALM,
    tier: Tier | None = None,
    complaint: float = 0.0,
) -> Evidence:
    """What a decision looks at, with a calm customer and nothing matched unless told otherwise."""
    knowledge = tiny_knowledge()
    score = IntentScore(intent, 0.9)
    classification = Classification(
        language=LanguageGuess("zh", 1.0),
        intent=score,
        decision=decision,
        ranking=(score,),
        sentiment=sentiment,
        priority=knowledge.taxonomy.intents[intent].priority,
        keywords=(),
        entities=(),
        timing=Timing(0.0, 0.0, 0.0, 0.0),
    )
    return Evidence(
        message=Message("这件事", customer=Customer("1", tier=tier) if tier else None),
        classification=classification,
        intent=knowledge.taxonomy.intents[intent],
        accepted=knowledge.faq[entry] if entry else None,
        candidates=tuple(Candidate(f"e{n}", confidence, 0.5) for n, confidence in enumerate(candidates)),
        complaint=complaint,
        thresholds=THRESHOLDS,
    )


def needing_a_person(case: Evidence) -> Evidence:
    assert case.accepted is not None
    return replace(case, accepted=replace(case.accepted, needs_human=True))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (evidence("GENERAL_HUMAN"), Reason.REQUESTED),
        (evidence("ACCOUNT_SECURITY"), Reason.SECURITY),
        (evidence("COMPLAINT_SERVICE"), Reason.COMPLAINT),
        (evidence(sentiment=angry(0.6)), Reason.NEGATIVE_SENTIMENT),
        (needing_a_person(evidence(entry="ship-when")), Reason.NEEDS_HUMAN),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_each_row_hands_over_with_its_reason(case: Evidence, reason: Reason) -> None:
    verdict = decide(case)

    assert verdict.outcome is Outcome.HANDOFF
    assert reason in verdict.handoff.reasons
    assert verdict.handoff.required


def test_every_row_of_the_table_is_tested_here() -> None:
    assert {row.reason for row in HANDOFF_ROWS} == {
        Reason.REQUESTED,
        Reason.SECURITY,
        Reason.COMPLAINT,
        Reason.NEGATIVE_SENTIMENT,
        Reason.NEEDS_HUMAN,
    }


@pytest.mark.parametrize("intent", ["GENERAL_HUMAN", "ACCOUNT_SECURITY", "COMPLAINT_SERVICE"])
@pytest.mark.parametrize("decision", [Acceptance.ABSTAIN, Acceptance.AMBIGUOUS])
def test_an_unsure_intent_hands_nothing_over(intent: str, decision: Acceptance) -> None:
    assert decide(evidence(intent, decision=decision)).handoff.reasons == ()


def test_several_reasons_stand_together_in_table_order() -> None:
    verdict = decide(evidence("ACCOUNT_SECURITY", entry="security-lock", sentiment=angry(0.9)))

    assert verdict.handoff.reasons == (Reason.NEGATIVE_SENTIMENT, Reason.SECURITY)
    assert verdict.step.detail == "the customer is angry; account security"


def test_the_policy_outranks_the_need_of_an_entry() -> None:
    angry_too = replace(needing_a_person(evidence(entry="ship-when")), classification=evidence(sentiment=angry(0.9)).classification)

    assert decide(angry_too).handoff.reasons == (Reason.NEGATIVE_SENTIMENT,)


def test_a_person_takes_over_even_where_an_entry_matches() -> None:
    assert decide(evidence(entry="ship-when", sentiment=angry(0.9))).outcome is Outcome.HANDOFF


def test_anger_below_its_threshold_is_no_reason() -> None:
    assert decide(evidence(entry="ship-when", sentiment=angry(0.59))).outcome is Outcome.ANSWERED


def test_a_matched_entry_is_answered() -> None:
    verdict = decide(evidence(entry="ship-when", candidates=(0.9,)))

    assert verdict.outcome is Outcome.ANSWERED
    assert not verdict.handoff.required
    assert verdict.handoff.skill is None


def test_nothing_matched_but_worth_asking_is_clarified() -> None:
    assert decide(evidence(candidates=(0.3, 0.2, 0.1, 0.1))).outcome is Outcome.CLARIFY


def test_only_the_best_three_count_towards_asking() -> None:
    assert decide(evidence(candidates=(0.19, 0.19, 0.19, 0.19, 0.19))).outcome is Outcome.NO_ANSWER


def test_nothing_that_fits_gets_no_answer() -> None:
    verdict = decide(evidence(candidates=(0.2, 0.1, 0.1)))

    assert verdict.outcome is Outcome.NO_ANSWER
    assert verdict.handoff.reasons == ()


def test_a_message_out_of_scope_is_never_asked_about() -> None:
    assert decide(evidence(OUT_OF_SCOPE, candidates=(0.3, 0.3, 0.3))).outcome is Outcome.NO_ANSWER


def test_a_hand_off_names_the_skill_of_the_intent() -> None:
    assert decide(evidence("COMPLAINT_SERVICE")).handoff.skill == "complaint"


def test_priority_is_the_intents_own() -> None:
    assert triage(evidence("ORDER_CANCEL")) is Priority.LOW
    assert triage(evidence("ACCOUNT_SECURITY")) is Priority.HIGH


def test_a_vip_customer_has_high_priority() -> None:
    verdict = decide(evidence("ORDER_CANCEL", tier=Tier.VIP))

    assert verdict.handoff.priority is Priority.HIGH


@pytest.mark.parametrize("tier", [Tier.NORMAL, Tier.POTENTIAL])
def test_other_customers_change_no_priority(tier: Tier) -> None:
    assert triage(evidence("ORDER_CANCEL", tier=tier)) is Priority.LOW


def test_an_angry_customer_has_high_priority() -> None:
    assert triage(evidence("ORDER_CANCEL", sentiment=angry(0.8))) is Priority.HIGH


def test_the_policy_is_pure() -> None:
    case = evidence("ORDER_CANCEL")

    assert decide(case) == decide(replace(case))


# ---- how sure an intent must be ----


def ranking(*confidences: float) -> list[IntentScore]:
    return [IntentScore(f"I{n}", confidence) for n, confidence in enumerate(confidences)]


@pytest.mark.parametrize(
    ("confidences", "decision"),
    [
        ((0.6, 0.4), Acceptance.ACCEPT),
        ((0.59, 0.1), Acceptance.ABSTAIN),
        ((0.5, 0.4), Acceptance.AMBIGUOUS),
        ((0.5, 0.2), Acceptance.AMBIGUOUS),
        ((0.5, 0.19), Acceptance.ABSTAIN),
        ((0.3, 0.29), Acceptance.ABSTAIN),
        ((0.5,), Acceptance.ABSTAIN),
    ],
)
def test_low_confidence_abstains_unless_two_intents_share_it(confidences: tuple[float, ...], decision: Acceptance) -> None:
    assert judge(ranking(*confidences), threshold=0.6, ambiguity=0.4) is decision


def test_a_sure_complaint_is_handed_over_though_which_one_is_open() -> None:
    assert decide(evidence(decision=Acceptance.AMBIGUOUS, complaint=0.99)).handoff.reasons == (Reason.COMPLAINT,)
