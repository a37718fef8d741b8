"""When the candidate is promoted and when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.bootstrap import Interval
from evaluation.comparison import HEADLINES, Difference, mcnemar
from evaluation.gates import Gate, GateResult, Side, Verdict
from evaluation.recommendation import Advice, recommend

GATE = Gate("test", "match_accuracy_lower_bound", Side.AT_LEAST, 0.95)
PASSED = [GateResult(GATE, Verdict.PASSED, "0.9600 over 500 rows")]
FAILED = [GateResult(GATE, Verdict.FAILED, "0.9400 over 500 rows")]
UNDECIDED = [GateResult(GATE, Verdict.UNDECIDED, "the set is too small")]


def differences(**intervals: tuple[float, float]) -> dict[str, Difference]:
    """No difference but where ``intervals`` says so."""
    found = {name: Difference(name, 0.5, 0.5, Interval(-0.01, 0.01, 2000)) for name in HEADLINES}
    for name, (low, high) in intervals.items():
        found[name] = Difference(name, 0.5, 0.5 + (low + high) / 2, Interval(low, high, 2000))
    return found


@pytest.mark.parametrize("prize", ["coverage", "faq_top1"])
def test_a_sure_gain_of_a_prize_is_promoted(prize: str) -> None:
    found = recommend(champion=PASSED, candidate=PASSED, differences=differences(**{prize: (0.02, 0.06)}))

    assert found.advice is Advice.PROMOTE
    assert f"better: {prize} 0.500 -> 0.540, +0.040 [+0.020, +0.060]" in found.reasons


@pytest.mark.parametrize("interval", [(0.0, 0.06), (-0.01, 0.06)])
def test_a_gain_that_may_be_chance_is_not_enough(interval: tuple[float, float]) -> None:
    found = recommend(champion=PASSED, candidate=PASSED, differences=differences(coverage=interval))

    assert found.advice is Advice.KEEP
    assert "neither coverage nor top-1 is surely better" in found.reasons[0]


def test_a_gain_elsewhere_is_not_enough() -> None:
    assert recommend(champion=PASSED, candidate=PASSED, differences=differences(intent_accuracy=(0.1, 0.2))).advice is Advice.KEEP


@pytest.mark.parametrize("name", sorted(set(HEADLINES) - {"wrong_automatic_answers", "coverage"}))
def test_one_sure_loss_outweighs_a_gain(name: str) -> None:
    found = recommend(champion=PASSED, candidate=PASSED, differences=differences(coverage=(0.1, 0.2), **{name: (-0.06, -0.02)}))

    assert found.advice is Advice.KEEP
    assert found.reasons == (f"worse: {name} 0.500 -> 0.460, -0.040 [-0.060, -0.020]",)


def test_more_wrong_answers_are_a_loss_and_fewer_are_none() -> None:
    more = differences(coverage=(0.1, 0.2), wrong_automatic_answers=(0.01, 0.03))
    fewer = differences(coverage=(0.1, 0.2), wrong_automatic_answers=(-0.03, -0.01))

    assert recommend(champion=PASSED, candidate=PASSED, differences=more).advice is Advice.KEEP
    assert recommend(champion=PASSED, candidate=PASSED, differences=fewer).advice is Advice.PROMOTE


@pytest.mark.parametrize(("gates", "said"), [(FAILED, "failed"), (UNDECIDED, "could not be held against")])
def test_a_candidate_that_does_not_pass_is_kept_out(gates: list[GateResult], said: str) -> None:
    found = recommend(champion=PASSED, candidate=gates, differences=differences(coverage=(0.1, 0.2)))

    assert found.advice is Advice.KEEP
    assert found.reasons[0] == f"the candidate {said} {GATE}: {gates[0].detail}"


@pytest.mark.parametrize("champion", [FAILED, UNDECIDED])
def test_the_only_one_that_passes_is_promoted_without_a_gain(champion: list[GateResult]) -> None:
    found = recommend(champion=champion, candidate=PASSED, differences=differences())

    assert found.advice is Advice.PROMOTE
    assert "only the candidate passes the gates" in found.reasons[1]


def test_the_only_one_that_passes_is_kept_out_by_a_sure_loss() -> None:
    assert recommend(champion=FAILED, candidate=PASSED, differences=differences(coverage=(-0.2, -0.1))).advice is Advice.KEEP


def test_an_edit_of_knowledge_need_win_nothing_and_may_lose_nothing() -> None:
    def advised(**told: object) -> Advice:
        asked: dict[str, Any] = {"champion": PASSED, "candidate": PASSED, "differences": differences(), "only_knowledge": True, **told}
        return recommend(**asked).advice

    assert advised() is Advice.NO_WORSE
    assert advised(only_knowledge=False) is Advice.KEEP
    assert advised(differences=differences(coverage=(0.02, 0.06))) is Advice.PROMOTE
    assert advised(differences=differences(faq_top1=(-0.06, -0.02))) is Advice.KEEP
    assert advised(candidate=UNDECIDED) is Advice.KEEP
    assert advised(candidate=FAILED, champion=FAILED) is Advice.KEEP


def test_a_figure_that_cannot_be_measured_neither_helps_nor_harms() -> None:
    found = differences(coverage=(0.1, 0.2))
    found["out_of_scope_refusal"] = Difference("out_of_scope_refusal", None, None, None)

    assert recommend(champion=PASSED, candidate=PASSED, differences=found).advice is Advice.PROMOTE


@pytest.mark.parametrize(("wins", "losses", "p"), [(0, 0, 1.0), (1, 0, 1.0), (6, 0, 2 / 64), (5, 5, 1.0), (8, 1, 20 / 512)])
def test_mcnemar_is_a_coin_tossed_once_a_message_at_stake(wins: int, losses: int, p: float) -> None:
    assert mcnemar(wins, losses) == pytest.approx(p)
    assert mcnemar(losses, wins) == pytest.approx(p)
