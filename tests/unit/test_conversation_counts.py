"""The conversation's counters: what is the same question, what hangs, who is content, and what starts anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conversation_kit import (
    DISPLEASED,
    HELLO,
    RETURN,
    SHIP,
    SOLVED,
    THANKS,
    UNHAPPY,
    WEATHER,
    after,
    intent_of,
    mumbled,
    nearly,
    said,
    talk,
)
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Offer
from yingda.domain.conversation import Asked
from yingda.domain.decision import Candidate, KeywordHit, Outcome, Reason
from yingda.domain.message import Message

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


@pytest.mark.parametrize("text", ["退货", "退货？", " 退 货!"])
def test_a_keyword_alone_is_asked_about_and_counts_as_undecided(text: str) -> None:
    keyword = _with_keyword(text, "AFTER_SALES_RETURN")
    first, second = talk(keyword, keyword)

    assert (first.outcome, first.offer, first.state.undecided) == (Outcome.CLARIFY, Offer.INTENT, 1)
    assert second.handoff.reasons == (Reason.LOW_CONFIDENCE,)


def test_a_keyword_among_other_words_or_of_another_intent_decides_nothing() -> None:
    for other in (_with_keyword("退货那个事啊", "AFTER_SALES_RETURN"), _with_keyword("退货", "ORDER_CANCEL")):
        assert after(other).outcome is Outcome.NO_ANSWER


def _with_keyword(text: str, intent: str) -> Evidence:
    """A message of a doubtful intent AFTER_SALES_RETURN, with the keyword 退货 of ``intent`` in it."""
    found = said(text, intent="AFTER_SALES_RETURN", sure=False)
    classification = replace(found.classification, keywords=(KeywordHit("退货", intent),))
    return replace(found, classification=classification, askable=True)


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


def test_after_a_second_try_words_of_displeasure_are_about_the_answer_whatever_they_resemble() -> None:
    still = replace(
        nearly("return-how"), message=Message("还是没解决"), text="还是没解决", candidates=(Candidate("return-how", 0.65, 0.6),)
    )

    assert after(SHIP, still).state.question == Asked("return-how", "还是没解决"), "nobody was dissatisfied before"
    assert after(SHIP, UNHAPPY, still).handoff.reasons == (Reason.DISSATISFIED,)


def test_what_may_not_be_offered_is_nothing_to_ask_about() -> None:
    close = (Candidate("complaint-service", 0.45, 0.4), Candidate("general-human", 0.4, 0.4), Candidate("ship-when", 0.1, 0.2))
    first, second = talk(*[mumbled(candidates=close, offerable=frozenset({"ship-when"}))] * 2)

    assert first.outcome is Outcome.NO_ANSWER
    assert second.handoff.reasons == (Reason.LOW_CONFIDENCE,)


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
