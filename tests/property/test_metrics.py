"""What holds for metrics whatever the rows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import calibration_error, clopper_pearson_lower, coverage_at, macro_f1, share, wilson
from evaluation.outcomes import Judged
from evaluation.suites import METRICS
from tests.fakes_evaluation import ENTRIES, make_judged, make_row
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Sentiment

ROUNDING = 1e-9  # sums in another order differ in the last digits

counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
scored = st.lists(st.tuples(confidences, st.booleans(), st.booleans()), min_size=1, max_size=80)
labels = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=60)

intents = st.sampled_from([*ENTRIES.values(), "OUT_OF_SCOPE"])
entries = st.sampled_from(list(ENTRIES))
rows = st.builds(
    make_row,
    intent=st.one_of(st.none(), intents),
    faq=st.one_of(st.none(), entries),
    also=st.lists(entries, max_size=2).map(tuple),
    sentiment=st.sampled_from(Sentiment),
)
judged = st.builds(
    make_judged,
    rows,
    entry=entries,
    confidence=confidences,
    accepted=st.booleans(),
    outcome=st.sampled_from(Outcome),
    intent=intents,
    intent_confidence=confidences,
    sentiment=st.sampled_from(Sentiment),
)


@given(counts)
def test_clopper_pearson_lies_below_the_point_estimate(count: tuple[int, int]) -> None:
    hits, n = count

    assert 0.0 <= clopper_pearson_lower(hits, n) <= hits / n


@given(counts)
def test_clopper_pearson_rises_with_every_right_answer(count: tuple[int, int]) -> None:
    hits, n = count

    assert clopper_pearson_lower(hits, n + 1) <= clopper_pearson_lower(hits, n) <= clopper_pearson_lower(hits + 1, n + 1)


@given(counts)
def test_wilson_interval_holds_the_point_estimate(count: tuple[int, int]) -> None:
    low, high = wilson(*count)

    assert 0.0 <= low <= count[0] / count[1] + ROUNDING
    assert count[0] / count[1] - ROUNDING <= high <= 1.0


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_one_more_right_row_never_lowers_a_share(right: list[bool]) -> None:
    before, after = share(right), share([*right, True])

    assert before.value is not None and after.value is not None
    assert after.value >= before.value


@given(scored)
def test_calibration_error_is_a_proportion(rows: list[tuple[float, bool, bool]]) -> None:
    measured = calibration_error([row[0] for row in rows], [row[1] for row in rows])

    assert measured.value is not None
    assert 0.0 <= measured.value <= 1.0 + ROUNDING


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_certainty_is_off_by_exactly_the_share_of_mistakes(right: list[bool]) -> None:
    measured = calibration_error([1.0] * len(right), right)

    assert measured.value is not None
    assert abs(measured.value - right.count(False) / len(right)) < ROUNDING


@given(scored, st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_accuracy_never_covers_more(rows: list[tuple[float, bool, bool]], one: float, other: float) -> None:
    confidence, right, wanted = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    loose, strict = (
        coverage_at(accuracy, confidence=confidence, right=right, wanted=wanted).value for accuracy in (min(one, other), max(one, other))
    )

    assert (loose is None and strict is None) or (loose or 0.0) >= (strict or 0.0) >= 0.0


@given(labels)
def test_macro_f1_is_a_proportion(pairs: list[tuple[str, str]]) -> None:
    gold, got = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    measured = macro_f1(gold, got, classes=set(gold))

    assert measured.value is not None
    assert 0.0 <= measured.value <= 1.0


@given(labels)
def test_macro_f1_of_right_labels_is_one(pairs: list[tuple[str, str]]) -> None:
    gold = [pair[0] for pair in pairs]

    assert macro_f1(gold, gold, classes=set(gold)).value == 1.0


@given(st.lists(judged, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_shuffled_rows_give_the_same_metrics(items: list[Judged], source: random.Random) -> None:
    shuffled = list(items)
    source.shuffle(shuffled)

    for name, metric in METRICS.items():
        first, second = metric(items), metric(shuffled)
        assert first.n == second.n, name
        if first.value is None or second.value is None:
            assert first.value is second.value, name
        else:
            assert abs(first.value - second.value) < ROUNDING, name


@given(st.lists(judged, max_size=25))
def test_every_metric_is_a_proportion_or_has_no_rows(items: list[Judged]) -> None:
    for name, metric in METRICS.items():
        measured = metric(items)
        assert (measured.value is None) == (measured.n == 0), name
        assert measured.value is None or 0.0 <= measured.value <= 1.0 + ROUNDING, name
