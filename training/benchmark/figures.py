"""What is reported of judged rows: accuracy, calibration, out-of-scope, matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, spearmanr
from sklearn.metrics import f1_score, roc_auc_score

from training.calibrate import traffic_weights

Figures = dict[str, float]
_BINS = 15


@dataclass(frozen=True)
class Outcome:
    """N judged rows: wanted and predicted class number, confidence of the prediction, and what each view says alone."""

    wanted: list[int]
    predicted: list[int]
    confidence: list[float]
    encoder: list[int]
    ngrams: list[int]

    @property
    def right(self) -> NDArray[np.bool_]:
        """[N], whether the prediction is wanted."""
        return np.equal(self.predicted, self.wanted)


def pooled(outcomes: Sequence[Outcome]) -> Outcome:
    """The rows of all folds."""
    names = ("wanted", "predicted", "confidence", "encoder", "ngrams")
    return Outcome(*([value for outcome in outcomes for value in getattr(outcome, name)] for name in names))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 bins of equal mass; rows of equal confidence share their mean accuracy.

    M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015. The report of
    ``evaluation`` defines it so, too.
    """
    _, level, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    shared = (np.bincount(level, weights=right) / counts)[level]
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, min(_BINS, len(order)))
    return float(sum(abs((confidence[b] - shared[b]).sum()) for b in bins) / len(order))


def share(right: NDArray[np.bool_], name: str) -> Figures:
    """The share of right rows and its 95 % Wilson interval, as ``name``, ``name_low`` and ``name_high``."""
    found = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {name: _round(right.mean()), f"{name}_low": _round(found.low), f"{name}_high": _round(found.high)}


def class_figures(outcome: Outcome) -> Figures:
    """Accuracy, macro-F1 over the labels that occur, calibration error, and each view alone."""
    wanted = np.asarray(outcome.wanted)
    labels = np.unique(wanted).tolist()
    return {
        **share(outcome.right, "accuracy"),
        "macro_f1": _round(f1_score(wanted, outcome.predicted, labels=labels, average="macro", zero_division=0)),
        "ece": _round(calibration_error(np.asarray(outcome.confidence), outcome.right)),
        "accuracy_encoder_alone": _round(np.mean(np.asarray(outcome.encoder) == wanted)),
        "accuracy_ngrams_alone": _round(np.mean(np.asarray(outcome.ngrams) == wanted)),
    }


def choose_threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """The confidence under which a row is called out of scope, at which most weight is right; halfway between two rows.

    ``right`` [N] says for a row of a class whether the best class is it, and is False for a row out of scope. ``weights``
    [N] are positive for rows of a class and negative for rows out of scope: each is the price of a mistake.
    """
    order = np.argsort(confidence, kind="stable")
    gains = np.where(weights < 0, -weights, np.where(right, -weights, 0.0))[order]
    # after the k lowest rows are called out of scope; only borders between unequal confidences can be drawn
    total, ranked = np.concatenate([[0.0], np.cumsum(gains)]), confidence[order]
    borders = np.flatnonzero(np.concatenate([[True], np.diff(ranked) > 0, [True]]))
    best = int(borders[np.argmax(total[borders])])
    if best == len(ranked):
        return float(np.nextafter(ranked[-1], np.inf))
    return float((ranked[best - 1] + ranked[best]) / 2 if best else ranked[0])


def scope_figures(dev: Outcome, test: Outcome, outside: int, unanswerable_share: float) -> Figures:
    """Figures of a set with out-of-scope rows, which have the class number ``outside``.

    A row under the threshold is called out of scope. The threshold is the one that is right most often on ``dev`` when
    ``unanswerable_share`` of the traffic is out of scope; ``…_by_dev_accuracy`` is the usual choice, by the share on dev.
    """
    confidence, stranger = np.asarray(test.confidence), np.asarray(test.wanted) == outside
    known = np.asarray(dev.wanted) != outside
    sign = np.where(known, 1.0, -1.0)
    ours = choose_threshold(np.asarray(dev.confidence), dev.right, sign * traffic_weights(known, unanswerable_share))
    usual = choose_threshold(np.asarray(dev.confidence), dev.right, sign)
    found: Figures = {}
    for suffix, threshold in (("", ours), ("_by_dev_accuracy", usual)):
        kept = confidence >= threshold
        found |= share((test.right & kept)[~stranger], f"in_scope_accuracy{suffix}")
        found |= share(~kept[stranger], f"out_of_scope_recall{suffix}")
        found[f"threshold{suffix}"] = _round(threshold)
    return {
        **found,
        "auroc": _round(roc_auc_score(stranger, -confidence)),
        "in_scope_accuracy_without_threshold": _round(test.right[~stranger].mean()),
        "ece": _round(calibration_error(confidence, test.right)),
        "accuracy_encoder_alone": _round(np.mean(np.asarray(test.encoder)[~stranger] == np.asarray(test.wanted)[~stranger])),
        "accuracy_ngrams_alone": _round(np.mean(np.asarray(test.ngrams)[~stranger] == np.asarray(test.wanted)[~stranger])),
    }


def cosine_threshold(cosine: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The cosine from which most pairs are rightly called the same."""
    return choose_threshold(cosine, same, np.where(same, 1.0, -1.0))


def pair_figures(cosine: NDArray[np.float64], same: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float) -> Figures:
    """Figures of pairs called the same from ``threshold`` on; ``probability`` is that of being the same."""
    called = cosine >= threshold
    confidence = np.where(called, probability, 1.0 - probability)
    return {
        **share(called == same, "accuracy"),
        "f1": _round(f1_score(same, called, zero_division=0)),
        "auroc": _round(roc_auc_score(same, cosine)),
        "spearman": _round(float(np.asarray(spearmanr(cosine, same).statistic))),
        "ece": _round(calibration_error(confidence, called == same)),
        "threshold": _round(threshold),
    }


def _round(value: float) -> float:
    return round(float(value), 4)
