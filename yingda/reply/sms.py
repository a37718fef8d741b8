"""Short messages: a text in numbered parts that each fit one message.

A message in UCS-2 carries 140 octets, 70 units of 16 bits; where a text takes several, six octets of each are the header
that joins them, and 67 units are left (3GPP TS 23.038, 6.2.1 and 3GPP TS 23.040, 9.2.3.24.1). Characters outside the basic
plane, emoji among them, take two units.
"""

from __future__ import annotations

import re
import unicodedata

SINGLE = 70
"""UCS-2 units of a message that stands alone."""
JOINED = 67
"""UCS-2 units of a message that is one of several."""

_BEYOND_WORDS = "\u0e00"
"""From Thai on, scripts set no blank between words; before it stand those that do, from Latin to the Indian ones."""
_SENTENCE = re.compile(r"[。！？；!?;\n](?:[”’」』）)]+)?|(?<!\d)\.(?=\s|$)")
_PAUSE = re.compile(r"[，、：,:](?!\d)|\s")


def units(text: str) -> int:
    """Length of ``text`` in UCS-2 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def segments(text: str) -> tuple[str, ...]:
    """``text`` as messages of at most 70 units; several are numbered (1/3) and hold at most 67 each.

    Cuts stand after a sentence where one ends in the second half of a message, else after a comma or blank, else anywhere
    but inside a character. What follows the numbers, joined, is ``text``.
    """
    if units(text) <= SINGLE:
        return (text,) if text else ()
    # the number grows with the count: 9 parts need (1/9), 10 need (10/10)
    for digits in (1, 2, 3):
        pieces = _pieces(text, JOINED - units(_mark(1, 1)) - 2 * (digits - 1))
        if len(str(len(pieces))) <= digits:
            break
    return tuple(_mark(number, len(pieces)) + piece for number, piece in enumerate(pieces, 1))


def _mark(number: int, count: int) -> str:
    return f"({number}/{count})"


def _pieces(text: str, room: int) -> list[str]:
    pieces = []
    while units(text) > room:
        cut = _cut(text, room)
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text] if text else pieces


def _cut(text: str, room: int) -> int:
    """How many characters of ``text`` the next message takes."""
    most, used = 0, 0
    while used + units(text[most]) <= room:
        used += units(text[most])
        most += 1
    for pattern in (_SENTENCE, _PAUSE):
        ends = [match.end() for match in pattern.finditer(text, 0, most + 1) if match.end() <= most]
        if ends and ends[-1] * 2 >= most:
            return ends[-1]
    return _outside_character(text, most)


def _outside_character(text: str, most: int) -> int:
    """``most`` moved back so that neither a combined character nor a number or Latin word is cut, where that is possible."""
    cut = most
    while cut > most // 2 and (_continues(text[cut]) or (_is_word(text[cut - 1]) and _is_word(text[cut]))):
        cut -= 1
    return cut if cut > most // 2 else most


def _continues(char: str) -> bool:
    return char in "\u200d\ufe0e\ufe0f\u20e3" or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char)[0] == "M"


def _is_word(char: str) -> bool:
    return (char < _BEYOND_WORDS and char.isalnum()) or char in "-._@/:"
