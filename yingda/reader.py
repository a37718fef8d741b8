"""What the engine makes of texts: normalise, encode once, fuse the views, calibrate; and what was read before is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yingda.cache import Cache, CacheInfo, Digests
from yingda.decide.evidence import COMPLAINT
from yingda.decide.framing import framing_of
from yingda.decide.thresholds import Thresholds
from yingda.decide.wording import Wording
from yingda.domain.decision import Timing
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge, Sentiment
from yingda.probability import log_softmax
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights, Views, confidences, features, fuse, spread
from yingda.retrieve.index import FaqIndex
from yingda.runtime import Encodings
from yingda.text.language import detect_language
from yingda.text.normalise import normalise
from yingda.turn import Matches, Reading, TextReading, match_shortlists
from yingda.understand.intent import IntentWeights, intent_posterior, rank_intents
from yingda.understand.keywords import KeywordFinder
from yingda.understand.sentiment import SentimentScaling, score_sentiments

CANDIDATES = 5
"""FAQ entries returned with every answer."""

RANKED = 3
"""Intents ranked with every message; more are ranked where a caller asks for them."""


class Tokenizer(Protocol):
    """Normalised texts to token ids."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...


class Encoder(Protocol):
    """Token ids to the three outputs of the graph."""

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings: ...


class NgramView(Protocol):
    """Normalised texts to log probabilities over the trained match classes."""

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Calibration:
    """Every number fitted on rows that no model saw."""

    fusion: FusionWeights
    confidence: ConfidenceModel
    intent: IntentWeights
    sentiment: SentimentScaling


@dataclass(frozen=True)
class Model:
    """The trained parts of an engine, as read from one bundle."""

    identity: ModelIdentity
    tokenizer: Tokenizer
    encoder: Encoder
    linear: NgramView
    intents: tuple[str, ...]
    sentiments: tuple[Sentiment, ...]
    calibration: Calibration
    thresholds: Thresholds


@dataclass(frozen=True)
class Judgement:
    """Calibrated probabilities of N messages: ``intents`` [N, I], and ``entries`` [N, entries] that each is right."""

    intents: NDArray[np.float32]
    entries: NDArray[np.float32]


class Reader:
    """Reads texts for one engine; threads may share it. Up to ``cache_size`` readings are kept, by digest of the normalised text."""

    def __init__(self, model: Model, index: FaqIndex, knowledge: Knowledge, wording: Wording, *, cache_size: int = 0) -> None:
        self._model, self._index, self._wording = model, index, wording
        self._framing = framing_of(knowledge.handoff.words)
        self._keywords = KeywordFinder(knowledge.keywords, normalise=normalise)
        categories = [knowledge.taxonomy.intents[code].category for code in model.intents]
        self._complaints = [number for number, category in enumerate(categories) if category == COMPLAINT]
        self._digests, self._read_before = Digests(), Cache[TextReading](cache_size)

    def cache_info(self) -> CacheInfo:
        """How often a text was known already, since the reader was made."""
        return self._read_before.info()

    def read(self, raw_texts: Sequence[str]) -> Reading:
        """Normalise; encode, each text once, what was not read before; fuse the views and calibrate.

        A framed text (你好，请问…) is encoded twice: its question for intent and matches, the whole of it for the mood. A text fares
        alone as among others, bit for bit.
        """
        start = perf_counter()
        texts = [normalise(text) for text in raw_texts]
        questions = [self._framing.question(text) for text in texts]
        keys = texts if self._read_before.is_off else [self._digests.of(text) for text in texts]
        known = self._read_before.find(keys)
        share = 1000.0 / len(texts) * (perf_counter() - start)
        shared = Timing(share, share, 0.0, 0.0)
        new = dict.fromkeys(text for text, row in zip(texts, known, strict=True) if row is None)
        if not new:
            return Reading(texts, questions, [row for row in known if row is not None], [shared] * len(texts))
        fresh, spent = self._read_new(list(new), dict(zip(texts, questions, strict=True)), among=known.count(None))
        self._read_before.keep({key: fresh[text] for key, text in zip(keys, texts, strict=True) if text in fresh})
        rows = [fresh[text] if row is None else row for text, row in zip(texts, known, strict=True)]
        return Reading(texts, questions, rows, [shared.then(spent) if row is None else shared for row in known])

    def _read_new(self, texts: Sequence[str], questions: Mapping[str, str], *, among: int) -> tuple[Mapping[str, TextReading], Timing]:
        """What is made of each of the normalised ``texts``, and the time of each of the ``among`` messages that wait for them."""
        start = perf_counter()
        places = {text: place for place, text in enumerate(dict.fromkeys((*texts, *(questions[text] for text in texts))))}
        ids = self._model.tokenizer.encode(list(places))
        tokenized = perf_counter()
        encodings = self._model.encoder.run(ids)
        encoded = perf_counter()
        rows = {
            text: self._row(text, questions[text], *(encodings.row(places[each]) for each in (text, questions[text]))) for text in texts
        }
        done = perf_counter()
        share = 1000.0 / among
        return rows, Timing(share * (done - start), share * (tokenized - start), share * (encoded - tokenized), share * (done - encoded))

    def _row(self, text: str, question: str, whole: Encodings, asked: Encodings) -> TextReading:
        """All that follows from one normalised text and the question in it, by the encodings of both."""
        model = self._model
        intents, matches = self._match(asked, question)
        return TextReading(
            embedding=asked.embedding[0],
            intents=intents,
            matches=matches,
            sentiment=score_sentiments(whole.sentiment, model.sentiments, model.calibration.sentiment)[0],
            ranking=rank_intents(intents, model.intents, top_k=RANKED),
            candidates=matches.best(CANDIDATES),
            complaint=float(sum(intents[number] for number in self._complaints)),
            language=detect_language(text),
            keywords=self._keywords.find(text),
            mentions=self._wording.find(text),
            framed=question != text,
        )

    def _match(self, encodings: Encodings, text: str) -> tuple[NDArray[np.float32], Matches]:
        """Intents [I] and matches of a text: over all entries, or in a large space over the text's shortlist."""
        index, model = self._index, self._model
        if index.is_large:
            weights = model.calibration.fusion, model.calibration.confidence, model.calibration.intent
            intents, matches = match_shortlists(index, encodings, model.linear.log_probabilities([text]), [text], *weights)
            return intents[0], matches[0]
        views = gather_views(encodings, model.linear, index, [text])
        judged = judge_views(views, index, model.calibration)
        return judged.intents[0], Matches(index.space, judged.entries[0], views)


def gather_views(encodings: Encodings, linear: NgramView, index: FaqIndex, texts: Sequence[str]) -> Views:
    """All evidence about normalised ``texts``; calibration gathers it with this same function."""
    return Views(
        cosine=index.cosines(encodings.embedding, texts),
        linear=spread(linear.log_probabilities(texts), index.space),
        lexical=index.lexical(texts),
        intent=log_softmax(encodings.intent),
    )


def judge_views(views: Views, index: FaqIndex, calibration: Calibration) -> Judgement:
    """What the views say once they are fused and calibrated."""
    space = index.space
    posterior = fuse(views, calibration.fusion, space)
    intents = intent_posterior(views.intent, np.exp(posterior), space.intents, calibration.intent)
    judged = features(posterior, views, intents, space)
    return Judgement(intents, confidences(posterior, judged, calibration.confidence, space))
