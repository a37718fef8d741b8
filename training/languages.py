"""``python -m training.languages``: take from py3langid's model what ``yingda.text.latin`` needs of it.

py3langid's own file holds 142 languages and an automaton of 10 million transitions; unpacking it takes longer than anything else
that a server reads. Run it again when py3langid brings another model or the languages change; ``tests/unit/test_latin.py`` says so.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from safetensors.numpy import save_file

from yingda.text.language import LATIN_LANGUAGES
from yingda.text.latin import CELLS, MODEL

Tables = dict[str, NDArray[Any]]


def whole_identifier() -> LanguageIdentifier:
    """py3langid's identifier among the Latin languages."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LATIN_LANGUAGES))
    return identifier


def tables_of(identifier: LanguageIdentifier) -> Tables:
    """The tables of ``LatinIdentifier``; raises ValueError where two columns stand for one language, which it does not know."""
    if len(set(identifier.nb_classes)) < len(identifier.nb_classes):
        raise ValueError("two columns stand for one language")
    transitions = np.asarray(identifier.tk_nextmove, np.uint32).reshape(-1, CELLS)
    cells, numbers = np.unique(transitions, axis=0, return_inverse=True)
    return {
        "weights": np.ascontiguousarray(identifier.nb_ptc, np.float16),
        "prior": np.ascontiguousarray(identifier.nb_pc, np.float32),
        "rows": _small(np.asarray(identifier.tk_row)),
        "blocks": _small(numbers.reshape(-1, 256 // CELLS)),
        "cells": cells,
        "features": np.asarray(identifier.tk_output, np.int32),
    }


def write_tables(identifier: LanguageIdentifier, path: Path = MODEL) -> None:
    """Write the tables of ``identifier`` to ``path``."""
    source = f"py3langid {version('py3langid')}"
    save_file(tables_of(identifier), path, {"languages": " ".join(identifier.nb_classes), "source": source})


def _small(numbers: NDArray[Any]) -> NDArray[np.uint16]:
    if numbers.max() > np.iinfo(np.uint16).max:
        raise ValueError("the automaton has grown beyond 65,536 rows or blocks; keep their numbers in 32 bits")
    return np.ascontiguousarray(numbers, np.uint16)


if __name__ == "__main__":
    write_tables(whole_identifier())
