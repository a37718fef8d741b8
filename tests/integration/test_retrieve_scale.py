"""The shipped bundle's scores, by full scoring and by shortlist, on messages of the pack's training files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from yingda import bundle as layout
from yingda.assemble import read_calibration
from yingda.bundle import open_bundle
from yingda.domain.knowledge import Knowledge
from yingda.engine import Calibration, gather_views, judge_views
from yingda.pack import read_knowledge
from yingda.retrieve.index import FaqIndex, build_index, build_search
from yingda.retrieve.lexical import bigrams
from yingda.retrieve.space import NONE_PREFIX, MatchSpace, build_space
from yingda.runtime import EncoderSession, Encodings
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer
from yingda.turn import judge_shortlist
from yingda.understand.linear import LinearView

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models" / "current"
TRAIN = ROOT / "data" / "packs" / "retail" / "utterances"
MESSAGES = 40

pytestmark = pytest.mark.skipif(not (BUNDLE / layout.MANIFEST).is_file(), reason="the shipped bundle is not here")


@dataclass(frozen=True)
class Shipped:
    knowledge: Knowledge
    calibration: Calibration
    linear: LinearView
    intents: tuple[str, ...]
    matches: tuple[str, ...]
    vectors: NDArray[np.float32]
    texts: list[str]
    encodings: Encodings

    def index(self, space: MatchSpace, vectors: NDArray[np.float32], wordings: dict[str, list[str]], *, large: bool = False) -> FaqIndex:
        return FaqIndex(space, vectors, wordings, search=build_search(space, vectors, wordings) if large else None)


@pytest.fixture(scope="module")
def shipped() -> Shipped:
    bundle = open_bundle(BUNDLE)
    labels = bundle.read_json(layout.LABELS)
    files = sorted(TRAIN.glob("train-*.jsonl"))
    each = MESSAGES // len(files) + 1
    texts = [normalise(json.loads(line)["text"]) for file in files for line in file.read_text("utf-8").splitlines()[:each]]
    tokenizer = MessageTokenizer(bundle.path(layout.TOKENIZER), max_tokens=int(bundle.manifest["encoder"]["max_tokens"]))
    return Shipped(
        read_knowledge(bundle.path(layout.KNOWLEDGE)),
        read_calibration(bundle.read_json(layout.CALIBRATION)),
        LinearView.load(bundle.path(layout.LINEAR_GRAMS), bundle.path(layout.LINEAR_WEIGHTS)),
        tuple(labels["intents"]),
        tuple(labels["matches"]),
        load_file(bundle.path(layout.FAQ_VECTORS))["classes"],
        texts,
        EncoderSession(bundle.path(layout.ENCODER)).run(tokenizer.encode(texts)),
    )


def test_scores_of_a_small_space_are_bit_for_bit_what_the_calibration_was_fitted_on(shipped: Shipped) -> None:
    space = build_space(shipped.knowledge.faq.values(), shipped.matches, shipped.intents)
    index = build_index(
        space, shipped.vectors, shipped.knowledge.faq, normalise=normalise, embed=lambda texts: np.zeros((0, 0), np.float32)
    )
    documents = [(n, normalise(text)) for n, name in enumerate(space.entries) for text in shipped.knowledge.faq[name].texts()]
    table = bm25s.BM25()
    table.index([bigrams(text) for _, text in documents], show_progress=False)
    scores = np.zeros((len(shipped.texts), space.size), np.float32)
    for row, text in enumerate(shipped.texts):
        np.maximum.at(scores[row], np.asarray([n for n, _ in documents]), table.get_scores(bigrams(text)))

    assert not index.is_large
    assert index.lexical(shipped.texts).tobytes() == np.log1p(scores).tobytes()
    assert (
        index.cosines(shipped.encodings.embedding, shipped.texts).tobytes()
        == (shipped.encodings.embedding @ shipped.vectors[space.columns].T).tobytes()
    )


def grown(shipped: Shipped) -> tuple[MatchSpace, NDArray[np.float32], dict[str, list[str]]]:
    """Every entry of the bundle as if new, and as many beside them whose vectors lie close: the hardest case for a shortlist."""
    faq = list(shipped.knowledge.faq.values())
    none = [name for name in shipped.matches if name.startswith(NONE_PREFIX)]
    space = build_space(faq, none, shipped.intents)
    places = {name: place for place, name in enumerate(shipped.matches)}
    own = shipped.vectors[[places[entry.id] for entry in faq if entry.id in places]]
    assert len(own) == len(faq)
    away = np.random.default_rng(3).normal(size=own.shape)
    near = own + 0.6 * away / np.linalg.norm(away, axis=1, keepdims=True)
    vectors = np.concatenate((own, near, shipped.vectors[[places[name] for name in none]]))
    entries = (*space.entries, *(f"{name}-2" for name in space.entries))
    count = len(faq)
    intents, columns = (np.concatenate((column[:count], column)) for column in (space.intents, space.columns))
    wordings = {name: [normalise(text) for text in shipped.knowledge.faq[name.removesuffix("-2")].texts()] for name in entries}
    linear = np.concatenate((columns[: 2 * count], np.asarray([places[name] for name in none])))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return MatchSpace(entries, intents, linear), np.asarray(unit, np.float32), wordings


@pytest.mark.parametrize(("k", "tolerance"), [(1000, 1e-4), (64, 2e-3)])
def test_a_shortlist_decides_as_full_scoring_does(shipped: Shipped, k: int, tolerance: float) -> None:
    space, vectors, wordings = grown(shipped)
    index = shipped.index(space, vectors, wordings, large=True)
    views = gather_views(shipped.encodings, shipped.linear, index, shipped.texts)
    whole = judge_views(views, index, shipped.calibration)
    linear = shipped.linear.log_probabilities(shipped.texts)
    same, differences = [], []
    for row, text in enumerate(shipped.texts):
        short = index.shortlist(shipped.encodings.embedding[row], text, k=k)
        seen = short.views(linear[row : row + 1], views.intent[row : row + 1])
        calibration = shipped.calibration
        _, matches = judge_shortlist(short, seen, calibration.fusion, calibration.confidence, calibration.intent)
        own = matches.confidences
        same.append(short.space.entries[own.argmax()] == space.entries[whole.entries[row].argmax()])
        differences.append(abs(float(own.max()) - float(whole.entries[row].max())))

    assert np.mean(same) >= 0.995
    assert max(differences) <= tolerance
