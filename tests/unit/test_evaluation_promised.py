"""What other error budgets would cost, on rows that chose no threshold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evaluation
from evaluation.errors import EvaluationError
from evaluation.examination import SHOWN
from evaluation.gates import Verdict, check, read_gates
from evaluation.metrics import clopper_pearson_lower, clopper_pearson_upper
from evaluation.outcomes import Judged
from evaluation.promised import Price, Promised, examine_promise, read_promised
from tests.fakes_evaluation import make_judged, make_row
from yingda.domain.decision import Outcome

GATES = Path(evaluation.__file__).with_name("gates.yaml")
PRICES = Promised((Price(0.01, 1.01), Price(0.05, 0.8), Price(0.1, 0.5)))


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
    assert verdict_of(many[:94] + wrong[:6]) == "missed on these rows, which may be chance"
    assert verdict_of([make_judged(confidence=0.1, accepted=False)]) == "nothing accepted"


def verdict_of(rows: list[Judged]) -> str:
    return str(examine_promise(Promised((Price(0.05, 0.8),)), rows).facts["budgets"][0]["verdict"])


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

    found = examine_promise(Promised(), [wrong, *[make_judged()] * 3])

    assert found.measures["wrong_accepted"].value == 0.25


SERVED = Promised(served=Price(0.03, 0.8))


def rows_with(*, right: int, wrong: int) -> list[Judged]:
    return [make_judged()] * right + [make_judged(make_row(faq="cancel-how"))] * wrong


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"),
    [
        (575, 25, Verdict.PASSED),  # 4.2 %: as many come of 3 % in one of eleven
        (570, 30, Verdict.FAILED),  # 5 %: of 3 % hardly ever
        (600, 0, Verdict.PASSED),
        (95, 4, Verdict.UNDECIDED),
    ],
)
def test_a_budget_that_is_surely_exceeded_fails_and_one_that_may_be_by_chance_does_not(right: int, wrong: int, verdict: Verdict) -> None:
    (gate,) = (gate for gate in read_gates(GATES) if gate.metric == "served_budget_exceeded")

    (result,) = check([gate], [], [examine_promise(SERVED, rows_with(right=right, wrong=wrong))])

    assert result.verdict is verdict
    assert len(result.examples) == min(wrong, SHOWN)


def test_it_fails_for_the_budget_that_serves_and_no_other() -> None:
    rows = rows_with(right=570, wrong=30)

    strict, loose = (examine_promise(Promised(served=Price(budget, 0.8)), rows).measures for budget in (0.03, 0.05))

    assert strict["served_budget_exceeded"].value == pytest.approx(clopper_pearson_lower(30, 600) - 0.03)
    assert loose["served_budget_exceeded"].value == 0


def test_the_page_says_what_the_rows_show_of_the_served_budget() -> None:
    unsure, kept, broken = (page_of(right=right, wrong=wrong) for right, wrong in ((97, 3), (300, 0), (80, 20)))

    assert "Of the 100 accepted on these rows 3 are wrong, a share of 0.0300." in unsure
    assert f"these rows show that at most {clopper_pearson_upper(3, 100):.4f} are wrong" in unsure
    assert "shows the budget to be kept" in kept
    assert "the promise is broken" in broken
    assert "No match was accepted." in page_of(right=0, wrong=0)


def page_of(*, right: int, wrong: int) -> str:
    held = make_judged(accepted=False, outcome=Outcome.NO_ANSWER)
    return " ".join(examine_promise(SERVED, [*rows_with(right=right, wrong=wrong), held]).page)


def test_the_page_tells_of_automatic_answers_what_they_are_and_no_more() -> None:
    page = page_of(right=97, wrong=3)

    assert "of 100 automatic answers 3 are wrong" in page
    assert f"lower bound of their accuracy is {clopper_pearson_lower(97, 100):.3f}." in page
    assert "no worse" not in page and "which chose nothing;" not in page
    assert "Here there is none." in page_of(right=0, wrong=0)


def test_the_page_owns_that_the_budget_was_chosen_knowing_the_rows() -> None:
    assert "somewhat optimistic" in page_of(right=97, wrong=3)


def test_the_more_messages_no_entry_answers_the_more_of_what_is_accepted_is_wrong() -> None:
    lost = make_row(intent="OUT_OF_SCOPE", faq=None)
    refused = make_judged(lost, accepted=False, outcome=Outcome.NO_ANSWER)
    rows = [*rows_with(right=98, wrong=2), *[make_judged(lost)] * 5, *[refused] * 20]

    traffic = examine_promise(SERVED, rows).facts["traffic"]

    shares = {found["unanswerable"]: found["wrong"] for found in traffic["mixtures"]}
    assert list(shares) == [0.1, 0.2, 0.3, 0.4]  # the rows' own share is one of them
    assert traffic["own"] == 0.2
    assert shares[0.2] == pytest.approx(7 / 105, abs=1e-6)
    assert sorted(shares.values()) == list(shares.values())
    at = traffic["holds_up_to"]
    wrong, accepted = 0.02 * (1 - at) + 0.2 * at, (1 - at) + 0.2 * at
    assert wrong / accepted == pytest.approx(0.03, abs=1e-5)


def test_traffic_is_told_only_where_both_kinds_of_messages_are() -> None:
    assert examine_promise(SERVED, rows_with(right=5, wrong=0)).facts["traffic"] is None
    lost = make_judged(make_row(faq=None), accepted=False, outcome=Outcome.NO_ANSWER)
    never, always = (examine_promise(SERVED, [*rows, lost]).facts["traffic"] for rows in (rows_with(right=1, wrong=1), [make_judged()]))
    assert (never["holds_up_to"], always["holds_up_to"]) == (0.0, 1.0)


def test_the_cost_is_told_for_every_budget_and_over_all() -> None:
    rows = [*judged(), make_judged(confidence=0.55, accepted=False), make_judged(make_row(intent=None), confidence=0.3, accepted=False)]

    found = examine_promise(PRICES, rows)

    assert [budget["cost"]["value"] for budget in found.facts["budgets"]] == pytest.approx([4 / 5, 2 / 5, 1 / 5], abs=1e-6)
    assert (found.facts["overall"]["cost"]["value"], found.facts["overall"]["cost"]["n"]) == (0.4, 5)
    assert found.facts["overall"]["automatic"]["value"] == 1
    assert any(line.startswith("| all | 5 |") for line in found.page)


def test_the_page_shows_a_line_for_each_budget_and_intent() -> None:
    page = "\n".join(examine_promise(PRICES, judged()).page)

    assert "| 1% | none | 0.000" in page
    assert "| 5% | 0.8000 | 0.667" in page
    assert page.index("| CANCEL | 1 |") < page.index("| SHIP | 2 |")


def test_a_manifest_without_a_list_says_so() -> None:
    found = examine_promise(Promised(), judged())

    assert found.facts["budgets"] == []
    assert any("lists no thresholds for other budgets" in line for line in found.page)
    assert "names no budget that this bundle serves" in found.page[0]
    assert (found.measures["served_budget_exceeded"].value, found.missing) == (None, "the bundle's manifest names no budget that it serves")


def test_prices_are_read_from_the_manifest(tmp_path: Path) -> None:
    assert read_promised(tmp_path) == Promised()
    listed = [{"error_budget": 0.05, "threshold": 0.8, "accepted": 8, "right": 8, "rows": 9}]
    (tmp_path / "manifest.json").write_text(json.dumps({"promise_prices": listed}), "utf-8")
    assert read_promised(tmp_path) == Promised((Price(0.05, 0.8),))


@pytest.mark.parametrize("listed", [None, [{"threshold": 0.8}], [0.05], [{"error_budget": "x", "threshold": 1}]])
def test_prices_of_another_form_are_refused(tmp_path: Path, listed: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"promise_prices": listed}), "utf-8")

    with pytest.raises(EvaluationError, match="promise_prices cannot be read; rebuild the bundle"):
        read_promised(tmp_path)


def manifest(tmp_path: Path, served: float, promised: float) -> Path:
    promise = {"error_budget": 0.05, "match": {"threshold": promised, "right": 8}}
    fields = {"thresholds": {"match": served, "clarify": 0.6}, "promise": promise}
    (tmp_path / "manifest.json").write_text(json.dumps(fields), "utf-8")
    return tmp_path


def test_a_threshold_set_by_hand_is_refused(tmp_path: Path) -> None:
    assert read_promised(manifest(tmp_path, 0.8, 0.8)) == Promised(served=Price(0.05, 0.8))
    with pytest.raises(
        EvaluationError, match=r"manifest\.json: serves the threshold 0\.7 for match, and the promise was made for 0\.8; rebuild"
    ):
        read_promised(manifest(tmp_path, 0.7, 0.8))
