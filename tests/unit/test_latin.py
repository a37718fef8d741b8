"""The small identifier of Latin languages: the tables are py3langid's, and so is every answer, to the last bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid.langid import LanguageIdentifier
from safetensors.numpy import load_file

from training.languages import tables_of, whole_identifier, write_tables
from yingda.text.language import LATIN_LANGUAGES, latin_identifier
from yingda.text.latin import MODEL, LatinIdentifier

_TEXTS = (
    "where is my parcel",
    "WHERE IS MY PARCEL",
    "¿dónde está mi pedido?",
    "wo bleibt mein Paket",
    "je veux un remboursement",
    "tôi muốn trả hàng",
    "to\u0302i muo\u0302\u0301n tra\u0309 hàng",
    "barang saya belum sampai",
    "quero devolver o produto",
    "where can I see the status of my 订单 please 🙂",
    "half a pair \ud800 of surrogates",
    "x",
    "\x01",
    "",
)


@pytest.fixture(scope="module")
def whole() -> LanguageIdentifier:
    return whole_identifier()


def test_the_tables_are_those_of_the_library(whole: LanguageIdentifier) -> None:
    committed, derived = load_file(MODEL), tables_of(whole)
    assert committed.keys() == derived.keys()
    for name, table in derived.items():
        assert committed[name].dtype == table.dtype, name
        assert np.array_equal(committed[name], table), name


def test_the_languages_are_those_that_are_told_apart(whole: LanguageIdentifier) -> None:
    assert list(latin_identifier().languages) == whole.nb_classes
    assert set(latin_identifier().languages) == set(LATIN_LANGUAGES)


@pytest.mark.parametrize("text", [*_TEXTS, " ".join(_TEXTS) * 20])
def test_a_text_is_told_as_the_library_tells_it(whole: LanguageIdentifier, text: str) -> None:
    _assert_alike(whole, text)


@given(text=st.text(st.one_of(st.sampled_from("abcdeghinorstuáéñöüßđướ "), st.characters(exclude_categories=())), max_size=200))
def test_any_text_is_told_as_the_library_tells_it(whole: LanguageIdentifier, text: str) -> None:
    _assert_alike(whole, text)


def test_written_tables_are_read_again(whole: LanguageIdentifier, tmp_path: Path) -> None:
    write_tables(whole, tmp_path / "latin.safetensors")
    assert LatinIdentifier.load(tmp_path / "latin.safetensors").classify("where is my parcel")[0] == "en"


def test_columns_that_stand_for_one_language_are_refused() -> None:
    with pytest.raises(ValueError, match="one language"):
        tables_of(SimpleNamespace(nb_classes=["sr", "sr"]))


def _assert_alike(whole: LanguageIdentifier, text: str) -> None:
    small = latin_identifier()
    assert dict(zip(small.languages, small.shares(text).tolist(), strict=True)) == dict(whole.rank(text))
    assert small.classify(text) == whole.classify(text)
