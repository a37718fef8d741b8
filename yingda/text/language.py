"""Which language a message is in: by script where the script decides, else by the py3langid model."""

from __future__ import annotations

import re
from functools import lru_cache

from yingda.domain.decision import LanguageGuess
from yingda.text.latin import LatinIdentifier

LATIN_LANGUAGES = ("en", "fr", "de", "es", "pt", "vi", "id")
UNKNOWN = LanguageGuess("und", 0.0)

_SCRIPTS = {
    "zh": re.compile("[\u3400-\u9fff]"),
    "ja": re.compile("[\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fd-\u30ff]"),  # not ・ and ー, which Chinese borrows
    "ko": re.compile("[\uac00-\ud7af\u3130-\u318f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
}
_NO_WORD = re.compile(r"https?://\S+|[!-~]*\d[!-~]*")  # addresses, order numbers and models are of no language
_LATIN_WORD = re.compile("[A-Za-zÀ-ɏḀ-ỿ]+")
_KANA_SHARE = 0.2
"""Japanese mixes this much kana among its Han characters; a lone の does not make a message Japanese."""
_SHORTEST_LATIN = 3
"""Letters below which Latin text (OK, hi) is written in every language."""


@lru_cache(maxsize=1)
def latin_identifier() -> LatinIdentifier:
    """What tells Latin languages apart, loaded once a process; whoever starts a service asks for it before the first message does."""
    return LatinIdentifier.load()


def detect_language(text: str) -> LanguageGuess:
    """The main language of normalised ``text``; digits, codes, emoji and punctuation alone are ``und``.

    In mixed text the script with most characters wins, a Latin word counting as one: product names do not make a
    Chinese question English.
    """
    plain = _NO_WORD.sub(" ", text)
    weights = {code: len(pattern.findall(plain)) for code, pattern in _SCRIPTS.items()}
    han, kana = weights["zh"], weights["ja"]
    if kana and kana >= _KANA_SHARE * (kana + han):
        weights["zh"], weights["ja"] = 0, han + kana
    words = _LATIN_WORD.findall(plain)
    weights["latin"] = len(words) if sum(map(len, words)) >= _SHORTEST_LATIN else 0
    total = sum(weights.values())
    if total == 0:
        return UNKNOWN
    code = max(weights, key=lambda name: weights[name])
    share = weights[code] / total
    if code != "latin":
        return LanguageGuess(code, share)
    latin, probability = latin_identifier().classify(plain)
    return LanguageGuess(latin, share * probability)
