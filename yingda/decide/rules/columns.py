"""The columns a decision table may have: what each reads of a message, and the values it can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as part
from decimal import Decimal
from enum import StrEnum

from yingda.decide.rules.names import KnownNames
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Action, Clock, RuleInput

MOST = 100
"""Counts above are read as this many, so that a column has finitely many values."""

STEPS = 1000
"""Confidence is read in whole thousandths, rounded down, so that 0.7996 does not pass for 0.8."""


class Kind(StrEnum):
    """What a column holds."""

    WORD = "one of its names in quotes"
    NUMBER = "a number or a range"
    FLAG = "true or false"
    WORDS = "contains($, '词')"


@dataclass(frozen=True, slots=True)
class Column:
    """An input of the table.

    Its values are numbered from 0: names in order, numbers from ``least`` in steps of 1/``scale``, false and true; for a
    ``timed`` column the last value is the time that is not known. ``usual`` is the value of an ordinary message.
    """

    field: str
    kind: Kind
    read: Callable[[RuleInput], object] = part(compare=False)
    size: int = 0
    names: tuple[str, ...] = ()
    least: int = 0
    scale: int = 1
    timed: bool = False
    usual: int = 0

    @property
    def full(self) -> int:
        """The set of all values, one bit a value."""
        return (1 << self.size) - 1


@dataclass(frozen=True, slots=True)
class Output:
    """An output of the table: the ``names`` it may take (None: any word), one of them or a list."""

    field: str
    what: str
    names: frozenset[str] | None
    many: bool = False


def input_columns(known: KnownNames) -> Mapping[str, Column]:
    """Every input by the name of its field."""
    intents, categories = tuple(known.intents), known.categories
    columns = (
        _names("tier", tuple(Tier), lambda seen: seen.tier.value, usual=Tier.NORMAL),
        _names("category", categories, lambda seen: seen.category),
        _names("intent", intents, lambda seen: seen.intent),
        _names("sentiment", tuple(Sentiment), lambda seen: seen.sentiment.value, usual=Sentiment.NEUTRAL),
        Column("keywords", Kind.WORDS, lambda seen: list(seen.keywords)),
        _names("channel", tuple(Channel), lambda seen: seen.channel.value, usual=Channel.WECHAT),
        _timed("hour", Kind.NUMBER, lambda clock: clock.hour, 24, usual=10),
        _timed("weekday", Kind.NUMBER, lambda clock: clock.weekday, 7, least=1, usual=2),
        _timed("holiday", Kind.FLAG, lambda clock: clock.holiday, 2),
        _timed("open", Kind.FLAG, lambda clock: clock.open, 2, usual=1),
        _count("repeats", lambda seen: seen.repeats),
        _count("dissatisfied", lambda seen: seen.dissatisfied),
        _count("undecided", lambda seen: seen.undecided),
        _count("out_of_scope", lambda seen: seen.out_of_scope),
        Column("standing", Kind.FLAG, lambda seen: seen.standing, 2),
        _names("outcome", tuple(Outcome), lambda seen: seen.outcome.value),
        Column("confidence", Kind.NUMBER, lambda seen: _steps(seen.confidence) / STEPS, STEPS + 1, scale=STEPS, usual=900),
    )
    return {column.field: column for column in columns}


def output_columns(known: KnownNames) -> Mapping[str, Output]:
    """Every output by the name of its field."""
    columns = (
        Output("action", "action", frozenset(Action)),
        Output("priority", "priority", frozenset(Priority)),
        Output("skill", "skill group", frozenset(known.skills)),
        Output("template", "template", frozenset(known.templates)),
        Output("tags", "tag", None, many=True),
        Output("notify", "person to notify", frozenset(known.notify), many=True),
    )
    return {column.field: column for column in columns}


def _names(field: str, names: tuple[str, ...], read: Callable[[RuleInput], object], usual: str | None = None) -> Column:
    plain = tuple(str(name) for name in names)
    return Column(field, Kind.WORD, read, len(plain), plain, usual=plain.index(usual) if usual else 0)


def _timed(field: str, kind: Kind, read: Callable[[Clock], object], size: int, *, least: int = 0, usual: int = 0) -> Column:
    def look(seen: RuleInput) -> object:
        return None if seen.clock is None else read(seen.clock)

    return Column(field, kind, look, size + 1, least=least, timed=True, usual=usual)


def _count(field: str, read: Callable[[RuleInput], int]) -> Column:
    return Column(field, Kind.NUMBER, lambda seen: min(read(seen), MOST), MOST + 1)


def _steps(confidence: float) -> int:
    """Whole thousandths in ``confidence``, by its shortest decimal form: 0.57 has 570, though 0.57 * 1000 is less."""
    return int(Decimal(repr(float(confidence))) * STEPS)
