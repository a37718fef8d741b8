"""The engine over a space so large that each message is scored over its shortlist alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes_core import TRAINED, tiny_engine, tiny_knowledge, tiny_model, trained_vectors, write_tiny_bundle
from yingda.assemble import open_parts
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.engine import Engine
from yingda.retrieve.index import build_index
from yingda.retrieve.space import build_space
from yingda.text.normalise import normalise

MESSAGES = ["什么时候发货", "发还是消", "不知所云", "保修多久", "盗了", "怒!发", "你好", "股", "人", "😀", "where is it"]
FAR = "far-away"


def large_engine(knowledge: Knowledge | None = None) -> Engine:
    """As ``tiny_engine``, but its index scores shortlists whatever the size of the shop."""
    known, model = knowledge or tiny_knowledge(), tiny_model()
    space = build_space(known.faq.values(), TRAINED, model.intents)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.encoder.run(model.tokenizer.encode(texts)).embedding

    return Engine(model, build_index(space, trained_vectors(), known.faq, normalise=normalise, embed=embed, exact_scores=0), known)


def crowded() -> Knowledge:
    """The tiny shop with 300 more entries about warranty, and one about something else that no warranty message comes near."""
    one = tiny_knowledge().faq["warranty-new"]
    more = {f"w{n}": replace(one, id=f"w{n}", question={"zh": f"保{n}"}, similar={}) for n in range(300)}
    far = FaqEntry(FAR, "ORDER_CANCEL", {"zh": "旧"}, {}, {"zh": "以旧换新。"})
    return replace(tiny_knowledge(), faq={**tiny_knowledge().faq, **more, FAR: far})


def test_it_decides_as_the_engine_that_scores_every_entry() -> None:
    large, small = large_engine(), tiny_engine()
    assert large.index.is_large
    assert not small.index.is_large
    for text in MESSAGES:
        one, other = large.answer(Message(text)), small.answer(Message(text))
        assert (one.outcome, one.reply.text) == (other.outcome, other.reply.text)
        assert one.explanation == other.explanation
        assert [each.confidence for each in one.candidates] == pytest.approx([each.confidence for each in other.candidates], abs=1e-5)
        ranks = [[score.confidence for score in each.classification.ranking] for each in (one, other)]
        assert ranks[0] == pytest.approx(ranks[1], abs=1e-5)


def test_messages_fare_alone_as_together_and_intents_sum_to_1() -> None:
    engine = large_engine(crowded())
    together = engine.read(MESSAGES)
    np.testing.assert_allclose(together.intents.sum(1), 1.0, atol=1e-5)
    for row, text in enumerate(MESSAGES):
        alone = engine.read([text])
        assert alone.entries[0].tobytes() == together.entries[row].tobytes()
        assert alone.intents[0].tobytes() == together.intents[row].tobytes()
        assert len(alone.entries[0]) < len(engine.index.space.entries)


def test_an_entry_the_customer_chose_is_told_though_it_is_not_on_the_shortlist() -> None:
    engine = large_engine(crowded())
    state = ConversationState(offered=("warranty-new", FAR))
    shortlist = engine.read(["第二个"]).matches[0]
    assert shortlist.evidence(FAR) is None

    answer = engine.answer_many([Message("第二个")], [state])[0]

    assert answer.outcome is Outcome.ANSWERED
    assert answer.faq is not None
    assert (answer.faq.id, answer.faq.confidence, answer.faq.similarity) == (FAR, 1.0, 0.0)
    assert "n-gram view has not seen it" in answer.explanation[0].detail


def test_evidence_looked_up_is_that_of_the_whole_space() -> None:
    index = large_engine(crowded()).index
    embedding = index.vectors[index.space.places[FAR]]
    for entry in (FAR, "w7", "hello"):
        place = index.space.places[entry]
        cosine, lexical = index.look_up(entry, embedding, "以旧换新保7")
        assert cosine == pytest.approx(float(index.cosines(embedding[None], ["以旧换新保7"])[0, place]))
        assert lexical == float(index.lexical(["以旧换新保7"])[0, place])
    with pytest.raises(KeyError):
        index.look_up("nobody", embedding, "旧")


def test_a_changed_entry_alone_is_embedded_again(tmp_path: Path) -> None:
    parts = open_parts(write_tiny_bundle(tmp_path / "bundle"))
    before = parts.engine(crowded())
    edited = replace(before.knowledge.faq["w7"], question={"zh": "保七年"})
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return parts.embed(texts)

    after = parts.engine(replace(before.knowledge, faq={**before.knowledge.faq, "w7": edited}), former=before, embed=embed)

    assert asked == ["保七年"]
    fresh = parts.engine(after.knowledge)
    assert after.index.vectors.tobytes() == fresh.index.vectors.tobytes()
