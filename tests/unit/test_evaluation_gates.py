"""Gates: what they hold against results, and what they refuse to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import evaluation
from evaluation.errors import EvaluationError
from evaluation.gates import Gate, Side, Verdict, check, overall, read_gates
from evaluation.outcomes import Judged
from evaluation.suites import SuiteResult, examine
from tests.fakes_evaluation import make_judged, make_row
from yingda.domain.decision import Outcome

BOUND = Gate("test", "match_accuracy_lower_bound", Side.AT_LEAST, 0.95)
WRONG = Gate("test", "wrong_automatic_answers", Side.AT_MOST, 0.02)


def results(*judged: Judged) -> list[SuiteResult]:
    return [examine("test", list(judged), texts=True)]


def verdict(gate: Gate, *judged: Judged) -> Verdict:
    return check([gate], results(*judged))[0].verdict


def test_enough_right_matches_pass() -> None:
    assert verdict(BOUND, *[make_judged()] * 59) is Verdict.PASSED


def test_the_limit_itself_passes() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    assert verdict(WRONG, wrong, *[make_judged()] * 49) is Verdict.PASSED
    assert verdict(WRONG, wrong, *[make_judged()] * 48) is Verdict.FAILED


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
    assert overall(check([absent, WRONG], results(make_judged()))) is Verdict.PASSED


def test_a_gate_on_a_bound_says_what_its_rows_can_decide() -> None:
    found = check([BOUND, WRONG], results(*[make_judged()] * 59))

    assert found[0].detail.startswith("0.9505 over 59 rows; over 59 rows an engine must be right 99.7% of the time")
    assert found[1].detail == "0.0000 over 59 rows"


def test_a_failed_gate_outweighs_an_undecided_one() -> None:
    wrong = make_judged(make_row(faq="cancel-how"))

    assert overall(check([BOUND, WRONG], results(wrong))) is Verdict.FAILED


def test_the_shipped_gates_hold_the_promise() -> None:
    gates = read_gates(Path(evaluation.__file__).with_name("gates.yaml"))

    assert {BOUND, WRONG} <= set(gates)


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
