"""An index renewed after any change of the entries is the one that would be built anew, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.index import TOGETHER, FaqIndex, build_index, renew_index
from yingda.retrieve.space import MatchSpace, build_space

INTENTS = ("A", "B")
MATCHES = ("t0", "t1", "t2", "none:A")
TRAINED = np.eye(4, 8, dtype=np.float32)
WORDINGS = st.text(st.sampled_from("退换货款多久发"), min_size=1, max_size=5)
ENTRIES = st.builds(
    lambda intent, texts, answer: (intent, texts, answer), st.sampled_from(INTENTS), st.lists(WORDINGS, min_size=1, max_size=3), WORDINGS
)
SHOPS = st.dictionaries(st.sampled_from(("t0", "t1", "t2", *(f"n{n}" for n in range(5)))), ENTRIES, min_size=1)


class Embedder:
    """A vector for each text, the same each time; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        return np.stack([np.random.default_rng([ord(c) for c in text]).normal(size=8) for text in texts]).astype(np.float32)


def shop(drawn: Mapping[str, tuple[str, list[str], str]]) -> dict[str, FaqEntry]:
    return {
        id_: FaqEntry(id_, intent, {"zh": texts[0]}, {"zh": tuple(texts[1:])}, {"zh": answer})
        for id_, (intent, texts, answer) in drawn.items()
    }


def space_of(faq: Mapping[str, FaqEntry]) -> MatchSpace:
    return build_space(faq.values(), MATCHES, INTENTS)


def built(faq: Mapping[str, FaqEntry], exact_scores: int) -> FaqIndex:
    return build_index(space_of(faq), TRAINED, faq, normalise=str, embed=Embedder(), exact_scores=exact_scores)


def renewed(former: FaqIndex, before: Mapping[str, FaqEntry], faq: Mapping[str, FaqEntry], embed: Embedder, exact_scores: int) -> FaqIndex:
    return renew_index(former, before, space_of(faq), TRAINED, faq, normalise=str, embed=embed, exact_scores=exact_scores)


def bits(index: FaqIndex) -> list[object]:
    """All that a decision is made of."""
    space, message = index.space, np.full((1, 8), 8**-0.5, np.float32)
    found: list[object] = [space.entries, space.intents.tolist(), space.columns.tolist(), index.vectors.tobytes(), index.is_large]
    found += [index.cosines(message, ["退款"]).tobytes(), index.lexical(["退款多久发", "货"]).tobytes()]
    if index.is_large:
        listed = index.shortlist(message[0], "退款多久", k=2)
        found += [listed.space.entries, listed.cosine.tobytes(), listed.lexical.tobytes(), listed.tail.cosine.tobytes(), listed.tail.each]
    return found


@given(SHOPS, SHOPS, st.booleans(), st.sampled_from([0, 1000]))
def test_a_renewed_index_is_a_fresh_one(
    old: dict[str, tuple[str, list[str], str]], new: dict[str, tuple[str, list[str], str]], keeps: bool, exact_scores: int
) -> None:
    before, after = shop(old), shop({**old, **new} if keeps else new)
    embed = Embedder()
    index = renewed(built(before, exact_scores), before, after, embed, exact_scores)
    assert bits(index) == bits(built(after, exact_scores))
    texts = [id_ for id_ in after if id_.startswith("n") and (id_ not in before or before[id_].texts() != after[id_].texts())]
    assert list(chain.from_iterable(embed.asked)) == [text for id_ in texts for text in after[id_].texts()]


FAQ = shop({f"n{n}": ("AB"[n % 2], [f"问题{n}", f"怎么{n}"], "答") for n in range(2 * TOGETHER)})


@pytest.mark.parametrize("exact_scores", [0, 1000])
def test_other_answers_leave_the_index_as_it_is(exact_scores: int) -> None:
    former, embed = built(FAQ, exact_scores), Embedder()
    told = {id_: replace(entry, answer={"zh": "另一个"}) for id_, entry in FAQ.items()}
    assert renewed(former, FAQ, told, embed, exact_scores) is former
    assert not embed.asked


def test_another_intent_keeps_tables_and_vectors() -> None:
    former, embed = built(FAQ, 0), Embedder()
    moved = {**FAQ, "n0": replace(FAQ["n0"], intent="B")}
    index = renewed(former, FAQ, moved, embed, 0)
    assert (index.wordings, index.search, index.vectors is former.vectors) == (former.wordings, former.search, True)
    assert index.space.intents[0] == 1
    assert not embed.asked


def test_new_wordings_are_embedded_some_at_a_time() -> None:
    embed = Embedder()
    renewed(built(shop({"t0": ("A", ["退"], "答")}), 1000), {}, FAQ, embed, 1000)
    assert [len(texts) for texts in embed.asked] == [2 * TOGETHER, 2 * TOGETHER]
