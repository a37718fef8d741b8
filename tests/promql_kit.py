"""A reader of PromQL, small and strict: enough to know that an expression is well formed and which series it names.

Prometheus' own promtool is a Go program and is not asked here. This knows selectors, ranges, offsets, numbers, brackets, binary
operators, functions and aggregations; what it does not know it refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\d+(?:ms|[smhdwy])\b)|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<operator>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],]))"""
)
_AGGREGATIONS = frozenset({"sum", "min", "max", "avg", "count"})
_FUNCTIONS = frozenset({"rate", "increase", "histogram_quantile", "absent", "time", "scalar"})
_RANGED = frozenset({"rate", "increase"})
_BINARY = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"})
_MATCHERS = frozenset({"=", "!=", "=~", "!~"})


class PromqlError(ValueError):
    """The expression is not well formed, or holds what the reader does not know."""


@dataclass
class Named:
    """The series that an expression names, each with the labels that it matches, and the labels by which it groups."""

    series: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)


def read(text: str) -> Named:
    """What ``text`` names; raises PromqlError."""
    reader = _Reader(_tokens(text))
    reader.expression()
    if reader.left:
        raise PromqlError(f"{reader.left[0]} is not expected")
    return reader.named


def _tokens(text: str) -> list[str]:
    found, place, text = [], 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise PromqlError(f"{text[place : place + 10]} is not PromQL")
        found.append(match.group().strip())
        place = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.left, self.named = tokens, Named()

    def expression(self) -> bool:
        """Read operands and operators; True when it is a range of time."""
        is_range = self._operand()
        while self.left and self.left[0] in _BINARY:
            operator = self._take()
            if self._operand() or is_range:
                raise PromqlError(f"{operator} takes no range")
        return is_range

    def _take(self, expected: str | None = None) -> str:
        if not self.left or (expected is not None and self.left[0] != expected):
            raise PromqlError(f"{expected or 'more'} is expected, not {self.left[:1]}")
        return self.left.pop(0)

    def _operand(self) -> bool:
        token = self._take()
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return False
        if token == "(":
            is_range = self.expression()
            self._take(")")
            return is_range
        if token in _AGGREGATIONS:
            return self._aggregation()
        if self.left[:1] == ["("]:
            return self._call(token)
        if not re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", token) or token in _BINARY:
            raise PromqlError(f"{token} is no operand")
        return self._selector(token)

    def _aggregation(self) -> bool:
        self._groups()
        self._take("(")
        if self.expression():
            raise PromqlError("an aggregation takes no range")
        self._take(")")
        self._groups()
        return False

    def _groups(self) -> None:
        if self.left[:1] == ["by"]:
            self._take()
            self._take("(")
            self.named.groups.add(self._take())
            while self.left[:1] == [","]:
                self._take()
                self.named.groups.add(self._take())
            self._take(")")

    def _call(self, name: str) -> bool:
        if name not in _FUNCTIONS:
            raise PromqlError(f"{name} is no function that is known here")
        self._take("(")
        ranges = []
        while self.left[:1] != [")"]:
            ranges.append(self.expression())
            if self.left[:1] != [")"]:
                self._take(",")
        self._take(")")
        if any(ranges) is not (name in _RANGED):
            raise PromqlError(f"{name} takes {'a range' if name in _RANGED else 'no range'}")
        return False

    def _selector(self, name: str) -> bool:
        labels: set[str] = set()
        if self.left[:1] == ["{"]:
            self._take()
            while self.left[:1] != ["}"]:
                labels.add(self._take())
                if self._take() not in _MATCHERS or not self._take().startswith('"'):
                    raise PromqlError(f"{name} has a label that matches nothing")
                if self.left[:1] != ["}"]:
                    self._take(",")
            self._take("}")
        self.named.series.append((name, frozenset(labels)))
        is_range = self.left[:1] == ["["]
        if is_range:
            self._take()
            self._duration()
            self._take("]")
        if self.left[:1] == ["offset"]:
            self._take()
            self._duration()
        return is_range

    def _duration(self) -> None:
        if not re.fullmatch(r"\d+(?:ms|[smhdwy])", self._take()):
            raise PromqlError("a duration is expected")
