"""Pictures of the comparison. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.plots import COLOURS, use_style

Tree = Mapping[str, Any]
_FAINT = "#E4E4E4"


def draw(tree: Tree) -> dict[str, str]:
    """SVG pictures by file name; one without anything to show is left out."""
    use_style()
    mpl.rcParams["svg.hashsalt"] = "serving"
    drawn = {
        "serving-replies.svg": _picture(tree, _replies),
        "serving-latency.svg": _picture(tree, _latency),
        "serving-overload.svg": _picture(tree, _overload),
    }
    return {name: text for name, text in drawn.items() if text is not None}


def figure_of(tree: Tree, paint: Callable[[Tree, Axes], bool]) -> Figure | None:
    """A figure with one diagram; None where ``paint`` has nothing to show."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    return figure if paint(tree, figure.add_subplot()) else None


def _picture(tree: Tree, paint: Callable[[Tree, Axes], bool]) -> str | None:
    figure = figure_of(tree, paint)
    if figure is None:
        return None
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _replies(tree: Tree, axes: Axes) -> bool:
    rows = [each for each in (tree["yingda"], *tree["servers"]) if "replies_per_cpu_s" in each and not each["repeated_message"]]
    rows.sort(key=lambda each: each["replies_per_cpu_s"]["value"])
    for place, each in enumerate(rows):
        found = each["replies_per_cpu_s"]
        axes.barh(place, found["value"], color=_colour(each["name"]), height=0.62)
        axes.plot([found["low"], found["high"]], [place, place], color=COLOURS["black"], linewidth=1.5)
        axes.annotate(f"{found['value']:.0f}", (found["high"], place), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [each["name"] for each in rows])
    axes.margins(x=0.1)
    axes.set_title("Full replies to fresh messages a CPU second")
    _calm(axes, "x")
    return bool(rows)


def _latency(tree: Tree, axes: Axes) -> bool:
    rows = [(each, list(each["loads"].items())[-1]) for each in tree["servers"] if each.get("loads")]
    rows = [(each, found) for each, found in rows if "p99" in found[1]["peer_ms"] and "p99" in found[1]["yingda_ms"]]
    for place, (each, (_, load)) in enumerate(rows):
        for shift, side, colour in ((0.16, "peer_ms", _colour(each["name"])), (-0.16, "yingda_ms", COLOURS["blue"])):
            p50, p99 = load[side]["p50"]["value"], load[side]["p99"]["value"]
            axes.plot([p50, p99], [place + shift] * 2, color=colour, linewidth=4, alpha=0.35, solid_capstyle="round")
            axes.plot([p50], [place + shift], "o", color=colour, markersize=5)
            axes.plot([p99], [place + shift], "|", color=colour, markersize=10, markeredgewidth=2)
            axes.annotate(f"{p99:.0f}", (p99, place + shift), (7, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
    axes.set_yticks(range(len(rows)), [f"{each['name']}, {found[1]['rate']['value']:.0f}/s" for each, found in rows])
    axes.set_xscale("log")
    for plain in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        plain(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "125" else "")
    axes.margins(x=0.1)
    axes.set_xlabel("ms, from when a request was due; dot: p50, bar: p99; blue: Yingda at the same load")
    axes.set_title(f"At equal load, {100 * float(rows[0][1][0]):.0f} % of the weaker one's capacity" if rows else "")
    _calm(axes, "x")
    return bool(rows)


def _overload(tree: Tree, axes: Axes) -> bool:
    found = tree["yingda"].get("overload") or {}
    names: Sequence[str] = [f"{factor}×" for factor in found]
    for place, load in enumerate(found.values()):
        share = load["goodput_share"]
        axes.bar(place, 100 * share["value"], color=COLOURS["blue"], width=0.5)
        axes.plot([place, place], [100 * share["low"], 100 * share["high"]], color=COLOURS["black"], linewidth=1.5)
        axes.annotate(
            f"{100 * share['value']:.0f} %", (place, 100 * share["high"]), (0, 5), textcoords="offset points", ha="center", fontsize=9
        )
    axes.axhline(90, color=COLOURS["grey"], linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xticks(range(len(names)), names)
    axes.set_title("Goodput under overload, % of peak")
    _calm(axes, "y")
    return bool(found)


def _colour(name: str) -> str:
    if name == "yingda":
        return COLOURS["blue"]
    return COLOURS["sky"] if name.startswith("yingda") else COLOURS["orange"]


def _calm(axes: Axes, axis: Any) -> None:
    axes.grid(axis=axis, color=_FAINT)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)
