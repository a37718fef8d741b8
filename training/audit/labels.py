"""Likely label errors by confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068), through cleanlab."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from training.audit.crossfit import CrossFit
from training.audit.opinions import Opinion
from training.audit.rows import AuditRow
from yingda.retrieve.space import NONE_PREFIX


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that the other messages speak against.

    ``quality`` in [0, 1] is low where the label fits badly; ``engine`` is the engine's label for a row it had not
    seen, else None.
    """

    row: int
    given: str
    suggested: str
    quality: float
    engine: str | None


def find_suspects(rows: Sequence[AuditRow], fit: CrossFit, intent_of: Mapping[str, str], opinions: Mapping[int, Opinion]) -> list[Suspect]:
    """Suspect labels, worst first: match classes where they are known, intents where only those are.

    ``intent_of`` has the intent of every entry; ``opinions`` what the engine makes of rows it had not seen.
    """
    return sorted(
        [*_by_class(rows, fit, opinions), *_by_intent(rows, fit, intent_of, opinions)], key=lambda suspect: (suspect.quality, suspect.row)
    )


def forgiving(rows: Sequence[AuditRow], fit: CrossFit) -> NDArray[np.float32]:
    """The probabilities of ``fit`` with those of further right entries (``also``) given to the label itself."""
    probabilities, column = fit.probabilities.copy(), fit.number()
    for number, row in enumerate(rows):
        right = [column[name] for name in row.also if name in column and name != row.label]
        if row.label is not None and right:
            probabilities[number, column[row.label]] += probabilities[number, right].sum()
            probabilities[number, right] = 0.0
    return probabilities


def quality(labels: NDArray[np.int_], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Label quality [N] in [0, 1]: half of one plus the margin by which the label leads (or trails) the best other class."""
    return np.asarray(get_label_quality_scores(labels, probabilities, method="normalized_margin"), np.float64)


def _by_class(rows: Sequence[AuditRow], fit: CrossFit, opinions: Mapping[int, Opinion]) -> list[Suspect]:
    known = np.asarray([number for number, row in enumerate(rows) if row.label is not None], np.intp)
    column = fit.number()
    labels = np.asarray([column[str(rows[number].label)] for number in known])
    probabilities = forgiving(rows, fit)[known]
    scores = _with_engine(quality(labels, probabilities), [_engine_quality(rows[n], opinions.get(int(n))) for n in known])
    said = [opinion.label if (opinion := opinions.get(int(number))) else None for number in known]
    right = [{rows[number].label, *rows[number].also} for number in known]
    return _suspects(known, labels, probabilities, fit.classes, scores, said, right)


def _by_intent(rows: Sequence[AuditRow], fit: CrossFit, intent_of: Mapping[str, str], opinions: Mapping[int, Opinion]) -> list[Suspect]:
    known = np.asarray([number for number, row in enumerate(rows) if row.label is None and row.intent is not None], np.intp)
    if not len(known):
        return []
    codes = [intent_of.get(name, name.removeprefix(NONE_PREFIX)) for name in fit.classes]
    intents = tuple(sorted({*codes, *(str(rows[number].intent) for number in known)}))
    column = {code: number for number, code in enumerate(intents)}
    summed = np.zeros((len(known), len(intents)), np.float32)
    np.add.at(summed.T, [column[code] for code in codes], fit.probabilities[known].T)
    labels = np.asarray([column[str(rows[number].intent)] for number in known])
    said = [opinion.intent if (opinion := opinions.get(int(number))) else None for number in known]
    right = [{rows[number].intent, *(intent_of.get(entry) for entry in rows[number].also)} for number in known]
    return _suspects(known, labels, summed, intents, quality(labels, summed), said, right)


def _suspects(
    known: NDArray[np.intp],
    labels: NDArray[np.int_],
    probabilities: NDArray[np.float32],
    names: Sequence[str],
    scores: NDArray[np.float64],
    said: Sequence[str | None],
    right: Sequence[set[str | None]],
) -> list[Suspect]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes with few rows are expected, and judged with care by cleanlab itself
        issues = find_label_issues(labels, probabilities, filter_by="both", n_jobs=1)
    best = probabilities.argmax(1)
    return [
        Suspect(int(known[n]), names[labels[n]], names[best[n]], round(float(scores[n]), 4), said[n])
        for n in map(int, np.flatnonzero(issues))
        # where the engine, asked on its own, stands by the label, two opinions outweigh one
        if names[best[n]] not in right[n] and (said[n] is None or said[n] not in right[n])
    ]


def _engine_quality(row: AuditRow, opinion: Opinion | None) -> float:
    """The same margin from the engine's confidences; NaN where it was not asked."""
    if opinion is None:
        return float("nan")
    accepted = {row.label, *row.also}
    own = max((chance for name, chance in opinion.chances.items() if name in accepted), default=0.0)
    other = max((chance for name, chance in opinion.chances.items() if name not in accepted), default=0.0)
    return (own - other + 1) / 2


def _with_engine(scores: NDArray[np.float64], second: Sequence[float]) -> NDArray[np.float64]:
    return np.asarray(np.nanmean(np.stack([scores, np.asarray(second, np.float64)]), axis=0), np.float64)
