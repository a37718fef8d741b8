"""Guardrails of a roll-out: hand-offs, repeats and dissatisfaction of a release against what it replaces, watched all the time.

One observation is one customer, counted once: their first conversation under the release, when it has ended. Messages of
one conversation, and conversations of one customer, depend on each other and would make chance look like harm.

Hand-offs need a reference of their own, for the customers of the other arm are not answered by the release. Where the release
of today keeps a store that can be read, they are what it did: for the other customers in gray, and on the same messages in
shadow. Elsewhere they are what the release itself decided in shadow, where nobody saw it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import log
from types import MappingProxyType
from typing import Any

from yingda.decide.sequential import (
    Interval,
    Pairs,
    Table,
    confidence_sequence,
    evidence_above,
    paired_evidence_above,
    paired_sequence,
)
from yingda.domain.conversation import ConversationState
from yingda.domain.rollout import Against, Arm, Metric, RolloutError

DEFAULT_MARGINS: Mapping[Metric, float] = MappingProxyType({Metric.HANDOFF: 0.02, Metric.REPEAT: 0.02, Metric.DISSATISFIED: 0.02})
SHADOW_MARGIN = 0.10
"""Hand-offs in gray over those in shadow: whom the machine answers asks for a person more often than whom a person answers."""

_NAMES = {
    Metric.HANDOFF: ("转人工率", "hand-off rate"),
    Metric.REPEAT: ("重复提问率", "repeat rate"),
    Metric.DISSATISFIED: ("不满意率", "dissatisfaction rate"),
}
_AGAINST = {
    Against.REFERENCE: ("", ""),
    Against.SHADOW: ("（对比影子阶段）", " (against shadow)"),
    Against.SAME_MESSAGES: ("（影子阶段，相同消息）", " (same messages, in shadow)"),
}

_TABLE = ("treated", "treated_events", "control", "control_events")
_PAIRS = ("customers", "treated_alone", "control_alone")
_NOTHING: Mapping[Metric, int] = MappingProxyType(dict.fromkeys(Metric, 0))


@dataclass(frozen=True, slots=True)
class Limits:
    """What may happen: ``alpha`` is the probability of ever rolling back a harmless release, split evenly over the comparisons;
    ``margins`` holds, by metric, how much worse a rate may be (0.02 is two points), and names the metrics watched.

    ``handoffs`` is what hand-offs are compared with: ``REFERENCE`` where it is known what the release of today did, in gray
    and on the same messages in shadow, or ``SHADOW``.
    """

    alpha: float = 0.05
    margins: Mapping[Metric, float] = field(default_factory=lambda: DEFAULT_MARGINS)
    handoffs: Against = Against.REFERENCE

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise RolloutError(f"guardrail: alpha is {self.alpha}; write a probability between 0 and 1, such as 0.05")
        if not self.margins:
            raise RolloutError("guardrail: no metric is watched; give a margin to at least one")
        for metric, margin in self.margins.items():
            if not 0 <= margin < 1:
                raise RolloutError(
                    f"guardrail: margin of {metric} is {margin}; write a difference of rates from 0 to below 1, such as 0.02"
                )

    @property
    def watched(self) -> tuple[tuple[Metric, Against], ...]:
        """Every comparison that is made: the metric, and what it is compared with."""
        both = (Against.REFERENCE, Against.SAME_MESSAGES)
        handoffs = both if self.handoffs is Against.REFERENCE else (self.handoffs,)
        found = {metric: handoffs if metric is Metric.HANDOFF else (Against.REFERENCE,) for metric in self.margins}
        return tuple((metric, each) for metric, against in found.items() for each in against)

    @property
    def level(self) -> float:
        """Share of ``alpha`` that each comparison may spend (Bonferroni)."""
        return self.alpha / len(self.watched)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of the release against its reference: customers seen, difference of the rates, and what it can be."""

    metric: Metric
    treated: int
    control: int
    difference: float | None
    interval: Interval
    margin: float
    against: Against = Against.REFERENCE

    @property
    def harmful(self) -> bool:
        """True when the difference is above the margin for sure."""
        return self.interval.low > self.margin

    def text(self) -> str:
        """One line, in Chinese and English."""
        chinese, english = _NAMES[self.metric]
        found = "–" if self.difference is None else f"{100 * self.difference:+.1f}"
        span = f"[{100 * self.interval.low:+.1f}, {100 * self.interval.high:+.1f}]"
        tolerated = f"{100 * self.margin:+.1f}"
        at, where = _AGAINST[self.against]
        return (
            f"{chinese}变化 {found} 个百分点 {span}，容许 {tolerated}{at} / {english} {found} points {span}, tolerated {tolerated}{where}"
        )


@dataclass(frozen=True, slots=True)
class GuardrailVerdict:
    """Whether to roll back, and the metrics that say so; ``broken`` is empty when the release may go on."""

    broken: tuple[Comparison, ...]

    @property
    def roll_back(self) -> bool:
        """True when a metric is worse than tolerated beyond doubt."""
        return bool(self.broken)

    def reason(self) -> str:
        """Why, in Chinese and English; empty when the release may go on."""
        return "; ".join(comparison.text() for comparison in self.broken)


@dataclass(frozen=True, slots=True)
class _Stratum:
    """Customers who had the same chance to take part, and to how many of them each harm happened, by arm."""

    treated: int = 0
    control: int = 0
    treated_events: Mapping[Metric, int] = field(default_factory=lambda: _NOTHING)
    control_events: Mapping[Metric, int] = field(default_factory=lambda: _NOTHING)

    def table(self, metric: Metric) -> Table:
        return Table(self.treated, self.treated_events[metric], self.control, self.control_events[metric])

    def plus(self, *, treated: bool, harms: Collection[Metric]) -> _Stratum:
        events = self.treated_events if treated else self.control_events
        counted = MappingProxyType({metric: events[metric] + (metric in harms) for metric in Metric})
        if treated:
            return replace(self, treated=self.treated + 1, treated_events=counted)
        return replace(self, control=self.control + 1, control_events=counted)


@dataclass(frozen=True, slots=True)
class Guardrail:
    """All that is known about a release so far; a new one starts with ``Guardrail()`` and its own limits.

    Customers are compared with those who had the same chance to take part: a share of its own for a channel or tier would
    otherwise mix kinds of customers differently in the two arms. For hand-offs, ``kinds`` holds those in gray (treated) and in
    shadow (control) by channel and tier, and ``pairs`` those whose messages in shadow were decided by both releases.
    """

    limits: Limits = field(default_factory=Limits)
    strata: Mapping[float, _Stratum] = field(default_factory=lambda: MappingProxyType({}))
    kinds: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    pairs: Pairs = field(default_factory=Pairs)

    def update(self, arm: Arm, *, share: float, harms: Collection[Metric] = (), kind: str = "", same: bool | None = None) -> Guardrail:
        """The guardrail after one more customer of ``arm``, who takes part in gray with chance ``share``, and what happened to them.

        ``kind`` is their channel and tier. For a shadow customer, ``same`` says whether the release of today called a person on
        the same messages; None where that is not known. Shares of 0 and 1, where there is nobody to compare with, change nothing.
        """
        if not 0 < share < 1:
            return self
        found, handed_off = self, Metric.HANDOFF in harms
        if self.limits.handoffs is Against.SHADOW and arm in (Arm.AUTOMATED, Arm.SHADOW):
            found = found._in_kind(kind, treated=arm is Arm.AUTOMATED, handed_off=handed_off)
        if arm is not Arm.SHADOW:
            stratum = self.strata.get(share, _Stratum()).plus(treated=arm is Arm.AUTOMATED, harms=harms)
            return replace(found, strata=MappingProxyType({**self.strata, share: stratum}))
        if self.limits.handoffs is Against.REFERENCE and same is not None:
            alone = (handed_off and not same, same and not handed_off)
            return replace(found, pairs=_plus(self.pairs, *alone))
        return found

    def _in_kind(self, kind: str, *, treated: bool, handed_off: bool) -> Guardrail:
        table = self.kinds.get(kind, Table())
        more = Table(1, int(handed_off), 0, 0) if treated else Table(0, 0, 1, int(handed_off))
        total = Table(*(getattr(table, name) + getattr(more, name) for name in _TABLE))
        return replace(self, kinds=MappingProxyType({**self.kinds, kind: total}))

    def verdict(self) -> GuardrailVerdict:
        """Whether to roll back now; may be asked after every customer, for the error holds over all looks together."""
        bound = log(1 / self.limits.level)
        loud = [each for each in self.limits.watched if self._evidence(*each) >= bound]
        return GuardrailVerdict(tuple(found for each in loud if (found := self.comparison(*each)).harmful))

    def _evidence(self, metric: Metric, against: Against) -> float:
        margin = self.limits.margins[metric]
        if against is Against.SAME_MESSAGES:
            return paired_evidence_above(self.pairs, margin)
        return evidence_above(self._tables(metric, against), margin)

    def comparison(self, metric: Metric, against: Against = Against.REFERENCE) -> Comparison:
        """What is known about one metric; the difference is weighed by treated customers over the strata."""
        margin = self.limits.margins[metric]
        if against is Against.SAME_MESSAGES:
            pairs, interval = self.pairs, paired_sequence(self.pairs, alpha=self.limits.level)
            return Comparison(metric, pairs.customers, pairs.customers, pairs.difference, interval, margin, against)
        tables = self._tables(metric, against)
        compared = [(table.treated, found) for table in tables if (found := table.difference) is not None]
        weight = sum(treated for treated, _ in compared)
        difference = sum(treated * found for treated, found in compared) / weight if weight else None
        interval = confidence_sequence(tables, alpha=self.limits.level)
        treated, control = sum(table.treated for table in tables), sum(table.control for table in tables)
        return Comparison(metric, treated, control, difference, interval, margin, against)

    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison made, for people who look on."""
        return tuple(self.comparison(*each) for each in self.limits.watched)

    def _tables(self, metric: Metric, against: Against) -> list[Table]:
        if against is Against.SHADOW:
            return list(self.kinds.values())
        return [stratum.table(metric) for stratum in self.strata.values()]

    def state(self) -> dict[str, Any]:
        """All counts and limits as plain values, for the store; ``read_guardrail`` reads them back."""
        strata = [
            {
                "share": share,
                "treated": {"customers": stratum.treated, **_counts(stratum.treated_events)},
                "control": {"customers": stratum.control, **_counts(stratum.control_events)},
            }
            for share, stratum in self.strata.items()
        ]
        margins = {str(metric): margin for metric, margin in self.limits.margins.items()}
        return {
            "alpha": self.limits.alpha,
            "margins": margins,
            "handoffs": str(self.limits.handoffs),
            "strata": strata,
            "kinds": {kind: [getattr(table, name) for name in _TABLE] for kind, table in self.kinds.items()},
            "pairs": [getattr(self.pairs, name) for name in _PAIRS],
        }


def limits_for(reference: Arm, *, today: bool = False) -> Limits:
    """The usual limits. Hand-offs are compared with what the release of today does, where that answers the other arm and its
    store can be read (``today``); else with those of the release in shadow, for where a person answers all is handed over."""
    if reference is Arm.CONTROL and today:
        return Limits()
    margins = {**DEFAULT_MARGINS, Metric.HANDOFF: SHADOW_MARGIN}
    return Limits(margins=MappingProxyType(margins), handoffs=Against.SHADOW)


def harms_of(*, handed_off: bool, most_repeats: int, most_dissatisfied: int) -> frozenset[Metric]:
    """What happened to a customer in a conversation: was handed over, asked the same twice in a row, was dissatisfied.

    ``most_repeats`` and ``most_dissatisfied`` are the highest counters of its states (see ConversationState).
    """
    happened = {Metric.HANDOFF: handed_off, Metric.REPEAT: most_repeats >= 2, Metric.DISSATISFIED: most_dissatisfied >= 1}
    return frozenset(metric for metric, it_did in happened.items() if it_did)


def harms_between(before: ConversationState, states: Sequence[ConversationState]) -> frozenset[Metric]:
    """What happened in a conversation that stood at ``before`` and went through ``states``; what stood before is no new harm."""
    steps = list(pairwise((before, *states)))
    return harms_of(
        handed_off=any(now.standing is not None and now.standing != then.standing for then, now in steps),
        most_repeats=max((now.repeats for then, now in steps if now.repeats > then.repeats), default=0),
        most_dissatisfied=max((now.dissatisfied for then, now in steps if now.dissatisfied > then.dissatisfied), default=0),
    )


def observe(guardrail: Guardrail, customers: Iterable[tuple[Arm, float, Collection[Metric]]]) -> Guardrail:
    """The guardrail after several customers: arm, share and harms of each."""
    for arm, share, harms in customers:
        guardrail = guardrail.update(arm, share=share, harms=harms)
    return guardrail


def read_guardrail(fields: object) -> Guardrail:
    """The guardrail that ``Guardrail.state`` wrote; raises RolloutError for anything else.

    In a state without ``handoffs``, of an older program, the hand-offs of the other arm are those of the release itself: they
    are left out, and the release is judged by the other metrics.
    """
    try:
        if not isinstance(fields, Mapping):
            raise TypeError
        margins = {Metric(metric): float(margin) for metric, margin in fields["margins"].items()}
        strata = {float(each["share"]): _read_stratum(each["treated"], each["control"]) for each in fields["strata"]}
        if "handoffs" not in fields:
            margins.pop(Metric.HANDOFF, None)
        limits = Limits(float(fields["alpha"]), MappingProxyType(margins), Against(fields.get("handoffs", Against.SHADOW)))
        kinds = {str(kind): Table(*_counted(counts, 4)) for kind, counts in fields.get("kinds", {}).items()}
        pairs = Pairs(*_counted(fields.get("pairs", (0, 0, 0)), 3))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RolloutError("guardrail: its stored counts have another form than this version reads; start it anew") from None
    return Guardrail(limits, MappingProxyType(strata), MappingProxyType(kinds), pairs)


def _plus(pairs: Pairs, treated_alone: bool, control_alone: bool) -> Pairs:
    return Pairs(pairs.customers + 1, pairs.treated_alone + treated_alone, pairs.control_alone + control_alone)


def _counted(counts: Sequence[Any], length: int) -> Sequence[int]:
    """``counts`` of a Table or of Pairs as they were written; raises ValueError for what cannot be."""
    if len(counts) != length or any(type(count) is not int or count < 0 for count in counts):
        raise ValueError
    possible = counts[1] <= counts[0] and counts[3] <= counts[2] if length == len(_TABLE) else counts[1] + counts[2] <= counts[0]
    if not possible:
        raise ValueError
    return counts


def _counts(events: Mapping[Metric, int]) -> dict[str, int]:
    return {str(metric): events[metric] for metric in Metric}


def _read_stratum(treated: Mapping[str, Any], control: Mapping[str, Any]) -> _Stratum:
    for arm in (treated, control):
        counts = [arm[str(metric)] for metric in Metric]
        if any(type(count) is not int or not 0 <= count <= arm["customers"] for count in counts) or type(arm["customers"]) is not int:
            raise ValueError
    both = [MappingProxyType({metric: arm[str(metric)] for metric in Metric}) for arm in (treated, control)]
    return _Stratum(treated["customers"], control["customers"], *both)
