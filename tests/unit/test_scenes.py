"""Messages that ask nothing of the shop: is it a robot, is it there, never mind; and how they are read and answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conversation_kit import DISPLEASED, SHIP, after, intent_of, mumbled, retail_words, said, talk
from tests.fakes_core import tiny_engine, tiny_knowledge
from tests.reply_kit import CLOSED, reply_in
from tests.reply_kit import retail as retail_knowledge
from yingda.decide.policy import Offer
from yingda.decide.wording import Topic, wording_of
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Candidate, Outcome
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.message import Message
from yingda.turn import english_words, worth_offering

POLICY = HandoffPolicy(words=retail_words())


def topics(text: str) -> frozenset[Topic]:
    return wording_of(retail_words()).find(text).asserted


@pytest.mark.parametrize(
    "text",
    [
        "你是机器人吗",
        "你是机器人吧?",
        "你好,是真人吗",
        "那你是机器人吗",
        "你叫啥",
        "你是谁啊",
        "机器人?",
        "are you a bot?",
        "Hi, are you human",
        "who are you",
    ],
)
def test_who_asks_what_it_is_talking_to_is_recognised(text: str) -> None:
    assert topics(text) == {Topic.IDENTITY}


@pytest.mark.parametrize(
    "text", ["机器人多少钱", "扫地机器人坏了", "别让机器人回我", "给我转真人", "am i talking to a wall", "你是谁家的店", "有真人吗"]
)
def test_what_says_more_is_no_such_question(text: str) -> None:
    assert Topic.IDENTITY not in topics(text)


@pytest.mark.parametrize(
    ("text", "situation"), [("回话啊", "nudged"), ("你倒是说话", "nudged"), ("还在吗", "nudged"), ("are you still there?", "nudged")]
)
def test_who_waits_for_a_reply_is_told_that_it_is_there_and_nothing_is_counted(text: str, situation: str) -> None:
    message = replace(mumbled(text), policy=POLICY)

    first, again = talk(SHIP, message, message)[1:]

    assert (first.outcome, first.situation, again.situation) == (Outcome.CLARIFY, situation, situation)
    assert again.state.undecided == 0


def test_an_angry_face_before_any_question_is_heard() -> None:
    face = replace(mumbled("？？"), policy=POLICY)
    angry = replace(face, classification=replace(face.classification, sentiment=DISPLEASED))

    assert (after(face).situation, after(angry).situation, after(SHIP, angry).situation) == ("noted", "heard", "acknowledged")


@pytest.mark.parametrize("text", ["算了", "那算了吧", "算了不用了", "哎，算了", "forget it"])
def test_who_gives_up_is_recognised(text: str) -> None:
    assert Topic.RESIGNED in topics(text)


def test_who_gives_up_is_not_told_you_are_welcome() -> None:
    assert "不客气" not in reply_in("gives up").text
    assert "不客气" in reply_in("small talk").text


def test_out_of_hours_nobody_is_told_to_hold_on() -> None:
    assert "请稍等" in reply_in("hand-off standing").text
    closed = reply_in("hand-off standing, closed").text
    assert "请稍等" not in closed
    assert "明天 9:00 上班后" in closed
    assert CLOSED.hour == 23


def test_the_assistant_says_that_it_is_none_of_us() -> None:
    assert reply_in("asks whether it is a robot").text.startswith("我是智能客服，由程序自动回复，不是真人。")
    assert "not a person" in reply_in("asks whether it is a robot", language="en").text


# ---- near the open question ----


def test_what_nobody_understood_near_the_open_question_is_asked_about_there_and_counts_as_before() -> None:
    near = replace(said("还没到", intent="ORDER_SHIP_TIME", sure=False), topic=intent_of("ORDER_SHIP_DATE"), resumable=True)
    verdict = after(SHIP, near)

    assert (verdict.outcome, verdict.offer, verdict.situation) == (Outcome.CLARIFY, Offer.QUESTION, "fragment")
    assert verdict.state.undecided == 1


@pytest.mark.parametrize("intent", ["OUT_OF_SCOPE", "AFTER_SALES_RETURN", "GENERAL_GREETING"])
def test_what_is_not_near_gets_no_answer(intent: str) -> None:
    far = replace(said("那个事", intent=intent, sure=False), topic=intent_of("ORDER_SHIP_DATE"), resumable=True)

    assert after(SHIP, far).outcome is Outcome.NO_ANSWER


# ---- what is offered, and in which language ----


def test_praise_is_never_offered() -> None:
    praise = next(entry for entry in retail_knowledge().faq.values() if entry.intent == "FEEDBACK_PRAISE")

    offered = worth_offering(retail_knowledge(), [Candidate(praise.id, 0.4, 0.4), Candidate("quality-fault", 0.3, 0.3)], least=2)

    assert [entry.id for entry in offered] == ["quality-fault"]


@pytest.mark.parametrize(("text", "language"), [("refund", "en"), ("Warranty?", "en"), ("ok", "zh"), ("DD20260001", "zh")])
def test_a_first_word_tells_english_where_the_shop_has_it(text: str, language: str) -> None:
    knowledge = tiny_knowledge()
    ship = replace(knowledge.faq["ship-when"], question={**knowledge.faq["ship-when"].question, "en": "Refund or warranty, ok?"})
    engine = tiny_engine(replace(knowledge, faq={**knowledge.faq, ship.id: ship}))

    assert engine.answer(Message(text)).reply.language == language
    assert engine.answer_many([Message(text)], [ConversationState(language="zh")])[0].reply.language == "zh"


def test_short_words_tell_no_language() -> None:
    assert "how" not in english_words(retail_knowledge())
    assert "refund" in english_words(retail_knowledge())
