"""The recipe, top to bottom: normalise, understand, retrieve, decide, reply. There is no second path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yingda.decide.policy import COMPLAINT, Evidence, decide
from yingda.decide.thresholds import Thresholds
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    LanguageGuess,
    Outcome,
    SentimentScore,
    Step,
    Timing,
)
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import FaqEntry, Knowledge, Sentiment
from yingda.domain.message import Message
from yingda.probability import log_softmax
from yingda.reply.compose import ReplyRequest, compose, missing_facts, reply_language
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights, Views, confidences, features, fuse, spread
from yingda.retrieve.index import FaqIndex
from yingda.runtime import Encodings
from yingda.text.language import detect_language
from yingda.text.normalise import normalise
from yingda.understand.entities import find_entities
from yingda.understand.intent import IntentWeights, intent_posterior, judge, rank_intents
from yingda.understand.keywords import KeywordFinder
from yingda.understand.sentiment import SentimentScaling, score_sentiments

CANDIDATES = 5
"""FAQ entries returned with every answer."""

WORTH_OFFERING = 0.05
"""Confidence from which a third entry is offered when asking back; two are always offered."""

_WARM_UP = ("你好，在吗", "Hello, is anyone there?")


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


@dataclass(frozen=True)
class Reading:
    """What the model makes of N messages; row i belongs to message i."""

    texts: list[str]
    views: Views
    intents: NDArray[np.float32]  # [N, I], calibrated
    entries: NDArray[np.float32]  # [N, entries], calibrated
    sentiments: list[SentimentScore]
    timing: Timing


class Engine:
    """Decides about messages. Immutable after construction; threads may share it."""

    def __init__(self, model: Model, index: FaqIndex, knowledge: Knowledge) -> None:
        self.identity = model.identity
        self.knowledge = knowledge
        self._model = model
        self._index = index
        self._keywords = KeywordFinder(knowledge.keywords, normalise=normalise)

    def warm_up(self) -> None:
        """Answer a Chinese and a Latin message, so that no customer waits for what loads on first use."""
        self.answer_many([Message(text) for text in _WARM_UP])

    def classify(self, message: Message, *, top_k: int = 3) -> Classification:
        """Intent, sentiment, language and evidence for one message."""
        return self.classify_many([message], top_k=top_k)[0]

    def answer(self, message: Message) -> Answer:
        """The whole decision about one message, with the written reply."""
        return self.answer_many([message])[0]

    def classify_many(self, messages: Sequence[Message], *, top_k: int = 3) -> list[Classification]:
        """One classification a message, in order; ``top_k`` intents in each ranking."""
        if not messages:
            return []
        reading = self.read([message.text for message in messages])
        return [self._classify(message, reading, row, top_k) for row, message in enumerate(messages)]

    def answer_many(self, messages: Sequence[Message]) -> list[Answer]:
        """One answer a message, in order."""
        if not messages:
            return []
        reading = self.read([message.text for message in messages])
        return [self._answer(message, reading, row) for row, message in enumerate(messages)]

    def read(self, raw_texts: Sequence[str]) -> Reading:
        """Normalise, encode once, fuse the views and calibrate."""
        start = perf_counter()
        texts = [normalise(text) for text in raw_texts]
        ids = self._model.tokenizer.encode(texts)
        tokenized = perf_counter()
        encodings = self._model.encoder.run(ids)
        encoded = perf_counter()
        views = gather_views(encodings, self._model.linear, self._index, texts)
        judgement = judge_views(views, self._index, self._model.calibration)
        sentiments = score_sentiments(encodings.sentiment, self._model.sentiments, self._model.calibration.sentiment)
        done = perf_counter()
        share = 1000.0 / len(texts)
        timing = Timing(share * (done - start), share * (tokenized - start), share * (encoded - tokenized), share * (done - encoded))
        return Reading(texts, views, judgement.intents, judgement.entries, sentiments, timing)

    def _classify(self, message: Message, reading: Reading, row: int, top_k: int) -> Classification:
        start = perf_counter()
        thresholds, text = self._model.thresholds, reading.texts[row]
        ranking = rank_intents(reading.intents[row], self._model.intents, top_k=max(top_k, 2))
        decision = judge(ranking, threshold=thresholds.intent, ambiguity=thresholds.ambiguity)
        given = message.language
        language = LanguageGuess(re.split("[-_]", given)[0].lower(), 1.0) if given else detect_language(text)
        keywords, entities = self._keywords.find(text), find_entities(message.text)
        # an ambiguous message shows both intents, however few the caller asked for
        shown = ranking if decision is Acceptance.AMBIGUOUS else ranking[:top_k]
        return Classification(
            language=language,
            intent=ranking[0],
            decision=decision,
            ranking=shown,
            sentiment=reading.sentiments[row],
            priority=self.knowledge.taxonomy.intents[ranking[0].code].priority,
            keywords=keywords,
            entities=entities,
            timing=reading.timing.plus(1000 * (perf_counter() - start)),
        )

    def _answer(self, message: Message, reading: Reading, row: int) -> Answer:
        classification = self._classify(message, reading, row, top_k=3)
        start = perf_counter()
        candidates = self._candidates(reading, row)
        accepted = candidates[0] if candidates[0].confidence >= self._model.thresholds.match else None
        entry = self.knowledge.faq[accepted.id] if accepted else None
        intent = self.knowledge.taxonomy.intents[entry.intent if entry else classification.intent.code]
        complaint = self._share_of(COMPLAINT, reading.intents[row])
        evidence = Evidence(message, classification, intent, entry, candidates, complaint, self._model.thresholds)
        verdict = decide(evidence)
        answered = entry if verdict.outcome is Outcome.ANSWERED else None
        found = {entity.type for entity in classification.entities}
        missing = self._missing(verdict.outcome, entry, message, found)
        language = reply_language(classification.language)
        offered = tuple(self.knowledge.faq[c.id] for n, c in enumerate(candidates[:3]) if n < 2 or c.confidence >= WORTH_OFFERING)
        request = ReplyRequest(message, language, verdict.outcome, intent, answered, offered, missing)
        reply = compose(request, self.knowledge)
        explanation = (*self._evidence(reading, row, candidates), verdict.step)
        timing = classification.timing.plus(1000 * (perf_counter() - start))
        return Answer(
            outcome=verdict.outcome,
            reply=reply,
            faq=accepted if answered else None,
            accepted=accepted,
            candidates=candidates,
            classification=replace(classification, timing=timing),
            missing=missing,
            handoff=verdict.handoff,
            explanation=explanation,
        )

    def _missing(self, outcome: Outcome, entry: FaqEntry | None, message: Message, found: set[str]) -> tuple[str, ...]:
        if entry is None or outcome not in (Outcome.ANSWERED, Outcome.HANDOFF):
            return ()
        return missing_facts(entry, self.knowledge, message, found)

    def _share_of(self, category: str, intents: NDArray[np.float32]) -> float:
        """Probability that the message belongs to ``category``."""
        known = self.knowledge.taxonomy.intents
        return float(sum(p for code, p in zip(self._model.intents, intents, strict=True) if known[code].category == category))

    def _candidates(self, reading: Reading, row: int) -> tuple[Candidate, ...]:
        order = np.argsort(-reading.entries[row], kind="stable")[:CANDIDATES]
        names, cosine = self._index.space.entries, reading.views.cosine[row]
        return tuple(Candidate(names[i], float(reading.entries[row, i]), float(cosine[i])) for i in order)

    def _evidence(self, reading: Reading, row: int, candidates: Sequence[Candidate]) -> tuple[Step, ...]:
        best, space, views = candidates[0], self._index.space, reading.views
        column = space.entries.index(best.id)
        linear = float(np.exp(views.linear[row, column]))
        said = f"n-gram view {linear:.3f}" if linear == linear else "n-gram view has not seen it"
        lexical = float(views.lexical[row, column])
        detail = f"{best.id}: confidence {best.confidence:.3f}, cosine {best.similarity:.3f}, {said}, log BM25 {lexical:.2f}"
        return (Step("match", detail),)


def gather_views(encodings: Encodings, linear: NgramView, index: FaqIndex, texts: Sequence[str]) -> Views:
    """All evidence about normalised ``texts``; calibration gathers it with this same function."""
    return Views(
        cosine=index.cosines(encodings.embedding),
        linear=spread(linear.log_probabilities(texts), index.space),
        lexical=index.lexical(texts),
        intent=log_softmax(encodings.intent),
    )


def judge_views(views: Views, index: FaqIndex, calibration: Calibration) -> Judgement:
    """What the views say once they are fused and calibrated."""
    space = index.space
    posterior = fuse(views, calibration.fusion, space)
    intents = intent_posterior(views.intent, np.exp(posterior), space.intents.tolist(), calibration.intent)
    judged = features(posterior, views, intents, space)
    return Judgement(intents, confidences(posterior, judged, calibration.confidence, space))
