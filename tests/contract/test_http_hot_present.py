"""What is presented fits the models that OpenAPI shows, though nothing validates it on the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from serving import response_schemas as out
from serving.present import answer_out, classification_out
from tests.fakes import PERSON, FakeEngine
from tests.fakes_core import tiny_engine
from tests.replay_store_kit import TALKS
from yingda.domain.conversation import NEW
from yingda.domain.decision import Answer, RuleStep
from yingda.domain.message import Channel, Customer, Message

PLAIN = (dict, list, str, int, float, bool, type(None))


def parts(node: object) -> Iterator[object]:
    """``node`` and everything inside it."""
    yield node
    if isinstance(node, dict):
        yield from node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(inner)


def check(shown: dict[str, Any], model: type[BaseModel]) -> None:
    """``shown`` is plain JSON that says what ``model`` would say of it, in the same order, with nothing left out."""
    assert {type(part) for part in parts(shown)} <= set(PLAIN)
    read = model.model_validate_json(msgspec.json.encode(shown), strict=True)
    # `stored` is added where the store has spoken
    told = read.model_dump(mode="json", exclude={"stored"})
    assert json.dumps(shown) == json.dumps(told)


def check_answer(engine: Any, answer: Answer) -> None:
    check(answer_out(answer, knowledge=engine.knowledge, model=engine.identity, answer_id="0" * 26), out.AnswerResponse)
    check(classification_out(answer.classification, knowledge=engine.knowledge, model=engine.identity), out.ClassifyResponse)


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize("channel", [Channel.WEB, Channel.EMAIL, Channel.SMS])
def test_every_decision_of_a_conversation_fits_its_model(talk: str, channel: Channel) -> None:
    engine, state = tiny_engine(), NEW
    for text in TALKS[talk]:
        [answer] = engine.answer_many([Message(text, channel, customer=Customer("u-1", name="王小明"))], [state])
        state = answer.state
        check_answer(engine, answer)


@pytest.mark.parametrize("text", ["快递三天没动了", PERSON, "my parcel is stuck"])
def test_every_kind_of_decision_fits_its_model(text: str) -> None:
    engine = FakeEngine()
    [answer] = engine.answer_many([Message(text)])
    check_answer(engine, answer)
    reply = replace(answer.reply, subject="Re", segments=("a", "b"), blocked=("phone",))
    handoff = replace(answer.handoff, notify=("lead",), tags=("vip",), skill=None)
    check_answer(engine, replace(answer, reply=reply, handoff=handoff, faq=None, candidates=(), second_response=True))


def test_a_row_of_the_rules_is_told_by_its_id() -> None:
    engine = FakeEngine()
    [answer] = engine.answer_many([Message("快递三天没动了")], [NEW])
    ruled = replace(answer, explanation=(*answer.explanation, RuleStep("vip, a", fired=True), RuleStep("late", fired=True)))

    told = answer_out(ruled, knowledge=engine.knowledge, model=engine.identity, answer_id="0" * 26)["explanation"]

    assert told[-2:] == [{"step": "rule", "id": "vip, a", "fired": True}, {"step": "rule", "id": "late", "fired": True}]
    assert set(told[0]) == {"step", "detail"}
    check_answer(engine, ruled)
