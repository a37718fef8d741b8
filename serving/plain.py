"""Plain requests, known by their bytes: a POST that came whole, about whose framing no two readers differ.

While everybody is turned away, nine of ten requests of a flood are refused, and to parse one costs several times as much as to
refuse it. What is not plain beyond doubt is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

MOST_BODY_BYTES: Final = 64 * 1024
"""Longest body of a plain request."""
_MOST_BYTES: Final = 2 * MOST_BODY_BYTES
# Stricter than RFC 9112: printable ASCII, no query, no folded line, no space before a colon, neither CR nor LF alone.
_HEAD: Final = re.compile(rb"POST (/[a-z0-9/]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: ?[ -~]*\r\n)+)\r\n")
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]+): ?([ -~]*)\r\n")
_LENGTH_DIGITS: Final = 5
_KEEP: Final = b"keep-alive"
_DECISIVE: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"proxy-connection"})
"""Fields that say how a body or a connection ends; so does ``connection``, but for the word that is the default anyhow."""


class Plain(NamedTuple):
    """The path of a plain request, and its x-request-id as it was sent."""

    path: bytes
    sent_id: bytes | None


def plain_post(data: bytes) -> Plain | None:
    """What ``data`` asks for where it is one whole plain POST and nothing besides, else None."""
    found = _HEAD.match(data) if len(data) <= _MOST_BYTES else None
    if found is None:
        return None
    fields = _FIELD.findall(found[2])
    given = {name.lower(): value for name, value in fields}
    if len(given) < len(fields) or not _is_plain(given) or int(given[b"content-length"]) != len(data) - found.end():
        return None
    return Plain(found[1], given.get(b"x-request-id"))


def _is_plain(given: Mapping[bytes, bytes]) -> bool:
    """True where a body of a plain length follows, and the connection goes on after it."""
    length = given.get(b"content-length", b"")
    sent_id = given.get(b"x-request-id", b"")
    return (
        length.isdigit()
        and len(length) <= _LENGTH_DIGITS
        and 0 < int(length) <= MOST_BODY_BYTES
        and _DECISIVE.isdisjoint(given)
        and given.get(b"connection", _KEEP).lower() == _KEEP
        and sent_id == sent_id.strip()
    )
