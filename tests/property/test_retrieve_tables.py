"""Tables made by array operations against those of bm25s: every score the same, bit for bit, whatever the texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.retrieve.lexical import bigrams, characters
from yingda.retrieve.postings import build_table

TEXTS = st.text(st.sampled_from("退换货款多久发aAİß1😀\ud800 "), max_size=7) | st.text(st.characters(exclude_categories=()), max_size=5)
DOCUMENTS = st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=9)


def reference(documents: Sequence[Sequence[str]], *, whole: bool) -> Any:
    table = bm25s.BM25()
    cut = characters if whole else bigrams
    table.index([list(chain.from_iterable(map(cut, texts))) for texts in documents], show_progress=False)
    return table


def postings(table: Any) -> dict[str, tuple[list[int], bytes]]:
    """Documents and scores of each token that has any."""
    ends = table.scores["indptr"]
    stretches = {token: slice(ends[number], ends[number + 1]) for token, number in table.vocab_dict.items() if number + 1 < len(ends)}
    return {token: (table.scores["indices"][at].tolist(), table.scores["data"][at].tobytes()) for token, at in stretches.items()}


@given(DOCUMENTS, st.booleans())
def test_it_is_the_table_of_bm25s(documents: list[list[str]], whole: bool) -> None:
    made, wanted = build_table(documents, whole=whole), reference(documents, whole=whole)
    assert postings(made) == postings(wanted)
    assert set(made.vocab_dict) == set(wanted.vocab_dict)
    assert made.scores["num_docs"] == wanted.scores["num_docs"]
    assert [made.scores[name].dtype for name in ("data", "indices", "indptr")] == [
        wanted.scores[name].dtype for name in ("data", "indices", "indptr")
    ]


@given(DOCUMENTS, st.booleans())
def test_it_is_the_same_table_where_tokens_have_to_be_ranked(documents: list[list[str]], whole: bool) -> None:
    made, wanted = build_table(documents, whole=whole, spare=0), build_table(documents, whole=whole)

    assert postings(made) == postings(wanted)
    assert list(made.vocab_dict) == list(wanted.vocab_dict)


@given(DOCUMENTS, st.text(st.sampled_from("退换货款多久发aA1"), min_size=1, max_size=9))
def test_a_message_has_the_same_scores(documents: list[list[str]], text: str) -> None:
    tokens = characters(text)
    made, wanted = (build(documents, whole=True).get_scores(tokens) for build in (build_table, reference))
    assert np.asarray(made).tobytes() == np.asarray(wanted).tobytes()


def test_without_a_document_there_is_no_table() -> None:
    with pytest.raises(ValueError, match="at least one document"):
        build_table([], whole=True)
