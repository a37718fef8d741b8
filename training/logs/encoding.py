"""Which encoding a file is in: guessed by charset-normalizer, then proved by decoding all of it strictly."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from charset_normalizer import from_bytes

from yingda.domain.errors import MaterialError

_SAMPLE = 1 << 16
_CHUNK = 1 << 20
LONGEST_LINE = 1 << 20
"""Characters a line of a table may have; what is longer is no message but a broken or binary file."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITHOUT_MARK = ("utf-8", "gbk", "gb18030")
_WIDE = ("utf-16-le", "utf-16-be")
_CHINESE = ("gbk", "gb18030")
_FEW = 20
_COMMON_SHARE = 0.4
_BINARY = "is a binary file; export it as CSV, JSON Lines or .xlsx"


class Decoded(NamedTuple):
    """The encoding of a file and its longest line in characters."""

    encoding: str
    longest_line: int


def detect(path: Path, *, forced: str | None = None) -> Decoded:
    """The first encoding in which the whole of ``path`` is valid text; raises MaterialError when there is none.

    ``forced`` is tried alone. Every character counts: there is no replacement and no guess for a part of the file.
    """
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    if not head.strip():
        raise MaterialError(f"{path.name} is empty; name a file with messages")
    for encoding in [forced] if forced else _candidates(head, path.name):
        longest = _longest_line(path, encoding)
        if longest is not None:
            if not forced and encoding in _CHINESE and not _is_plausible(head.decode(encoding, "ignore")):
                raise MaterialError(
                    f"{path.name} is no UTF-8 and makes no sense as {encoding}; name its encoding with --encoding, such as big5"
                )
            return Decoded(encoding, longest)
    tried = forced or "UTF-8, GBK, GB18030 or UTF-16"
    raise MaterialError(f"{path.name} is not valid {tried} throughout; save it as UTF-8 or name its encoding with --encoding")


def _candidates(head: bytes, name: str) -> list[str]:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return [encoding]
    if b"\0" in head:
        wide = [encoding for encoding in _WIDE if _reads_as_text(head, encoding)]
        if not wide:
            raise MaterialError(f"{name} {_BINARY}")
        return wide
    guesses = [match.encoding for match in from_bytes(head, cp_isolation=["utf_8", "gbk", "gb18030"])]
    # UTF-8 can hardly be mistaken: where it is valid, it is right, whatever the guess
    ordered = ["utf-8", *(codecs.lookup(guess).name for guess in guesses), *_WITHOUT_MARK]
    return [encoding for encoding in dict.fromkeys(ordered) if encoding in _WITHOUT_MARK]


def _reads_as_text(head: bytes, encoding: str) -> bool:
    """True when the sample holds lines and hardly a control character in this UTF-16 order."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    odd = sum((char < " " and char not in "\t\r\n") or char == "\ufffd" for char in text)
    return odd == 0 and "\n" in text


def _is_plausible(text: str) -> bool:
    """False when few characters are common Chinese ones: nearly any bytes are valid GBK, Big5 among them."""
    foreign = [char for char in text if not char.isascii()]
    # the first level of GB 2312 holds the 3,755 commonest characters, which begin with the bytes B0 to D7
    common = sum(b"\xb0" <= char.encode("gb2312", "ignore")[:1] <= b"\xd7" for char in foreign)
    return len(foreign) < _FEW or common >= _COMMON_SHARE * len(foreign)


def _longest_line(path: Path, encoding: str) -> int | None:
    """Characters in the longest line; None when ``path`` is not valid in ``encoding``. NULs are refused."""
    longest = current = 0
    try:
        for text in _pieces(path, encoding):
            if "\0" in text:
                raise MaterialError(f"{path.name} {_BINARY}")
            first, *rest = text.split("\n")
            longest = max(longest, current + len(first), *map(len, rest))
            current = len(rest[-1]) if rest else current + len(first)
    except UnicodeError:
        return None
    except LookupError as error:
        raise MaterialError(f"there is no encoding '{encoding}'; name one such as gb18030") from error
    return longest


def _pieces(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
