"""Would further views of sentiment beside the encoder's head help? ``python -m training.sentiment_study --help``.

Views are fused as a logarithmic opinion pool (Genest and Zidek 1986): a weight a view and a bias a class, and slopes for features
that are no view. The weights are fitted to calibration rows, which no view saw, and every such row is judged by weights fitted to
the other folds; the selection rows, which chose the epoch by matches alone, by weights fitted to all calibration rows. The head
alone is what is served. What the encoder makes of the rows is kept under ``parts`` beside the report, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from training.anger import promise_anger
from training.calibrate import fit_alertness
from training.examples import IGNORED, SENTIMENTS, Example, read_examples, write_json
from training.params import CalibrateParams, LinearParams, load_params
from yingda.bundle import file_digest
from yingda.domain.knowledge import DISPLEASED, Sentiment
from yingda.probability import softmax
from yingda.runtime import EncoderSession
from yingda.text.tokenizer import MessageTokenizer
from yingda.understand.linear import grams
from yingda.understand.sentiment import choose

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

RECALLS = (0.92, 0.95)
"""Shares of displeased rows to be called so that are tried besides the parameter's."""
STRENGTH = 8.0
"""Inverse regularisation C of the n-gram view of sentiment."""
EVERY = 8
"""The head on the embedding is fitted to every so many-th training row: they are many for the few hundred numbers of it."""
RESAMPLES = 1000
SEED = 1993

_HELD_TO_START, _HELD_TO_ZERO = 1e-3, 1e-2
_EMBEDDING_SCALE = 3.0
_BINS = 15
_DIGITS = 4
_CLASSES = len(SENTIMENTS)
_ANGRY = SENTIMENTS.index(Sentiment.ANGRY)
_DISPLEASED = np.asarray([label in DISPLEASED for label in SENTIMENTS])


@dataclass(frozen=True)
class Evidence:
    """What is known of N rows: logits [V, N, S] of V views, and features [N, K] that are no view."""

    views: Floats
    features: Floats

    def take(self, rows: NDArray[Any]) -> Evidence:
        """The evidence about some rows."""
        return Evidence(self.views[:, rows], self.features[rows])


@dataclass(frozen=True)
class Stack:
    """A weight a view [V], a bias a class [S], slopes of the features [K, S]."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    slopes: NDArray[np.float64]

    def logits(self, evidence: Evidence) -> Floats:
        """Fused logits [N, S]."""
        return np.asarray(np.tensordot(self.weights, evidence.views, 1) + self.bias + evidence.features @ self.slopes, np.float32)


@dataclass(frozen=True)
class Judged:
    """Fused logits [N, S] of rows and the number of the label of each [N]."""

    logits: Floats
    label: Places


def fit_stack(evidence: Evidence, wanted: Places) -> Stack:
    """The stack that minimises the negative log likelihood; the first view starts at 0.7, slopes are held to nothing."""
    views, rows = len(evidence.views), np.arange(len(wanted))
    start = np.zeros(views + _CLASSES - 1 + evidence.features.shape[1] * _CLASSES)
    start[0] = 0.7

    def stack(values: NDArray[np.float64]) -> Stack:
        bias = np.concatenate([[0.0], values[views : views + _CLASSES - 1]])
        return Stack(values[:views], bias, values[views + _CLASSES - 1 :].reshape(-1, _CLASSES))

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        tried = stack(values)
        logits = np.tensordot(tried.weights, evidence.views, 1) + tried.bias + evidence.features @ tried.slopes
        shifted = logits - logits.max(1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        off = np.exp(log_p)
        off[rows, wanted] -= 1
        off /= len(rows)
        away = tried.weights - start[:views]
        cost = -log_p[rows, wanted].mean() + _HELD_TO_START * (away**2).sum() + _HELD_TO_ZERO * (tried.slopes**2).sum()
        slopes = evidence.features.T @ off + 2 * _HELD_TO_ZERO * tried.slopes
        weights = (evidence.views * off).sum((1, 2)) + 2 * _HELD_TO_START * away
        return float(cost), np.concatenate([weights, off.sum(0)[1:], slopes.ravel()])

    return stack(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x)


def judge(train: Evidence, wanted: Places, other: Evidence, *, recall: float) -> Judged:
    """``other`` rows by a stack and an alertness fitted to ``train`` rows of labels ``wanted``."""
    stack = fit_stack(train, wanted)
    logits = stack.logits(other)
    return Judged(logits, choose(logits, SENTIMENTS, fit_alertness(stack.logits(train), wanted, recall=recall)))


def cross_fitted(evidence: Evidence, wanted: Places, *, folds: int, recall: float) -> Judged:
    """Every row by what was fitted to the other folds."""
    fold = np.arange(len(wanted)) % folds
    found = Judged(np.zeros((len(wanted), _CLASSES), np.float32), np.zeros(len(wanted), np.intp))
    for number in range(folds):
        inside = fold == number
        one = judge(evidence.take(~inside), wanted[~inside], evidence.take(inside), recall=recall)
        found.logits[inside], found.label[inside] = one.logits, one.label
    return found


def figures(found: Judged, wanted: Places, params: CalibrateParams) -> dict[str, float]:
    """Quality of ``found``; precision and recall of anger are at the threshold that these rows promise."""
    probabilities, called = softmax(found.logits), found.label == _ANGRY
    angry = wanted == _ANGRY
    promise = promise_anger(probabilities[called, _ANGRY], angry[called], budget=params.anger_budget, assurance=params.assurance)
    handed = called & (probabilities[:, _ANGRY] >= promise.threshold)
    displeased = _DISPLEASED[wanted]
    values = {
        "macro_f1": f1_score(wanted, found.label, average="macro", labels=range(_CLASSES), zero_division=0.0),
        "displeased_recall": _mean(_DISPLEASED[found.label][displeased]),
        "calm_left_calm": _mean(~_DISPLEASED[found.label][~displeased]),
        "anger_precision": _mean(angry[handed]),
        "anger_recall": _mean(handed[angry]),
        "ece": calibration_error(probabilities[np.arange(len(wanted)), found.label], found.label == wanted),
        "log_loss": float(-np.log(probabilities[np.arange(len(wanted)), wanted] + 1e-9).mean()),
    }
    return {name: round(float(value), _DIGITS) for name, value in values.items()}


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equal mass."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), _BINS)
    return float(sum(abs(right[rows].mean() - confidence[rows].mean()) * len(rows) for rows in bins if len(rows)) / len(right))


def gain(before: Judged, after: Judged, wanted: Places) -> list[float]:
    """The middle 95 % of what ``after`` gains in macro-F1 on paired resamples (Efron and Tibshirani 1993)."""
    generator, gains = np.random.default_rng(SEED), []
    for _ in range(RESAMPLES):
        rows = generator.integers(len(wanted), size=len(wanted))
        gains.append(_macro_f1(wanted[rows], after.label[rows]) - _macro_f1(wanted[rows], before.label[rows]))
    return [round(float(value), _DIGITS) for value in np.quantile(gains, [0.025, 0.975])]


def _macro_f1(wanted: Places, label: Places) -> float:
    """Mean F1 of all classes; one that neither occurs nor is named has 0."""
    counts = np.bincount(wanted * _CLASSES + label, minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)
    return float((2 * counts.diagonal() / np.maximum(counts.sum(0) + counts.sum(1), 1)).mean())


def _mean(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0


def marks(texts: Sequence[str]) -> Floats:
    """Features [N, 6] of punctuation and length of normalised ``texts``, in which a mark stands twice in a row at most."""
    kinds = (("!",), ("!!",), ("?",), ("??", "?!", "!?"), ("。。", "..", "…"))
    shouted = [[any(mark in text for mark in kind) for kind in kinds] for text in texts]
    length = np.log1p([[len(text)] for text in texts]) / 3
    return np.hstack([np.asarray(shouted, np.float32), length]).astype(np.float32)


def ngram_logits(fit: Sequence[Example], others: Sequence[str], linear: Path, params: LinearParams) -> Floats:
    """Logits [N, S] of ``others`` by character n-grams of the n-gram view's own vocabulary in the folder ``linear``."""
    vocabulary = json.loads((linear / "linear.json").read_text("utf-8"))["grams"]

    def analyse(text: str) -> list[str]:
        return list(grams(text, longest=params.longest_gram).elements())

    vectoriser = TfidfVectorizer(analyzer=analyse, vocabulary=vocabulary, sublinear_tf=True, dtype=np.float32)
    model = LogisticRegression(C=STRENGTH, max_iter=params.iterations, tol=params.tolerance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early regularises, as in training.linear
        model.fit(vectoriser.fit_transform([row.text for row in fit]), [row.sentiment for row in fit])
    return _all_classes(model, model.decision_function(vectoriser.transform(others)))


def embedding_logits(embeddings: Floats, fit: Sequence[Example], others: Floats) -> Floats:
    """Logits [N, S] of ``others`` [N, D] by a logistic regression on the embeddings [M, D] of the ``fit`` rows."""
    model = LogisticRegression(C=1.0, max_iter=300).fit(embeddings, [row.sentiment for row in fit])
    return _all_classes(model, model.decision_function(others))


def _all_classes(model: LogisticRegression, logits: NDArray[Any]) -> Floats:
    """Logits [N, S]; a class that the rows lack is as unlikely as the least likely one."""
    if logits.ndim == 1:  # for two classes scikit-learn tells the difference alone
        logits = np.stack([-logits, logits], 1) / 2
    found = np.repeat(logits.min(1, keepdims=True), _CLASSES, axis=1).astype(np.float32)
    found[:, model.classes_] = logits
    return found


def encode(texts: Sequence[str], encoder: Path, base: Path, kept: Path, *, max_tokens: int) -> dict[str, Floats]:
    """``embedding`` [N, D] and ``sentiment`` logits [N, S] of normalised ``texts``, taken from ``kept`` where they are there."""
    mark = sha256("\n".join([file_digest(encoder), file_digest(base / "tokenizer.json"), *texts]).encode()).hexdigest()[:16]
    path = kept / f"sentiment-{mark}.safetensors"
    if not path.is_file():
        found = EncoderSession(encoder).run(MessageTokenizer(base / "tokenizer.json", max_tokens=max_tokens).encode(texts))
        kept.mkdir(parents=True, exist_ok=True)
        save_file({"embedding": found.embedding, "sentiment": found.sentiment}, path)
    return load_file(path)


def candidates(head: Floats, ngrams: Floats, learned: Floats, embedding: Floats, texts: Sequence[str]) -> dict[str, Evidence]:
    """The evidence of every way that is compared, by its name; the first is what is served."""
    nothing, marked = np.zeros((len(head), 0), np.float32), marks(texts)
    alone = Evidence(head[None], nothing)
    both = Evidence(np.stack([head, ngrams]), nothing)
    return {
        "head": alone,
        "head, n-grams": both,
        "head, embedding by training rows": Evidence(np.stack([head, learned]), nothing),
        "head, n-grams, embedding by training rows": Evidence(np.stack([head, ngrams, learned]), nothing),
        "head, embedding by calibration rows": replace(alone, features=embedding * _EMBEDDING_SCALE),
        "head, marks": replace(alone, features=marked),
        "head, n-grams, marks": replace(both, features=marked),
    }


def compare(
    calibrate: dict[str, Evidence], wanted: Places, select: dict[str, Evidence], selected: Places, params: CalibrateParams
) -> Iterator[dict[str, Any]]:
    """A row a way, wanted recall and part; calibration rows cross-fitted, selection rows by what all calibration rows say."""
    served = next(iter(calibrate))
    for recall in (params.displeased_recall, *RECALLS):
        chosen = calibrate if recall == params.displeased_recall else dict(list(calibrate.items())[:2])
        folded = {name: cross_fitted(one, wanted, folds=params.folds, recall=recall) for name, one in chosen.items()}
        carried = {name: judge(calibrate[name], wanted, select[name], recall=recall) for name in chosen}
        for part, found, labels in (("calibrate", folded, wanted), ("select", carried, selected)):
            for name, one in found.items():
                facts = {"views": name, "wanted_recall": recall, "judged_on": part, "rows": len(labels)}
                yield {**facts, **figures(one, labels, params), "macro_f1_gain": gain(found[served], one, labels)}


def study(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of the report."""
    params = load_params()
    parts = {name: [row for row in read_examples(args.data / f"{name}.jsonl") if row.sentiment != IGNORED] for name in _PARTS}
    judged, some = ("calibrate", "select"), parts["fit"][::EVERY]
    texts = {name: [row.text for row in rows] for name, rows in {**parts, "fit": some}.items()}
    kept, tokens = args.target.parent / "parts", params.train.max_tokens
    encoded = {name: encode(each, args.export / "encoder.onnx", args.base, kept, max_tokens=tokens) for name, each in texts.items()}
    ngrams = ngram_logits(parts["fit"], [text for name in judged for text in texts[name]], args.linear, params.linear)
    learned = embedding_logits(encoded["fit"]["embedding"], some, np.concatenate([encoded[name]["embedding"] for name in judged]))
    cut = len(parts["calibrate"])
    evidence = [
        candidates(encoded[name]["sentiment"], ngrams[rows], learned[rows], encoded[name]["embedding"], texts[name])
        for name, rows in zip(judged, (slice(cut), slice(cut, None)), strict=True)
    ]
    wanted, selected = (np.asarray([row.sentiment for row in parts[name]]) for name in judged)
    return list(compare(evidence[0], wanted, evidence[1], selected, params.calibrate))


_PARTS = ("fit", "calibrate", "select")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.sentiment_study", description=__doc__)
    for name, folder in (("data", "data/processed"), ("base", "models/base"), ("export", "models/export"), ("linear", "models/linear")):
        parser.add_argument(f"--{name}", type=Path, default=Path(folder))
    parser.add_argument("--target", type=Path, default=Path("models/studies/sentiment.json"))
    args = parser.parse_args(argv)
    write_json(args.target, study(args))


if __name__ == "__main__":
    main()
