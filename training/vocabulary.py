"""Which pieces of a multilingual vocabulary are worth their bytes for the languages Yingda serves.

A piece stays when every character of it belongs to a served script and, for scripts that served languages
share with many others (Latin, Cyrillic, Arabic), when its letters occur in a served language and the piece
ranks among the frequent ones. A dropped piece is not lost: the unigram model spells it with shorter pieces.
Every single character that the full vocabulary holds and a served script uses is always kept.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

_SPACE = "▁"
_LATIN_EXTRA = frozenset(
    "àáâãèéêìíòóôõùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"  # vi, which covers most of fr, es, pt
    "äöüßñçœæëïîûÿ"  # de, es, fr
)
_CYRILLIC = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
_NOT_ARABIC = frozenset("پچژگکیێۆڕڵەھےٹڈڑںۇېڭۈۋټډړږښڼۍ")  # letters of Persian, Urdu, Pashto, Kurdish, Uyghur
# IDEOGRAPHIC is how Unicode names 々 and 〇 and a few marks
_WHOLE_SCRIPTS = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "THAI"})
_SHARED_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "ARABIC"})


@cache
def _script(char: str) -> str:
    """``SYMBOL`` for digits, punctuation and emoji, else the first word of the character's Unicode name."""
    if unicodedata.category(char)[0] in "NPSZ":
        return "SYMBOL"
    return unicodedata.name(char, "UNKNOWN").split()[0]


@cache
def _is_served(char: str) -> bool:
    script = _script(char)
    lower = char.lower()
    if script == "LATIN":
        return char.isascii() or lower in _LATIN_EXTRA
    if script == "CYRILLIC":
        return lower in _CYRILLIC
    if script == "ARABIC":
        return char not in _NOT_ARABIC
    return script == "SYMBOL" or script in _WHOLE_SCRIPTS or unicodedata.category(char).startswith("M")


def kept_pieces(pieces: Sequence[str], *, shared_rank: int, special: int = 4) -> list[int]:
    """Indices of the pieces to keep, ascending; the first ``special`` and a trailing ``<mask>`` always stay.

    ``shared_rank`` is the last rank (position in the vocabulary, frequent first) at which a longer piece of a
    shared script is still kept.
    """
    return [i for i, piece in enumerate(pieces) if i < special or piece == "<mask>" or _keeps(piece, i, shared_rank)]


def _keeps(piece: str, rank: int, shared_rank: int) -> bool:
    bare = piece.replace(_SPACE, "")
    if not all(_is_served(char) for char in bare):
        return False
    shared = any(_script(char) in _SHARED_SCRIPTS for char in bare)
    return len(bare) <= 1 or not shared or rank <= shared_rank
