"""Gates: what they hold against results, and what they refuse to read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import evaluation
from evaluation.decidable import FEWEST, too_small
from evaluation.errors import EvaluationError
from evaluation.examination import SHOWN, Examination, Example
from evaluation.gates import Gate, Side, Verdict, check, overall, read_gates
from evaluation.metrics import Measure, clopper_pearson_lower, wilson
from evaluation.outcomes import Judged
from evaluation.suites import METRICS, SuiteResult, examine
from tests.fakes_evaluation import make_judged, make_row
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Sentiment

GATES = Path(evaluation.__file__).with_name("gates.yaml")

BOUND = Gate("test", "match_accuracy_lower_bound", Side.AT_LEAST, 0.95)
WRONG = Gate("test", "wrong_automatic_answers", Side.AT_MOST, 0.02)
SENT = Gate("test", "automatic_accuracy_lower_bound", Side.AT_LEAST, 0.95)
BROKEN = Gate("promise", "served_budget_exceeded", Side.AT_MOST, 0.0)
NEEDS_ROWS = {"least_found_intent", "least_found_language", "least_kept", "story_kept"}
"""Metrics that are not measured over fewer than ten rows."""


def results(*judged: Judged) -> list[SuiteResult]:
    return [examine("test", list(judged), texts=True)]


def verdict(gate: Gate, *judged: Judged) -> Verdict:
    return check([gate], results(*judged))[0].verdict


def test_enough_right_matches_pass() -> None:
    assert verdict(BOUND, *[make_judged()] * 59) is Verdict.PASSED


def test_the_limit_itself_passes() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    assert verdict(WRONG, *[wrong] * 4, *[make_judged()] * 196) is Verdict.PASSED
    assert verdict(WRONG, *[wrong] * 4, *[make_judged()] * 195) is Verdict.FAILED


def test_wrong_matches_fail() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    assert verdict(BOUND, *[wrong] * 30, *[make_judged()] * 70) is Verdict.FAILED


def test_a_set_too_small_to_show_the_bound_is_undecided() -> None:
    found = check([BOUND], results(*[make_judged()] * 58))[0]

    assert found.verdict is Verdict.UNDECIDED
    assert "too small to decide: 58 rows" in found.detail


def test_a_metric_without_rows_is_undecided() -> None:
    refused = make_judged(accepted=False, outcome=Outcome.NO_ANSWER)

    found = check([BOUND], results(refused))[0]

    assert found.verdict is Verdict.UNDECIDED
    assert "could not be computed" in found.detail


def test_a_suite_the_pack_has_not_is_undecided() -> None:
    gate = Gate("multilingual", "coverage", Side.AT_LEAST, 0.5)

    assert verdict(gate, make_judged()) is Verdict.UNDECIDED


def test_an_optional_gate_without_rows_is_skipped() -> None:
    absent = Gate("multilingual", "coverage", Side.AT_LEAST, 0.5, optional=True)
    refused = make_judged(accepted=False, outcome=Outcome.NO_ANSWER)

    assert verdict(absent, make_judged()) is Verdict.SKIPPED
    assert verdict(replace(BOUND, optional=True), refused) is Verdict.SKIPPED
    assert verdict(replace(BOUND, optional=True), *[make_judged()] * 58) is Verdict.UNDECIDED
    assert overall(check([absent, WRONG], results(*[make_judged()] * 149))) is Verdict.PASSED


def test_a_gate_that_failed_on_a_bound_says_what_its_rows_can_decide() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))
    passed = check([BOUND], results(*[make_judged()] * 59))[0]
    missed = check([BOUND], results(*[wrong] * 6, *[make_judged()] * 94))[0]

    assert passed.detail == "0.9505 over 59 rows"
    assert missed.detail.startswith("0.8850 over 100 rows; over 100 rows an engine must be right 99.2% of the time")


def displeased(*, seen: int, unseen: int) -> list[Judged]:
    row = make_row("气死我了", sentiment=Sentiment.ANGRY, place="test-1.jsonl:7")
    return [make_judged(row, sentiment=Sentiment.NEGATIVE)] * seen + [make_judged(row, sentiment=Sentiment.NEUTRAL)] * unseen


@pytest.mark.parametrize(
    ("floor", "seen", "unseen", "expected"),
    [
        (0.75, 1, 0, Verdict.UNDECIDED),  # one of one shows 5 %
        (0.75, 0, 1, Verdict.UNDECIDED),  # none of one leaves 95 %
        (0.75, 5, 0, Verdict.UNDECIDED),  # five of five show 54.9 %
        (0.75, 3, 2, Verdict.UNDECIDED),
        (0.75, 0, 5, Verdict.FAILED),  # none of five leaves 45.1 %: no luck saves that
        (0.75, 12, 0, Verdict.PASSED),  # twelve of twelve show 77.9 %
        (0.75, 8, 4, Verdict.FAILED),
        (0.79, 12, 0, Verdict.UNDECIDED),
        (0.5, 5, 0, Verdict.PASSED),
        (1.0, 12, 0, Verdict.UNDECIDED),
        (0.0, 0, 1, Verdict.PASSED),
    ],
)
def test_a_floor_is_decided_where_a_perfect_score_could_show_it(floor: float, seen: int, unseen: int, expected: Verdict) -> None:
    gate = Gate("test", "displeased_recall", Side.AT_LEAST, floor)

    assert verdict(gate, *displeased(seen=seen, unseen=unseen)) is expected


@pytest.mark.parametrize(
    ("ceiling", "right", "wrong", "expected"),
    [
        (0.02, 1, 0, Verdict.UNDECIDED),
        (0.02, 0, 1, Verdict.FAILED),  # one of one is at least 5 %
        (0.02, 5, 0, Verdict.UNDECIDED),
        (0.02, 12, 0, Verdict.UNDECIDED),
        (0.02, 11, 1, Verdict.UNDECIDED),  # one of twelve is at least 0.4 %
        (0.02, 10, 2, Verdict.FAILED),  # two of twelve are at least 3 %
        (0.3, 12, 0, Verdict.PASSED),
        (0.3, 5, 0, Verdict.UNDECIDED),
        (0.02, 148, 0, Verdict.UNDECIDED),
        (0.02, 149, 0, Verdict.PASSED),
    ],
)
def test_a_ceiling_is_decided_where_a_perfect_score_could_show_it(ceiling: float, right: int, wrong: int, expected: Verdict) -> None:
    gate = Gate("test", "wrong_automatic_answers", Side.AT_MOST, ceiling)
    bad = make_judged(make_row(faq="cancel-how"))

    assert verdict(gate, *[make_judged()] * right, *[bad] * wrong) is expected


@pytest.mark.parametrize("metric", [name for name in FEWEST if name in METRICS])
def test_a_figure_that_is_no_share_states_the_rows_it_needs(metric: str) -> None:
    gate, fewest = Gate("test", metric, Side.AT_MOST, 1.0), FEWEST[metric]

    found = check([gate], results(*[make_judged()] * (fewest - 1)))[0]
    assert (found.verdict, found.margin) == (Verdict.UNDECIDED, None)
    assert f"{fewest - 1} rows, and {metric} needs at least {fewest}" in found.detail
    for rows in (1, 5, 12):
        assert verdict(gate, *[make_judged()] * rows) is Verdict.UNDECIDED
    assert verdict(gate, *[make_judged()] * fewest) is Verdict.PASSED


@pytest.mark.parametrize("gate", [gate for gate in read_gates(GATES) if gate.suite != "labels"], ids=str)  # which counts, not samples
@pytest.mark.parametrize("rows", [1, 3])
def test_no_shipped_gate_passes_on_a_handful_of_rows(gate: Gate, rows: int) -> None:
    perfect = Measure(1.0, rows, *wilson(rows, rows)) if gate.side is Side.AT_LEAST else Measure(0.0, rows, *wilson(0, rows))
    if gate.metric.endswith("_lower_bound"):
        perfect = Measure(clopper_pearson_lower(rows, rows), rows, reachable=clopper_pearson_lower(rows, rows))
    (found,) = check([gate], [], [Examination(gate.suite, {gate.metric: perfect}, {}, ())])

    assert found.verdict is Verdict.UNDECIDED or gate.metric in NEEDS_ROWS


def test_the_committed_report_has_rows_enough_for_every_gate() -> None:
    report = json.loads((GATES.parents[1] / "reports/current/evaluation.json").read_text("utf-8"))
    measures = {
        name: found["measures"] for name, found in {**report["suites"], **report["examinations"], "speed": report["run"]["speed"]}.items()
    }
    for gate in read_gates(GATES):
        if gate.suite in measures:
            fields = measures[gate.suite][gate.metric]
            floor, ceiling = (gate.limit if gate.side is side else None for side in Side)
            assert too_small(gate.metric, Measure(**fields), floor=floor, ceiling=ceiling) is None, gate


def test_a_gate_on_a_share_tells_what_its_rows_refuse() -> None:
    floor, ceiling = (Gate("test", "displeased_recall", side, limit) for side, limit in ((Side.AT_LEAST, 0.5), (Side.AT_MOST, 0.9)))
    seen = results(*displeased(seen=30, unseen=10))

    passed, kept, bound = check([floor, ceiling, BOUND], [*seen])

    assert passed.refuses is not None and 0.4 < passed.refuses < 0.5
    assert kept.refuses is not None and 0.9 < kept.refuses < 1
    assert bound.refuses is None, "a bound allows for chance of itself"


def shipped(suite: str, judged: list[Judged]) -> dict[str, Verdict]:
    """What the shipped gates on the metrics of ``suite`` make of ``judged``."""
    gates = [gate for gate in read_gates(GATES) if gate.suite == suite]
    return {found.gate.metric: found.verdict for found in check(gates, [examine(suite, judged, texts=True)])}


def test_automatic_answers_have_their_gate_where_accepted_matches_pass_theirs() -> None:
    handed_over, wrong = make_judged(outcome=Outcome.HANDOFF), make_judged(make_row(faq="cancel-how"))
    found = shipped("test", [*[handed_over] * 400, *[make_judged()] * 94, *[wrong] * 6])

    assert found["automatic_accuracy_lower_bound"] is Verdict.FAILED
    assert (found["match_accuracy_lower_bound"], found["wrong_automatic_answers"]) == (Verdict.PASSED, Verdict.PASSED)


def test_an_engine_that_accepts_and_leaves_every_answer_to_a_person_is_refused() -> None:
    found = shipped("test", [make_judged(outcome=Outcome.HANDOFF)] * 400)

    assert (found["automatic_coverage"], found["coverage"]) == (Verdict.FAILED, Verdict.PASSED)


def test_an_intent_that_is_found_in_one_message_of_three_is_refused() -> None:
    lost = make_row(intent="CANCEL", faq="cancel-how")
    found = shipped("test", [*[make_judged()] * 588, *[make_judged(lost)] * 8, *[make_judged(lost, entry="cancel-how")] * 4])

    assert (found["least_found_intent"], found["faq_top1"]) == (Verdict.FAILED, Verdict.PASSED)


def languages(**wrong: int) -> list[Judged]:
    """Twenty rows of each of thirteen languages, answered rightly but for the first ``wrong`` ones of a language."""
    return [
        make_judged(make_row(language=name), entry="cancel-how" if number < wrong.get(name, 0) else "ship-when")
        for name in "abcdefghijklm"
        for number in range(20)
    ]


def test_a_language_that_is_lost_or_answered_wrongly_is_refused_though_the_figures_over_all_pass() -> None:
    held = make_judged(entry="cancel-how", accepted=False, outcome=Outcome.NO_ANSWER).answer
    lost = [replace(item, answer=held) if item.row.language == "m" else item for item in languages()]
    found, misled = shipped("multilingual", lost), shipped("multilingual", languages(m=4))

    assert (found["least_found_language"], found["faq_top1"]) == (Verdict.FAILED, Verdict.PASSED)
    assert (misled["most_misled_language"], misled["wrong_automatic_answers"]) == (Verdict.FAILED, Verdict.PASSED)
    assert shipped("multilingual", languages(m=2, a=2))["most_misled_language"] is Verdict.PASSED


def test_wrong_answers_over_all_languages_are_refused_where_each_has_few() -> None:
    found = shipped("multilingual", languages(**dict.fromkeys("abcdef", 1)))

    assert (found["wrong_automatic_answers"], found["most_misled_language"]) == (Verdict.FAILED, Verdict.PASSED)


def test_a_gate_tells_by_how_much_and_on_which_messages_it_failed() -> None:
    gate = Gate("test", "displeased_recall", Side.AT_LEAST, 0.75)
    found = check([gate], results(*displeased(seen=10, unseen=30)))[0]

    assert found.value == 0.25
    assert found.margin == -0.5
    assert found.examples == (Example("test-1.jsonl:7", "气死我了", "angry taken for neutral (0.90)"),) * SHOWN


def test_messages_that_may_not_leave_their_file_are_named_by_place_alone() -> None:
    judged = displeased(seen=10, unseen=30)
    found = check([Gate("test", "displeased_recall", Side.AT_LEAST, 0.75)], [examine("test", judged, texts=False)])[0]

    assert {(example.place, example.text) for example in found.examples} == {("test-1.jsonl:7", None)}


def test_a_failed_gate_outweighs_an_undecided_one() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    assert overall(check([BOUND, WRONG], results(wrong))) is Verdict.FAILED


def test_the_shipped_gates_hold_the_promise() -> None:
    gates = read_gates(GATES)

    assert {BOUND, SENT, WRONG, BROKEN} <= set(gates)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gates: [{suite: test, metric: coverage, at_least: 0.5, why: x}]", "unknown key 'why'"),
        ("gates: [{suite: test, metric: speed, at_least: 0.5}]", "unknown metric 'speed'"),
        ("gates: [{suite: tset, metric: coverage, at_least: 0.5}]", "unknown suite 'tset'"),
        ("gates: [{suite: test, metric: coverage}]", "at_least or at_most"),
        ("gates: [{suite: test, metric: coverage, at_least: 0.5, at_most: 0.9}]", "at_least or at_most"),
        ("gates: [{suite: test, metric: coverage, at_least: 95}]", "from 0 to 1"),
        ("gates: [{suite: test, metric: coverage, at_least: .nan}]", "from 0 to 1"),
        ("gates: [{suite: test, metric: coverage, at_least: yes}]", "from 0 to 1"),
        ("gates: [{suite: test, metric: coverage, at_least: 0.5, optional: 1}]", "optional is 1"),
        ("gates: [{suite: contamination, metric: coverage, at_least: 0.5}]", "unknown metric 'coverage'"),
        ("gates: [{suite: speed, metric: p99_share, at_least: 0.5}]", "speed differs from run to run; write measured: true"),
        ("gates: [{suite: test, metric: coverage, at_least: 0.5, measured: true}]", "test is the same in every run; leave measured out"),
        ("gates: [{suite: speed, metric: p99_share, at_least: 0.5, measured: 1}]", "measured is 1"),
        ("gates: [coverage]", "must be a mapping"),
        ("gates: []", "at least one gate"),
        ("gates: []\nmore: 1", "one key 'gates'"),
        ("", "one key 'gates'"),
        ("gates: [", "not valid YAML"),
    ],
)
def test_a_gate_that_is_not_understood_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(EvaluationError, match=complaint) as caught:
        read_gates(path)

    assert str(path) in str(caught.value)
