"""Two rates compared at every look: a confidence sequence for their difference that holds at all times together.

For one arm, k events in n customers with rate p, the mixture likelihood ratio over the Jeffreys prior

    M(p) = Beta(k + 1/2, n - k + 1/2) / (Beta(1/2, 1/2) p^k (1 - p)^(n - k))

is a martingale of mean 1 (Robbins 1970; Krichevsky and Trofimov 1981), and so is the product of both arms, whatever rule
without foresight says whose turn it is. The infimum of that product over all pairs of rates that a hypothesis allows is at
most the martingale of the true pair: an e-process (Wasserman, Ramdas and Balakrishnan 2020, Universal inference). By
Ville's inequality it ever reaches 1/alpha with a probability of at most alpha, so the differences against which it stays
below 1/alpha are a confidence sequence (Howard, Ramdas, McAuliffe and Sekhon 2021, Time-uniform, nonparametric,
nonasymptotic confidence sequences; for 2x2 tables: Turner and Gruenwald 2023, Exact anytime-valid confidence intervals for
contingency tables and beyond). Strata multiply (Turner and Gruenwald 2023, Safe sequential testing and effect estimation in
stratified count data). It needs the counts alone, not their order.

Where both releases decide for the same customers, each has one of three outcomes: the event by the one alone, by the other
alone, or no difference. The mixture is then over the Dirichlet prior with 1/2 for each (Krichevsky and Trofimov 1981), and
the infimum over all probabilities whose difference the hypothesis allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, lgamma, log, pi

_HALVINGS = 45
"""Bisections of an interval of length at most 2: its end is known to 6e-14."""


_EDGE = 1e-15
"""Probabilities at an edge are a hair inside it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Customers and events of the treated arm and of the one it is compared with."""

    treated: int = 0
    treated_events: int = 0
    control: int = 0
    control_events: int = 0

    @property
    def difference(self) -> float | None:
        """Rate of the treated arm less that of the other; None while an arm is empty."""
        if not self.treated or not self.control:
            return None
        return self.treated_events / self.treated - self.control_events / self.control


@dataclass(frozen=True, slots=True)
class Interval:
    """What a difference of two rates can be, in [-1, 1]."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Customers for whom both decided, and those who had the event by the treated release alone or by the other alone."""

    customers: int = 0
    treated_alone: int = 0
    control_alone: int = 0

    @property
    def difference(self) -> float | None:
        """Rate by the treated release less that by the other; None without a customer."""
        return (self.treated_alone - self.control_alone) / self.customers if self.customers else None


def evidence_above(strata: Sequence[Table], difference: float) -> float:
    """Log of the evidence that some stratum's difference lies above ``difference``; with none above it, it ever reaches
    log(1/alpha) with a probability of at most alpha."""
    return sum(_evidence(table, difference, upward=True) for table in strata)


def confidence_sequence(strata: Sequence[Table], *, alpha: float) -> Interval:
    """The difference of the rates, of the worst stratum where there are several; each end ever fails with at most alpha.

    With one stratum both ends together fail with at most alpha.
    """
    bound = log(1 / alpha)
    low = _last(lambda d: evidence_above(strata, d) >= bound, start=-1.0, stop=1.0)

    def high(table: Table) -> float:
        return _last(lambda d: _evidence(table, d, upward=False) >= bound, start=1.0, stop=-1.0)

    return Interval(low, max(map(high, strata), default=1.0))


def paired_evidence_above(pairs: Pairs, difference: float) -> float:
    """Log of the evidence that the difference of ``pairs`` lies above ``difference``; otherwise it ever reaches log(1/alpha)
    with a probability of at most alpha."""
    counts = (pairs.treated_alone, pairs.control_alone, pairs.customers - pairs.treated_alone - pairs.control_alone)
    mixture = lgamma(1.5) - 3 * lgamma(0.5) + sum(lgamma(count + 0.5) for count in counts) - lgamma(pairs.customers + 1.5)
    found = pairs.difference
    if found is None:
        return 0.0
    if found <= difference:
        return mixture - sum(count * log(count / pairs.customers) for count in counts if count)
    return mixture - _bound_paired_likelihood(*counts, difference)


def paired_sequence(pairs: Pairs, *, alpha: float) -> Interval:
    """The difference of ``pairs``, at every look together; both ends together ever fail with at most alpha."""
    bound = log(1 / alpha)

    def low(of: Pairs) -> float:
        return _last(lambda d: paired_evidence_above(of, d) >= bound, start=-1.0, stop=1.0)

    return Interval(low(pairs), -low(Pairs(pairs.customers, pairs.control_alone, pairs.treated_alone)))


def _bound_paired_likelihood(treated: int, control: int, neither: int, difference: float) -> float:
    """Largest log likelihood of probabilities q + difference, q and the rest; it is concave in q, so its slope is bisected."""
    low, high = max(0.0, -difference), (1.0 - difference) / 2
    for _ in range(_HALVINGS):
        q = (low + high) / 2
        p, rest = q + difference, 1.0 - difference - 2 * q
        slope = treated / max(p, _EDGE) + control / max(q, _EDGE) - 2 * neither / max(rest, _EDGE)
        low, high = (q, high) if slope > 0 else (low, q)
    q = (low + high) / 2
    outcomes = ((treated, q + difference), (control, q), (neither, 1.0 - difference - 2 * q))
    return sum((count * log(chance) if chance > 0 else -inf) for count, chance in outcomes if count)


def _evidence(table: Table, difference: float, *, upward: bool) -> float:
    """Log e-value against every difference up to ``difference`` (``upward``), or from it on."""
    mixture = _log_mixture(table.treated_events, table.treated) + _log_mixture(table.control_events, table.control)
    found = table.difference
    allowed = found is None or (found <= difference if upward else found >= difference)
    return mixture - (_free_likelihood(table) if allowed else _bound_likelihood(table, difference))


def _log_mixture(events: int, total: int) -> float:
    """Log probability of a sequence with ``events`` in ``total``, its rate drawn from the Jeffreys prior."""
    return lgamma(events + 0.5) + lgamma(total - events + 0.5) - lgamma(total + 1.0) - log(pi)


def _free_likelihood(table: Table) -> float:
    """Largest log likelihood of both arms, each with the rate found."""
    arms = ((table.treated_events, table.treated), (table.control_events, table.control))
    return sum(_log_likelihood(events, total, events / total) for events, total in arms if total)


def _bound_likelihood(table: Table, difference: float) -> float:
    """Largest log likelihood of both arms with rates p + difference and p; it is concave in p, so its slope is bisected."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        treated = _slope(table.treated_events, table.treated, middle + difference)
        if treated + _slope(table.control_events, table.control, middle) > 0:
            low = middle
        else:
            high = middle
    rate = (low + high) / 2
    treated = _log_likelihood(table.treated_events, table.treated, rate + difference)
    return treated + _log_likelihood(table.control_events, table.control, rate)


def _slope(events: int, total: int, rate: float) -> float:
    """Derivative of the log likelihood; rates at an edge are a hair inside it."""
    inside = min(max(rate, _EDGE), 1 - _EDGE)
    return events / inside - (total - events) / (1 - inside)


def _log_likelihood(events: int, total: int, rate: float) -> float:
    if (events and rate <= 0) or (total > events and rate >= 1):
        return -inf
    return (events * log(rate) if events else 0.0) + ((total - events) * log(1 - rate) if total > events else 0.0)


def _last(holds: Callable[[float], bool], *, start: float, stop: float) -> float:
    """How far from ``start`` towards ``stop`` a claim holds that holds no more once it fails; ``start`` when never."""
    if not holds(start):
        return start
    for _ in range(_HALVINGS):
        middle = (start + stop) / 2
        if holds(middle):
            start = middle
        else:
            stop = middle
    return start
