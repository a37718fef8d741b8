"""The report's plots as SVG in data addresses: drawn without a window, the same bytes for the same findings."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from training.audit.conflicts import Rivals
from training.audit.drift import IntentShift
from training.audit.wanted import Strength

_SIZE = (5.2, 3.2)
_BLUE, _ORANGE, _GREY = "#2563a8", "#d9730d", "#5b6673"
_STYLE: Any = {  # matplotlib types its keys as a closed list
    "svg.hashsalt": "audit",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e7ec",
    "axes.axisbelow": True,
}
_TOP = 12


def quality_chart(qualities: Sequence[float]) -> str:
    """How many labels are of each quality."""

    def draw(axes: Any) -> None:
        axes.hist(qualities, bins=20, range=(0, 1), color=_BLUE, edgecolor="white")
        axes.axvline(0.5, color=_ORANGE, linestyle="--", linewidth=1.2)
        axes.set(title="Label quality", xlabel="quality (under 0.5 another label leads)", ylabel="messages", xlim=(0, 1))

    return _svg(draw)


def rivals_chart(pairs: Sequence[Rivals]) -> str:
    """Messages mistaken between the most confused pairs, each direction."""
    shown = list(reversed(pairs[:_TOP]))
    names = [f"{plain(pair.first)}\n{plain(pair.second)}" for pair in shown]

    def draw(axes: Any) -> None:
        there = [len(pair.first_as_second) for pair in shown]
        axes.barh(names, there, color=_BLUE, label="upper taken for lower")
        axes.barh(names, [len(pair.second_as_first) for pair in shown], left=there, color=_ORANGE, label="lower taken for upper")
        axes.set(title="Entries most often mistaken", xlabel="messages")
        axes.tick_params(axis="y", labelsize=7)
        axes.figure.legend(loc="outside lower center", ncols=2, fontsize=7)

    return _svg(draw, height=1.2 + 0.36 * max(len(shown), 4))


def shift_chart(shifts: Sequence[IntentShift]) -> str:
    """Shares of the intents that moved most, pack and logs."""
    shown = list(reversed(shifts[:_TOP]))

    def draw(axes: Any) -> None:
        places = range(len(shown))
        axes.hlines(places, [100 * s.pack_share for s in shown], [100 * s.log_share for s in shown], color=_GREY, linewidth=1)
        axes.plot([100 * s.pack_share for s in shown], places, "o", color=_BLUE, label="pack")
        axes.plot([100 * s.log_share for s in shown], places, "D", color=_ORANGE, label="logs")
        axes.set(title="Intents that moved most", xlabel="share of messages, %", yticks=list(places))
        axes.set_yticklabels([plain(s.intent) for s in shown], fontsize=7)
        axes.set_xlim(left=0)
        axes.legend(loc="best", fontsize=7)

    return _svg(draw, height=1.2 + 0.26 * max(len(shown), 4))


def strength_chart(entries: Sequence[Strength]) -> str:
    """Messages of each entry against how many of them are found again."""

    def draw(axes: Any) -> None:
        axes.scatter([e.messages for e in entries], [100 * e.recall for e in entries], s=16, color=_BLUE, alpha=0.7, linewidths=0)
        axes.set(title="Entries: messages and how many are found again", xlabel="messages", ylabel="found again, %", ylim=(-3, 103))
        axes.set_xlim(left=0)

    return _svg(draw)


def plain(name: str) -> str:
    """``name`` with a dot for every character that the plot's font may not have."""
    return "".join(char if char.isascii() and char.isprintable() else "·" for char in name).replace("$", "·")


def _svg(draw: Callable[[Any], None], *, height: float = _SIZE[1]) -> str:
    """A data address; as an image its ids cannot clash with those of another plot on the page."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_SIZE[0], height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue().encode()).decode()
