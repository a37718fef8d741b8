"""The conversation as a table: when a person takes over, who, and what holds while one has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.conversation_kit import (
    ANGRY,
    COMPLAINT,
    HELLO,
    HUMAN,
    SHIP,
    SOLVED,
    START,
    THANKS,
    after,
    intent_of,
    mumbled,
    retail_words,
    said,
    talk,
)
from yingda.decide.conversation import ROWS, Kind, Turn, advance
from yingda.decide.evidence import Evidence
from yingda.decide.policy import decide, next_best
from yingda.decide.ruled import apply_rules, rule_input
from yingda.domain.conversation import NEW, ConversationState, released
from yingda.domain.decision import Candidate, Outcome, Reason
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import Priority
from yingda.domain.message import CustomerProfile, Tier
from yingda.domain.rules import RuleOutcome

# ---- by itself ----


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        (HUMAN, (Reason.REQUESTED,)),
        (mumbled("给我转人工"), (Reason.REQUESTED,)),
        (mumbled("人工！人工！！"), (Reason.REQUESTED,)),
        (replace(SHIP, message=replace(SHIP.message, text="不要机器人，给我转人工")), (Reason.REQUESTED,)),
        (COMPLAINT, (Reason.COMPLAINT,)),
        (mumbled("我要投诉"), (Reason.COMPLAINT,)),
        (said("没送就签收，我要投诉", entry="ship-when"), (Reason.COMPLAINT,)),
        (mumbled("账号被盗了"), (Reason.SECURITY,)),
        (said("有人用我的号", intent="ACCOUNT_SECURITY"), (Reason.SECURITY,)),
        (replace(SHIP, classification=replace(SHIP.classification, sentiment=ANGRY)), (Reason.NEGATIVE_SENTIMENT,)),
        (said("冒烟了", entry="repair-dangerous"), (Reason.NEEDS_HUMAN,)),
        (
            said("客服骂人，转人工", entry="complaint-service", sentiment=ANGRY),
            (Reason.REQUESTED, Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT),
        ),
        (said("冒烟了，投诉", entry="repair-dangerous"), (Reason.COMPLAINT,)),
    ],
)
def test_what_one_message_says_by_itself(message: Evidence, reasons: tuple[Reason, ...]) -> None:
    assert after(message).handoff.reasons == reasons


def test_what_the_message_says_and_what_the_conversation_adds_stand_together() -> None:
    furious = replace(SHIP, classification=replace(SHIP.classification, sentiment=ANGRY))

    assert after(SHIP, SHIP, furious).handoff.reasons == (Reason.REPEATED_QUESTION, Reason.NEGATIVE_SENTIMENT)


@pytest.mark.parametrize(
    "message",
    [
        said("不用转人工了 我自己看", entry="general-human"),
        said("先别转人工", intent="GENERAL_HUMAN"),
        said("我不是来投诉的", entry="complaint-service", complaint=0.99),
        mumbled("不是要投诉"),
        mumbled("不要人工"),
    ],
)
def test_what_is_taken_back_calls_nobody_and_counts_nothing(message: Evidence) -> None:
    verdict = after(SHIP, message)

    assert (verdict.outcome, verdict.situation) == (Outcome.CLARIFY, "noted")
    assert verdict.state == replace(after(SHIP).state, question=verdict.state.question)


def test_a_question_beside_something_taken_back_is_answered() -> None:
    verdict = after(said("不用转人工，怎么退货", entry="return-how"))

    assert verdict.outcome is Outcome.ANSWERED
    assert verdict.state.repeats == 1


@pytest.mark.parametrize("text", ["我要投诉", "12315见"])
def test_a_few_words_of_complaint_are_said_to_the_shop_whatever_the_model_is_sure_of(text: str) -> None:
    assert Reason.COMPLAINT in after(said(text, intent="OUT_OF_SCOPE")).handoff.reasons


@pytest.mark.parametrize(
    "message", [said("本来要投诉，结果他帮我弄好了", entry="praise"), said("房东不退押金，去哪投诉", intent="OUT_OF_SCOPE")]
)
def test_a_word_of_complaint_in_praise_or_about_others_is_no_complaint(message: Evidence) -> None:
    assert after(message).handoff.reasons == ()


def test_a_message_that_calls_a_person_does_not_count_as_not_understood() -> None:
    assert after(mumbled("我要投诉")).state.undecided == 0


# ---- who takes over ----


def test_vip_is_a_reason_only_beside_another() -> None:
    assert after(replace(SHIP, message=replace(SHIP.message, customer=None))).outcome is Outcome.ANSWERED
    assert after(said(entry="ship-when", tier=Tier.VIP)).outcome is Outcome.ANSWERED


def test_a_vip_customer_goes_to_the_dedicated_group_and_a_supervisor_is_told() -> None:
    handoff = after(said("投诉", entry="complaint-service", tier=Tier.VIP)).handoff

    assert handoff.reasons == (Reason.COMPLAINT, Reason.VIP)
    assert (handoff.skill, handoff.priority, handoff.notify) == ("vip", Priority.HIGH, ("supervisor",))


def test_an_angry_customer_goes_to_the_senior_group() -> None:
    handoff = after(said("客服骂人", entry="complaint-service", sentiment=ANGRY)).handoff

    assert (handoff.skill, handoff.priority) == ("senior", Priority.HIGH)


def test_who_asks_for_a_person_goes_to_the_group_of_the_open_question() -> None:
    assert after(replace(HUMAN, topic=intent_of("ORDER_SHIP_TIME"))).handoff.skill == "order_ship"
    assert after(HUMAN).handoff.skill == "general"


# ---- after the hand-off ----


def test_business_stays_with_the_person_and_nothing_is_counted() -> None:
    handed, *later = talk(HUMAN, SHIP, mumbled(), said("冒烟了", entry="repair-dangerous"))

    assert [verdict.outcome for verdict in later] == [Outcome.HANDOFF] * 3
    assert all(verdict.handoff == handed.handoff for verdict in later)
    assert later[-1].state == replace(handed.state, last_at=later[-1].state.last_at)


def test_a_new_cause_while_a_person_has_it_is_told_in_the_explanation() -> None:
    first, again = talk(HUMAN, COMPLAINT, COMPLAINT)[1:]

    assert first.step.detail == "a hand-off stands; new: a complaint"
    assert again.step.detail == "a hand-off stands; also: a complaint"


@pytest.mark.parametrize(
    ("message", "reason", "skill"),
    [
        (COMPLAINT, Reason.COMPLAINT, "complaint"),
        (mumbled("账号被盗了"), Reason.SECURITY, "order"),
        (mumbled("气死我了", classification=said(sentiment=ANGRY).classification), Reason.NEGATIVE_SENTIMENT, "senior"),
    ],
    ids=["complaint", "account theft", "anger"],
)
def test_a_new_reason_raises_the_hand_off_that_stands(message: Evidence, reason: Reason, skill: str) -> None:
    handed, raised, later = talk(said("转人工"), message, SHIP)

    assert handed.handoff.priority is Priority.LOW
    assert raised.outcome is Outcome.HANDOFF
    assert raised.handoff.reasons == (Reason.REQUESTED, reason)
    assert (raised.handoff.skill, raised.handoff.priority) == (skill, Priority.HIGH)
    assert raised.state.standing == raised.handoff == later.handoff


def test_a_less_urgent_reason_is_added_and_moves_nobody() -> None:
    angry = said("客服骂人", entry="complaint-service", sentiment=ANGRY)

    raised = after(angry, mumbled("给我转人工"))

    assert raised.handoff.reasons == (Reason.REQUESTED, Reason.COMPLAINT, Reason.NEGATIVE_SENTIMENT)
    assert (raised.handoff.skill, raised.handoff.priority) == ("senior", Priority.HIGH)


def test_a_customer_known_as_vip_only_later_goes_to_the_dedicated_group() -> None:
    raised = after(HUMAN, said("客服骂我", entry="complaint-service", tier=Tier.VIP))

    assert raised.handoff.reasons == (Reason.REQUESTED, Reason.COMPLAINT, Reason.VIP)
    assert (raised.handoff.skill, raised.handoff.notify) == ("vip", ("supervisor",))


def test_a_message_that_names_no_customer_is_from_the_one_whom_the_conversation_knows() -> None:
    state = ConversationState(customer=CustomerProfile(Tier.VIP, "王女士"))
    anonymous = replace(HUMAN, message=replace(HUMAN.message, customer=None), state=state)

    verdict = decide(anonymous)

    assert verdict.handoff.reasons == (Reason.REQUESTED, Reason.VIP)
    assert (verdict.handoff.skill, verdict.handoff.notify) == ("vip", ("supervisor",))
    assert rule_input(anonymous, verdict).tier is Tier.VIP
    assert verdict.state.customer == state.customer


def test_the_customer_whom_a_message_names_counts_and_not_the_one_before() -> None:
    known = replace(HUMAN, state=ConversationState(customer=CustomerProfile(Tier.VIP)))

    assert decide(known).handoff.reasons == (Reason.REQUESTED,)


def test_the_same_reason_again_leaves_the_very_hand_off_that_stands() -> None:
    first, again = talk(COMPLAINT, replace(COMPLAINT, intent=replace(COMPLAINT.intent, priority=Priority.HIGH)))

    assert again.state.standing is first.state.standing


def test_a_rule_adds_to_a_standing_hand_off_only_with_a_message_that_brings_a_new_reason() -> None:
    ruled = RuleOutcome(rows=("row",), skill="rule", tags=("urgent",), notify=("boss",), priority=Priority.HIGH)
    handed = after(said("转人工"))
    question, complaint = (replace(message, state=handed.state) for message in (SHIP, COMPLAINT))

    plain, raised = (apply_rules(decide(each), ruled, each) for each in (question, complaint))

    assert plain.handoff == handed.handoff
    assert (raised.handoff.tags, raised.handoff.notify, raised.handoff.skill) == (("urgent",), ("boss",), "rule")
    assert raised.state.standing == raised.handoff
    assert raised.handoff.reasons == (Reason.REQUESTED, Reason.COMPLAINT)


def test_thanks_that_complain_are_no_thanks() -> None:
    assert Reason.COMPLAINT in after(HUMAN, said("谢谢，我要投诉", entry="general-thanks")).handoff.reasons


def test_a_customer_who_asks_whether_anybody_is_there_is_told_that_a_person_comes() -> None:
    assert after(HUMAN, HELLO).outcome is Outcome.HANDOFF


@pytest.mark.parametrize("message", [THANKS, SOLVED], ids=["thanks", "solved"])
def test_thanks_are_answered_and_releases_nothing(message: Evidence) -> None:
    handed, polite, later = talk(HUMAN, message, SHIP)

    assert polite.outcome is Outcome.ANSWERED
    assert not polite.handoff.required
    assert later.handoff == handed.handoff


def test_a_release_lets_the_bot_speak_and_starts_every_count_anew() -> None:
    state = released(after(SHIP, SHIP, SHIP).state)
    verdict = after(SHIP, state=state)

    assert verdict.outcome is Outcome.ANSWERED
    assert verdict.state.repeats == 1


# ---- time ----


@pytest.mark.parametrize(("hours", "outcome"), [(23, Outcome.HANDOFF), (24, Outcome.ANSWERED)])
def test_after_the_idle_time_the_conversation_begins_anew(hours: int, outcome: Outcome) -> None:
    later = replace(SHIP, message=replace(SHIP.message, at=START + timedelta(hours=hours)))

    assert after(HUMAN, later).outcome is outcome


def test_a_clock_that_goes_back_makes_nothing_older() -> None:
    earlier = replace(SHIP, message=replace(SHIP.message, at=START - timedelta(hours=1)))

    assert after(SHIP, earlier).state.last_at == START


@pytest.mark.parametrize("at", [None, datetime(2026, 11, 30)])
def test_without_a_time_to_compare_nothing_is_forgotten(at: datetime | None) -> None:
    assert after(SHIP, replace(SHIP, message=replace(SHIP.message, at=at))).state.repeats == 2


# ---- what is remembered ----


def test_facts_and_entries_sent_are_remembered_each_once() -> None:
    state = after(said(entry="ship-when", facts=("order_no",)), said(entry="return-how", facts=("order_no", "phone")), SHIP, HELLO).state

    assert state.facts == ("order_no", "phone")
    assert state.tried == ("ship-when", "return-how")


def test_a_second_try_offers_what_was_not_sent() -> None:
    candidates = (Candidate("a", 0.5, 0.5), Candidate("b", 0.3, 0.3))

    assert next_best(candidates, ("a",)) == candidates[1:]


# ---- settings ----


def test_counts_are_settings() -> None:
    strict = HandoffPolicy(repeats=1, undecided=1)

    assert after(replace(SHIP, policy=strict)).handoff.reasons == (Reason.REPEATED_QUESTION,)
    assert after(replace(mumbled(), policy=strict)).handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_a_limit_lowered_below_a_count_acts_at_the_next_such_message() -> None:
    strict = HandoffPolicy(repeats=2)
    state = after(SHIP, SHIP).state

    assert decide(replace(HELLO, state=state, policy=strict)).outcome is Outcome.ANSWERED
    assert decide(replace(SHIP, state=state, policy=strict)).outcome is Outcome.HANDOFF


def test_every_kind_of_message_has_a_row() -> None:
    assert set(ROWS) == set(Kind)


def test_nothing_is_counted_while_a_hand_off_stands() -> None:
    standing = replace(NEW, standing=after(HUMAN).handoff)

    assert all(advance(standing, Turn(kind), HandoffPolicy()).state == standing for kind in Kind)
    assert isinstance(standing, ConversationState)


@pytest.mark.parametrize(("limit", "outcomes"), [(1, "ch"), (2, "cch"), (3, "ccch")])
def test_how_often_facts_are_asked_for_is_a_setting(limit: int, outcomes: str) -> None:
    lacks = replace(SHIP, wants=("order_no",), withheld=True, fragment=True, policy=HandoffPolicy(requests=limit))

    verdicts = talk(*(replace(lacks, message=replace(SHIP.message, text=f"那{word}发货")) for word in "何几啥多"[: len(outcomes)]))

    assert [bool(each.asks) for each in verdicts] == [letter == "c" for letter in outcomes]
    assert verdicts[-1].handoff.reasons == (Reason.NEEDS_HUMAN,)
    assert f"asked {limit} times" in verdicts[-1].step.detail


# ---- what it is ----


@pytest.mark.parametrize(
    "message",
    [
        mumbled("你是机器人吗？"),
        said("你是真人吗", entry="general-human"),
        said("你好，是真人吗", entry="general-greeting"),
        said("你是谁啊", intent="OUT_OF_SCOPE"),
        mumbled("are you a robot?"),
    ],
)
def test_who_asks_what_it_is_talking_to_is_told_and_nothing_is_counted(message: Evidence) -> None:
    message = replace(message, policy=HandoffPolicy(words=retail_words()))
    first, again = talk(SHIP, message, message)[1:]

    assert {(each.outcome, each.situation, each.handoff.required) for each in (first, again)} == {(Outcome.CLARIFY, "identity", False)}
    assert replace(again.state, last_at=None) == replace(after(SHIP).state, last_at=None)


def test_who_asks_what_it_is_and_wants_a_person_gets_one() -> None:
    policy = HandoffPolicy(words=retail_words())

    for text in ("你是机器人吧，让真人出来", "有没有真人", "你是真人吗？转人工"):
        assert after(replace(mumbled(text), policy=policy)).handoff.reasons == (Reason.REQUESTED,)
    assert after(HUMAN, replace(mumbled("你是真人吗"), policy=policy)).outcome is Outcome.HANDOFF
