"""What int8 costs of every headline figure: ``python -m training.export_proof …`` fails where it is too much.

The trained float32 network and the int8 graph are judged by the engine's own functions on the calibration rows, which
neither saw, each with numbers fitted to itself. No row vouches for itself: fusion, confidence and sentiment are fitted to the
other folds, and the threshold of the promise, too, is found on all folds but the one it is counted on.

Where a threshold falls is chance to several points of coverage. So coverage and match accuracy are means over many seeded ways to
divide the rows into folds, and both sides are counted at the same thresholds, those of either side: confidence is calibrated, so
it means the same on both. What each side does at its own thresholds is told beside it and not judged.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.metrics import f1_score

from training.calibrate import Floats, cross_fit, is_right, read_prototypes, served_views, take
from training.examples import IGNORED, SENTIMENTS, Example, read_classes, read_examples, write_json
from training.export import GRAPH, run_torch
from training.network import Network, Prototypes, load_network, load_weights
from training.params import CalibrateParams, Params, load_params
from training.promise import find_threshold
from yingda import bundle as layout
from yingda.assemble import read_calibration
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import DISPLEASED
from yingda.engine import Calibration, Encoder, judge_views
from yingda.retrieve.fusion import Views
from yingda.retrieve.index import FaqIndex
from yingda.runtime import EncoderSession, Encodings
from yingda.understand.sentiment import choose, scale_logits

Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

HEADLINES = ("faq_top1", "intent_accuracy", "sentiment_macro_f1", "displeased_recall", "coverage", "match_accuracy")
"""What int8 may not cost more of than is allowed: the headline figures of the evaluation report."""
OWN = ("own_coverage", "own_match_accuracy")
"""Coverage and match accuracy of each side at its own thresholds: told, not judged."""

DIVISIONS = 40
RESAMPLES = 1000
SEED = 1993
ALONE = 64
"""Rows that are also judged one by one."""
_SAME = 1e-4
"""Largest difference of a probability between alone and among others: sums of one more row run in another order."""
_DIGITS = 4


@dataclass(frozen=True)
class Labels:
    """What is right about N rows: which have an entry or a match class at all, an intent, a sentiment (a number, or IGNORED)."""

    answerable: Flags
    matched: Flags
    meant: Flags
    mood: Places


@dataclass(frozen=True)
class Outcome:
    """What one graph, with numbers fitted to other rows, makes of N rows; ``mood`` is the number of the sentiment's label."""

    confidence: Floats
    match_right: Flags
    intent_right: Flags
    mood: Places


@dataclass(frozen=True)
class Cut:
    """A way to divide N rows: the fold of each [N], and the threshold that the rows of all other folds choose for it [K]."""

    folds: Places
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class Headline:
    """One figure by both graphs over ``rows`` rows, and the middle 95 % of what int8 loses on paired resamples.

    None where no row counts, as when no threshold keeps the promise.
    """

    float32: float | None
    int8: float | None
    low: float | None
    high: float | None
    rows: int

    @property
    def loss(self) -> float:
        """What int8 costs, in shares of 1; nothing can be lost where there was nothing."""
        return 0.0 if self.float32 is None else self.float32 - (self.int8 or 0.0)


class TrainedEncoder:
    """The trained network in the place of the graph: the float32 side."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """Encode messages given as token ids, one by one."""
        width, intents = self._network.projection.out_features, self._network.intent.out_features
        embedding, intent, sentiment = np.split(run_torch(self._network, ids), [width, width + intents], axis=1)
        return Encodings(embedding, intent, sentiment)


def read_labels(rows: Sequence[Example], entries: int) -> Labels:
    """The labels of ``rows``; match classes below ``entries`` are entries of the knowledge."""
    match = np.asarray([row.match for row in rows])
    meant = np.asarray([row.intent != IGNORED for row in rows])
    return Labels((match != IGNORED) & (match < entries), match != IGNORED, meant, np.asarray([row.sentiment for row in rows]))


def judge_rows(rows: Sequence[Example], logits: Floats, views: Views, index: FaqIndex, scale: float, params: CalibrateParams) -> Outcome:
    """What the engine makes of ``rows`` from ``views`` and sentiment ``logits`` [N, S], cross-fitted."""
    count = len(rows)
    found = Outcome(np.zeros(count, np.float32), np.zeros(count, bool), np.zeros(count, bool), np.zeros(count, np.intp))
    for inside, fitted in cross_fit(rows, logits, views, index, scale, params):
        judged, chosen = judge_views(take(views, inside), index, fitted), [rows[i] for i in inside.tolist()]
        found.confidence[inside] = judged.entries.max(1)
        found.match_right[inside] = is_right(judged.entries.argmax(1), chosen)
        found.intent_right[inside] = judged.intents.argmax(1) == np.asarray([row.intent for row in chosen])
        found.mood[inside] = choose(scale_logits(logits[inside], fitted.sentiment), SENTIMENTS, fitted.sentiment.alertness)
    return found


def find_cut(found: Outcome, labels: Labels, drawn: Places, folds: Places, params: CalibrateParams) -> Cut:
    """The thresholds that keep the promise on the rows ``drawn``; a row and its repeats are in the same of ``folds`` [N]."""
    matched = drawn[labels.matched[drawn]]
    thresholds = []
    for fold in range(params.folds):
        others = matched[folds[matched] != fold]
        confidence, right = found.confidence[others], found.match_right[others]
        thresholds.append(find_threshold(confidence, right, budget=params.error_budget, assurance=params.assurance).threshold)
    return Cut(folds, np.asarray(thresholds))


def figures(found: Outcome, labels: Labels, drawn: Places, cuts: Sequence[Cut]) -> dict[str, float]:
    """Every headline over the rows ``drawn`` (places, repeats count), the last two as means over ``cuts``; NaN where no row counts."""
    felt = drawn[labels.mood[drawn] != IGNORED]
    displeased = np.isin(labels.mood, _DISPLEASED)
    sure, matched = found.confidence[drawn], labels.matched[drawn]
    accepted = [matched & (sure >= cut.thresholds[cut.folds[drawn]]) for cut in cuts]
    answerable = labels.answerable[drawn]
    return {
        "faq_top1": _mean(found.match_right[drawn[answerable]]),
        "intent_accuracy": _mean(found.intent_right[drawn[labels.meant[drawn]]]),
        "sentiment_macro_f1": float(f1_score(labels.mood[felt], found.mood[felt], average="macro")) if len(felt) else np.nan,
        "displeased_recall": _mean(np.isin(found.mood, _DISPLEASED)[drawn[displeased[drawn]]]),
        "coverage": float(np.mean([_mean(taken[answerable]) for taken in accepted])),
        "match_accuracy": _mean(np.concatenate([found.match_right[drawn[taken]] for taken in accepted])),
    }


def compare(
    before: Outcome, after: Outcome, labels: Labels, params: CalibrateParams, *, divisions: int = DIVISIONS, resamples: int = RESAMPLES
) -> dict[str, Headline]:
    """Each headline, and each figure of OWN, by the float32 side ``before`` and the int8 side ``after``.

    The interval is the percentile interval of the paired bootstrap (Efron and Tibshirani 1993): rows are drawn with what both
    sides make of them, divided anew and held against thresholds found anew.
    """
    generator, count = np.random.default_rng(SEED), len(labels.mood)

    def both(drawn: Places, ways: int) -> list[dict[str, float]]:
        divided = [generator.permutation(count) % params.folds for _ in range(ways)]
        cuts = [[find_cut(side, labels, drawn, folds, params) for folds in divided] for side in (before, after)]
        found = []
        for side, own in zip((before, after), cuts, strict=True):
            alone = figures(side, labels, drawn, own)
            told = dict(zip(OWN, (alone["coverage"], alone["match_accuracy"]), strict=True))
            found.append(figures(side, labels, drawn, [*cuts[0], *cuts[1]]) | told)
        return found

    one, other = both(np.arange(count), divisions)
    losses: dict[str, list[float]] = {name: [] for name in one}
    for _ in range(resamples):
        first, second = both(generator.integers(count, size=count), 1)
        for name, lost in losses.items():
            lost.append(first[name] - second[name])
    counted = _counted(labels)
    return {name: _headline(one[name], other[name], losses[name], counted[name.removeprefix("own_")]) for name in one}


def check(found: Mapping[str, Headline], *, allowed_loss: float) -> None:
    """Raise MaterialError where int8 costs more than ``allowed_loss`` (a share: 0.005 is half a point) of a headline."""
    dear = [f"{one.loss:.4f} of {name}" for name, one in found.items() if name not in OWN and one.loss > allowed_loss]
    if dear:
        raise MaterialError(f"int8 costs {' and '.join(dear)}, {allowed_loss} is allowed; try another export.smoothing")


def check_alone(views: Views, index: FaqIndex, calibration: Calibration) -> float:
    """Largest difference of a probability between a row judged alone and among all rows of ``views``; raises MaterialError.

    The export stage shows that the graph's outputs are equal to the bit; this is what the engine makes of them.
    """
    together = judge_views(views, index, calibration)
    largest = 0.0
    for row in range(len(views.cosine)):
        alone = judge_views(take(views, np.asarray([row])), index, calibration)
        for one, other in ((alone.entries[0], together.entries[row]), (alone.intents[0], together.intents[row])):
            largest = max(largest, float(np.abs(one - other).max()))
    if largest > _SAME:
        raise MaterialError(f"a message is judged differently alone and among others, by {largest:.2g}; serve no such bundle")
    return largest


def record(found: Mapping[str, Headline], *, rows: int, allowed_loss: float, alone: float) -> dict[str, Any]:
    """The proof's content for the manifest, in shares of 1."""
    return {
        "rows": rows,
        "allowed_loss": allowed_loss,
        "alone_max_difference": float(f"{alone:.1g}"),
        "headlines": {
            name: {
                "float32": _rounded(one.float32),
                "int8": _rounded(one.int8),
                "loss": round(one.loss, _DIGITS),
                "low": _rounded(one.low),
                "high": _rounded(one.high),
                "rows": one.rows,
            }
            for name, one in found.items()
        },
    }


_DISPLEASED = [number for number, label in enumerate(SENTIMENTS) if label in DISPLEASED]


def _mean(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else np.nan


def _counted(labels: Labels) -> dict[str, int]:
    """Rows behind each headline; behind match accuracy those that could be accepted."""
    answerable, felt = int(labels.answerable.sum()), int((labels.mood != IGNORED).sum())
    displeased = int(np.isin(labels.mood, _DISPLEASED).sum())
    return dict(zip(HEADLINES, (answerable, int(labels.meant.sum()), felt, displeased, answerable, int(labels.matched.sum())), strict=True))


def _headline(before: float, after: float, losses: Sequence[float], rows: int) -> Headline:
    defined = np.asarray(losses)[~np.isnan(losses)]
    low, high = np.quantile(defined, [0.025, 0.975]).tolist() if len(defined) else (None, None)
    one, other = (None if np.isnan(value) else value for value in (before, after))
    return Headline(one, other, low, high, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _encoders(args: argparse.Namespace, params: Params, intents: int) -> Iterator[Encoder]:
    """The float32 side, then the int8 side."""
    network = load_network(args.base, layers=params.layers, intents=intents, sentiments=len(SENTIMENTS), dropout=0.0)
    weights = load_file(args.weights)
    load_weights(network, Prototypes(weights["prototypes.vectors"], params.train.entry_scale), weights)
    yield TrainedEncoder(network)
    yield EncoderSession(args.export / GRAPH)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export_proof", description=__doc__)
    for name in ("--data", "--base", "--weights", "--export", "--linear", "--calibration", "--target"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.ERROR)
    params, classes = load_params(), read_classes(args.data / "classes.json")
    torch.set_num_threads(params.train.threads)
    rows, (vectors, scale) = read_examples(args.data / "calibrate.jsonl"), read_prototypes(args.weights)
    sides = [served_views(args, encoder, rows, classes, vectors) for encoder in _encoders(args, params, len(classes.intents))]
    before, after = (judge_rows(rows, logits, views, index, scale, params.calibrate) for views, index, logits in sides)
    views, index, _ = sides[1]
    calibration = read_calibration(json.loads((args.calibration / layout.CALIBRATION).read_text("utf-8")))
    alone = check_alone(take(views, np.arange(min(ALONE, len(rows)))), index, calibration)
    found = compare(before, after, read_labels(rows, len(index.space.entries)), params.calibrate)
    check(found, allowed_loss=params.export.allowed_loss)
    args.target.mkdir(parents=True, exist_ok=True)
    facts = record(found, rows=len(rows), allowed_loss=params.export.allowed_loss, alone=alone)
    write_json(args.target / "proof.json", facts)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
