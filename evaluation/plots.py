"""Figures that people read: one calm style, labels in Chinese where a font has them, intervals wherever a share is shown.

The diagrams of a report and the notebooks are drawn with it. Needs matplotlib.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from evaluation.metrics import Measure
from evaluation.reliability import Bin as Bin
from evaluation.reliability import reliability as reliability
from evaluation.selective import RiskCoverage as RiskCoverage
from evaluation.selective import risk_coverage as risk_coverage

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermilion": "#D55E00",
        "green": "#009E73",
        "orange": "#E69F00",
        "purple": "#CC79A7",
        "sky": "#56B4E9",
        "yellow": "#B8A800",
        "black": "#333333",
        "grey": "#9A9A9A",
    }
)
"""Colours that colour-blind readers can tell apart; yellow is darkened to be seen on white.

M. Okabe, K. Ito, "Color universal design: how to make figures and presentations that are friendly to colorblind people" (2008).
"""

CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Noto Sans CJK JP",
    "Arial Unicode MS",
    "SimHei",
)
"""Sans-serif fonts with simplified Chinese, the nicest first."""

_FAINT = "#E4E4E4"
_SHADES = LinearSegmentedColormap.from_list("shades", ["#FFFFFF", COLOURS["blue"]])


def chinese_font(available: Collection[str] | None = None) -> str | None:
    """The best font with Chinese among those ``available``, by default those that matplotlib can open; None when there is none."""
    names = _installed_fonts() if available is None else available
    return next((name for name in CHINESE_FONTS if name in names), None)


def use_style(available: Collection[str] | None = None) -> str:
    """The language to write labels in: ``zh`` where a font can show it, else ``en``. Sets matplotlib's defaults."""
    font = chinese_font(available)
    mpl.rcParams.update(
        {
            "font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"],
            "font.size": 10,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.titlepad": 14,
            "axes.edgecolor": COLOURS["grey"],
            "axes.labelcolor": COLOURS["black"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())),
            "axes.unicode_minus": False,
            "xtick.color": COLOURS["black"],
            "ytick.color": COLOURS["black"],
            "text.color": COLOURS["black"],
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
        }
    )
    return "zh" if font else "en"


def draw_shares(axes: Axes, shares: Mapping[str, Measure], *, colour: str = COLOURS["blue"], shift: float = 0.0) -> None:
    """A dot with its interval and figure for each of ``shares``, the first on top; ``shift`` moves a second series off the first."""
    for row, measure in enumerate(shares.values()):
        if measure.value is None:
            continue
        if measure.low is not None and measure.high is not None:
            axes.plot([measure.low, measure.high], [row + shift] * 2, color=colour, linewidth=4, alpha=0.3, solid_capstyle="round")
        axes.plot(measure.value, row + shift, "o", color=colour, markersize=6)
        edge = measure.value if measure.high is None else measure.high
        axes.annotate(
            f"{100 * measure.value:.0f}", (edge, row + shift), (7, 0), textcoords="offset points", va="center", color=colour, fontsize=9
        )
    axes.set_yticks(range(len(shares)), list(shares))
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1.06)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="x", color=_FAINT)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)


def draw_reliability(axes: Axes, bins: Sequence[Bin], *, colour: str = COLOURS["blue"]) -> None:
    """Accuracy over confidence with intervals; dots below the diagonal are overconfident."""
    axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linewidth=1, linestyle=(0, (4, 3)))
    x, y = [part.confidence for part in bins], [part.accuracy.value or 0.0 for part in bins]
    low, high = [part.accuracy.low or 0.0 for part in bins], [part.accuracy.high or 0.0 for part in bins]
    axes.vlines(x, low, high, color=colour, alpha=0.3, linewidth=4)
    axes.plot(x, y, "o-", color=colour, markersize=6, linewidth=1)
    axes.text(0.05, 0.12, "exact", color=COLOURS["grey"], fontsize=9, rotation=45, rotation_mode="anchor", transform_rotates_text=True)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal", xlabel="confidence", ylabel="share that is right")
    _percent(axes)


def draw_risk_coverage(axes: Axes, curve: RiskCoverage, *, colour: str = COLOURS["blue"]) -> None:
    """Risk over coverage with its interval."""
    axes.fill_between(curve.coverage, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.coverage, curve.risk, color=colour, linewidth=2)
    axes.set(xlim=(0, 1), ylim=(0, None))
    _percent(axes)


def draw_matrix(axes: Axes, counts: NDArray[np.int64], *, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Counts [rows, columns] as shades, each but zero with its number."""
    axes.imshow(counts, cmap=_SHADES, vmin=0, vmax=max(1, 1.25 * counts.max()), aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = count > 0.6 * counts.max()
            axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else COLOURS["black"], fontsize=9)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=_FAINT)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set(visible=True, color=_FAINT)


def _percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.grid(color=_FAINT)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=6)  # the two zeros at the corner must not touch


def _installed_fonts() -> frozenset[str]:
    # matplotlib caches its list of fonts between runs: a font may have been removed since
    return frozenset(font.name for font in font_manager.fontManager.ttflist if Path(font.fname).is_file())
