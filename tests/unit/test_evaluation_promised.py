"""What other error budgets would cost, on rows that chose no threshold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.errors import EvaluationError
from evaluation.outcomes import Judged
from evaluation.promised import Price, examine_promise, read_prices
from tests.fakes_evaluation import make_judged, make_row

PRICES = [Price(0.01, 1.01), Price(0.05, 0.8), Price(0.1, 0.5)]


def judged() -> list[Judged]:
    """Two sure and right, one less sure and wrong, one that no entry answers."""
    return [
        make_judged(confidence=0.9),
        make_judged(confidence=0.8),
        make_judged(make_row(intent="CANCEL", faq="cancel-how"), confidence=0.6, accepted=False),
        make_judged(make_row(intent="OUT_OF_SCOPE", faq=None), confidence=0.1, accepted=False),
    ]


def test_each_budget_is_held_against_the_rows() -> None:
    none, strict, loose = examine_promise(PRICES, judged()).facts["budgets"]

    assert none["covered"]["value"] == 0 and none["right"]["value"] is None
    assert (strict["covered"]["value"], strict["right"]["value"]) == (pytest.approx(2 / 3, abs=1e-6), 1.0)
    assert (loose["covered"]["value"], loose["right"]["value"]) == (1.0, pytest.approx(2 / 3, abs=1e-6))
    assert loose["bound"]["value"] < loose["right"]["value"]


def test_a_budget_is_kept_only_where_the_rows_show_it() -> None:
    few, many, wrong = [make_judged()] * 5, [make_judged()] * 100, [make_judged(make_row(faq="cancel-how"))] * 20

    assert verdict_of(many) == "kept"
    assert verdict_of(few) == "kept on these rows, too few to be sure"
    assert verdict_of(many + wrong) == "broken"
    assert verdict_of([make_judged(confidence=0.1, accepted=False)]) == "nothing accepted"


def verdict_of(rows: list[Judged]) -> str:
    return str(examine_promise([Price(0.05, 0.8)], rows).facts["budgets"][0]["verdict"])


def test_the_cost_is_what_was_right_and_not_sure_enough() -> None:
    rows = [make_judged(), make_judged(confidence=0.3, accepted=False), make_judged(make_row(faq="cancel-how"), accepted=False)]

    assert examine_promise(PRICES, rows).facts["intents"]["SHIP"]["cost"]["value"] == pytest.approx(1 / 3, abs=1e-6)


def test_the_least_covered_intent_comes_first() -> None:
    found = examine_promise(PRICES, judged())

    assert list(found.facts["intents"]) == ["CANCEL", "SHIP"]
    assert found.measures["intents_never_matched"].value == 0.5
    assert found.facts["intents"]["SHIP"]["covered"]["value"] == 1.0


def test_what_is_accepted_and_wrong_breaks_the_promise() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    found = examine_promise([], [wrong, *[make_judged()] * 3])

    assert found.measures["wrong_accepted"].value == 0.25


def test_the_page_shows_a_line_for_each_budget_and_intent() -> None:
    page = "\n".join(examine_promise(PRICES, judged()).page)

    assert "| 1% | none | 0.000" in page
    assert "| 5% | 0.8000 | 0.667" in page
    assert page.index("| CANCEL | 1 |") < page.index("| SHIP | 2 |")


def test_a_manifest_without_a_list_says_so() -> None:
    found = examine_promise([], judged())

    assert found.facts["budgets"] == []
    assert "lists no thresholds for other budgets" in found.page[0]


def test_prices_are_read_from_the_manifest(tmp_path: Path) -> None:
    assert read_prices(tmp_path) == ()
    listed = [{"error_budget": 0.05, "threshold": 0.8, "accepted": 8, "right": 8, "rows": 9}]
    (tmp_path / "manifest.json").write_text(json.dumps({"promise_prices": listed}), "utf-8")
    assert read_prices(tmp_path) == (Price(0.05, 0.8),)


@pytest.mark.parametrize("listed", [None, [{"threshold": 0.8}], [0.05], [{"error_budget": "x", "threshold": 1}]])
def test_prices_of_another_form_are_refused(tmp_path: Path, listed: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"promise_prices": listed}), "utf-8")

    with pytest.raises(EvaluationError, match="promise_prices cannot be read; rebuild the bundle"):
        read_prices(tmp_path)


def manifest(tmp_path: Path, served: float, promised: float) -> Path:
    promise = {"error_budget": 0.05, "match": {"threshold": promised, "right": 8}}
    fields = {"thresholds": {"match": served, "clarify": 0.6}, "promise": promise}
    (tmp_path / "manifest.json").write_text(json.dumps(fields), "utf-8")
    return tmp_path


def test_a_threshold_set_by_hand_is_refused(tmp_path: Path) -> None:
    assert read_prices(manifest(tmp_path, 0.8, 0.8)) == ()
    with pytest.raises(
        EvaluationError, match=r"manifest\.json: serves the threshold 0\.7 for match, and the promise was made for 0\.8; rebuild"
    ):
        read_prices(manifest(tmp_path, 0.7, 0.8))
