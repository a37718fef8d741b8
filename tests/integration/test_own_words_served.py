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
ADDED = "想过去逛逛摸摸东西"
"""Added to a trained entry, which was nearest to these words before, and not sure."""
QUESTION, JAPANESE, OTHER = "火星快递多久送到地球", "火星便はいつ届きますか", "火星快递多久能送到地球呢"


@pytest.fixture(scope="module")
def engine() -> Engine:
    parts = open_parts(ROOT / "models/current", pack=ROOT / "data/packs/retail")
    knowledge = parts.engine().knowledge
    store = knowledge.faq["contact-store"]
    more = {
        store.id: replace(store, similar={**store.similar, "zh": (*store.similar["zh"], ADDED)}),
        "mars": FaqEntry("mars", "ORDER_LOGISTICS", {"zh": QUESTION, "ja": JAPANESE}, {}, {"zh": "3 天。"}),
        "twin": FaqEntry("twin", "ORDER_LOGISTICS", {"zh": OTHER}, {}, {"zh": "9 天。"}),
    }
    return parts.engine(replace(knowledge, faq={**knowledge.faq, **more}))


@pytest.mark.parametrize(
    ("text", "entry"), [(QUESTION, "mars"), (f"{QUESTION}？", "mars"), (JAPANESE, "mars"), (OTHER, "twin"), (ADDED, "contact-store")]
)
def test_who_asks_in_an_entrys_own_words_gets_that_entry(engine: Engine, text: str, entry: str) -> None:
    answer = engine.answer(Message(text))
    assert answer.candidates[0].id == entry
    assert answer.candidates[0].similarity == 1.0


@pytest.mark.parametrize(("text", "entry", "said"), [(QUESTION, "mars", "3 天"), (ADDED, "contact-store", "附近门店")])
def test_with_its_answer(engine: Engine, text: str, entry: str, said: str) -> None:
    answer = engine.answer(Message(text))
    assert (answer.outcome, answer.faq.id if answer.faq else None) == (Outcome.ANSWERED, entry)
    assert said in answer.reply.text


def test_every_question_that_the_shop_offers_is_understood_when_it_is_sent(engine: Engine) -> None:
    asked = {each.id: engine.answer(Message(each.question["zh"])) for each in engine.knowledge.faq.values()}
    assert {id_ for id_, answer in asked.items() if answer.candidates[0].id != id_} == set()
    assert {id_ for id_, answer in asked.items() if answer.outcome is Outcome.NO_ANSWER} == set()
