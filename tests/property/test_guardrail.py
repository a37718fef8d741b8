"""Guardrails: how often they cry wolf when somebody looks after every customer, and whether they see harm."""

from __future__ import annotations

import json
from math import exp, lgamma, log, pi
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yingda.decide.guardrail import SHADOW_MARGIN, Guardrail, Limits, harms_of, limits_for, observe, read_guardrail
from yingda.decide.sequential import Table, confidence_sequence, evidence_above
from yingda.domain.rollout import Against, Arm, Metric, RolloutError

ALPHA = 0.05
HARMLESS = Limits(ALPHA, {Metric.HANDOFF: 0.0})
ROUNDING = 1e-9  # sums of a few logarithms of gamma functions

tables = st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1), st.floats(0, 1)).map(
    lambda t: Table(t[0], round(t[0] * t[2]), t[1], round(t[1] * t[3]))
)
observations = st.lists(
    st.tuples(
        st.sampled_from([Arm.AUTOMATED, Arm.CONTROL, Arm.HUMAN, Arm.SHADOW]),
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        st.sets(st.sampled_from(Metric)),
    ),
    max_size=40,
)


def rejections(size: int) -> NDArray[np.bool_]:
    """[n, events of the treated, events of the other] after n pairs of customers: whether the release is rolled back."""
    bound, found = log(1 / ALPHA), np.zeros((size + 1, size + 1, size + 1), bool)
    for n in range(1, size + 1):
        for treated in range(1, n + 1):
            for control in range(treated):
                # more evidence with fewer events in the other arm: from the first that is too little, all others are
                found[n, treated, control] = evidence_above([Table(n, treated, n, control)], 0.0) >= bound
                if not found[n, treated, control]:
                    break
    return found


@pytest.fixture(scope="module")
def rejected() -> NDArray[np.bool_]:
    return rejections(50)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5, 0.8, 0.97])
def test_the_exact_false_alarm_rate_of_looking_after_every_pair_stays_below_alpha(rejected: NDArray[np.bool_], rate: float) -> None:
    """All paths of 50 pairs of customers, each with its probability; a path ends where it is rolled back."""
    alive = np.zeros(rejected.shape[1:])
    alive[0, 0], alarms = 1.0, 0.0
    for n in range(1, len(rejected)):
        step = np.zeros_like(alive)
        step += alive * (1 - rate) ** 2
        step[1:] += alive[:-1] * rate * (1 - rate)
        step[:, 1:] += alive[:, :-1] * rate * (1 - rate)
        step[1:, 1:] += alive[:-1, :-1] * rate**2
        alarms += step[rejected[n]].sum()
        alive = np.where(rejected[n], 0.0, step)

    assert alarms + alive.sum() == pytest.approx(1.0)
    assert alarms <= ALPHA


def upper_bound(treated: NDArray[np.int64], t: NDArray[np.int64], control: NDArray[np.int64], c: NDArray[np.int64]) -> NDArray[np.float64]:
    """At least the evidence against equal rates: the null's likelihood at the pooled rate is at most its largest."""
    gamma = np.array([0.0, *(lgamma(n / 2) for n in range(1, 2 * int(treated.max() + control.max()) + 4))])

    def mixture(k: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(gamma[2 * k + 1] + gamma[2 * (n - k) + 1] - gamma[2 * n + 2] - log(pi))

    n, k = treated + control, t + c
    rate = np.clip(k / n, 1e-12, 1 - 1e-12)
    return np.asarray(mixture(t, treated) + mixture(c, control) - k * np.log(rate) - (n - k) * np.log1p(-rate))


def alarms(rates: tuple[NDArray[np.float64], NDArray[np.float64]], *, share: float, paths: int, seed: int) -> list[int | None]:
    """By path, the customer after whom a guardrail without margin rolls back, if it does; it is asked after every one.

    ``rates`` [N] are those of each arm at each customer. The guardrail itself is asked where it could say so at all.
    """
    rng, size, found = np.random.default_rng(seed), len(rates[0]), []
    for _ in range(paths):
        arm = rng.random(size) < share
        event = rng.random(size) < np.where(arm, rates[0], rates[1])
        counts = [np.cumsum(x, dtype=np.int64) for x in (arm, arm & event, ~arm, ~arm & event)]
        worth = np.flatnonzero(upper_bound(*counts) >= log(1 / ALPHA) - ROUNDING)
        asked = (int(i) for i in worth if evidence_above([Table(*(int(x[i]) for x in counts))], 0.0) >= log(1 / ALPHA))
        found.append(next(asked, None))
    return found


@pytest.mark.parametrize(("rate", "share"), [(0.05, 0.1), (0.2, 0.5), (0.6, 0.3)])
def test_a_harmless_release_is_rarely_rolled_back_however_long_one_looks(rate: float, share: float) -> None:
    flat = np.full(2000, rate)
    raised = [n for n in alarms((flat, flat), share=share, paths=300, seed=7) if n is not None]

    # 300 paths: with a true rate of 0.05, more than 25 alarms come with a probability of 0.004; this test is seeded
    assert len(raised) <= 25


def test_a_day_on_which_everything_goes_wrong_for_both_arms_is_no_harm() -> None:
    drifting = 0.15 + 0.13 * np.sin(np.arange(2000) / 150)
    raised = [n for n in alarms((drifting, drifting), share=0.2, paths=200, seed=8) if n is not None]

    assert len(raised) <= 17


@pytest.mark.parametrize(("harm", "share", "customers"), [(0.2, 0.5, 900), (0.15, 0.1, 4000)])
def test_clear_harm_is_seen_soon(harm: float, share: float, customers: int) -> None:
    """A rate of 0.2 that rises by ``harm``: nine of ten releases are rolled back within ``customers``."""
    rates = np.full(customers, 0.2 + harm), np.full(customers, 0.2)
    seen = [n for n in alarms(rates, share=share, paths=60, seed=9) if n is not None]

    assert len(seen) >= 54


@given(tables, st.floats(-0.9, 0.9))
@settings(max_examples=60)
def test_the_evidence_is_the_mixture_over_the_best_that_the_claim_allows(table: Table, difference: float) -> None:
    """The infimum over rates, found here by trying many: none may lie below what the code says."""
    control = np.linspace(max(0.0, -difference), min(1.0, 1.0 - difference), 401)[1:-1]
    p, q = np.clip(control + difference, 1e-12, 1 - 1e-12), control
    tried = table.treated_events * np.log(p) + (table.treated - table.treated_events) * np.log1p(-p)
    tried = tried + table.control_events * np.log(q) + (table.control - table.control_events) * np.log1p(-q)
    mixture = sum(
        lgamma(k + 0.5) + lgamma(n - k + 0.5) - lgamma(n + 1) - log(pi)
        for k, n in ((table.treated_events, table.treated), (table.control_events, table.control))
    )

    assert evidence_above([table], difference) <= mixture - float(tried.max()) + 1e-6


@given(tables)
@settings(max_examples=40)
def test_the_sequence_holds_what_was_found_and_widens_with_certainty(table: Table) -> None:
    narrow, wide = (confidence_sequence([table], alpha=alpha) for alpha in (0.2, 0.01))

    assert -1 <= wide.low <= narrow.low <= narrow.high <= wide.high <= 1
    if table.difference is not None:
        assert narrow.low - ROUNDING <= table.difference <= narrow.high + ROUNDING


@given(tables)
@settings(max_examples=40)
def test_swapping_the_arms_turns_the_sequence_round(table: Table) -> None:
    there = confidence_sequence([table], alpha=0.05)
    back = confidence_sequence([Table(table.control, table.control_events, table.treated, table.treated_events)], alpha=0.05)

    assert there.low == pytest.approx(-back.high, abs=1e-6)
    assert there.high == pytest.approx(-back.low, abs=1e-6)


def test_one_customer_an_arm_weighs_what_can_be_computed_by_hand() -> None:
    """Jeffreys gives 1/2 to either event; under equal rates the best is 1/4: an e-value of 1."""
    assert exp(evidence_above([Table(1, 1, 1, 0)], 0.0)) == pytest.approx(1.0)


@given(observations, st.randoms())
@settings(max_examples=40)
def test_order_says_nothing_and_states_come_back_from_json(seen: list[tuple[Arm, float, set[Metric]]], random: Random) -> None:
    shuffled = list(seen)
    random.shuffle(shuffled)
    one, other = observe(Guardrail(), seen), observe(Guardrail(), shuffled)

    assert dict(one.strata) == dict(other.strata)
    assert read_guardrail(json.loads(json.dumps(one.state()))) == one


@given(observations)
@settings(max_examples=30)
def test_a_verdict_names_exactly_the_metrics_above_their_margin_for_sure(seen: list[tuple[Arm, float, set[Metric]]]) -> None:
    guardrail = observe(Guardrail(), seen)
    verdict = guardrail.verdict()

    assert [found.metric for found in verdict.broken] == [found.metric for found in guardrail.comparisons() if found.harmful]
    assert verdict.roll_back == bool(verdict.broken)


def test_customers_are_compared_with_those_who_had_the_same_chance() -> None:
    """E-mail hands over more and has more customers in: mixed together the release looks harmful, and is not."""
    handed_over, fine = [Metric.HANDOFF], list[Metric]()
    mail = [(Arm.AUTOMATED, 0.8, handed_over)] * 160 + [(Arm.CONTROL, 0.8, handed_over)] * 40
    web = [(Arm.AUTOMATED, 0.1, fine)] * 40 + [(Arm.CONTROL, 0.1, fine)] * 360
    mixed = [(arm, 0.5, harms) for arm, _, harms in (*mail, *web)]

    assert not observe(Guardrail(HARMLESS), [*mail, *web]).verdict().roll_back
    assert observe(Guardrail(HARMLESS), mixed).verdict().roll_back


def test_harm_within_the_margin_is_tolerated() -> None:
    seen = [(Arm.AUTOMATED, 0.5, [Metric.REPEAT] if n % 4 == 0 else []) for n in range(800)]
    seen += [(Arm.CONTROL, 0.5, [Metric.REPEAT] if n % 10 == 0 else []) for n in range(800)]

    strict, patient = (observe(Guardrail(Limits(ALPHA, {Metric.REPEAT: margin})), seen).verdict() for margin in (0.0, 0.2))

    assert strict.roll_back
    assert not patient.roll_back
    (found,) = strict.broken
    assert found.difference == pytest.approx(0.15)
    assert 0 < found.interval.low < 0.15 < found.interval.high


def test_every_metric_is_watched_and_hand_offs_by_what_is_known_of_them() -> None:
    by_today, by_shadow = limits_for(Arm.CONTROL, today=True), limits_for(Arm.CONTROL)
    others = [(Metric.REPEAT, Against.REFERENCE), (Metric.DISSATISFIED, Against.REFERENCE)]

    assert list(by_today.watched) == [(Metric.HANDOFF, Against.REFERENCE), (Metric.HANDOFF, Against.SAME_MESSAGES), *others]
    assert list(by_shadow.watched) == [(Metric.HANDOFF, Against.SHADOW), *others]
    assert limits_for(Arm.HUMAN, today=True) == limits_for(Arm.HUMAN) == by_shadow, "all is handed over where a person answers"
    assert [by_today.level, by_shadow.level] == pytest.approx([0.05 / 4, 0.05 / 3])
    assert (by_today.margins[Metric.HANDOFF], by_shadow.margins[Metric.HANDOFF]) == (0.02, SHADOW_MARGIN)


def test_what_happened_to_a_customer_is_told_by_the_highest_counters() -> None:
    assert harms_of(handed_off=False, most_repeats=1, most_dissatisfied=0) == frozenset()
    assert harms_of(handed_off=True, most_repeats=2, most_dissatisfied=1) == frozenset(Metric)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        {},
        {"alpha": 0.05, "margins": {"speed": 0.1}, "strata": []},
        {"alpha": 0.05, "margins": {"repeat": 0.1}, "strata": [{"share": 0.1}]},
        {"alpha": 0.05, "margins": {"repeat": 0.1}, "strata": [], "handoffs": "yesterday"},
        {"alpha": 0.05, "margins": {"repeat": 0.1}, "strata": [], "handoffs": "shadow", "kinds": {"web/normal": [1, 2, 0, 0]}},
        {"alpha": 0.05, "margins": {"repeat": 0.1}, "strata": [], "handoffs": "reference", "pairs": [1, 1, 1]},
        {"alpha": 0.05, "margins": {"repeat": 0.1}, "strata": [], "handoffs": "reference", "pairs": [1, 0]},
        {
            "alpha": 0.05,
            "margins": {"repeat": 0.1},
            "strata": [{"share": 0.1, "treated": {"customers": 1, "handoff": 2, "repeat": 0, "dissatisfied": 0}, "control": {}}],
        },
    ],
)
def test_counts_that_cannot_be_are_refused(stored: object) -> None:
    with pytest.raises(RolloutError, match="start it anew"):
        read_guardrail(stored)
