"""The cells of a table: a small part of ZEN's unary tests, each read as the exact set of values it holds for.

Allowed are literals, ``== !=``, ``> >= < <=``, ranges, ``in``, ``not in`` and commas between alternatives; on the keywords
column ``contains($, '词')``, negated by ``not`` and joined by ``and`` or by ``or``. Everything else that ZEN would run, such as
functions, loops, variables, templates and arithmetic, is refused, so that each cell is a finite set and tables can be checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

from yingda.decide.rules.columns import Column, Kind, Output

LONGEST = 400
"""Characters a cell may have."""

MOST_WORDS = 12
"""Keywords one cell may name."""

KEPT = 4096
"""Cells whose reading is remembered: a file is read when it is sent, and again among the shop's names."""

Choice = Mapping[str, bool]
"""Keywords that must be there (true) or must not (false)."""

_ONE = (
    r"\s*('[^'\"`\\]*'|\"[^'\"`\\]*\"|-?[0-9]{1,6}(?:\.[0-9]{1,6})?"
    r"|==|!=|>=|<=|\.\.|[<>\[\](),$]|[A-Za-z_][A-Za-z_0-9.]*)\s*"
)
_TOKEN = re.compile(_ONE)
_ALL = re.compile(rf"(?>{_ONE})*+")
"""Token after token, none of them given back: what it does not match to the end, _TOKEN does not read to the end either."""
_QUOTES = ("'", '"')
_NAME = re.compile(r"[^\W_][\w.·:-]{0,63}")
_CALL = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)\s*\(")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_BEFORE_BRACKET = frozenset({"in", "not", "and", "or"})
_COMPARE = frozenset({">", ">=", "<", "<="})


_AND = re.compile(r"\band\b")


class CellError(ValueError):
    """A cell is outside the grammar; its text says what to do."""


def brief(value: object) -> str:
    """A value as it may stand in an error: short and printable."""
    text = str(value)[:41]
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable if len(printable) <= 40 else f"{printable[:40]}…"


@lru_cache(maxsize=KEPT)
def values_of(text: str, column: Column) -> int:
    """The set of values the cell holds for, one bit a value; raises CellError."""
    if not text.strip():
        return column.full
    tokens = _Tokens(text, column)
    found, parts = _test(tokens, column), 1
    while tokens.take(","):
        found |= _test(tokens, column)
        parts += 1
    tokens.end()
    if parts > 1 and column.kind is Kind.NUMBER and _AND.search(text):
        raise CellError("it mixes a list with 'and', which ZEN reads otherwise than people do; write a range such as [1..3], or two rows")
    return found


@lru_cache(maxsize=KEPT)
def choices_of(text: str, column: Column) -> tuple[Choice, ...]:
    """The keyword cell as alternatives, any of which is enough; raises CellError."""
    if not text.strip():
        return ({},)
    tokens = _Tokens(text, column)
    atoms, joint = [_contains(tokens)], ""
    while (word := tokens.peek()) in ("and", "or"):
        if joint not in ("", word):
            raise CellError("it mixes 'and' with 'or'; write two rows")
        joint = tokens.next()
        atoms.append(_contains(tokens))
    tokens.end()
    if len(atoms) > MOST_WORDS:
        raise CellError(f"it names more than {MOST_WORDS} keywords; spread them over rows")
    if joint == "or":
        return tuple({word: there} for word, there in atoms)
    together = dict(atoms)
    return () if any(together[word] != there for word, there in atoms) else (together,)


@lru_cache(maxsize=KEPT)
def words_of(text: str, output: Output) -> tuple[str, ...]:
    """The literal words an output cell sets; raises CellError."""
    if not text.strip():
        return ()
    tokens = _Tokens(text, output)
    listed = output.many and tokens.take("[")
    words = [_name(tokens)]
    while listed and tokens.take(","):
        words.append(_name(tokens))
    if listed:
        tokens.expect("]")
    tokens.end()
    for word in words:
        if output.names is not None and word not in output.names:
            raise CellError(_unknown(output.what, word, output.names))
    return tuple(dict.fromkeys(words))


class _Tokens:
    """The tokens of a cell, read from left to right."""

    def __init__(self, text: str, column: Column | Output) -> None:
        if len(text) > LONGEST:
            raise CellError(f"it has {len(text):,} characters; write at most {LONGEST}")
        self._needs = "a literal in quotes" if isinstance(column, Output) else column.kind.value
        for call in _CALL.findall(_QUOTED.sub("''", text)) if "(" in text else ():
            if call not in _BEFORE_BRACKET and not (call == "contains" and self._needs == Kind.WORDS):
                raise CellError(f"it calls {brief(call)}(); functions are not allowed, write {self._needs}")
        if _ALL.fullmatch(text) is None:
            raise CellError(self._stray(text))
        self._found: list[str] = [*_TOKEN.findall(text), ""]  # no token is empty: the last one is the end
        self._at = 0

    def peek(self) -> str:
        return self._found[self._at]

    def next(self, kind: str | None = None) -> str:
        """The next token, which must be of ``kind``."""
        token = self._found[self._at]
        if not token or (kind and _kind(token) != kind):
            raise CellError(self._unexpected())
        self._at += 1
        return token

    def take(self, token: str) -> bool:
        """Read ``token`` if it comes next; a text is never mistaken for it, for it stands in quotes."""
        taken = self._found[self._at] == token
        self._at += taken
        return taken

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise CellError(self._unexpected())

    def is_kind(self, kind: str) -> bool:
        return _kind(self.peek()) == kind

    def end(self) -> None:
        """Raise unless everything was read."""
        if self.peek():
            raise CellError(self._unexpected())

    def _unexpected(self) -> str:
        if self.is_kind("word") and self.peek() not in ("and", "or", "in", "not", "true", "false", "contains"):
            return f"'{brief(self.peek())}' is neither quoted nor allowed; write {self._needs}"
        found = f"'{brief(self.peek())}'" if self.peek() else "its end"
        return f"{found} is out of place; write {self._needs}, or leave the cell empty for any value"

    def _stray(self, text: str) -> str:
        at = 0
        while match := _TOKEN.match(text, at):
            at = match.end()
        return f"'{brief(text[at : at + 1])}' is not allowed at character {at + 1}; write {self._needs}, or leave the cell empty"


def _kind(token: str) -> str:
    """What a token is, told by its first character: text, number, mark or word; nothing for the end."""
    if not token:
        return ""
    if token[0] in _QUOTES:
        return "text"
    if token[0].isdigit() or token[0] == "-":
        return "number"
    return "word" if token[0].isalpha() or token[0] == "_" else "mark"


def _test(tokens: _Tokens, column: Column) -> int:
    if column.kind is Kind.FLAG:
        return _flag(tokens)
    if column.kind is Kind.WORD:
        return _word_test(tokens, column)
    return _number_test(tokens, column)


def _flag(tokens: _Tokens) -> int:
    tokens.take("==")
    word = tokens.next("word")
    if word not in ("true", "false"):
        raise CellError(f"'{brief(word)}' is out of place; write true or false")
    return 2 if word == "true" else 1


def _word_test(tokens: _Tokens, column: Column) -> int:
    if tokens.take("!="):
        return column.full & ~_one_name(tokens, column)
    negated = tokens.take("not")
    if negated or tokens.peek() == "in":
        tokens.expect("in")
        tokens.expect("[")
        found = _one_name(tokens, column)
        while tokens.take(","):
            found |= _one_name(tokens, column)
        tokens.expect("]")
        return column.full & ~found if negated else found
    tokens.take("==")
    return _one_name(tokens, column)


def _one_name(tokens: _Tokens, column: Column) -> int:
    word = tokens.next("text")[1:-1]
    if word not in column.names:
        raise CellError(_unknown(column.field, word, column.names))
    return 1 << column.names.index(word)


def _number_test(tokens: _Tokens, column: Column) -> int:
    if tokens.peek() in _COMPARE:
        found = _comparison(tokens, column)
        while tokens.take("and"):
            found &= _comparison(tokens, column)
        return found
    if tokens.take("!="):
        _refuse_negation(column)
        return column.full & ~_between(column, *[_number(tokens, column)] * 2)
    if tokens.take("not"):
        _refuse_negation(column)
        tokens.expect("in")
        return column.full & ~_range_or_list(tokens, column, listed=True)
    if tokens.take("in"):
        return _range_or_list(tokens, column, listed=True)
    if tokens.peek() in ("[", "("):
        return _range_or_list(tokens, column, listed=False)
    tokens.take("==")
    return _between(column, *[_number(tokens, column)] * 2)


def _refuse_negation(column: Column) -> None:
    """A message without a time must not fire a rule about the time, and ZEN holds ``!= 3`` of an unknown value."""
    if column.timed:
        raise CellError("a column about the time takes no negation; list the values or ranges that are meant")


def _comparison(tokens: _Tokens, column: Column) -> int:
    mark = tokens.next("mark")
    if mark not in _COMPARE:
        raise CellError(f"'{mark}' is out of place; after 'and' write one of > >= < <=")
    value = _number(tokens, column)
    if mark in (">", ">="):
        return _between(column, value + (mark == ">"), None)
    return _between(column, None, value - (mark == "<"))


def _range_or_list(tokens: _Tokens, column: Column, *, listed: bool) -> int:
    opening = tokens.next("mark")
    if opening not in ("[", "("):
        raise CellError(f"'{opening}' is out of place; write a range such as [9..18] or (9..18)")
    first = _number(tokens, column)
    if tokens.take(".."):
        last = _number(tokens, column)
        closing = tokens.next("mark")
        if closing not in ("]", ")"):
            raise CellError(f"'{closing}' is out of place; close the range with ] or )")
        return _between(column, first + (opening == "("), last - (closing == ")"))
    if not listed or opening != "[":
        raise CellError("a list stands after 'in'; write 1, 2 or in [1, 2] or a range such as [1..2]")
    found = _between(column, first, first)
    while tokens.take(","):
        value = _number(tokens, column)
        found |= _between(column, value, value)
    tokens.expect("]")
    return found


def _number(tokens: _Tokens, column: Column) -> int:
    """A number in the column's steps."""
    text = tokens.next("number")
    if "." not in text:
        return int(text) * column.scale
    whole, _, part = text.lstrip("-").partition(".")
    places = len(str(column.scale)) - 1
    if len(part.rstrip("0")) > places:
        raise CellError(f"{brief(text)} is too fine; write {'a whole number' if places == 0 else f'at most {places} decimals'}")
    value = int(whole) * column.scale + int((part + "000")[:places] or 0)
    return -value if text.startswith("-") else value


def _between(column: Column, low: int | None, high: int | None) -> int:
    """The set of numbers from ``low`` to ``high``, both included; an unknown time is in no range."""
    last = column.size - 1 - column.timed
    start = 0 if low is None else max(low - column.least, 0)
    end = last if high is None else min(high - column.least, last)
    return 0 if end < start else ((1 << (end - start + 1)) - 1) << start


def _contains(tokens: _Tokens) -> tuple[str, bool]:
    there = not tokens.take("not")
    for token in ("contains", "(", "$", ","):
        tokens.expect(token)
    word = tokens.next("text")[1:-1]
    if not _NAME.fullmatch(word):
        raise CellError(f"'{brief(word)}' is no keyword; write letters and digits")
    tokens.expect(")")
    return word, there


def _name(tokens: _Tokens) -> str:
    word = tokens.next("text")[1:-1]
    if not _NAME.fullmatch(word):
        raise CellError(f"'{brief(word)}' is no name; begin with a letter or digit and go on with those and . · : - _, 64 at most")
    return word


def _unknown(what: str, word: str, names: Collection[str]) -> str:
    remedy = f"use one of: {', '.join(sorted(names))}" if 0 < len(names) <= 8 else "correct it or add it to the pack"
    return f"unknown {what} '{brief(word)}'; {remedy}"
