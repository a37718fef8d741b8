"""Out-of-fold probabilities of a quick text model: what the other messages say about each message's label.

The model is a one-against-rest logistic regression on TF-IDF of character 1- to 3-grams, trained by averaged
stochastic gradient descent (Bottou 2010, "Large-Scale Machine Learning with Stochastic Gradient Descent"). It is
weaker than the engine, but no message helps to judge itself, which the engine cannot say of its training rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedGroupKFold

from training.audit.rows import AuditRow
from yingda.understand.linear import grams

LONGEST_GRAM = 3
_STRENGTH = 3e-6
"""L2 penalty; of 1e-6 to 1e-4 it gave the most right out-of-fold labels on the retail pack."""
_PASSES, _STEPS = 3, 30_000
"""Passes over the rows of a fold, and steps at least: few rows need more passes until the weights have settled."""
_LEAST = 1e-9


@dataclass(frozen=True)
class Effort:
    """How much work the audit puts in: folds of the cross-validation, and log rows the engine reads."""

    folds: int
    engine_rows: int


THOROUGH, QUICK = Effort(folds=5, engine_rows=20_000), Effort(folds=3, engine_rows=500)


@dataclass(frozen=True)
class CrossFit:
    """``probabilities`` [N, C] of each row by a model that did not see its group; columns follow ``classes``."""

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def number(self) -> dict[str, int]:
        """Column of each class."""
        return {name: column for column, name in enumerate(self.classes)}


def text_features(texts: Sequence[str]) -> csr_matrix:
    """TF-IDF rows of unit length [N, grams] of normalised ``texts``; a gram that stands in one text alone is left out."""

    def analyse(text: str) -> list[str]:
        return list(grams(text, longest=LONGEST_GRAM).elements())

    vectoriser = TfidfVectorizer(analyzer=analyse, min_df=2, sublinear_tf=True, dtype=np.float32)
    return csr_matrix(vectoriser.fit_transform(texts))


def cross_fit(
    rows: Sequence[AuditRow],
    features: csr_matrix,
    groups: NDArray[np.int32],
    wordings: Mapping[str, csr_matrix],
    *,
    effort: Effort,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> CrossFit:
    """Probabilities of every row; near-duplicates (one number in ``groups``) are never split between folds.

    Rows without a label are judged but teach nothing. ``wordings`` are the features of each entry's own texts: they
    teach in every fold, so that an entry with few messages is known everywhere. ``tick`` is called after each fold.
    """
    known = [row.label for row in rows if row.label is not None]
    classes = tuple(sorted({*known, *wordings}))
    column = {name: number for number, name in enumerate(classes)}
    labels = np.asarray([-1 if row.label is None else column[row.label] for row in rows], np.intp)
    owners = [column[name] for name, part in wordings.items() for _ in range(part.shape[0])]
    own = _stacked(wordings.values(), features.shape[1])
    found = np.zeros((len(rows), len(classes)), np.float32)
    for teach, judge in _folds(labels, groups, folds=effort.folds, seed=seed):
        teach = teach[labels[teach] >= 0]
        passes = max(_PASSES, -(-_STEPS // len(teach)))
        model = SGDClassifier(loss="log_loss", alpha=_STRENGTH, average=True, max_iter=passes, tol=None, random_state=seed)
        model.fit(_stacked([features[teach], own], features.shape[1]), np.concatenate([labels[teach], np.asarray(owners, np.intp)]))
        found[np.ix_(judge, model.classes_)] = model.predict_proba(features[judge])
        tick()
    return CrossFit(classes, _sharpened(found, labels))


def _stacked(parts: Iterable[csr_matrix], width: int) -> csr_matrix:
    listed = list(parts)
    return csr_matrix(vstack(listed)) if listed else csr_matrix(np.zeros((0, width), np.float32))


def _folds(
    labels: NDArray[np.int_], groups: NDArray[np.int32], *, folds: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # a class with fewer rows than folds is absent from some of them: expected, the entries' wordings stand in
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(dealer.split(np.zeros(len(labels)), labels, groups))


def _sharpened(found: NDArray[np.float32], labels: NDArray[np.int_]) -> NDArray[np.float32]:
    """Probabilities to the power that fits the labels best: one-against-rest scores spread too thin over many classes.

    It is one number for all rows, so no row's own label speaks through it (Guo et al. 2017, arXiv:1706.04599).
    """
    logs = np.log(np.maximum(found, _LEAST))
    known = np.flatnonzero(labels >= 0)

    def powered(power: float, rows: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        raised = power * logs[rows]
        raised = np.exp(raised - raised.max(1, keepdims=True))
        return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)

    def loss(power: float) -> float:
        chance = powered(power, known)[np.arange(len(known)), labels[known]]
        return float(-np.log(np.maximum(chance, _LEAST)).mean())

    best = minimize_scalar(loss, bounds=(0.5, 4.0), method="bounded", options={"xatol": 0.02})
    return powered(float(best.x), slice(None))
