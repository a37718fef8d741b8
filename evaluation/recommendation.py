"""Promote the candidate, keep the champion, or let an edit of the knowledge pass, and why: a pure function of gates and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluation.comparison import Difference
from evaluation.gates import GateResult, Verdict, overall

PRIZES = ("coverage", "faq_top1")
"""Metrics of which at least one must surely rise before customers get another model."""


_SHORT = frozenset({Verdict.FAILED, Verdict.UNDECIDED})


class Advice(StrEnum):
    """What to do with the candidate."""

    PROMOTE = "promote"
    KEEP = "keep"
    NO_WORSE = "no worse"
    """Of knowledge that was edited: nothing speaks against it, and nobody asks an edit to raise a figure."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The advice and every reason for it."""

    advice: Advice
    reasons: tuple[str, ...]


def recommend(
    *,
    champion: Sequence[GateResult],
    candidate: Sequence[GateResult],
    differences: Mapping[str, Difference],
    further: Sequence[Difference] = (),
    only_knowledge: bool = False,
) -> Recommendation:
    """Promote a candidate that passes the gates, surely loses nothing, and surely wins a prize or alone passes.

    "Surely" means that the whole 95 % interval of the difference is on that side. ``differences`` are those of all
    messages together, by metric; ``further`` ones, of robustness and conversations, may stand against it and win no prize.
    With ``only_knowledge`` both answer with the same bundle and the knowledge of the candidate was edited: it need win no prize.
    """
    losses = [difference for difference in (*differences.values(), *further) if difference.is_loss]
    objections = [*_gate_objections(candidate), *(f"worse: {describe(loss)}" for loss in losses)]
    gains = [f"better: {describe(differences[name])}" for name in PRIZES if differences[name].is_gain]
    if overall(champion) is not Verdict.PASSED and overall(candidate) is Verdict.PASSED:
        gains.append(f"only the candidate passes the gates; the champion: {_short_of(champion)}")
    if objections:
        return Recommendation(Advice.KEEP, tuple(objections))
    if gains:
        return Recommendation(Advice.PROMOTE, ("the candidate passes the gates and no figure is surely worse", *gains))
    if only_knowledge:
        alone = "only the knowledge differs; the candidate passes the gates and no figure is surely worse"
        return Recommendation(Advice.NO_WORSE, (alone,))
    unsure = "; ".join(describe(differences[name]) for name in PRIZES)
    return Recommendation(Advice.KEEP, (f"neither coverage nor top-1 is surely better: {unsure}",))


def describe(difference: Difference) -> str:
    """``coverage 0.800 -> 0.850, +0.050 [+0.010, +0.090]``, or what is missing."""
    if difference.value is None or difference.interval is None:
        return f"{difference.metric} could not be measured"
    low, high = difference.interval.low, difference.interval.high
    return (
        f"{difference.metric} {difference.champion:.3f} -> {difference.candidate:.3f}, "
        f"{_signed(difference.value)} [{_signed(low)}, {_signed(high)}]"
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _gate_objections(results: Sequence[GateResult]) -> list[str]:
    return [f"the candidate {_verdict(result)}" for result in results if result.verdict in _SHORT]


def _short_of(results: Sequence[GateResult]) -> str:
    return "; ".join(_verdict(result) for result in results if result.verdict in _SHORT)


def _verdict(result: GateResult) -> str:
    verb = "failed" if result.verdict is Verdict.FAILED else "could not be held against"
    return f"{verb} {result.gate}: {result.detail}"
