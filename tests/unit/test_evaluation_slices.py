"""Where a suite is cut, and that no row is lost or counted twice."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.metrics import wilson
from evaluation.suites import HEADLINES
from evaluation.suites.slices import length_band, slices
from tests.fakes_evaluation import make_judged, make_row
from yingda.domain.knowledge import Sentiment

ROWS = [
    make_judged(make_row(text="字" * length, sentiment=sentiment, style=style, language=language, category=category), accepted=accepted)
    for length in (1, 10, 11, 80, 81)
    for sentiment in Sentiment
    for style, language, category, accepted in (("plain", None, "ORDER", True), (None, "en", None, False))
]


def test_every_way_of_slicing_holds_every_row_once() -> None:
    counted: Counter[str] = Counter()
    for part in slices(ROWS):
        counted[part.by] += part.rows

    assert counted == dict.fromkeys(("style", "language", "length", "sentiment", "category"), len(ROWS))


@pytest.mark.parametrize("name", HEADLINES)
def test_the_rows_of_a_figure_add_up_to_those_of_the_suite(name: str) -> None:
    whole = HEADLINES[name](ROWS).n

    for by in {part.by for part in slices(ROWS)}:
        assert sum(part.measures[name].n for part in slices(ROWS) if part.by == by) == whole > 0


def test_every_figure_of_a_slice_has_its_wilson_interval() -> None:
    part = next(part for part in slices(ROWS) if (part.by, part.value) == ("sentiment", "neutral"))
    measure = part.measures["coverage"]

    assert (measure.value, measure.n) == (0.5, 10)
    assert (measure.low, measure.high) == pytest.approx(wilson(5, 10))
    assert all((m.value is None) == (m.low is None) for part in slices(ROWS) for m in part.measures.values())


def test_a_slice_is_measured_on_its_own_rows() -> None:
    wrong = make_judged(make_row(style="typo"), entry="cancel-how", intent="CANCEL", sentiment=Sentiment.ANGRY)
    parts = {part.value: part for part in slices([wrong, make_judged(make_row(style="plain"))]) if part.by == "style"}

    assert [parts["typo"].measures[name].value for name in HEADLINES] == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert [parts["plain"].measures[name].value for name in HEADLINES] == [1.0] * len(HEADLINES)


def test_what_no_row_marks_is_no_way_of_slicing() -> None:
    assert {part.by for part in slices([make_judged()])} == {"length", "sentiment"}


def test_bands_and_sentiments_stand_in_their_own_order() -> None:
    values = {by: [part.value for part in slices(ROWS[::-1]) if part.by == by] for by in ("length", "sentiment")}

    assert values["length"] == ["1-10 characters", "11-20 characters", "41-80 characters", "81 characters and more"]
    assert values["sentiment"] == [sentiment.value for sentiment in Sentiment]


@pytest.mark.parametrize(
    ("length", "band"), [(1, "1-10"), (10, "1-10"), (11, "11-20"), (40, "21-40"), (41, "41-80"), (81, "81"), (2000, "81")]
)
def test_a_text_falls_into_the_band_of_its_characters(length: int, band: str) -> None:
    assert length_band("字" * length).startswith(f"{band} characters")
