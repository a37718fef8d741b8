"""The robustness of an engine, as one examination for report and gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.examination import SHOWN, Examination, Example
from evaluation.metrics import Measure, share
from evaluation.outcomes import Answerer
from evaluation.robustness import trials
from evaluation.robustness.cases import Case
from evaluation.robustness.fate import Failure, Fate, Tally
from evaluation.robustness.invariance import Invariance, as_failure, draw, examine_invariance, invariance_workload
from evaluation.robustness.metrics import NAME
from evaluation.robustness.page import in_turn, write_page
from evaluation.robustness.perturbations import SEED
from evaluation.robustness.trials import Trial, try_cases
from evaluation.rows import Row
from yingda.domain.knowledge import Taxonomy

_DIGITS = 6  # finer differences are rounding of the runtime, not of the model


@dataclass(frozen=True, slots=True)
class Asked:
    """What an engine made of perturbed messages and of written cases."""

    invariance: Invariance
    tried: tuple[Trial, ...]


def examine_robustness(engine: Answerer, rows: Sequence[Row], cases: Sequence[Case], *, tick: Callable[[], None]) -> Examination:
    """How ``engine`` bears small changes of ``rows``, and whether it does what ``cases`` expect; as ``ask`` and ``judge_asked``."""
    return judge_asked(ask(engine, rows, cases, tick=tick))


def ask(engine: Answerer, rows: Sequence[Row], cases: Sequence[Case], *, tick: Callable[[], None]) -> Asked:
    """Ask ``engine`` small changes of ``rows``, and ``cases``; the same each time.

    What is told of them quotes the messages, so ``rows`` must be public: a pack's own test messages. ``tick`` is called as
    often as ``workload`` says.
    """
    return Asked(examine_invariance(engine, draw(rows, engine.knowledge.taxonomy), tick=tick), try_cases(engine, cases, tick=tick))


def judge_asked(asked: Asked) -> Examination:
    """The examination of what was ``asked``."""
    invariance, tried = asked.invariance, asked.tried
    page = write_page(invariance, tried)
    return Examination(NAME, _measures(invariance, tried), _facts(invariance, tried), page, examples=_examples(invariance, tried))


def workload(rows: Sequence[Row], cases: Sequence[Case], taxonomy: Taxonomy) -> int:
    """Calls of ``tick`` that an examination takes, for a progress bar."""
    return invariance_workload(draw(rows, taxonomy)) + sum(len(case.texts) for case in cases)


def _measures(invariance: Invariance, tried: Sequence[Trial]) -> Mapping[str, Measure]:
    fates = invariance.fates()
    pairs = [trial for trial in tried if trial.case.is_directional]
    single = [trial.fate is Fate.RIGHT for trial in tried if not trial.case.is_directional]
    return {
        "invariance": share([fate is not Fate.WRONG for fate in fates]),
        "invariance_kept": share([fate is Fate.RIGHT for fate in fates]),
        "least_kept": share([test.fate is Fate.RIGHT for test in invariance.least_kept()]),
        "story_kept": share([test.fate is Fate.RIGHT for test in invariance.stories()]),
        "invariance_all": invariance.unmisled(),
        "best_kept": invariance.best_kept(),
        "directional": share([trial.fate is Fate.RIGHT for trial in pairs]),
        "directional_heard": share([trial.fate is Fate.RIGHT for trial in pairs if trial.heard]),
        "minimum_function": share(single),
        "written_wrong": share([trial.fate is Fate.WRONG for trial in tried]),
    }


def _examples(invariance: Invariance, tried: Sequence[Trial]) -> Mapping[str, tuple[Example, ...]]:
    failed = trials.failures(tried)
    pairs = {trial.case.id for trial in tried if trial.case.is_directional}
    accepted = [test for test in invariance.accepted if test.fate is not Fate.RIGHT]
    against = {
        "invariance": [as_failure(test) for test in accepted if test.fate is Fate.WRONG],
        "invariance_kept": [as_failure(test) for test in accepted],
        "least_kept": [as_failure(test) for test in invariance.least_kept() if test.fate is not Fate.RIGHT],
        "story_kept": [as_failure(test) for test in invariance.stories() if test.fate is not Fate.RIGHT],
        "invariance_all": [as_failure(test) for test in invariance.tests if test.fate is Fate.WRONG],
        "best_kept": [as_failure(test) for test in invariance.tests if not test.after.best_right],
        "directional": [failure for failure in failed if failure.name in pairs],
        "directional_heard": [failure for failure in failed if failure.name in pairs],
        "minimum_function": [failure for failure in failed if failure.name not in pairs],
        "written_wrong": [failure for failure in failed if failure.fate is Fate.WRONG],
    }
    return {metric: tuple(_example(failure) for failure in in_turn(found)[:SHOWN]) for metric, found in against.items()}


def _example(failure: Failure) -> Example:
    return Example(failure.name, failure.after, f"{failure.kind}, {failure.expected} expected: {failure.came}")


def _facts(invariance: Invariance, tried: Sequence[Trial]) -> Mapping[str, Any]:
    return {
        "invariance": {
            "seed": SEED,
            "drawn": invariance.drawn,
            "perturbed": invariance.perturbed,
            "best_right": invariance.best_right_before,
            "perturbations": [_perturbation(found, invariance) for found in invariance.tallies()],
            "failures": [_told(failure) for failure in invariance.failures()],
        },
        "cases": {
            "kinds": [_counted(found) for found in trials.tallies(tried)],
            "failures": [_told(failure) for failure in trials.failures(tried)],
        },
    }


def _counted(found: Tally) -> dict[str, Any]:
    shares = {fate.value: _interval(measure) for fate, measure in found.shares.items()}
    return {"kind": found.kind, "tests": found.tests, **shares}


def _perturbation(found: Tally, invariance: Invariance) -> dict[str, Any]:
    whole = {"invariance_all": invariance.unmisled(found.kind), "best_kept": invariance.best_kept(found.kind)}
    shares = {"best_right": invariance.best_right(found.kind), **whole}
    return {**_counted(found), **{name: _interval(measure) for name, measure in shares.items()}}


def _interval(measure: Measure) -> dict[str, float | None]:
    fields = {"value": measure.value, "low": measure.low, "high": measure.high}
    return {name: None if value is None else round(value, _DIGITS) for name, value in fields.items()}


def _told(failure: Failure) -> dict[str, Any]:
    return {**asdict(failure), "fate": failure.fate.value}
