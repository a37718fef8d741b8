"""A hostile text takes no more time than its length explains."""

from __future__ import annotations

import pytest

from tests.fuzz.target import timed
from tests.fuzz.targets.masking import HOSTILE
from tests.reply_kit import retail
from yingda.domain.decision import Entity
from yingda.domain.message import Message
from yingda.reply.needs import with_spoken
from yingda.text.masking import mask
from yingda.understand.entities import find_entities

LONG = 40_000
"""Characters, twenty times the longest message: what grows with the square of the length takes hundreds of times as long."""


@pytest.mark.parametrize("part", HOSTILE)
def test_masking_takes_time_that_grows_with_the_text_alone(part: str) -> None:
    """Two seconds of processor time, as for every input that is fuzzed; with a square in it, most took five and more."""
    masked: list[str] = []
    timed(lambda data: masked.append(mask(data.decode())))(("12345678 " + part * (LONG // len(part))).encode())

    assert [bool(text) for text in masked] == [True]


@pytest.mark.parametrize("part", ["¥1", "1元", "DD2025 ", "抬头个人 "])
def test_finding_entities_does_too(part: str) -> None:
    found: list[tuple[Entity, ...]] = []
    timed(lambda data: found.append(find_entities(data.decode())))((part * (LONG // len(part))).encode())

    assert [len(entities) > 1 for entities in found] == [True]


def numbers(text: str) -> list[Entity]:
    return [entity for entity in find_entities(text) if entity.type == "order_no"]


def test_hundreds_of_order_numbers_in_a_message_are_looked_at_once() -> None:
    text = "DD20250101 " * 180
    spoken: list[Message] = []
    timed(lambda data: spoken.append(with_spoken(Message(data.decode()), numbers(text) * 20, retail())))(text.encode())

    assert [dict(message.context) for message in spoken] == [{"订单号": "DD20250101"}]


def test_two_different_order_numbers_say_nothing_however_often_they_stand() -> None:
    text = "DD20250101 DD20250102 " * 3
    assert dict(with_spoken(Message(text), numbers(text), retail()).context) == {}
