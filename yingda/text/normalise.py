"""The one normaliser: training, index and serving all read text through it, so that nothing differs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from opencc import OpenCC

MAX_RUN = 2
"""A letter or mark repeated more often than this is emphasis, not information; two keeps 看看 and 谢谢 whole."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffd\ud800-\udfff]"
)
_REPEATED = re.compile(rf"([^\d\s])\1{{{MAX_RUN},}}")  # digits stay: order numbers hold runs of zeros
_SPACES = re.compile(r"\s+")
_KANA_OR_HANGUL = re.compile("[\u3041-\u3096\u309d-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff9f\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")


@lru_cache(maxsize=1)
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def normalise(text: str) -> str:
    """``text`` in one width and one script, without what the eye does not see; idempotent.

    In order: invisible and control characters go; compatibility forms fold (Unicode NFKC: full width to half
    width); traditional becomes simplified, unless kana or hangul show that the Han characters are not Chinese;
    runs longer than MAX_RUN shrink to it; white space folds to single blanks and is trimmed.
    """
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    folded = _INVISIBLE.sub("", folded)
    if _HAN.search(folded) and not _KANA_OR_HANGUL.search(folded):
        folded = _simplify(folded)
    return _SPACES.sub(" ", _shorten(folded)).strip()


def _shorten(text: str) -> str:
    return _REPEATED.sub(lambda run: run.group(1) * MAX_RUN, text)


def _simplify(text: str) -> str:
    shorter = _shorten(text)
    for _ in range(4):
        again = _shorten(_simplifier().convert(shorter))
        if again == shorter:
            break
        shorter = again
    return shorter
