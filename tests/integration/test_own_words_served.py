"""An entry asked in its own words is the one that answers, whatever languages and neighbours it has: the shipped networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from yingda.assemble import open_parts
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import FaqEntry
from yingda.domain.message import Message
from yingda.engine import Engine

ROOT = Path(__file__).parents[2]
QUESTION, JAPANESE, OTHER = "火星快递多久送到地球", "火星便はいつ届きますか", "火星快递多久能送到地球呢"


@pytest.fixture(scope="module")
def engine() -> Engine:
    parts = open_parts(ROOT / "models/current", pack=ROOT / "data/packs/retail")
    knowledge = parts.engine().knowledge
    more = {
        "mars": FaqEntry("mars", "ORDER_LOGISTICS", {"zh": QUESTION, "ja": JAPANESE}, {}, {"zh": "3 天。"}),
        "twin": FaqEntry("twin", "ORDER_LOGISTICS", {"zh": OTHER}, {}, {"zh": "9 天。"}),
    }
    return parts.engine(replace(knowledge, faq={**knowledge.faq, **more}))


@pytest.mark.parametrize(("text", "entry"), [(QUESTION, "mars"), (f"{QUESTION}？", "mars"), (JAPANESE, "mars"), (OTHER, "twin")])
def test_who_asks_in_an_entrys_own_words_gets_that_entry(engine: Engine, text: str, entry: str) -> None:
    answer = engine.answer(Message(text))
    assert answer.candidates[0].id == entry
    assert answer.candidates[0].similarity == 1.0


def test_with_its_answer(engine: Engine) -> None:
    answer = engine.answer(Message(QUESTION))
    assert (answer.outcome, answer.faq.id if answer.faq else None) == (Outcome.ANSWERED, "mars")
    assert "3 天" in answer.reply.text
