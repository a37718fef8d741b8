"""The served n-gram view says what scikit-learn's model says, but for rounding to 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from training.examples import IGNORED, Example
from training.linear import fit_linear, write_linear
from training.params import LinearParams
from yingda.domain.errors import BundleError
from yingda.understand.linear import LinearView, grams, mark_ends

PARAMS = LinearParams(longest_gram=3, min_documents=1, strength=20.0, iterations=500, tolerance=1e-6)
ROWS = {
    0: ["什么时候发货", "多久发货啊", "还不发货", "几天能发出", "催发货"],
    1: ["怎么取消订单", "我要取消", "不想要了取消掉", "帮我取消", "订单取消"],
    2: ["退款多久到账", "钱退到哪里", "退款还没到", "怎么还没退钱", "退款退款"],
    3: ["Where is my parcel", "parcel not moving", "track my parcel", "parcel?", "my parcel"],
}
EXAMPLES = [Example(text, 0, label, 0) for label, texts in ROWS.items() for text in texts]
UNSEEN = ["发货了吗", "取消退款", "parcel 退款", "PARCEL", "", "完全无关", "发货发货发货发货"]


def served(folder: Path, examples: list[Example], *, classes: int) -> LinearView:
    write_linear(fit_linear(examples, classes, PARAMS), folder)
    return LinearView.load(folder / "linear.json", folder / "linear.safetensors")


def test_the_served_view_agrees_with_scikit_learn(tmp_path: Path) -> None:
    view = served(tmp_path, EXAMPLES, classes=4)
    reference = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 3), sublinear_tf=True, dtype=np.float32, preprocessor=mark_ends, lowercase=False
    )
    reference_features = reference.fit_transform([row.text for row in EXAMPLES])
    model = LogisticRegression(C=PARAMS.strength, max_iter=500, tol=1e-6).fit(reference_features, [row.match for row in EXAMPLES])
    texts = [row.text for row in EXAMPLES] + UNSEEN

    expected = model.predict_log_proba(reference.transform(texts))
    difference = np.abs(view.log_probabilities(texts) - expected)

    # a weight is off by half a step at most; a message of unit length adds up the square root of its grams of them
    step = np.abs(model.coef_).max() / 127
    most_grams = max(len(grams(text, longest=3)) for text in texts)
    assert difference.max() < 2 * step * np.sqrt(most_grams)
    assert difference.mean() < step


def test_the_view_tells_its_training_rows_apart(tmp_path: Path) -> None:
    view = served(tmp_path, EXAMPLES, classes=4)

    assert view.log_probabilities([row.text for row in EXAMPLES]).argmax(1).tolist() == [row.match for row in EXAMPLES]


def test_probabilities_sum_to_1_for_any_text(tmp_path: Path) -> None:
    result = served(tmp_path, EXAMPLES, classes=4).log_probabilities(UNSEEN)

    np.testing.assert_allclose(np.exp(result).sum(1), 1.0, atol=1e-5)  # float32


def test_a_text_alone_fares_as_in_a_batch(tmp_path: Path) -> None:
    view = served(tmp_path, EXAMPLES, classes=4)

    together = view.log_probabilities(UNSEEN)

    np.testing.assert_array_equal(np.concatenate([view.log_probabilities([text]) for text in UNSEEN]), together)


def test_case_does_not_matter(tmp_path: Path) -> None:
    result = served(tmp_path, EXAMPLES, classes=4).log_probabilities(["PARCEL", "parcel"])

    np.testing.assert_array_equal(result[0], result[1])


def test_a_class_without_a_row_is_the_least_likely(tmp_path: Path) -> None:
    result = served(tmp_path, EXAMPLES, classes=5).log_probabilities([row.text for row in EXAMPLES])

    assert result.shape == (len(EXAMPLES), 5)
    assert 4 not in result.argmax(1)


def test_rows_without_a_class_take_no_part(tmp_path: Path) -> None:
    stray = [*EXAMPLES, Example("发货发货", 0, IGNORED, 0)]

    assert fit_linear(stray, 4, PARAMS).vocabulary == fit_linear(EXAMPLES, 4, PARAMS).vocabulary


def test_two_classes_are_told_apart(tmp_path: Path) -> None:
    pair = [row for row in EXAMPLES if row.match < 2]

    view = served(tmp_path, pair, classes=2)

    assert view.log_probabilities([row.text for row in pair]).argmax(1).tolist() == [row.match for row in pair]


def test_grams_know_where_a_message_starts_and_ends() -> None:
    assert grams("ab", longest=2) == {"\x02": 1, "a": 1, "b": 1, "\x03": 1, "\x02a": 1, "ab": 1, "b\x03": 1}


@pytest.mark.parametrize("spoilt", ["linear.json", "linear.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe"])
def test_an_unreadable_file_is_named(tmp_path: Path, spoilt: str, content: bytes) -> None:
    served(tmp_path, EXAMPLES, classes=4)
    (tmp_path / spoilt).write_bytes(content)

    with pytest.raises(BundleError, match=r"linear\.json or linear\.safetensors is unreadable; restore the bundle"):
        LinearView.load(tmp_path / "linear.json", tmp_path / "linear.safetensors")
