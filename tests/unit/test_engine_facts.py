"""Facts collected over turns: filled from the message, asked for at most twice, then a person takes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest

from tests.fakes_core import tiny_engine, tiny_knowledge
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Answer, Outcome, Reason
from yingda.domain.message import Message
from yingda.engine import Engine

ASKS = "什么时候发货"


@cache
def engine_with(answer: str) -> Engine:
    """The tiny shop, whose only answer about dispatch needs what ``answer`` needs, and asks for the order number."""
    knowledge = tiny_knowledge()
    templates = replace(
        knowledge.templates,
        facts={**knowledge.templates.facts, "tracking_no": {"zh": "物流单号", "en": "tracking number"}},
        context_of={**knowledge.templates.context_of, "order_no": "订单号", "tracking_no": "物流单号"},
    )
    policy = replace(knowledge.policy, context={**knowledge.policy.context, "订单号": "", "物流单号": "", "物流公司": ""})
    ship = replace(knowledge.faq["ship-when"], answer={"zh": answer, "en": answer}, ask=("order_no",))
    return tiny_engine(replace(knowledge, templates=templates, policy=policy, faq={**knowledge.faq, ship.id: ship}))


CARRIER = "您的订单 {订单号} 由 {物流公司} 送，运单 {物流单号}。"
ORDER = "订单 {订单号} 已发出。"


def talk(answer: str, *texts: str, context: Mapping[str, str] | None = None, state: ConversationState = NEW) -> list[Answer]:
    answers = []
    for text in texts:
        answers.append(engine_with(answer).answer_many([Message(text, context=context or {})], [state])[0])
        state = answers[-1].state
    return answers


def test_an_order_number_in_the_question_is_quoted_and_not_asked_for() -> None:
    (told,) = talk(ORDER, f"DD20261120123456{ASKS}")

    assert told.outcome is Outcome.ANSWERED
    assert told.missing == ()
    assert "订单 DD20261120123456 已发出。" in told.reply.text


def test_an_order_number_that_was_asked_for_completes_the_answer() -> None:
    asked, told = talk(ORDER, ASKS, "DD20261120123456")

    assert (asked.outcome, asked.missing, asked.state.tried) == (Outcome.CLARIFY, ("order_no",), ())
    assert told.outcome is Outcome.ANSWERED
    assert "DD20261120123456" in told.reply.text
    assert told.state.requests == 0


def test_what_the_answer_lacks_is_wanted_and_once_given_a_person_adds_what_no_message_can() -> None:
    asked, more, handed = talk(CARRIER, ASKS, "DD20261120123456", "SF1234567890123")

    assert asked.missing == ("order_no", "tracking_no")
    assert (more.outcome, more.missing) == (Outcome.CLARIFY, ("tracking_no",))
    assert handed.outcome is Outcome.HANDOFF
    assert handed.handoff.reasons == (Reason.NEEDS_HUMAN,)
    assert handed.missing == ()


def test_the_systems_value_fills_what_the_customer_cannot() -> None:
    told = talk(CARRIER, f"DD20261120123456，SF1234567890123，{ASKS}", context={"物流公司": "顺丰"})[-1]

    assert "您的订单 DD20261120123456 由顺丰送，运单 SF1234567890123。" in told.reply.text


@pytest.mark.parametrize("said", ["13812345678", "[图片]"])
def test_a_request_that_brings_nothing_new_is_made_twice_and_never_a_third_time(said: str) -> None:
    answers = talk(ORDER, ASKS, said, said)

    assert [each.outcome for each in answers] == [Outcome.CLARIFY, Outcome.CLARIFY, Outcome.HANDOFF]
    assert answers[-1].handoff.reasons == (Reason.NEEDS_HUMAN,)


def test_an_order_number_of_an_earlier_turn_is_not_asked_for_again() -> None:
    handed = talk(ORDER, "DD20261120123456", ASKS)[-1]

    assert handed.outcome is Outcome.HANDOFF
    assert "DD20261120123456" not in repr(handed.state)


@pytest.mark.parametrize("number", ["11010519491231002X", "6222021234567890128"])
def test_identity_and_card_numbers_are_never_said_back(number: str) -> None:
    assert number not in talk(ORDER, f"{number}{ASKS}")[-1].reply.text


def test_two_order_numbers_fill_nothing() -> None:
    assert "DD2026112" not in talk(ORDER, f"DD20261121和DD20261122{ASKS}")[-1].reply.text


def test_a_value_that_the_guard_refuses_is_asked_for_and_the_outcome_says_so() -> None:
    (asked,) = talk(ORDER, ASKS, context={"订单号": "{客服电话}"})

    assert (asked.outcome, asked.missing, asked.faq) == (Outcome.CLARIFY, ("order_no",), None)


NAMED = {"物流公司": {"顺丰": ("SF Express",), "圆通": ()}}


@cache
def engine_that_knows_carriers(answer: str, *asks: str) -> Engine:
    """As ``engine_with``, for a shop that says what customers call carriers."""
    knowledge = engine_with(answer).knowledge
    templates = replace(
        knowledge.templates,
        facts={**knowledge.templates.facts, "carrier": {"zh": "物流公司", "en": "carrier"}, "time": {"zh": "发生时间", "en": "time"}},
        context_of={**knowledge.templates.context_of, "carrier": "物流公司"},
    )
    ship = replace(knowledge.faq["ship-when"], ask=asks)
    policy = replace(knowledge.policy, spoken=NAMED)
    return tiny_engine(replace(knowledge, templates=templates, policy=policy, faq={**knowledge.faq, ship.id: ship}))


def test_a_carrier_in_the_question_fills_the_answer_and_is_remembered() -> None:
    engine = engine_that_knows_carriers("由 {物流公司} 送。")

    told = engine.answer(Message(f"是圆通吗，{ASKS}"))

    assert (told.outcome, told.missing, told.state.facts) == (Outcome.ANSWERED, (), ("carrier",))
    assert "由圆通送。" in told.reply.text


def test_two_carriers_fill_nothing() -> None:
    told = engine_that_knows_carriers("由 {物流公司} 送。").answer(Message(f"顺丰还是圆通，{ASKS}"))

    assert "由" not in told.reply.parts.solution


def test_a_time_in_the_question_is_not_asked_for() -> None:
    engine = engine_that_knows_carriers("48 小时内发出。", "time", "order_no")

    assert engine.answer(Message(ASKS)).missing == ("time", "order_no")
    assert engine.answer(Message(f"前天下的单，{ASKS}")).missing == ("order_no",)


@pytest.mark.parametrize("said", ["就上周三买的那件", "昨天", "I ordered it yesterday", "圆通"])
def test_what_is_said_in_passing_after_an_answer_is_noted_for_it(said: str) -> None:
    engine = engine_that_knows_carriers("48 小时内发出。", "order_no")
    state = engine.answer(Message(ASKS)).state

    (noted,) = engine.answer_many([Message(said)], [state])

    assert noted.outcome is Outcome.ANSWERED
    assert "48 小时" not in noted.reply.text
    assert noted.missing == ("order_no",)
    assert noted.state.repeats == 1


@pytest.mark.parametrize("said", ["昨天", "圆通"])
def test_what_is_said_in_passing_without_a_question_is_read_as_any_other_text(said: str) -> None:
    alone = engine_that_knows_carriers("48 小时内发出。").answer(Message(said))

    assert all(step.step != "context" for step in alone.explanation)


def test_facts_that_come_with_words_after_the_answer_are_noted_and_not_answered_again() -> None:
    engine = engine_that_knows_carriers("48 小时内发出。", "order_no")
    state = engine.answer(Message(ASKS)).state

    (noted,) = engine.answer_many([Message(f"DD20260001{ASKS}")], [state])

    assert "48 小时" not in noted.reply.text
    assert noted.state.facts == ("order_no",)


@pytest.mark.parametrize("said", ["my order number is 123456", "order no. 123456", "Order #123456", "order DD-123456", "order号是DD123456"])
def test_an_order_number_in_english_is_not_asked_for_again(said: str) -> None:
    engine = engine_that_knows_carriers("48 小时内发出。", "order_no")
    state = engine.answer(Message("什么时候发货 please")).state

    (noted,) = engine.answer_many([Message(said)], [state])

    assert (noted.missing, noted.state.facts) == ((), ("order_no",))


@pytest.mark.parametrize("said", ["order 1000 pieces", "I want to order 2 of them", "preorder 123456"])
def test_a_quantity_is_no_order_number(said: str) -> None:
    assert engine_that_knows_carriers("48 小时内发出。").classify(Message(said)).entities == ()
