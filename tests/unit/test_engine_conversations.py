"""The engine in a conversation: what was said before helps to read a message, and counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes_core import THRESHOLDS, tiny_engine, tiny_knowledge
from yingda.decide.context import only_points
from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.decision import Answer, Candidate, Outcome, Reason
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.turn import offerable, worth_offering

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def talk(*texts: str, state: ConversationState = NEW, clarify: float = THRESHOLDS.clarify) -> list[Answer]:
    """The answers of one conversation, a minute apart; ``clarify`` is what makes entries worth asking about."""
    engine, answers = tiny_engine(thresholds=replace(THRESHOLDS, clarify=clarify)), []
    for minute, text in enumerate(texts):
        answers.append(engine.answer_many([Message(text, at=AT + timedelta(minutes=minute))], [state])[0])
        state = answers[-1].state
    return answers


def test_the_same_question_a_third_time_goes_to_a_person() -> None:
    answers = talk("什么时候发货", "多久发", "到底什么时候发")

    assert [each.outcome for each in answers] == [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.HANDOFF]
    assert answers[-1].handoff.reasons == (Reason.REPEATED_QUESTION,)


def test_messages_without_a_state_know_nothing_of_each_other() -> None:
    engine = tiny_engine()

    assert {engine.answer(Message("什么时候发货")).outcome for _ in range(5)} == {Outcome.ANSWERED}


def test_there_must_be_a_state_for_every_message() -> None:
    with pytest.raises(ValueError, match="zip"):
        tiny_engine().answer_many([Message("发"), Message("消")], [NEW])


def more_knowledge() -> Knowledge:
    """The tiny shop with two more entries about dispatch, one of which needs a person, and one more about orders."""
    knowledge = tiny_knowledge()
    ship = knowledge.faq["ship-when"]
    more = {"ship-late": "发晚了", "ship-lost": "发丢了", "ship-gift": "发赠品"}
    entries = {id_: replace(ship, id=id_, question={"zh": text}, similar={}, needs_human=id_ == "ship-lost") for id_, text in more.items()}
    return replace(knowledge, faq={**knowledge.faq, **entries})


def test_a_question_said_again_in_the_same_words_is_repeated_and_completes_nothing() -> None:
    answers = talk("可以吗", "可以吗？", state=ConversationState(question=Asked("ship-when", "可以吗"), repeats=1))

    assert all("together" not in step.detail for each in answers for step in each.explanation)
    assert answers[-1].handoff.reasons == (Reason.REPEATED_QUESTION,)


def test_a_sure_intent_without_a_sure_entry_is_asked_about_with_its_entries() -> None:
    engine = tiny_engine(more_knowledge(), thresholds=replace(THRESHOLDS, match=0.99, clarify=3.0))

    asked = engine.answer(Message("发"))

    assert asked.outcome is Outcome.CLARIFY
    assert set(asked.state.offered) == {"ship-when", "ship-late", "ship-gift"}
    assert (asked.state.undecided, asked.state.repeats) == (0, 1)


def test_a_second_try_offers_the_other_entries_of_the_intent_and_then_of_the_category() -> None:
    engine = tiny_engine(more_knowledge())
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1, tried=("ship-when",))

    again = engine.answer_many([Message("没解决", at=AT)], [state])[0]

    assert again.second_response
    assert set(again.state.offered[:2]) == {"ship-late", "ship-gift"}
    assert again.state.offered[2:] == ("cancel-how",)


def test_what_only_hands_to_a_person_is_never_offered() -> None:
    knowledge = more_knowledge()

    offered = worth_offering(
        knowledge, [Candidate(each, 0.3, 0.3) for each in ("security-lock", "ship-lost", "hello", "ship-when")], least=2
    )

    assert [entry.id for entry in offered] == ["ship-when"]
    assert {id_ for ids in offerable(knowledge).values() for id_ in ids}.isdisjoint({"security-lock", "ship-lost", "hello"})


def test_the_customer_chooses_one_of_the_questions_offered() -> None:
    asked, chosen = talk("发还是消", "第二个")

    assert asked.outcome is Outcome.CLARIFY
    assert asked.state.offered[:2] == ("ship-when", "cancel-how")
    assert chosen.outcome is Outcome.ANSWERED
    assert chosen.faq is not None
    assert (chosen.faq.id, chosen.faq.confidence) == ("cancel-how", 1.0)
    assert "chose" in next(step.detail for step in chosen.explanation if step.step == "context")


@pytest.mark.parametrize("text", ["9", "第三个", "2个订单都没到"])
def test_a_number_that_was_not_offered_is_no_choice(text: str) -> None:
    state = ConversationState(offered=("ship-when", "cancel-how"))

    assert all(step.step != "context" for step in talk(text, state=state)[0].explanation)


def test_an_entry_retired_since_it_was_offered_cannot_be_chosen() -> None:
    state = ConversationState(offered=("gone", "cancel-how"))

    assert talk("1", state=state)[0].faq is None


def test_an_order_number_alone_answers_the_question_that_asked_for_it_and_does_not_count() -> None:
    asked, told = talk("什么时候发货", "订单号是DD20260001")

    assert asked.missing == ("order_no",)
    assert told.outcome is Outcome.ANSWERED
    assert told.faq is not None
    assert told.faq.id == "ship-when"
    assert told.missing == ()
    assert told.state.repeats == 1
    assert told.state.facts == ("order_no",)


def test_a_fact_given_once_is_not_asked_for_again() -> None:
    answers = talk("什么时候发货", "DD20260001", "保修多久", "什么时候发货")

    assert answers[-1].missing == ()


def test_an_order_number_without_an_open_question_is_asked_about_and_remembered() -> None:
    first, second, asked = talk("DD20260001", "DD20260001", "什么时候发货")

    assert (first.outcome, second.outcome) == (Outcome.CLARIFY, Outcome.CLARIFY)
    assert (first.faq, first.state.offered) == (None, ())
    assert asked.missing == ()


def test_facts_for_an_answer_that_was_read_are_confirmed_and_not_answered_again() -> None:
    answered, told = talk("什么时候发货", "DD20260001")

    assert answered.reply.parts.solution == "48 小时内发出。"
    assert "48 小时" not in told.reply.text
    assert "收到" in told.reply.text


def test_a_fragment_is_not_answered_with_what_the_customer_has_read() -> None:
    answered, asked = talk("什么时候发货", "可以吗")

    assert answered.outcome is Outcome.ANSWERED
    assert asked.faq is None


def test_small_talk_keeps_the_questions_offered() -> None:
    chosen = talk("发还是消", "你好", "1")[-1]

    assert chosen.faq is not None
    assert chosen.faq.id == "ship-when"


def test_an_acknowledgement_keeps_the_questions_offered() -> None:
    seen, chosen = talk("发还是消", "嗯", "1")[1:]

    assert seen.state.undecided == 1, "it adds nothing to the question that was not understood"
    assert chosen.faq is not None
    assert chosen.faq.id == "ship-when"


def test_a_choice_does_not_count_as_asking_again() -> None:
    assert talk("发还是消", "1", "什么时候发货")[-1].outcome is Outcome.ANSWERED


@pytest.mark.parametrize("text", ["the second one", "2nd", "选第二个，谢谢", "怎么取消", "How do I cancel"])
def test_a_choice_may_be_worded(text: str) -> None:
    state = ConversationState(offered=("ship-when", "cancel-how"))

    found = talk(text, state=state)[0]

    assert found.faq is not None
    assert found.faq.id == "cancel-how"


@pytest.mark.parametrize("text", ["ok", "agent", "DD20260001", "1", "!!"])
def test_a_message_that_tells_no_language_is_answered_in_that_of_the_conversation(text: str) -> None:
    for language in ("zh", "en"):
        assert talk(text, state=ConversationState(language=language))[0].reply.language == language


def test_the_language_of_the_conversation_is_that_of_the_last_message_that_tells_one() -> None:
    english, number, chinese = talk("where is my parcel 发", "DD20260001", "什么时候发货")

    assert chinese.reply.language == "zh"
    assert number.reply.language == english.reply.language


def test_a_fragment_is_read_together_with_the_open_question() -> None:
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1)

    read = talk("可以吗", state=state)[0]

    assert read.faq is not None
    assert read.faq.id == "ship-when"
    assert any("together" in step.detail for step in read.explanation)
    assert read.state.repeats == 1, "a fragment is no repetition"


@pytest.mark.parametrize("fragment", ["可以吗", "那多久", "然后呢", "and then?"])
def test_a_fragment_that_nothing_decides_is_asked_about_with_the_open_question(fragment: str) -> None:
    asked = talk("什么时候发货", fragment, clarify=0.9)[-1]

    assert asked.outcome is Outcome.CLARIFY
    assert asked.state.offered == ("ship-when", "cancel-how")
    assert asked.reply.parts.confirm.startswith(("您接着问的", "Which of these"))
    assert (asked.state.undecided, asked.state.out_of_scope) == (0, 0)


def test_what_names_a_matter_that_is_not_the_shops_is_no_fragment() -> None:
    assert talk("什么时候发货", "那股票呢")[-1].state.out_of_scope == 1


@pytest.mark.parametrize("text", ["可以吗", "那多久", "然后呢?", "那怎么办", "为什么", "how long", "and then?"])
def test_words_that_only_point_name_nothing(text: str) -> None:
    assert only_points(text)


@pytest.mark.parametrize("text", ["今天天气怎么样", "讲个笑话", "你是谁", "发货呢", "???", "", "那么然后接下来到底什么时候可以呢"])
def test_what_names_something_or_says_nothing_does_not_only_point(text: str) -> None:
    assert not only_points(text)


def test_a_fragment_without_an_open_question_is_asked_about() -> None:
    assert talk("可以吗")[0].outcome in (Outcome.CLARIFY, Outcome.NO_ANSWER)


def test_what_the_customer_takes_back_does_not_hide_the_question() -> None:
    read = talk("不用转人工，什么时候发货")[0]

    assert read.outcome is Outcome.ANSWERED
    assert read.handoff.reasons == ()


def test_a_second_try_without_anything_to_offer_asks_for_other_words() -> None:
    tried = tuple(tiny_knowledge().faq)
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1, tried=tried)

    again = talk("没解决", state=state)[0]

    assert again.second_response
    assert again.state.offered == ()
    assert "换个说法" in again.reply.text
    assert "那一句" not in again.reply.text


def test_after_a_hand_off_the_bot_stays_out() -> None:
    called, later, anybody = talk("转人工", "什么时候发货", "你好")

    assert called.handoff.reasons == (Reason.REQUESTED,)
    assert (later.outcome, later.handoff.reasons, later.faq) == (Outcome.HANDOFF, (Reason.REQUESTED,), None)
    assert anybody.outcome is Outcome.HANDOFF
    assert anybody.state.standing is not None


def test_a_conversation_idle_for_a_day_begins_anew() -> None:
    called = talk("转人工")[0]

    later = tiny_engine().answer_many([Message("什么时候发货", at=AT + timedelta(hours=25))], [called.state])[0]

    assert later.outcome is Outcome.ANSWERED


def test_batch_and_single_messages_are_decided_alike() -> None:
    engine, texts = tiny_engine(), ["什么时候发货", "可以吗", "DD20260001", "转人工", "2", "不知所云"]
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1, offered=("ship-when", "cancel-how"))

    together = engine.answer_many([Message(text) for text in texts], [state] * len(texts))
    alone = [engine.answer_many([Message(text)], [state])[0] for text in texts]

    assert [(each.outcome, each.candidates, each.state, each.reply) for each in together] == [
        (each.outcome, each.candidates, each.state, each.reply) for each in alone
    ]


def test_an_answer_that_lacks_a_variable_asks_for_it_and_sends_no_entry() -> None:
    knowledge = tiny_knowledge()
    entry = replace(knowledge.faq["ship-when"], answer={"zh": "订单{订单号}在{发货时限}内发出。"}, ask=())
    entries: dict[str, FaqEntry] = {**knowledge.faq, "ship-when": entry}
    engine = tiny_engine(replace(knowledge, faq=entries))

    asked = engine.answer(Message("什么时候发货"))
    told = engine.answer(Message("什么时候发货", context={"订单号": "DD20260001"}))

    assert (asked.outcome, asked.faq) == (Outcome.CLARIFY, None)
    assert "{" not in asked.reply.text
    assert "订单号" in asked.reply.text
    assert told.outcome is Outcome.ANSWERED
    assert "DD20260001" in told.reply.text


def test_a_reply_that_would_show_personal_data_is_not_sent_and_the_explanation_says_which() -> None:
    knowledge = tiny_knowledge()
    entry = replace(knowledge.faq["ship-when"], answer={"zh": "请看{订单号}。"}, ask=())
    engine = tiny_engine(replace(knowledge, faq={**knowledge.faq, "ship-when": entry}))

    blocked = engine.answer(Message("什么时候发货", context={"订单号": "13812345678"}))

    assert blocked.outcome is Outcome.NO_ANSWER
    assert blocked.faq is None
    assert "13812345678" not in blocked.reply.text
    assert blocked.reply.blocked
    assert any(step.step == "reply" for step in blocked.explanation)


# ---- what is chosen, what is solved, what only points elsewhere ----


@pytest.mark.parametrize("text", ["解决了", "搞定了", "it works now"])
def test_who_says_that_it_is_solved_is_told_so_whatever_the_model_makes_of_it(text: str) -> None:
    answered, solved = talk("什么时候发货", text)

    assert (solved.outcome, solved.faq, solved.state.repeats) == (Outcome.ANSWERED, None, 0)
    assert solved.reply.parts.solution.startswith(("太好了", "Great"))
    assert talk(text)[0].outcome is Outcome.CLARIFY, "nothing was answered yet"
    assert answered.faq is not None


def test_who_says_that_it_is_solved_while_a_person_is_there_is_answered_and_releases_nothing() -> None:
    handed, solved = talk("转人工", "解决了")

    assert handed.outcome is Outcome.HANDOFF
    assert (solved.outcome, solved.handoff.required, solved.state.standing) == (Outcome.ANSWERED, False, handed.state.standing)
    assert "跟进" in solved.reply.text


def test_a_choice_opens_the_chosen_question_in_its_own_words() -> None:
    unsure, chosen = talk("发还是消", "1")

    assert unsure.state.offered[0] == "ship-when"
    assert chosen.state.question == Asked("ship-when", tiny_knowledge().faq["ship-when"].question["zh"])
    assert chosen.state.repeats == 1


def test_the_same_number_chosen_again_is_no_repeated_question() -> None:
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=2, offered=("cancel-how", "ship-when"))

    chosen = talk("1", state=state)[0]

    assert (chosen.faq and chosen.faq.id, chosen.state.repeats) == ("cancel-how", 1)


def test_who_follows_the_second_try_and_is_not_helped_is_handed_over() -> None:
    state = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1, dissatisfied=1, offered=("cancel-how", "ship-when"))

    chosen, again = talk("1", "没解决", state=state)

    assert (chosen.outcome, chosen.state.dissatisfied) == (Outcome.ANSWERED, 1)
    assert again.handoff.reasons == (Reason.DISSATISFIED,)
