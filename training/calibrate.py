"""Fit everything that turns scores into probabilities and promises: ``python -m training.calibrate …``.

Runs the files that will be served (int8 graph, n-gram view, FAQ index) over the calibration rows, which neither
model saw, and fits in order: fusion of the views, intent posterior, sentiment temperature, confidence of the
best match, and the thresholds that keep the error budget. Every score comes from the engine's own functions.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from training.anger import promise_anger
from training.examples import IGNORED, SENTIMENTS, Classes, Example, read_classes, read_examples, write_json
from training.params import CalibrateParams, load_params
from training.promise import Promise, find_threshold
from yingda.decide.framing import framing_of
from yingda.domain.knowledge import DISPLEASED, Sentiment
from yingda.engine import Calibration, Encoder, gather_views, judge_views
from yingda.pack import read_knowledge
from yingda.probability import log_softmax
from yingda.retrieve.fusion import FEATURES, ConfidenceModel, FusionWeights, Views, features, fuse
from yingda.retrieve.index import FaqIndex, build_index
from yingda.retrieve.space import build_space
from yingda.runtime import EncoderSession, Encodings
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer
from yingda.understand.intent import IntentWeights, intent_posterior
from yingda.understand.linear import LinearView
from yingda.understand.sentiment import SentimentScaling, scale_logits, score_sentiments

Floats = NDArray[np.float32]
Weights = NDArray[np.float64]
BUDGETS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.1)
"""Error budgets whose thresholds the manifest lists."""

_SHRINK = 1e-2
"""Pull of the fusion weights towards their start: the calibration rows are few and the weights correlated."""


def fit_fusion(views: Views, index: FaqIndex, wanted: NDArray[np.intp], scale: float) -> FusionWeights:
    """Exponents that minimise the mean negative log posterior of the right class."""
    start = np.array([0.7, 0.7, 0.3, 0.0, 0.0])
    rows = np.arange(len(wanted))

    def loss(values: NDArray[np.float64]) -> float:
        posterior = fuse(views, FusionWeights(scale, *map(float, values)), index.space)
        return float(-posterior[rows, wanted].mean() + _SHRINK * ((values - start) ** 2).sum())

    found = minimize(loss, start, method="Powell", bounds=[(0, 3), (0, 3), (0, 3), (0, 2), (-3, 3)], options={"xtol": 1e-3, "ftol": 1e-5})
    return FusionWeights(scale, *(round(float(v), 5) for v in found.x))


def fit_intent(views: Views, posterior: Floats, index: FaqIndex, wanted: NDArray[np.intp]) -> IntentWeights:
    """Exponents of head and match posterior that minimise the negative log probability of the right intent."""
    groups, rows = index.space.intents.tolist(), np.arange(len(wanted))

    def loss(values: NDArray[np.float64]) -> float:
        exponents = IntentWeights(float(values[0]), float(values[1]))
        probabilities = intent_posterior(views.intent, np.exp(posterior), groups, exponents)
        return float(-np.log(probabilities[rows, wanted] + 1e-9).mean())

    found = minimize(loss, np.array([0.5, 0.5]), method="Powell", bounds=[(0, 3), (0, 3)], options={"xtol": 1e-3})
    return IntentWeights(*(round(float(v), 5) for v in found.x))


def fit_sentiment(logits: Floats, wanted: NDArray[np.intp], *, recall: float) -> SentimentScaling:
    """Temperature and biases that minimise the negative log likelihood; only differences between biases count.

    The alertness is the least with which a share ``recall`` of the displeased rows gets a displeased label.
    """
    rows = np.arange(len(wanted))

    def scaling(values: NDArray[np.float64]) -> SentimentScaling:
        return SentimentScaling(round(float(values[0]), 5), (0.0, *(round(float(v), 5) for v in values[1:])))

    def loss(values: NDArray[np.float64]) -> float:
        return float(-log_softmax(scale_logits(logits, scaling(values)))[rows, wanted].mean())

    start = np.array([1.0] + [0.0] * (logits.shape[1] - 1))
    bounds = [(0.2, 5.0)] + [(-4.0, 4.0)] * (logits.shape[1] - 1)
    found = scaling(minimize(loss, start, method="Powell", bounds=bounds, options={"xtol": 1e-3}).x)
    return replace(found, alertness=fit_alertness(scale_logits(logits, found), wanted, recall=recall))


def fit_alertness(scaled: Floats, wanted: NDArray[np.intp], *, recall: float) -> float:
    """Least log odds in favour of displeasure that gives a share ``recall`` of the displeased rows a displeased label."""
    displeased = np.asarray([label in DISPLEASED for label in SENTIMENTS])
    unhappy = scaled[displeased[wanted]]
    if not len(unhappy):
        return 0.0
    needed = np.sort(unhappy[:, ~displeased].max(1) - unhappy[:, displeased].max(1))
    last = float(needed[math.ceil(recall * len(needed)) - 1])
    return max(0.0, math.ceil(last * 1e4 + 1) / 1e4)  # rounded up, or the last row would be a draw


def fit_confidence(judged: Floats, right: NDArray[np.bool_], weights: Weights) -> ConfidenceModel:
    """Logistic regression of "the best entry is right" on the features of the posterior."""
    spread = judged.std(0)
    scaled = judged / np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(scaled, right, sample_weight=weights)
    slopes = model.coef_[0] / np.where(spread > 0, spread, 1.0)
    return ConfidenceModel(tuple(round(float(w), 6) for w in slopes), round(float(model.intercept_[0]), 6))


def is_right(best: NDArray[np.intp], rows: Sequence[Example]) -> NDArray[np.bool_]:
    """Whether each best entry's class number is the row's label or one of its further right entries."""
    return np.asarray([b == row.match or b in row.also for b, row in zip(best, rows, strict=True)])


def take(views: Views, rows: NDArray[np.intp]) -> Views:
    """The views of some rows."""
    return Views(views.cosine[rows], views.linear[rows], views.lexical[rows], views.intent[rows])


def traffic_weights(answerable: NDArray[np.bool_], share: float) -> Weights:
    """Row weights, mean 1, under which the share of unanswerable rows is ``share``.

    Packs are written about what the shop answers; live traffic holds more of what it does not.
    """
    actual = 1.0 - float(answerable.mean())
    if not 0 < actual < 1:
        return np.ones(len(answerable))
    return np.where(answerable, (1 - share) / (1 - actual), share / actual)


def labelled(labels: Iterable[int]) -> NDArray[np.intp]:
    """Places of the rows that have this label: a row of a log may lack any of them."""
    return np.asarray([place for place, label in enumerate(labels) if label != IGNORED], np.intp)


def fit(rows: Sequence[Example], logits: Floats, views: Views, index: FaqIndex, scale: float, params: CalibrateParams) -> Calibration:
    """All fitted numbers from calibration ``rows``; ``logits`` are the sentiment head's.

    Each number is fitted to the rows that have the label it needs. The confidence of a match is fitted to traffic of
    which ``params.unanswerable_share`` is the share that no entry answers.
    """
    entries = len(index.space.entries)
    matched, meant, felt = (labelled(column) for column in zip(*((row.match, row.intent, row.sentiment) for row in rows), strict=True))
    known = [rows[i] for i in matched.tolist()]
    fusion = fit_fusion(take(views, matched), index, np.asarray([row.match for row in known]), scale)
    posterior = fuse(views, fusion, index.space)
    wanted = np.asarray([rows[i].intent for i in meant.tolist()])
    intent = fit_intent(take(views, meant), posterior[meant], index, wanted)
    intents = intent_posterior(views.intent, np.exp(posterior), index.space.intents.tolist(), intent)
    judged = features(posterior, views, intents, index.space)[matched]
    right = is_right(posterior[matched, :entries].argmax(1), known)
    weights = traffic_weights(np.asarray([row.match < entries for row in known]), params.unanswerable_share)
    feelings = np.asarray([rows[i].sentiment for i in felt.tolist()])
    sentiment = fit_sentiment(logits[felt], feelings, recall=params.displeased_recall)
    return Calibration(fusion, fit_confidence(judged, right, weights), intent, sentiment)


def cross_fit(
    rows: Sequence[Example], logits: Floats, views: Views, index: FaqIndex, scale: float, params: CalibrateParams
) -> Iterator[tuple[NDArray[np.intp], Calibration]]:
    """Places of each fold's rows, and the numbers fitted to the rows of all other folds."""
    folds = np.arange(len(rows)) % params.folds
    for fold in range(params.folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        yield inside, fit([rows[i] for i in outside.tolist()], logits[outside], take(views, outside), index, scale, params)


@dataclass(frozen=True)
class HeldOut:
    """Confidences [N] of the best entry, the best intent or anger, and whether it is right [N], by numbers fitted to other rows."""

    confidence: Floats
    right: NDArray[np.bool_]

    def promise(self, budget: float, assurance: float) -> Promise:
        """The threshold that keeps ``budget``."""
        return find_threshold(self.confidence, self.right, budget=budget, assurance=assurance)


def held_out(
    rows: Sequence[Example], logits: Floats, views: Views, index: FaqIndex, scale: float, params: CalibrateParams
) -> dict[str, HeldOut]:
    """Matches and intents of the rows that have such a label, and anger of those with a sentiment that are called angry.

    A row's confidence comes from numbers fitted to the other folds only, so that no row vouches for itself.
    """
    match_confidence, intent_confidence = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
    match_right, intent_right = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    anger_confidence, called = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.bool_)
    for inside, fitted in cross_fit(rows, logits, views, index, scale, params):
        judged = judge_views(take(views, inside), index, fitted)
        chosen = [rows[i] for i in inside.tolist()]
        match_confidence[inside], match_right[inside] = judged.entries.max(1), is_right(judged.entries.argmax(1), chosen)
        intent_confidence[inside] = judged.intents.max(1)
        intent_right[inside] = judged.intents.argmax(1) == np.asarray([row.intent for row in chosen])
        moods = score_sentiments(logits[inside], SENTIMENTS, fitted.sentiment)
        anger_confidence[inside], called[inside] = [m.confidence for m in moods], [m.label is Sentiment.ANGRY for m in moods]
    felt = np.asarray([row.sentiment for row in rows])
    angry = np.flatnonzero(called & (felt != IGNORED))
    matched, meant = labelled(row.match for row in rows), labelled(row.intent for row in rows)
    return {
        "match": HeldOut(match_confidence[matched], match_right[matched]),
        "intent": HeldOut(intent_confidence[meant], intent_right[meant]),
        "angry": HeldOut(anger_confidence[angry], felt[angry] == SENTIMENTS.index(Sentiment.ANGRY)),
    }


def prices(matches: HeldOut, assurance: float) -> list[dict[str, float]]:
    """What each of ``BUDGETS`` would promise, so that an operator sees what a stricter or a looser one costs."""
    return [{"error_budget": budget, **asdict(matches.promise(budget, assurance))} for budget in BUDGETS]


def angers(judged: HeldOut, params: CalibrateParams) -> dict[str, dict[str, object]]:
    """The thresholds of anger: alone it keeps a budget of its own, beside an urgent hand-off the one of every other statement."""
    budgets = {"angry": params.anger_budget, "angry_beside": min(params.error_budget, params.anger_budget)}
    return {
        name: asdict(promise_anger(judged.confidence, judged.right, budget=budget, assurance=params.assurance))
        for name, budget in budgets.items()
    }


def calibration_record(fitted: Calibration) -> dict[str, object]:
    """The calibration file's content."""
    return {
        "fusion": asdict(fitted.fusion),
        "confidence": {"features": list(FEATURES), "weights": list(fitted.confidence.weights), "bias": fitted.confidence.bias},
        "intent": asdict(fitted.intent),
        "sentiment": asdict(fitted.sentiment),
    }


def read_prototypes(path: Path) -> tuple[Floats, float]:
    """Unit class vectors [C, D] among the trained weights at ``path``, and what turns cosines with them into logits."""
    weights = load_file(path)
    prototypes = weights["prototypes.vectors"]
    return prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True), float(np.exp(weights["prototypes.log_scale"]))


def served_views(
    args: argparse.Namespace, encoder: Encoder, rows: Sequence[Example], classes: Classes, vectors: Floats
) -> tuple[Views, FaqIndex, Floats]:
    """Views of ``rows`` by ``encoder`` and the other files that will be served, the index, and the sentiment logits [N, S].

    As the engine does, views are of the question that a row asks, and sentiment is of the whole row.
    """
    params = load_params()
    tokenizer = MessageTokenizer(args.base / "tokenizer.json", max_tokens=params.train.max_tokens)
    knowledge = read_knowledge(params.prepare.pack)
    space = build_space(knowledge.faq.values(), classes.matches, classes.intents)

    def embed(texts: Sequence[str]) -> Floats:
        return encoder.run(tokenizer.encode(texts)).embedding

    index = build_index(space, vectors, knowledge.faq, normalise=normalise, embed=embed)
    linear = LinearView.load(args.linear / "linear.json", args.linear / "linear.safetensors")
    texts, framing = [row.text for row in rows], framing_of(knowledge.handoff.words)
    questions = [framing.question(text) for text in texts]
    places = {text: place for place, text in enumerate(dict.fromkeys((*texts, *questions)))}
    encodings = encoder.run(tokenizer.encode(list(places)))
    whole, asked = ([places[text] for text in each] for each in (texts, questions))
    found = Encodings(encodings.embedding[asked], encodings.intent[asked], encodings.sentiment[whole])
    return gather_views(found, linear, index, questions), index, found.sentiment


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.calibrate", description=__doc__)
    for name in ("--data", "--base", "--weights", "--export", "--linear", "--target"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    classes, rows = read_classes(args.data / "classes.json"), read_examples(args.data / "calibrate.jsonl")
    vectors, scale = read_prototypes(args.weights)
    views, index, logits = served_views(args, EncoderSession(args.export / "encoder.onnx"), rows, classes, vectors)
    params = load_params().calibrate
    fitted = fit(rows, logits, views, index, scale, params)
    judged = held_out(rows, logits, views, index, scale, params)
    args.target.mkdir(parents=True, exist_ok=True)
    save_file({"classes": vectors}, args.target / "faq.safetensors")
    write_json(args.target / "calibration.json", calibration_record(fitted))
    kept = {name: asdict(judged[name].promise(params.error_budget, params.assurance)) for name in ("match", "intent")}
    facts = {
        "rows": len(rows),
        "promises": {**kept, **angers(judged["angry"], params)},
        "prices": prices(judged["match"], params.assurance),
    }
    write_json(args.target / "promises.json", facts)


if __name__ == "__main__":
    main()
