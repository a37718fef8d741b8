"""Bytes read as values, so that what a fuzzer found can be replayed without one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Source:
    """Takes values from ``data``, front to back; where nothing is left, the smallest ones."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes not taken yet."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """0 to 255."""
        taken = self.take(1)
        return taken[0] if taken else 0

    def number(self, most: int) -> int:
        """0 to ``most``, at most 65535."""
        return int.from_bytes(self.take(2), "big") % (most + 1)

    def pick(self, values: Sequence[T]) -> T:
        """One of ``values``."""
        return values[self.byte() % len(values)]

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def text(self, most: int = 255) -> str:
        """A text; what is no UTF-8 becomes lone surrogates, which no good text holds."""
        return text_of(self.take(min(self.byte(), most)))


def text_in(data: bytes, pieces: Sequence[str]) -> str:
    """``data`` as a text: by its first byte as it is written, or each byte a piece, so that mutations stay in the language."""
    if data[:1] != b"\x01":
        return text_of(data[1:])
    return "".join(pieces[byte % len(pieces)] for byte in data[1:])


def text_of(data: bytes) -> str:
    """``data`` as UTF-8, and what is none as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


_LEAVES = (
    *("null", "true", "false", "0", "-1", "1", "9223372036854775808", "1e308", "[]", "{}", "[[]]", '{"": ""}'),
    *('""', '"x"', '"\\ud800"', '"\\u0000"', '"99999999999999999999999999"', "[" * 60 + "]" * 60),
)


def spoilt(tree: Any, source: Source) -> Any:
    """``tree``, a JSON value, with values at a few places replaced, taken out, moved or doubled."""
    tree = json.loads(json.dumps(tree))
    for _ in range(1 + source.byte() % 4):
        tree = _spoilt_once(tree, source)
    return tree


def _spoilt_once(tree: Any, source: Source) -> Any:
    node, steps = tree, source.byte() % 12
    parent, name = None, None
    for _ in range(steps):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        parent, name = node, source.pick(keys)
        node = node[name]
    if parent is None:
        return tree if steps else json.loads(source.pick(_LEAVES))
    _change(parent, name, node, source)
    return tree


def _change(parent: Any, name: Any, node: Any, source: Source) -> None:
    how = source.byte() % 6
    if how == 0:
        del parent[name]
    elif how == 1:
        parent[name] = source.text()
    elif how == 2 and isinstance(parent, dict):
        parent[source.text(40)] = node
    elif how == 3 and isinstance(parent, list):
        parent.insert(source.number(len(parent)), json.loads(json.dumps(node)))
    elif how == 4 and isinstance(node, str):
        place = source.number(len(node))
        parent[name] = node[:place] + source.text(40) + node[place + source.byte() % 3 :]
    else:
        parent[name] = json.loads(source.pick(_LEAVES))
