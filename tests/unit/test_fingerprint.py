"""Fingerprints: one for a text in every spelling that the normaliser folds, and a file that says which texts were seen."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from yingda.domain.errors import BundleError
from yingda.text.fingerprint import fingerprints, read_fingerprints, write_fingerprints


def test_it_is_the_first_eight_bytes_of_blake2b_of_the_normalised_text() -> None:
    assert fingerprints(["請問多久發貨？"]).astype("<u8").tobytes() == blake2b("请问多久发货?".encode()).digest()[:8]


def test_there_is_one_a_text_in_order() -> None:
    texts = ["多久发货", "怎么取消", "多久发货"]

    found = fingerprints(texts)

    assert found.shape == (3,)
    assert found[0] == found[2] != found[1]
    assert found.tolist() == [int(fingerprints([text])[0]) for text in texts]


@pytest.mark.parametrize("spelling", ["ＡＢＣ这件有货吗？", "ABC這件有貨嗎?", " ABC这件有货吗? ", "ABC这件有货\u200b吗?"])
def test_spellings_that_the_normaliser_folds_share_one(spelling: str) -> None:
    assert fingerprints([spelling]) == fingerprints(["ABC这件有货吗?"])


@pytest.mark.parametrize("other", ["ABC这件有货吗", "abc这件有货吗?", "ABC这 件有货吗?"])
def test_another_text_has_another(other: str) -> None:
    assert fingerprints([other]) != fingerprints(["ABC这件有货吗?"])


def test_the_file_holds_each_once_and_ascending(tmp_path: Path) -> None:
    texts = [f"第{number}个问题" for number in range(50)]
    write_fingerprints(tmp_path / "f", [*texts, *texts])

    found = read_fingerprints(tmp_path / "f")

    assert found.dtype == np.uint64
    assert len(found) == 50
    assert (np.diff(found.astype(object)) > 0).all()
    assert set(found.tolist()) == set(fingerprints(texts).tolist())


def test_the_file_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    write_fingerprints(tmp_path / "a", ["多久发货", "怎么取消"])
    write_fingerprints(tmp_path / "b", ["怎么取消", "多久發貨", "多久发货"])

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    write_fingerprints(tmp_path / "f", ["多久发货"])

    assert "多久发货".encode() not in (tmp_path / "f").read_bytes()


@pytest.mark.parametrize("content", [b"", b"x" * 40])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)

    with pytest.raises(BundleError, match=r"f: holds no fingerprints of trained texts; restore the bundle"):
        read_fingerprints(tmp_path / "f")


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("other", np.zeros(2, np.uint64), "holds no fingerprints"),
        ("rows", np.zeros(2, np.int64), "have another form"),
        ("rows", np.zeros((2, 1), np.uint64), "have another form"),
    ],
)
def test_an_array_of_another_name_or_form_is_refused(tmp_path: Path, name: str, array: NDArray[np.generic], told: str) -> None:
    save_file({name: array}, tmp_path / "f")

    with pytest.raises(BundleError, match=told):
        read_fingerprints(tmp_path / "f")
