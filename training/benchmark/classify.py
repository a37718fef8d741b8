"""Intent and sentiment sets: encoder, n-gram view and their fusion, each fitted by the function that fits ours.

A class is to these sets what an entry and its intent are to the product; the label of out-of-scope rows is an intent
without an entry. Views, fusion and confidence are the engine's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.benchmark.figures import Outcome
from training.benchmark.rows import TextRow
from training.benchmark.splits import Parts, hold_out
from training.benchmark.tuning import Bench, Tuned, encode, example, fine_tune
from training.calibrate import fit_confidence, fit_fusion, fit_intent, traffic_weights
from training.examples import IGNORED, SENTIMENTS, Classes
from training.linear import fit_linear
from yingda.domain.errors import MaterialError
from yingda.engine import Calibration, gather_views, judge_views
from yingda.probability import log_odds
from yingda.retrieve.fusion import FEATURES, ConfidenceModel, Views, features, fuse
from yingda.retrieve.index import FaqIndex
from yingda.retrieve.space import NONE_PREFIX, MatchSpace
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer
from yingda.understand.intent import intent_posterior
from yingda.understand.linear import LinearView
from yingda.understand.sentiment import SentimentScaling

_UNUSED = SentimentScaling(1.0, (0.0,) * len(SENTIMENTS))


@dataclass(frozen=True)
class Model:
    """The two trained views of one training."""

    tuned: Tuned
    linear: LinearView
    index: FaqIndex
    tokenizer: MessageTokenizer

    def views(self, texts: Sequence[str]) -> Views:
        """The engine's evidence about normalised ``texts``."""
        return gather_views(encode(self.tuned.run.network, self.tokenizer, texts), self.linear, self.index, texts)


def classes_of(rows: Sequence[TextRow], outside: str | None) -> Classes:
    """One match class a label, in order of name; ``outside`` is last and without an entry."""
    labels = sorted({row.label for row in rows} - {outside})
    if len(labels) < 2:
        raise MaterialError("the training rows need two labels or more; use more rows")
    extra = [outside] if outside is not None and any(row.label == outside for row in rows) else []
    return Classes((*labels, *extra), (*labels, *(NONE_PREFIX + label for label in extra)), (*labels, *extra))


def numbers_of(rows: Sequence[TextRow], classes: Classes) -> list[int]:
    """Class numbers of ``rows``, IGNORED for a label that training did not see."""
    numbers = {label: number for number, label in enumerate(classes.intents)}
    return [numbers.get(row.label, IGNORED) for row in rows]


def train_views(bench: Bench, fit: Sequence[TextRow], select: Sequence[TextRow], classes: Classes, folder: Path, mark: str) -> Model:
    """Both views trained on ``fit``; ``select`` chooses the encoder's epoch."""
    rows, chosen = (
        [example(row.text, intent=n, match=n) for row, n in zip(part, numbers_of(part, classes), strict=True)] for part in (fit, select)
    )
    tuned = fine_tune(bench, rows, chosen, classes, folder, mark)
    linear = LinearView(fit_linear(rows, len(classes.matches), bench.params.linear))
    return Model(tuned, linear, index_of(classes, tuned.vectors), bench.tokenizer())


def index_of(classes: Classes, vectors: NDArray[np.float32]) -> FaqIndex:
    """The engine's index; the name of a class is its only wording."""
    entries = tuple(name for name in classes.matches if not name.startswith(NONE_PREFIX))
    numbers = np.arange(len(classes.matches))
    wordings = {name: [normalise(name.replace("_", " "))] for name in entries}
    return FaqIndex(MatchSpace(entries, numbers, numbers), vectors, wordings)


def calibrate(views: Views, index: FaqIndex, wanted: NDArray[np.intp], scale: float, *, unanswerable_share: float) -> Calibration:
    """Fusion, intent posterior and confidence fitted to rows of known class, in the order of ``training.calibrate.fit``."""
    entries = len(index.space.entries)
    fusion = fit_fusion(views, index, wanted, scale)
    posterior = fuse(views, fusion, index.space)
    intent = fit_intent(views, posterior, index, wanted)
    intents = intent_posterior(views.intent, np.exp(posterior), index.space.intents.tolist(), intent)
    right = posterior[:, :entries].argmax(1) == wanted
    if right.all() or not right.any():  # nothing tells right from wrong: all are as sure as the few rows allow
        likely = np.asarray([(right.sum() + 1) / (len(right) + 2)], np.float32)
        confidence = ConfidenceModel((0.0,) * len(FEATURES), float(log_odds(likely)[0]))
    else:
        judged = features(posterior, views, intents, index.space)
        confidence = fit_confidence(judged, right, traffic_weights(wanted < entries, unanswerable_share))
    return Calibration(fusion, confidence, intent, _UNUSED)


def outcome_of(views: Views, index: FaqIndex, fitted: Calibration, wanted: Sequence[int]) -> Outcome:
    """The engine's word on rows: its intent, or, where rows can be out of scope, its best entry and how sure that is."""
    entries = len(index.space.entries)
    judged = judge_views(views, index, fitted)
    best = judged.entries if entries < index.space.size else judged.intents
    return Outcome(
        list(wanted),
        best.argmax(1).tolist(),
        best.max(1).astype(np.float64).tolist(),
        views.cosine[:, :entries].argmax(1).tolist(),
        views.linear[:, :entries].argmax(1).tolist(),
    )


@dataclass(frozen=True)
class Judged:
    """Judged development rows (where there are out-of-scope rows) and test rows, the class number of the latter, and facts."""

    dev: Outcome | None
    test: Outcome
    outside: int
    facts: dict[str, object]


def judge(bench: Bench, parts: Parts[TextRow], outside: str | None, folder: Path, mark: str) -> Judged:
    """Train on the training rows, fit fusion and confidence on rows no view saw, and judge the test rows."""
    training = hold_out(parts, bench.params.prepare, bench.params.seed)
    classes = classes_of(training.fit, outside)
    model = train_views(bench, training.fit, training.select, classes, folder, mark)
    held = [row for row, number in zip(training.calibrate, numbers_of(training.calibrate, classes), strict=True) if number != IGNORED]
    wanted = np.asarray(numbers_of(held, classes), np.intp)
    views = model.views([row.text for row in held])
    share = bench.params.calibrate.unanswerable_share
    fitted = calibrate(views, model.index, wanted, model.tuned.scale, unanswerable_share=share)
    stranger = len(model.index.space.entries)
    dev = outcome_of(views, model.index, fitted, wanted.tolist()) if stranger < model.index.space.size else None
    test = outcome_of(model.views([row.text for row in parts.test]), model.index, fitted, numbers_of(parts.test, classes))
    facts = {"fitted_on": len(training.fit), "calibrated_on": len(held), "judged": len(parts.test), "classes": len(classes.matches)}
    return Judged(dev, test, stranger, {**facts, **model.tuned.facts})
