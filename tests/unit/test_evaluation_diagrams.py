"""The diagrams beside a report, and the report without them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from evaluation import figures
from evaluation.command import run
from evaluation.diagrams import Drawer, find_drawer
from evaluation.figures import RELIABILITY, RISK_COVERAGE, draw, reliability_figure, risk_coverage_figure
from evaluation.suites import SuiteResult, examine
from tests.fakes_evaluation import FakeOpener, exam, knows, make_judged, make_row, write_pack

PICTURES = {RELIABILITY: "<svg/>", RISK_COVERAGE: "<svg/>"}


@pytest.fixture(scope="module")
def suite() -> SuiteResult:
    rows = [make_judged(confidence=number / 40, entry="ship-when" if number % 3 else "cancel-how") for number in range(40)]
    return examine("test", rows, texts=True)


def evaluate(folder: Path, drawer: Drawer) -> Path:
    rows = exam(13)
    pack = write_pack(folder / "pack", {"test-1.jsonl": rows[:12], "test-2.jsonl": rows[12:]})
    run(["--pack", str(pack), "--out", str(folder / "out")], opener=FakeOpener(knows(rows)), draw=drawer)
    return folder / "out"


def report(out: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((out / "evaluation.json").read_text(encoding="utf-8")))


def test_the_diagrams_are_svg_and_the_same_each_time(suite: SuiteResult) -> None:
    pictures = draw([suite])

    assert set(pictures) == {RELIABILITY, RISK_COVERAGE}
    assert all(ElementTree.fromstring(picture).tag.endswith("svg") for picture in pictures.values())
    assert pictures == draw([suite])


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were(suite: SuiteResult) -> None:
    before = dict(mpl.rcParams)
    draw([suite])

    assert dict(mpl.rcParams) == before


def test_each_confidence_of_each_suite_has_a_panel_with_its_error(suite: SuiteResult) -> None:
    titles = [axes.get_title(loc="left") for axes in reliability_figure([suite, suite]).axes]

    assert len(titles) == 6
    assert titles[1] == f"test\nmatch, ECE {suite.measures['match_ece'].value:.3f}"


def test_the_dot_on_the_curve_is_where_the_engine_stands(suite: SuiteResult) -> None:
    (axes,) = risk_coverage_figure([suite]).axes
    (dot,) = [line for line in axes.lines if line.get_label() == "threshold of the bundle"]

    accuracy = suite.measures["match_accuracy"].value
    assert accuracy is not None
    assert dot.get_xydata() == pytest.approx(np.asarray([[suite.measures["coverage"].value, 1 - accuracy]]))


def test_a_suite_without_answerable_rows_or_intents_is_drawn_too() -> None:
    empty = examine("live", [make_judged(make_row(intent=None, faq=None))], texts=False)

    assert "no answerable rows" in draw([empty])[RISK_COVERAGE]


def test_diagrams_lie_beside_the_report_that_shows_them(tmp_path: Path) -> None:
    out = evaluate(tmp_path, lambda _: PICTURES)

    assert report(out)["run"]["diagrams"] == sorted(PICTURES)
    page = (out / "evaluation.md").read_text(encoding="utf-8")
    assert all((out / name).read_text(encoding="utf-8") == svg and f"]({name})" in page for name, svg in PICTURES.items())


def test_without_matplotlib_the_report_is_whole_and_says_so(tmp_path: Path) -> None:
    out = evaluate(tmp_path, find_drawer(missing("matplotlib")))

    assert {path.name for path in out.iterdir()} == {"evaluation.html", "evaluation.json", "evaluation.md"}
    assert report(out)["run"]["diagrams"] == []
    assert "matplotlib is not installed" in (out / "evaluation.md").read_text(encoding="utf-8")


def test_any_other_missing_module_is_no_excuse() -> None:
    with pytest.raises(ModuleNotFoundError):
        find_drawer(missing("numpy"))


def test_with_matplotlib_the_report_is_drawn() -> None:
    assert find_drawer() is figures.draw


def test_the_report_holds_bins_and_curves_of_every_file(tmp_path: Path) -> None:
    suite = report(evaluate(tmp_path, lambda _: {}))["suites"]["test"]

    assert {part: found["rows"] for part, found in suite["calibration"].items()} == {"pooled": 13, "test-1.jsonl": 12, "test-2.jsonl": 1}
    pooled = suite["calibration"]["pooled"]
    assert {head: sum(part["rows"] for part in found["bins"]) for head, found in pooled["heads"].items()} == dict.fromkeys(
        ("intent", "match", "sentiment"), 13
    )
    assert pooled["heads"]["match"]["ece"]["value"] == suite["measures"]["match_ece"]["value"]
    assert pooled["risk_coverage"] == {
        "aurc": 0.0,
        "points": [{"threshold": 0.99, "accepted": 1.0, "coverage": 1.0, "risk": 0.0, "low": 0.0, "high": pytest.approx(0.228, abs=1e-3)}],
    }


def test_a_row_carries_the_category_of_its_intent(tmp_path: Path) -> None:
    found = report(evaluate(tmp_path, lambda _: {}))["suites"]["test"]["slices"]

    assert [(part["value"], part["rows"]) for part in found if part["by"] == "category"] == [("SHOP", 13)]


def missing(name: str) -> Any:
    def load(module: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    return load
