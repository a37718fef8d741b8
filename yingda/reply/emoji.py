"""Emoji out of a text, for channels and moods where they do not belong."""

from __future__ import annotations

import re

_ONE = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u203c\u2049\u231a\u231b\u23e9-\u23f3]"
_EMOJI = re.compile(rf" ?{_ONE}[\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff]*(?:\u200d{_ONE}[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*)*")


def has_emoji(text: str) -> bool:
    """True when ``text`` shows an emoji."""
    return _EMOJI.search(text) is not None


def without_emoji(text: str) -> str:
    """``text`` without emoji and the blank before each."""
    return _EMOJI.sub("", text)
