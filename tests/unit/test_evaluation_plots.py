"""Figures show what they were given, and write no label that their font lacks."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.metrics import Measure, share
from evaluation.plots import CHINESE_FONTS, chinese_font, draw_matrix, draw_reliability, draw_risk_coverage, draw_shares, use_style
from evaluation.reliability import reliability
from evaluation.selective import risk_coverage


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


@pytest.fixture
def own_settings() -> Iterator[None]:
    with mpl.rc_context():
        yield


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_the_nicest_chinese_font_is_taken() -> None:
    assert chinese_font({"DejaVu Sans", CHINESE_FONTS[3], CHINESE_FONTS[1]}) == CHINESE_FONTS[1]


def test_without_a_chinese_font_there_is_none() -> None:
    assert chinese_font({"DejaVu Sans"}) is None


@pytest.mark.usefixtures("own_settings")
def test_labels_are_chinese_only_where_a_font_shows_them() -> None:
    assert use_style({CHINESE_FONTS[0]}) == "zh"
    assert mpl.rcParams["font.family"][0] == CHINESE_FONTS[0]
    assert use_style(()) == "en"
    assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


@pytest.mark.usefixtures("own_settings")
def test_the_font_named_here_can_be_opened() -> None:
    font = chinese_font()
    assert (use_style() == "zh") is (font is not None)
    assert font is None or mpl.font_manager.findfont(font, fallback_to_default=False)


def test_a_share_is_written_in_per_cent_and_one_without_rows_keeps_its_line(axes: Axes) -> None:
    draw_shares(axes, {"half": share([True, False]), "nothing": Measure(None, 0), "no interval": Measure(0.25, 4)})
    assert written(axes) == ["50", "25"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["half", "nothing", "no interval"]


def test_the_first_share_stands_on_top(axes: Axes) -> None:
    draw_shares(axes, {"first": share([True]), "second": share([True])})
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_every_bin_is_a_dot_at_its_confidence_and_accuracy(axes: Axes) -> None:
    draw_reliability(axes, reliability([0.2, 0.4, 0.8, 0.9], [False, True, True, True], bins=2))
    dots = axes.lines[-1]
    assert np.allclose(dots.get_xydata(), [[0.3, 0.5], [0.85, 1.0]])


def test_risk_is_drawn_over_coverage(axes: Axes) -> None:
    curve = risk_coverage([0.9, 0.8, 0.1], [True, False, False], [True, True, False])
    draw_risk_coverage(axes, curve)
    assert np.allclose(axes.lines[-1].get_xydata(), np.stack([curve.coverage, curve.risk], axis=1))


def test_every_count_but_zero_is_written(axes: Axes) -> None:
    draw_matrix(axes, np.asarray([[0, 7], [2, 0]]), rows=["a", "b"], columns=["c", "d"])
    assert written(axes) == ["7", "2"]


def test_a_matrix_of_zeros_can_be_drawn(axes: Axes) -> None:
    draw_matrix(axes, np.zeros((2, 2), np.int64), rows=["a", "b"], columns=["c", "d"])
    assert written(axes) == []
