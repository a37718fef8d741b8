"""Question matching: the cosine of two embeddings against a threshold.

Pairs that ask the same become match classes, as messages of one entry are, and the encoder is trained to tell those
apart. There is no n-gram view here: it knows classes, and new questions belong to none.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from training.benchmark.figures import Figures, cosine_threshold, pair_figures
from training.benchmark.rows import PairRow
from training.benchmark.splits import Parts
from training.benchmark.tuning import Bench, Tuned, encode, example, fine_tune
from training.calibrate import fit_confidence
from training.examples import SENTIMENTS, Classes
from training.hardware import device
from training.network import Network, load_network
from yingda.domain.errors import MaterialError
from yingda.probability import sigmoid
from yingda.text.tokenizer import MessageTokenizer

_MOST_TEXTS = 24_000
"""Texts that are trained on: about as many as our own training rows. Those that ask the same come first."""
_CHOSEN = 1_000

Floats = NDArray[np.float64]


def question_classes(pairs: Sequence[PairRow], seed: int, *, most: int = _MOST_TEXTS) -> tuple[list[str], list[int]]:
    """Texts of ``pairs`` and the class number of each: those that ask the same, directly or through others, share one.

    Classes of several texts come first, in random order; a text that asks what no other does is a class of its own.
    """
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
    numbers = {text: number for number, text in enumerate(texts)}
    same = [(numbers[pair.first], numbers[pair.second]) for pair in pairs if pair.same]
    first, second = np.asarray(same, np.intp).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(same)), (first, second)), shape=(len(texts), len(texts)))
    count, groups = connected_components(graph, directed=False)
    sizes = np.bincount(groups)
    order = sorted(random.Random(seed).sample(range(count), count), key=lambda group: sizes[group] < 2)
    within = np.cumsum(sizes[order]) <= most
    fits = {group: number for number, group in enumerate(order) if within[number]}
    kept = [(text, fits[group]) for text, group in zip(texts, groups.tolist(), strict=True) if group in fits]
    return [text for text, _ in kept], [number for _, number in kept]


def cosines(network: Network, tokenizer: MessageTokenizer, pairs: Sequence[PairRow]) -> Floats:
    """Cosine [N] of the two texts of each pair."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
    vectors = encode(network, tokenizer, texts).embedding
    place = {text: number for number, text in enumerate(texts)}
    first, second = (vectors[[place[text] for text in column]] for column in zip(*((p.first, p.second) for p in pairs), strict=True))
    return np.asarray((first * second).sum(1), np.float64)


def train_questions(bench: Bench, pairs: Sequence[PairRow], folder: Path, mark: str) -> Tuned:
    """The encoder trained to tell the questions of ``pairs`` apart.

    No development pair belongs to these classes, so a part of the training rows says which epoch has learnt them best.
    """
    texts, numbers = question_classes(pairs, bench.params.seed)
    names = tuple(f"question-{number}" for number in range(max(numbers, default=-1) + 1))
    if len(names) < 2:
        raise MaterialError("the training pairs need two questions or more; use more rows")
    rows = [example(text, match=number) for text, number in zip(texts, numbers, strict=True)]
    chosen = random.Random(bench.params.seed).sample(rows, min(_CHOSEN, len(rows)))
    return fine_tune(bench, rows, chosen, Classes(("question",), names, ("question",) * len(names)), folder, mark)


def measure(network: Network, tokenizer: MessageTokenizer, parts: Parts[PairRow]) -> Figures:
    """Figures of the test pairs; threshold and confidence are fitted to the development pairs."""
    dev, test = cosines(network, tokenizer, parts.dev), cosines(network, tokenizer, parts.test)
    same = np.asarray([pair.same for pair in parts.dev])
    if same.all() or not same.any():
        raise MaterialError("the development pairs need both labels; use more rows")
    model = fit_confidence(np.asarray(dev[:, None], np.float32), same, np.ones(len(dev)))
    probability = sigmoid(np.asarray(test * model.weights[0] + model.bias, np.float32)).astype(np.float64)
    return pair_figures(test, np.asarray([pair.same for pair in parts.test]), probability, cosine_threshold(dev, same))


def judge(bench: Bench, parts: Parts[PairRow], folder: Path, mark: str) -> tuple[Figures, dict[str, object]]:
    """Figures of the trained encoder, those of the base weights beside them, and facts about the training."""
    tokenizer, settings = bench.tokenizer(), bench.params.train
    tuned = train_questions(bench, parts.train, folder, mark)
    found = measure(tuned.run.network, tokenizer, parts)
    base = load_network(bench.base, layers=settings.layers, intents=1, sentiments=len(SENTIMENTS), dropout=0.0).to(device())
    before = measure(base, tokenizer, parts)
    found |= {f"{name}_before_training": before[name] for name in ("accuracy", "spearman")}
    return found, {"fitted_on": len(parts.train), "calibrated_on": len(parts.dev), "judged": len(parts.test), **tuned.facts}
