"""A process that has settled in: what is taken out of libraries changes no answer, and the collector can be told to look again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from serving.lean import leave_behind, settle_in
from yingda.runtime.lean import slim
from yingda.text.language import LATIN_LANGUAGES

_TEXTS = ("where is my parcel", "¿dónde está mi pedido?", "wo bleibt mein Paket", "je veux un remboursement", "tôi muốn trả hàng", "", "x")


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_a_slim_identifier_tells_the_same_to_the_last_bit() -> None:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LATIN_LANGUAGES))
    before = [identifier.rank(text) for text in _TEXTS]
    slim(identifier)
    slim(identifier)
    assert [identifier.rank(text) for text in _TEXTS] == before
    assert identifier._full_model is None


def test_an_identifier_of_another_make_stays_as_it_is() -> None:
    identifier = SimpleNamespace(tk_output=[1, 2])
    slim(identifier)
    assert identifier == SimpleNamespace(tk_output=[1, 2])


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_set_aside_until_something_else_is() -> None:
    settle_in()
    assert gc.get_freeze_count() > 0
    leave_behind()
    assert gc.get_freeze_count() == 0
