"""A framed question is decided as the bare one; mood, words and facts are those of the whole message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes_core import tiny_engine
from yingda.domain.conversation import NEW, Asked
from yingda.domain.decision import Answer, Outcome
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.labels import Sentiment
from yingda.domain.message import Message
from yingda.engine import Engine

ENGINE = tiny_engine()
FRAMES = ("你好，", "不用转人工，", "换个问题，我就想问", "亲请问", "人工就不用了，", "在吗，你直接告诉我")


def ask(text: str, engine: Engine = ENGINE) -> Answer:
    return engine.answer(Message(text))


def steps(answer: Answer) -> list[str]:
    return [step.step for step in answer.explanation]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_framed_question_is_decided_as_the_bare_one(frame: str) -> None:
    bare, framed = ask("什么时候发货"), ask(f"{frame}什么时候发货")

    assert framed.outcome is bare.outcome is Outcome.ANSWERED
    assert framed.candidates == bare.candidates
    assert framed.classification.ranking == bare.classification.ranking
    assert framed.handoff == bare.handoff


def test_the_explanation_says_that_a_frame_was_left_aside() -> None:
    assert "framing" in steps(ask("你好，什么时候发货"))
    assert "framing" not in steps(ask("什么时候发货"))
    assert "framing" not in steps(ask("你好，在吗"))


def test_classifying_and_answering_read_the_same() -> None:
    message = Message("不用转人工，什么时候发货")

    assert ENGINE.classify(message).ranking == ENGINE.answer(message).classification.ranking


def test_the_mood_is_that_of_the_whole_message() -> None:
    # the tiny model is angry where 怒 stands, and here it stands in the frame
    engine = tiny_engine(replace(ENGINE.knowledge, handoff=with_call("怒怒")))

    answer = ask("怒怒，什么时候发货", engine)

    assert "framing" in steps(answer)
    assert answer.classification.sentiment.label is Sentiment.ANGRY


def with_call(call: str) -> HandoffPolicy:
    handoff = ENGINE.knowledge.handoff
    framing = replace(handoff.words.framing, calls=(*handoff.words.framing.calls, call))
    return replace(handoff, words=replace(handoff.words, framing=framing))


@pytest.mark.parametrize("text", ["亲，第二个", "不用转人工，第二个"])
def test_a_framed_choice_is_a_choice(text: str) -> None:
    state = replace(NEW, offered=("ship-when", "cancel-how"))

    (answer,) = ENGINE.answer_many([Message(text)], [state])

    assert answer.accepted is not None
    assert answer.accepted.id == "cancel-how"


def test_framed_facts_are_facts_for_the_open_question() -> None:
    state = replace(NEW, question=Asked("ship-when", "什么时候发货"))

    (answer,) = ENGINE.answer_many([Message("不用转人工，订单号DD20250101123")], [state])

    assert answer.accepted is not None
    assert answer.accepted.id == "ship-when"


def test_a_framed_fragment_is_read_with_the_open_question() -> None:
    state = replace(NEW, question=Asked("ship-when", "什么时候发货"))

    (answer,) = ENGINE.answer_many([Message("不用转人工，那要多久呢")], [state])

    assert any("fragment" in step.detail for step in answer.explanation)


def test_a_kept_reading_of_a_framed_text_is_the_same_bit_for_bit() -> None:
    engine, messages = tiny_engine(cache_size=8), [Message("你好，什么时候发货"), Message("什么时候发货"), Message("你好，什么时候发货")]

    first, bare, again = (engine.read([message.text]) for message in messages)

    assert first.questions == again.questions == bare.texts
    assert again.rows[0] is first.rows[0]
    assert first.rows[0].framed
    assert not bare.rows[0].framed
    assert first.intents.tobytes() == bare.intents.tobytes()
