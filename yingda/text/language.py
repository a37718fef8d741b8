"""Which language a message is in: by script where the script decides, else by the py3langid model."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from yingda.domain.decision import LanguageGuess

LATIN_LANGUAGES = ("en", "fr", "de", "es", "pt", "vi", "id")
UNKNOWN = LanguageGuess("und", 0.0)

_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af\u3130-\u318f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "zh": re.compile("[\u3400-\u9fff]"),
}
_LATIN = re.compile("[A-Za-zÀ-ɏḀ-ỿ]")
_WEIGHT = {"zh": 3, "ko": 2, "ja": 3}
"""Letters of Latin text that one character of these scripts is worth: they say more in one character."""


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


@lru_cache(maxsize=1)
def _latin_identifier() -> _Identifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LATIN_LANGUAGES))
    found: _Identifier = identifier
    return found


def detect_language(text: str) -> LanguageGuess:
    """The main language of normalised ``text``; digits, emoji and punctuation alone are ``und``.

    In mixed text the script with the greater weight wins; Han characters beside kana count as Japanese.
    """
    weights = {code: _WEIGHT.get(code, 1) * len(pattern.findall(text)) for code, pattern in _SCRIPTS.items()}
    if weights["ja"] and weights["zh"]:
        weights["ja"] += weights.pop("zh")
    weights["latin"] = len(_LATIN.findall(text))
    total = sum(weights.values())
    if total == 0:
        return UNKNOWN
    code = max(weights, key=lambda name: weights[name])
    share = weights[code] / total
    if code != "latin":
        return LanguageGuess(code, share)
    latin, probability = _latin_identifier().classify(text)
    return LanguageGuess(latin, share * float(probability))
