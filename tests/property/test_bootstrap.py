"""What holds for the interval of a difference whatever the rows."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.bootstrap import Tally, difference_intervals, mean_f1, ratio
from evaluation.comparison import HEADLINES
from evaluation.outcomes import Judged
from evaluation.suites import METRICS
from tests.fakes_evaluation import ENTRIES, make_judged, make_row
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import OUT_OF_SCOPE, Sentiment

ROUNDING = 1e-12  # sums of a few hundred small numbers
DRAWS = 200  # enough to have draws of all kinds, few enough to be quick

entries = st.sampled_from(list(ENTRIES))
intents = st.sampled_from([*ENTRIES.values(), OUT_OF_SCOPE])
rows = st.builds(make_row, intent=st.none() | intents, faq=st.none() | entries, sentiment=st.sampled_from(list(Sentiment)))
said = st.fixed_dictionaries(
    {
        "entry": entries,
        "accepted": st.booleans(),
        "outcome": st.sampled_from(list(Outcome)),
        "intent": intents,
        "sentiment": st.sampled_from(list(Sentiment)),
    }
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[Judged], list[Judged]]:
    """Two engines on the same messages."""
    asked = draw(st.lists(rows, min_size=1, max_size=12))
    first, second = ([make_judged(row, **draw(said)) for row in asked] for _ in range(2))
    return first, second


def tallies(judged: list[Judged]) -> dict[str, Tally]:
    return {name: tally(judged) for name, tally in HEADLINES.items()}


@given(pairs())
def test_a_tally_is_worth_what_the_metric_says(pair: tuple[list[Judged], list[Judged]]) -> None:
    for name, tally in tallies(pair[0]).items():
        value = METRICS[name](pair[0]).value
        assert math.isnan(tally.value()) if value is None else abs(tally.value() - value) < ROUNDING, name


@given(pairs())
@settings(max_examples=40)
def test_the_interval_holds_the_difference(pair: tuple[list[Judged], list[Judged]]) -> None:
    before, after = map(tallies, pair)
    for name, interval in difference_intervals(before, after, resamples=DRAWS).items():
        point = after[name].value() - before[name].value()
        assert (interval is None) == math.isnan(point), name
        assert interval is None or -1 <= interval.low <= point <= interval.high <= 1, name


@given(pairs())
@settings(max_examples=40)
def test_swapping_the_two_turns_the_interval_round(pair: tuple[list[Judged], list[Judged]]) -> None:
    before, after = map(tallies, pair)
    there = difference_intervals(before, after, resamples=DRAWS)
    back = difference_intervals(after, before, resamples=DRAWS)
    for name, interval in there.items():
        other = back[name]
        assert (interval is None) == (other is None), name
        if interval is not None and other is not None:
            assert abs(interval.low + other.high) < ROUNDING and abs(interval.high + other.low) < ROUNDING, name


@given(pairs())
@settings(max_examples=20)
def test_the_same_seed_gives_the_same_interval(pair: tuple[list[Judged], list[Judged]]) -> None:
    before, after = map(tallies, pair)

    assert difference_intervals(before, after, resamples=DRAWS) == difference_intervals(before, after, resamples=DRAWS)


@given(pairs())
@settings(max_examples=20)
def test_an_engine_never_differs_from_itself(pair: tuple[list[Judged], list[Judged]]) -> None:
    same = tallies(pair[0])

    assert all(i is None or (i.low, i.high) == (0, 0) for i in difference_intervals(same, same, resamples=DRAWS).values())


def test_the_interval_is_as_wide_as_theory_says() -> None:
    """Of 400 messages the candidate alone is right on 60, the champion alone on 40: the standard error is known."""
    before = [True] * 40 + [False] * 60 + [True] * 300
    after = [False] * 40 + [True] * 60 + [True] * 300
    everyone = [True] * 400
    found = difference_intervals({"m": ratio(before, everyone)}, {"m": ratio(after, everyone)})["m"]

    error = math.sqrt((100 / 400 - (20 / 400) ** 2) / 400)
    assert found is not None
    assert abs((found.high - found.low) / (2 * 1.96 * error) - 1) < 0.1  # 2,000 draws tell a percentile to a few per cent


def test_another_seed_moves_the_ends_a_little() -> None:
    before, after = ratio([True, False] * 50, [True] * 100), ratio([True, True, False, False] * 25, [True] * 100)
    one, two = (difference_intervals({"m": before}, {"m": after}, seed=seed)["m"] for seed in (1, 2))

    assert one is not None and two is not None
    assert one != two
    assert abs(one.low - two.low) < 0.05


def test_many_messages_are_drawn_in_parts_and_few_at_once_alike() -> None:
    """The draws do not depend on how many fit into memory together."""
    right = [bool(i % 3) for i in range(3000)]
    before, after = ratio(right, [True] * 3000), ratio([True] * 3000, [True] * 3000)
    found = difference_intervals({"m": before}, {"m": after}, resamples=1500)["m"]

    assert found is not None
    assert found.resamples == 1500
    assert found.low < 1 / 3 < found.high


def test_a_mean_over_classes_leaves_out_what_nobody_names() -> None:
    tally = mean_f1(["positive", "neutral"], ["positive", "positive"], classes=tuple(Sentiment))

    assert np.isclose(tally.value(), (2 / 3 + 0) / 2)
