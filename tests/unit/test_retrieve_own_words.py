"""A message that is a wording of an entry is as near to that entry as can be, though the middle of its wordings lies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.index import FaqIndex, build_index
from yingda.retrieve.lexical import words_key
from yingda.retrieve.space import build_space

DIRECTIONS = {"退货多久": 0, "いつ返品": 1, "退货多久呢": 2, "发货": 3}
FAQ = {
    "both": FaqEntry("both", "A", {"zh": "退货多久", "ja": "いつ返品"}, {}, {"zh": "七天"}),
    "near": FaqEntry("near", "A", {"zh": "退货多久呢"}, {}, {"zh": "九天"}),
    "known": FaqEntry("known", "A", {"zh": "发货"}, {}, {"zh": "今天"}),
}
SPACE = build_space(FAQ.values(), ["known", "none:A"], ("A",))
TRAINED = np.eye(2, 4, 2, dtype=np.float32)


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """A direction for each wording; that of ``near`` lies between the two of ``both`` and nearer to its Chinese one."""
    vectors = np.eye(4, dtype=np.float32)
    vectors[2, :] = [0.9, 0.1, 0.2, 0.0]
    return np.stack([vectors[DIRECTIONS[text]] / np.linalg.norm(vectors[DIRECTIONS[text]]) for text in texts])


def index(*, large: bool) -> FaqIndex:
    return build_index(SPACE, TRAINED, FAQ, normalise=str, embed=embed, exact_scores=0 if large else 100)


def cosine(text: str, entry: str, *, large: bool, at: Sequence[float] | None = None) -> float:
    """Cosine of ``entry`` with a message whose embedding is that of its text, or points ``at`` somewhere else."""
    vector = embed([text]) if at is None else np.asarray([at], np.float32) / np.float32(np.linalg.norm(at))
    made = index(large=large)
    if not large:
        return float(made.cosines(vector, [text])[0, SPACE.places[entry]])
    short = made.shortlist(vector[0], text, k=3)
    return float(short.cosine[0, short.space.places[entry]])


@pytest.mark.parametrize("large", [False, True])
def test_the_own_wording_in_either_language_is_nearest(large: bool) -> None:
    for text in ("退货多久", "いつ返品"):
        assert cosine(text, "both", large=large) == 1.0
    assert cosine("退货多久", "near", large=large) == pytest.approx(0.9 / 0.86**0.5)


@pytest.mark.parametrize("large", [False, True])
def test_marks_and_capitals_make_no_other_question(large: bool) -> None:
    assert cosine("退货 多久？！", "both", large=large, at=(1, 0, 0, 0)) == 1.0
    assert cosine("退货多久啊", "both", large=large, at=(1, 0, 0, 0)) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("large", [False, True])
def test_so_is_a_wording_added_to_a_trained_entry(large: bool) -> None:
    """It lies along the third axis; what its messages taught knows nothing of a wording that was added later."""
    assert cosine("发货", "known", large=large, at=(0.9, 0, 0.3, 0)) == 1.0
    assert cosine("发货吗", "known", large=large, at=(0.9, 0, 0.3, 0)) == pytest.approx(0.3 / 0.9**0.5)


def test_a_text_of_marks_alone_is_nobodys_wording() -> None:
    assert words_key("？！ 😀") == 0
    assert words_key("Ａ") != words_key("a") == words_key(" A.")
