"""The conversation as a table: when a person takes over, what counts, what starts anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.conversation_kit import ANGRY, DISPLEASED, START, after, intent_of, mumbled, nearly, said, talk
from yingda.decide.conversation import ROWS, Kind, Turn, advance
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Offer, decide, next_best
from yingda.decide.ruled import apply_rules
from yingda.domain.conversation import NEW, Asked, ConversationState, released
from yingda.domain.decision import Candidate, Outcome, Reason
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import Priority
from yingda.domain.message import Tier
from yingda.domain.rules import RuleOutcome

SHIP = said("什么时候发货", entry="ship-when")
RETURN = said("怎么退货", entry="return-how")
HELLO = said("你好", entry="general-greeting")
THANKS = said("谢谢", entry="general-thanks")
SOLVED = said("谢谢，解决了", entry="general-thanks")
UNHAPPY = said("你说的不对吧", entry="general-unresolved")
WEATHER = said("今天天气怎么样", intent="OUT_OF_SCOPE")
HUMAN = said("转人工", entry="general-human")
COMPLAINT = said("客服骂我", entry="complaint-service")


# ---- the same question ----


def test_the_third_time_the_same_question_in_a_row_calls_a_person() -> None:
    first, second, third = talk(SHIP, SHIP, SHIP)

    assert (first.outcome, second.outcome, third.outcome) == (Outcome.ANSWERED, Outcome.ANSWERED, Outcome.HANDOFF)
    assert third.handoff.reasons == (Reason.REPEATED_QUESTION,)
    assert third.state.standing == third.handoff


def test_another_question_in_between_starts_anew() -> None:
    assert after(SHIP, SHIP, RETURN, SHIP).state.repeats == 1


@pytest.mark.parametrize("between", [HELLO, THANKS, UNHAPPY, mumbled(), WEATHER], ids=["hello", "thanks", "unhappy", "mumbled", "weather"])
def test_what_is_no_new_question_does_not_break_the_row(between: Evidence) -> None:
    assert Reason.REPEATED_QUESTION in after(SHIP, between, SHIP, SHIP).handoff.reasons


def test_satisfaction_starts_anew() -> None:
    assert after(SHIP, SHIP, SOLVED, SHIP).state.repeats == 1


def test_a_message_that_is_not_sure_enough_repeats_the_question_it_resembles() -> None:
    assert after(SHIP, nearly("ship-when"), SHIP).handoff.reasons == (Reason.REPEATED_QUESTION,)


def test_a_message_that_resembles_another_question_is_no_repeat() -> None:
    assert after(SHIP, nearly("return-how")).state.repeats == 1
    assert after(SHIP, nearly("return-how")).state.undecided == 1


def test_a_resembling_message_of_another_intent_is_no_repeat() -> None:
    other = replace(nearly("ship-when"), intent=intent_of("ORDER_CANCEL"))

    assert after(SHIP, other).state.repeats == 1


def test_a_fragment_read_with_the_question_is_no_repeat() -> None:
    fragment = replace(said("那多久", entry="ship-when"), fragment=True)

    assert after(SHIP, fragment, fragment, fragment).state.repeats == 1


def test_a_fragment_may_ask_something_new() -> None:
    assert after(SHIP, replace(RETURN, fragment=True)).state.question == Asked("return-how", "怎么退货")


def test_a_sure_intent_without_an_entry_is_a_question_about_the_intent() -> None:
    close = (Candidate("a", 0.4, 0.4), Candidate("b", 0.3, 0.3))
    verdict = after(said("退货的事", intent="AFTER_SALES_RETURN", candidates=close))

    assert verdict.outcome is Outcome.CLARIFY
    assert verdict.state.question == Asked("AFTER_SALES_RETURN", "退货的事")
    assert verdict.state.undecided == 0


def test_the_open_question_is_kept_without_personal_data() -> None:
    question = after(said("我13812345678的单什么时候发", entry="ship-when")).state.question

    assert question is not None
    assert "138" not in question.text
    assert "〔手机号〕" in question.text


@pytest.mark.parametrize("again", ["什么时候发货", "什么时候发货？？", " 什么時候發貨"])
def test_the_words_of_the_open_question_are_the_same_question_whatever_the_model_makes_of_them(again: str) -> None:
    row = talk(SHIP, mumbled(again), replace(mumbled(again), fragment=True))

    assert [each.state.repeats for each in row] == [1, 2, 3]
    assert row[-1].handoff.reasons == (Reason.REPEATED_QUESTION,)


def test_words_with_personal_data_are_compared_without_it() -> None:
    text = "我13812345678的单什么时候发"

    assert after(said(text, entry="ship-when"), mumbled(text)).state.repeats == 2


def test_what_nobody_understood_is_no_question_when_it_is_said_again() -> None:
    assert after(mumbled("那个"), mumbled("那个")).handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_a_sure_intent_that_has_entries_is_asked_about_and_understood() -> None:
    cancel = replace(said("怎么取消订单", intent="ORDER_CANCEL"), askable=True)
    shorter = replace(said("取消订单", intent="ORDER_CANCEL"), askable=True)

    first, second, third = talk(cancel, shorter, shorter)

    assert (first.outcome, first.offer, first.state.question) == (Outcome.CLARIFY, Offer.INTENT, Asked("ORDER_CANCEL", "怎么取消订单"))
    assert (second.outcome, second.state.repeats, second.state.undecided) == (Outcome.CLARIFY, 2, 0)
    assert third.handoff.reasons == (Reason.REPEATED_QUESTION,)


def test_a_sure_intent_does_not_hide_that_the_answer_was_no_use() -> None:
    assert after(SHIP, replace(said("还是没解决", intent="ORDER_CANCEL"), askable=True)).second_response


# ---- fragments that nothing decides ----

HANGING = replace(mumbled("然后呢"), hanging=True, resumable=True)


def test_a_fragment_that_nothing_decides_is_asked_about_and_counts_only_from_the_second_in_a_row() -> None:
    first, second, third = talk(SHIP, HANGING, HANGING, HANGING)[1:]

    assert (first.outcome, first.offer, first.situation) == (Outcome.CLARIFY, Offer.QUESTION, "fragment")
    assert (first.state.undecided, first.state.out_of_scope, first.state.repeats) == (0, 0, 1)
    assert (second.outcome, second.state.undecided) == (Outcome.CLARIFY, 1)
    assert third.handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_a_fragment_that_only_points_is_no_repeat_whatever_it_resembles() -> None:
    pointing = replace(nearly("ship-when"), hanging=True, resumable=True, text="那多久")

    assert after(SHIP, pointing).state.repeats == 1
    assert after(SHIP, replace(pointing, text="多久发货呀")).state.repeats == 2


def test_a_fragment_that_seems_out_of_scope_is_none() -> None:
    seems = replace(said("可以吗", intent="OUT_OF_SCOPE"), hanging=True, resumable=True)

    assert after(SHIP, seems).state.out_of_scope == 0
    assert after(SHIP, seems).outcome is Outcome.CLARIFY


@pytest.mark.parametrize("between", [RETURN, SHIP, SOLVED, replace(said("那多久", entry="ship-when"), fragment=True)])
def test_what_is_understood_in_between_lets_a_fragment_hang_again(between: Evidence) -> None:
    assert after(SHIP, HANGING, between, HANGING).state.undecided == 0


def test_a_fragment_without_an_open_question_to_ask_about_is_not_understood() -> None:
    assert after(replace(HANGING, resumable=False)).state.undecided == 1


# ---- dissatisfaction ----


def test_the_first_dissatisfied_message_gets_a_second_try_and_the_second_a_person() -> None:
    first, second = talk(SHIP, UNHAPPY, UNHAPPY)[1:]

    assert (first.outcome, first.second_response, first.handoff.required) == (Outcome.CLARIFY, True, False)
    assert (second.outcome, second.second_response) == (Outcome.HANDOFF, False)
    assert second.handoff.reasons == (Reason.DISSATISFIED,)


def test_the_policy_outranks_the_need_of_the_entry_for_dissatisfaction() -> None:
    assert UNHAPPY.accepted is not None
    assert UNHAPPY.accepted.needs_human
    assert after(UNHAPPY).handoff.reasons == ()


@pytest.mark.parametrize("text", ["没用", "还是没解决", "你这是答非所问", "没搞定"])
def test_words_of_dissatisfaction_are_enough_where_nothing_is_decided(text: str) -> None:
    assert after(SHIP, mumbled(text)).second_response


def test_words_of_dissatisfaction_in_a_question_are_part_of_it() -> None:
    assert after(said("券还是没用，怎么退货", entry="return-how")).outcome is Outcome.ANSWERED


def test_the_same_question_again_does_not_forgive() -> None:
    assert after(SHIP, UNHAPPY, SHIP, UNHAPPY).handoff.reasons == (Reason.DISSATISFIED,)


@pytest.mark.parametrize("between", [RETURN, SOLVED], ids=["new question", "satisfied"])
def test_a_new_question_or_satisfaction_forgives(between: Evidence) -> None:
    assert after(SHIP, UNHAPPY, between, UNHAPPY).second_response


def test_a_question_after_dissatisfaction_is_counted_as_one() -> None:
    assert after(SHIP, UNHAPPY, SHIP).state.repeats == 2


# ---- not understood, out of scope ----


@pytest.mark.parametrize(
    ("message", "reason"), [(mumbled(), Reason.LOW_CONFIDENCE), (WEATHER, Reason.OUT_OF_SCOPE)], ids=["mumbled", "out of scope"]
)
def test_twice_in_a_row_calls_a_person(message: Evidence, reason: Reason) -> None:
    first, second = talk(message, message)

    assert first.outcome is Outcome.NO_ANSWER
    assert second.handoff.reasons == (reason,)


@pytest.mark.parametrize("message", [mumbled(), WEATHER], ids=["mumbled", "out of scope"])
def test_an_understood_question_in_between_starts_anew(message: Evidence) -> None:
    assert after(message, SHIP, message).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize("message", [mumbled(), WEATHER], ids=["mumbled", "out of scope"])
def test_small_talk_in_between_neither_breaks_the_row_nor_counts(message: Evidence) -> None:
    assert after(message, HELLO, THANKS, message).outcome is Outcome.HANDOFF


@pytest.mark.parametrize("row", [(mumbled(), WEATHER), (WEATHER, mumbled())], ids=["mumbled first", "weather first"])
def test_a_mixture_of_both_is_a_want_of_understanding(row: tuple[Evidence, Evidence]) -> None:
    assert after(*row).handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_what_only_seems_out_of_scope_is_not_understood() -> None:
    seems = said("那个事", intent="OUT_OF_SCOPE", sure=False)

    assert after(seems, seems).handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_facts_without_a_question_are_asked_about_and_count_nothing() -> None:
    number = mumbled("DD20260001", only_facts=True)

    first, second = talk(number, number)

    assert (first.outcome, second.outcome) == (Outcome.CLARIFY, Outcome.CLARIFY)
    assert first.situation == "facts_alone"
    assert (second.state.undecided, second.state.out_of_scope) == (0, 0)


def test_an_entry_more_likely_than_not_is_what_is_asked_about() -> None:
    likely = replace(nearly("return-how"), candidates=(Candidate("return-how", 0.65, 0.6),))

    asked, repeated, again = talk(likely, likely, likely)

    assert (asked.outcome, asked.state.question and asked.state.question.about) == (Outcome.CLARIFY, "return-how")
    assert (asked.state.undecided, repeated.state.repeats) == (0, 2)
    assert again.handoff.reasons == (Reason.REPEATED_QUESTION,)
    assert after(SHIP, UNHAPPY, likely).state.dissatisfied == 0, "it is another question"


def test_asking_back_about_close_entries_of_an_unsure_intent_counts_as_undecided() -> None:
    close = mumbled(candidates=(Candidate("a", 0.4, 0.4), Candidate("b", 0.3, 0.3)))
    first, second = talk(close, close)

    assert first.outcome is Outcome.CLARIFY
    assert second.handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_what_could_not_be_decided_opens_a_question_only_where_none_is() -> None:
    assert after(mumbled("那个")).state.question == Asked("ORDER_STATUS", "那个")
    assert after(SHIP, mumbled("那个")).state.question == Asked("ship-when", "什么时候发货")


# ---- what only acknowledges, and displeasure that looks like a greeting ----

SLOW = said("好慢啊", entry="general-greeting", sentiment=DISPLEASED)


@pytest.mark.parametrize("text", ["好", "嗯", "嗯嗯", "哦", "噢", "行", "好的", "ok", "?", "？？", "。。。", "好啊"])
def test_what_only_acknowledges_gets_a_short_reply_and_counts_nothing(text: str) -> None:
    first, *later = talk(SHIP, *[mumbled(text)] * 4)

    assert {(each.outcome, each.situation) for each in later} == {(Outcome.CLARIFY, "acknowledged")}
    assert {replace(each.state, last_at=None) for each in later} == {replace(first.state, last_at=None)}


def test_what_only_acknowledges_at_the_start_is_asked_what_it_is_about() -> None:
    assert after(mumbled("嗯")).situation == "noted"


@pytest.mark.parametrize("text", ["好了", "行不行", "好慢", "ok吗", "嗯，怎么退货"])
def test_what_says_more_is_more_than_an_acknowledgement(text: str) -> None:
    assert after(SHIP, mumbled(text)).situation != "acknowledged"


def test_sure_thanks_stay_thanks() -> None:
    assert after(SHIP, said("好的", entry="general-thanks")).outcome is Outcome.ANSWERED


def test_a_displeased_customer_is_not_greeted_and_after_an_answer_gets_a_second_try() -> None:
    before, second, third = talk(SLOW, SHIP, SLOW)[0], *talk(SHIP, SLOW, SLOW)[1:]

    assert (before.outcome, before.situation, before.state.undecided) == (Outcome.CLARIFY, "heard", 0)
    assert (second.outcome, second.second_response) == (Outcome.CLARIFY, True)
    assert third.handoff.reasons == (Reason.DISSATISFIED,)


def test_displeased_thanks_that_say_it_is_solved_are_satisfied() -> None:
    assert after(SHIP, said("总算解决了", entry="general-thanks", sentiment=DISPLEASED)).state.repeats == 0


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
