"""Guardrails of a roll-out: hand-offs, repeats and dissatisfaction of a release against what it replaces, watched all the time.

One observation is one customer, counted once: their first conversation under the release, when it has ended. Messages of
one conversation, and conversations of one customer, depend on each other and would make chance look like harm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import log
from types import MappingProxyType
from typing import Any

from yingda.decide.sequential import Interval, Table, confidence_sequence, evidence_above
from yingda.domain.conversation import ConversationState
from yingda.domain.rollout import Arm, Metric, RolloutError

DEFAULT_MARGINS: Mapping[Metric, float] = MappingProxyType({Metric.HANDOFF: 0.02, Metric.REPEAT: 0.02, Metric.DISSATISFIED: 0.02})
_NAMES = {
    Metric.HANDOFF: ("转人工率", "hand-off rate"),
    Metric.REPEAT: ("重复提问率", "repeat rate"),
    Metric.DISSATISFIED: ("不满意率", "dissatisfaction rate"),
}


_NOTHING: Mapping[Metric, int] = MappingProxyType(dict.fromkeys(Metric, 0))


@dataclass(frozen=True, slots=True)
class Limits:
    """What may happen: ``alpha`` is the probability of ever rolling back a harmless release, split evenly over the metrics;
    ``margins`` holds, by metric, how much worse a rate may be (0.02 is two points), and names the metrics watched."""

    alpha: float = 0.05
    margins: Mapping[Metric, float] = field(default_factory=lambda: DEFAULT_MARGINS)

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
    def level(self) -> float:
        """Share of ``alpha`` that each metric may spend (Bonferroni)."""
        return self.alpha / len(self.margins)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of the release against its reference: customers seen, difference of the rates, and what it can be."""

    metric: Metric
    treated: int
    control: int
    difference: float | None
    interval: Interval
    margin: float

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
        return f"{chinese}变化 {found} 个百分点 {span}，容许 {tolerated} / {english} {found} points {span}, tolerated {tolerated}"


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
    otherwise mix kinds of customers differently in the two arms.
    """

    limits: Limits = field(default_factory=Limits)
    strata: Mapping[float, _Stratum] = field(default_factory=lambda: MappingProxyType({}))

    def update(self, arm: Arm, *, share: float, harms: Collection[Metric] = ()) -> Guardrail:
        """The guardrail after one more customer of ``arm``, who took part with chance ``share``, and what happened to them.

        Shadow customers, and shares of 0 and 1 where there is nobody to compare with, change nothing.
        """
        if arm is Arm.SHADOW or not 0 < share < 1:
            return self
        stratum = self.strata.get(share, _Stratum()).plus(treated=arm is Arm.AUTOMATED, harms=harms)
        return replace(self, strata=MappingProxyType({**self.strata, share: stratum}))

    def verdict(self) -> GuardrailVerdict:
        """Whether to roll back now; may be asked after every customer, for the error holds over all looks together."""
        bound = log(1 / self.limits.level)
        loud = [metric for metric, margin in self.limits.margins.items() if evidence_above(self._tables(metric), margin) >= bound]
        return GuardrailVerdict(tuple(found for metric in loud if (found := self.comparison(metric)).harmful))

    def comparison(self, metric: Metric) -> Comparison:
        """What is known about one metric; the difference is weighed by treated customers over the strata."""
        tables = self._tables(metric)
        compared = [(table.treated, found) for table in tables if (found := table.difference) is not None]
        weight = sum(treated for treated, _ in compared)
        difference = sum(treated * found for treated, found in compared) / weight if weight else None
        interval = confidence_sequence(tables, alpha=self.limits.level)
        treated, control = sum(table.treated for table in tables), sum(table.control for table in tables)
        return Comparison(metric, treated, control, difference, interval, self.limits.margins[metric])

    def comparisons(self) -> tuple[Comparison, ...]:
        """Every metric watched, for people who look on."""
        return tuple(self.comparison(metric) for metric in self.limits.margins)

    def _tables(self, metric: Metric) -> list[Table]:
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
        return {"alpha": self.limits.alpha, "margins": margins, "strata": strata}


def limits_for(reference: Arm) -> Limits:
    """The usual limits; where a person answers the other arm, everything there is handed over and nothing to compare with."""
    margins = {metric: margin for metric, margin in DEFAULT_MARGINS.items() if reference is not Arm.HUMAN or metric is not Metric.HANDOFF}
    return Limits(margins=MappingProxyType(margins))


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
    """The guardrail that ``Guardrail.state`` wrote; raises RolloutError for anything else."""
    try:
        if not isinstance(fields, Mapping):
            raise TypeError
        margins = {Metric(metric): float(margin) for metric, margin in fields["margins"].items()}
        strata = {float(each["share"]): _read_stratum(each["treated"], each["control"]) for each in fields["strata"]}
        limits = Limits(float(fields["alpha"]), MappingProxyType(margins))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RolloutError("guardrail: its stored counts have another form than this version reads; start it anew") from None
    return Guardrail(limits, MappingProxyType(strata))


def _counts(events: Mapping[Metric, int]) -> dict[str, int]:
    return {str(metric): events[metric] for metric in Metric}


def _read_stratum(treated: Mapping[str, Any], control: Mapping[str, Any]) -> _Stratum:
    for arm in (treated, control):
        counts = [arm[str(metric)] for metric in Metric]
        if any(type(count) is not int or not 0 <= count <= arm["customers"] for count in counts) or type(arm["customers"]) is not int:
            raise ValueError
    both = [MappingProxyType({metric: arm[str(metric)] for metric in Metric}) for arm in (treated, control)]
    return _Stratum(treated["customers"], control["customers"], *both)
