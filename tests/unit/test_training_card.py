"""The model card says what its sources say, and nothing of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from evaluation.gates import check
from evaluation.provenance import Environment
from evaluation.report import Report, to_json
from evaluation.suites import examine
from tests.fakes_evaluation import make_judged, make_row
from training.card import MEASURES, figures_table, write_card
from training.card_parts import WATTS_A_CORE, export_text, slice_tables, time_text
from training.studies import STUDIES, shown
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Sentiment

_FIGURE = re.compile(r"(?<!SHA-)(?:\d[\d,]*\.\d+|\d[\d,]{2,})")
_WRITTEN = frozenset({"2.0", "2,000", "2017", "2021"})
"""Apache-2.0, the longest message, and two years of publication."""

MANIFEST: Mapping[str, Any] = {
    "version": "test.1",
    "encoder": {
        "base": {"model": "small-base", "licence": "MIT", "pieces": 81234},
        "layers": 6,
        "export": {
            "embedding_bits": 4,
            "float_max_difference": 3.21e-05,
            "int8_mean_cosine": 0.9712,
            "int8_min_cosine": 0.9134,
            "messages": 487,
            "float_match_accuracy": 0.7123,
            "int8_match_accuracy": 0.7067,
        },
    },
    "training": {
        "precision": "float32",
        "device": "cpu",
        "history": [{"epoch": 1, "loss": 3.456, "selection_accuracy": 0.678}],
        "seconds": 3456.7,
        "cpu_seconds": 6543.2,
        "threads": 2,
        "processor": "Some Processor",
    },
    "promise": {"error_budget": 0.031, "assurance": 0.947, "match": {"threshold": 0.9178, "accepted": 654, "rows": 1765, "right": 643}},
    "files": {"encoder.onnx": {"bytes": 43_210_987, "sha256": "e" * 64}, "MODEL_CARD.md": {"bytes": 5, "sha256": "c" * 64}},
    "data_sha256": "a" * 64,
    "knowledge_sha256": "k" * 64,
    "data": {
        "rows": {"fit": 15871, "select": 532, "calibrate": 1798, "entries": 1409},
        "logs": [
            {"name": "april", "version": "aprildigest", "rows": 2345, "sources": ["a.csv", "b.json"], "licence": None, "weak": False},
            {"name": "guesses", "version": "guessdigest", "rows": 3456, "sources": ["c.csv"], "licence": "CC-BY", "weak": True},
        ],
    },
}
CHECK: Mapping[str, Any] = {
    "reference": "reference engine",
    "checked": 612,
    "least_cosine": 0.99871,
    "pieces_whole": 250_002,
    "pruning": {"zh": {"messages": 157, "mean_cosine": 0.9876, "nearest_entry_whole": 0.234, "nearest_entry_pruned": 0.245}},
}
STUDY_ROWS: Mapping[str, list[dict[str, Any]]] = {
    "learning-curve": [
        {
            "share": share,
            "rows": rows,
            "layers": 6,
            "epochs": 3,
            "select_top1": top,
            "calibrate_top1": top - 0.013,
            "calibrate_coverage_at_95": top - 0.217,
        }
        for share, rows, top in ((0.125, 2001, 0.512), (0.5, 8004, 0.623))
    ],
    "depth": [
        {
            "layers": 3,
            "precision": "int8",
            "size_mb": 31.27,
            "cpu_ms": 2.34,
            "calibrate_top1": 0.687,
            "calibrate_intent": 0.789,
            "calibrate_sentiment": 0.812,
        }
    ],
    "held-out": [{"entries": 213, "rows": 1919, "top1": 0.654, "top1_by_text_alone": 0.543, "something_new": 0.3217}],
}


def make_report() -> dict[str, Any]:
    rows = [
        make_judged(
            make_row(
                place=f"test-{1 + number % 2}.jsonl:{number}",
                style=("plain", "typo")[number % 3 > 0],
                sentiment=list(Sentiment)[number % 4],
            ),
            entry=("ship-when", "cancel-how")[number % 7 == 0],
            confidence=0.5 + number / 100,
            intent=("SHIP", "CANCEL")[number % 5 == 0],
            intent_confidence=0.7 + number / 300,
        )
        for number in range(47)
    ]
    suites = tuple(examine(name, rows, texts=True) for name in ("test", "multilingual"))
    report = Report(
        ModelIdentity("test.1", "b" * 64), "d" * 64, {"test-1.jsonl": "f" * 64}, suites, check([], suites), Environment(None, "3", {})
    )
    tree: dict[str, Any] = json.loads(to_json(report, diagrams=["reliability.svg", "risk-coverage.svg"]))
    return tree


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return make_report()


@pytest.fixture(scope="module")
def card(report: dict[str, Any]) -> str:
    return write_card(MANIFEST, report, CHECK, STUDY_ROWS)


@pytest.mark.parametrize(
    ("method", "said"),
    [("tested", "the same test and assurance"), ("estimated", "an estimate"), ("confidence", "calibrated confidence alone")],
)
def test_the_card_tells_the_threshold_of_anger_and_how_it_was_found(report: dict[str, Any], method: str, said: str) -> None:
    anger = {"threshold": 0.4321, "accepted": 117, "right": 109, "rows": 123, "error_budget": 0.17, "method": method}

    card = write_card({**MANIFEST, "promise": {**MANIFEST["promise"], "angry": anger}}, report, CHECK)

    told = card[card.index("because they are angry") :]
    told = told[: told.index("##")]
    assert all(figure in told for figure in ("17 %", "0.4321", "117", "109", "123", said))


def test_the_card_tells_from_where_anger_stands_beside_an_urgent_hand_off(report: dict[str, Any]) -> None:
    beside = {"threshold": 0.8765, "accepted": 96, "right": 94, "rows": 119, "error_budget": 0.03, "method": "estimated"}

    card = write_card({**MANIFEST, "promise": {**MANIFEST["promise"], "angry_beside": beside}}, report, CHECK)

    told = card[card.index("urgent without it") :]
    told = told[: told.index("##")]
    assert all(figure in told for figure in ("0.8765", "3 %", "94", "96", "estimated"))


def test_a_bundle_from_before_has_a_card_without_anger(card: str) -> None:
    assert "because they are angry" not in card
    assert "urgent without it" not in card


def moved(tree: Any) -> Any:
    """``tree`` with another value in the place of every number."""
    if isinstance(tree, Mapping):
        return {name: moved(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [moved(value) for value in tree]
    if isinstance(tree, bool) or not isinstance(tree, int | float):
        return tree
    return 3 * tree + (10_007 if isinstance(tree, int) else 2.7182)


def test_no_figure_stays_when_its_source_changes(report: dict[str, Any], card: str) -> None:
    other = write_card(moved(MANIFEST), moved(report), moved(CHECK), moved(STUDY_ROWS))

    assert len(set(_FIGURE.findall(card))) > 100
    assert set(_FIGURE.findall(card)) & set(_FIGURE.findall(other)) <= _WRITTEN


def test_the_headline_figures_stand_there_with_their_intervals(report: dict[str, Any], card: str) -> None:
    measure = report["suites"]["test"]["measures"]["coverage"]

    assert figures_table(report, "en") in card
    assert len(MEASURES) + 2 == len(figures_table(report, "en").splitlines())
    assert f"{measure['value']:.3f} [{measure['low']:.3f}, {measure['high']:.3f}] (n {measure['n']})" in card


@pytest.mark.parametrize("suite", ["test", "multilingual"])
def test_every_slice_is_shown_with_its_intervals(report: dict[str, Any], card: str, suite: str) -> None:
    slices = report["suites"][suite]["slices"]

    assert {part["by"] for part in slices} == {"style", "length", "sentiment"}
    for part in slices:
        cells = (f"{m['value']:.3f} [{m['low']:.3f}, {m['high']:.3f}]" for m in part["measures"].values())
        assert f"| {part['value']} | {part['rows']} | {' | '.join(cells)} |" in card


def test_every_calibration_error_is_shown_with_its_interval_and_the_diagrams_are_linked(report: dict[str, Any], card: str) -> None:
    for suite in ("test", "multilingual"):
        for part, found in report["suites"][suite]["calibration"].items():
            errors = [head["ece"] for head in found["heads"].values()]
            cells = " | ".join(f"{e['value']:.3f} [{e['low']:.3f}, {e['high']:.3f}]" for e in errors)
            assert f"| {suite} | {part} | {found['rows']} | {cells} | {found['risk_coverage']['aurc']:.3f} |" in card
    assert "(../../reports/current/reliability.svg)" in card and "(../../reports/current/risk-coverage.svg)" in card


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_of_a_study_is_shown(card: str, name: str) -> None:
    for row in STUDY_ROWS[name]:
        assert f"| {' | '.join(shown(value) for value in row.values())} |" in card


def test_every_row_count_of_the_split_is_shown(card: str) -> None:
    assert all(f"| `{part}` | {rows:,} |" in card for part, rows in MANIFEST["data"]["rows"].items())
    assert "| Chinese test files | 47 | evaluation only |" in card


def test_log_datasets_are_named_with_version_sources_and_licence(card: str) -> None:
    assert "| april | `aprildigest` | 2,345 | a.csv; b.json | not stated | as the pack's rows |" in card
    assert "| guesses | `guessdigest` | 3,456 | c.csv | CC-BY | training alone |" in card
    assert "no log was used" not in card


def test_hashes_of_bundle_data_files_and_tests_are_shown(card: str) -> None:
    assert all(f"`{letter * 64}`" in card for letter in "bakef")
    assert "c" * 64 not in card  # a card cannot hold its own


def test_energy_is_called_an_estimate_and_is_processor_time_at_the_stated_power(card: str) -> None:
    assert "3,457 seconds on 2 cores of Some Processor" in card
    assert "An estimate: 6,543 CPU seconds" in card
    assert f"an assumed {WATTS_A_CORE:g} W" in card
    assert f"{6543.2 / 3600 * WATTS_A_CORE:.1f} Wh" in card


def test_no_energy_is_estimated_for_another_device() -> None:
    assert time_text({"seconds": 60.0, "cpu_seconds": 60.0, "threads": 2, "device": "cuda"}) == "Training took 60 seconds on 2 cores."


def test_without_studies_logs_and_calibration_their_sections_are_left_out(report: dict[str, Any]) -> None:
    plain = {name: facts for name, facts in MANIFEST.items() if name != "data"}
    older = {**report, "suites": {name: {**suite, "calibration": {}} for name, suite in report["suites"].items()}}
    text = write_card(plain, older, {})

    assert not any(f"## {title}" in text for title in ("Learning curve", "Depth", "Entries written after training", "Calibration"))
    assert "no log was used" in text and "was not pruned" in text
    assert "\n\n\n" not in text


def test_the_card_has_no_holes(card: str) -> None:
    assert "\n\n\n" not in card
    assert card.startswith("# Model card") and card.endswith("\n") and not card.endswith("\n\n")
    assert "None" not in card and "{" not in card
    assert [line for line in card.splitlines() if line != line.rstrip()] == []


def test_slices_of_an_older_report_are_shown_as_far_as_they_go() -> None:
    measures = {"coverage": {"value": None, "n": 0}, "faq_top1": {"value": 0.5, "n": 2}}
    (found,) = slice_tables(
        {"suites": {"test": {"rows": 2, "slices": [{"by": "style", "value": "typo", "rows": 2, "measures": measures}]}}}
    )

    assert found.title == "Chinese test files by style"
    assert found.table.splitlines()[-1] == "| typo | 2 | – | 0.500 |"


def test_the_card_shows_what_int8_costs_of_every_headline() -> None:
    export = {
        **{"float_max_difference": 1e-5, "int8_mean_cosine": 0.99, "int8_min_cosine": 0.97, "messages": 9},
        **{"float_match_accuracy": 0.8, "int8_match_accuracy": 0.79},
    }
    headlines = {
        "coverage": {"float32": 0.6123, "int8": 0.61, "loss": 0.0023, "low": -0.01, "high": 0.014, "rows": 2000},
        "match_accuracy": {"float32": None, "int8": None, "loss": 0.0, "low": None, "high": None, "rows": 2400},
    }

    text = export_text({**export, "proof": {"rows": 2463, "allowed_loss": 0.005, "headlines": headlines}})

    assert "more than 0.5 points" in text
    assert "| coverage | 2,000 | 0.612 | 0.610 | +0.23 [-1.00, +1.40] |" in text
    assert "| match_accuracy | 2,400 | – | – | – |" in text
    assert "headline" not in export_text(export)
