"""What the person who takes over is told to send: entries about the matter, which is rarely named by the message that calls them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from tests.fakes_core import THRESHOLDS, tiny_engine, tiny_knowledge
from yingda.dialogue import Dialogue, Request, turn_record
from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.decision import Answer
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message
from yingda.engine import Engine
from yingda.store.memory import VolatileMemory

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
ASKED = ConversationState(question=Asked("ship-when", "什么时候发货"), repeats=1, tried=("ship-when",))


def shop() -> Knowledge:
    """The tiny shop with three more entries about dispatch, one of which needs a person, and entries of talk and complaint."""
    knowledge = tiny_knowledge()
    ship = knowledge.faq["ship-when"]
    texts = {"ship-late": "发晚了", "ship-lost": "发丢了", "ship-gift": "发赠品"}
    entries = {id_: replace(ship, id=id_, question={"zh": text}, similar={}, needs_human=id_ == "ship-lost") for id_, text in texts.items()}
    human = replace(ship, id="human", intent="GENERAL_HUMAN", question={"zh": "人工"}, similar={})
    complaint = replace(ship, id="complaint", intent="COMPLAINT_SERVICE", question={"zh": "投诉"}, similar={})
    return replace(knowledge, faq={**knowledge.faq, **entries, "human": human, "complaint": complaint})


def engine() -> Engine:
    return tiny_engine(shop(), thresholds=replace(THRESHOLDS, clarify=3.0))


def answer(text: str, state: ConversationState = NEW) -> Answer:
    return engine().answer_many([Message(text, at=AT)], [state])[0]


@pytest.mark.parametrize("text", ["转人工", "人工", "我要投诉", "怒，我要投诉"])
def test_what_names_no_matter_is_about_the_open_question(text: str) -> None:
    found = answer(text, ASKED)

    assert found.handoff.required
    assert found.suggested[:2] == ("ship-late", "ship-gift")
    assert found.suggested[2:] == ("cancel-how",), "the rest of the category, and nothing read, and none that needs a person"


def test_the_second_dissatisfied_message_is_about_the_open_question() -> None:
    found = answer("没解决", replace(ASKED, dissatisfied=1))

    assert found.handoff.required
    assert found.suggested[:2] == ("ship-late", "ship-gift")


def test_what_names_its_own_matter_is_about_that() -> None:
    found = answer("取消，转人工", replace(ASKED, tried=()))

    assert found.handoff.required
    assert found.suggested[0] == "cancel-how"


def test_a_matter_that_needs_a_person_leaves_the_open_question_aside() -> None:
    found = answer("被盗了", ASKED)

    assert found.handoff.required
    assert found.suggested == ()


def test_where_no_matter_was_named_nothing_is_suggested() -> None:
    assert answer("转人工").suggested == ()
    assert answer("我要投诉").suggested == ()


def test_a_complaint_that_took_the_question_s_place_leaves_what_was_read_last() -> None:
    complained = answer("我要投诉", ASKED)
    assert complained.state.question != ASKED.question

    found = answer("转人工", complained.state)

    assert found.suggested[:2] == ("ship-late", "ship-gift")


def test_an_ordinary_answer_suggests_nothing() -> None:
    assert answer("什么时候发货").suggested == ()


def test_the_package_suggests_what_the_engine_does_and_small_talk_was_not_tried() -> None:
    memory, numbers = VolatileMemory(), count(1)
    talk = Dialogue(memory, render=lambda *_: {}, record=turn_record, new_id=lambda: f"{next(numbers):026d}")
    for minute, text in enumerate(("怎么取消", "你好", "转人工")):
        talk.take(engine(), [Request(Message(text, conversation_id="c", at=AT + timedelta(minutes=minute)))])

    package = memory.handoffs("c")[0].opened.package
    assert memory.turns("c")[1].facts.faq == "hello"
    assert package["tried"] == ["cancel-how"]
    assert package["suggested"] == ["ship-when", "ship-late", "ship-gift"]
