"""One message in its conversation, between being read and being answered."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from yingda.decide.context import InContext, Manner, only_points, tells_no_language
from yingda.decide.conversation import LIKELY
from yingda.decide.evidence import COMPLAINT, NO_MATTER, PRAISE, Evidence
from yingda.decide.policy import Verdict
from yingda.decide.wording import SILENT, Mentions, Topic
from yingda.domain.conversation import Asked, ConversationState
from yingda.domain.decision import (
    Candidate,
    Classification,
    IntentScore,
    KeywordHit,
    LanguageGuess,
    Outcome,
    Reply,
    SentimentScore,
    Step,
    Timing,
)
from yingda.domain.knowledge import FaqEntry, Intent, Knowledge
from yingda.domain.message import Customer, Message
from yingda.domain.rules import Clock
from yingda.probability import log_softmax
from yingda.reply.calendar import holiday_on
from yingda.reply.compose import RECEIVED, RESIGNED
from yingda.reply.hours import is_open, local
from yingda.reply.language import customers_language, frame_of, stays_in, tells_itself
from yingda.reply.needs import Needs
from yingda.reply.request import ReplyRequest
from yingda.reply.variables import profile_of
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights, Views, confidences, features
from yingda.retrieve.index import FaqIndex
from yingda.retrieve.shortlist import Shortlist, fuse_shortlist
from yingda.retrieve.space import MatchSpace
from yingda.runtime import Encodings
from yingda.understand.intent import IntentWeights, intent_posterior

_MANNERS = {
    Manner.CHOICE: "the customer chose one of the questions offered",
    Manner.FACTS: "the message gives facts for the open question",
    Manner.ONLY_FACTS: "the message gives facts and asks nothing",
}

OFFERED = 3
"""Entries offered when asking back."""

WORTH_OFFERING = 0.05
"""Confidence from which a further entry is offered when asking back; two are always offered."""

SHORTEST_WORD = 4
"""Letters of the shortest word that tells English: shorter ones are written in every language."""

MOST_READ = 5000
"""Entries whose English words are looked at."""

_LATIN_WORD = re.compile("[a-z]+")

TOGETHER = Step("context", "a fragment, read together with the open question")
FRAMED = Step("framing", "read without the clauses that only frame the question")


@dataclass(frozen=True, slots=True)
class EntryEvidence:
    """What the views say of one entry: ``linear`` is a log probability, NaN where the n-gram view has not seen the entry."""

    cosine: float
    linear: float
    lexical: float


@dataclass(frozen=True, slots=True)
class Matches:
    """How the K entries of ``space`` fare with one message: all entries there are, or the message's shortlist.

    ``confidences`` [K] are calibrated; ``views`` holds the same message's evidence in its row ``row``.
    """

    space: MatchSpace
    confidences: NDArray[np.float32]
    views: Views
    row: int = 0

    def best(self, count: int) -> tuple[Candidate, ...]:
        """The ``count`` likeliest entries, best first."""
        order = np.argsort(-self.confidences, kind="stable")[:count]
        found = zip(order.tolist(), self.confidences[order].tolist(), self.views.cosine[self.row][order].tolist(), strict=True)
        return tuple(Candidate(self.space.entries[i], confidence, cosine) for i, confidence, cosine in found)

    def nearest(self, entries: Iterable[str]) -> list[str]:
        """Those of ``entries`` that are among these, the most similar first."""
        places = [place for entry in entries if (place := self.space.places.get(entry)) is not None]
        similar = self.views.cosine[self.row]
        return [self.space.entries[place] for place in sorted(places, key=lambda place: (-float(similar[place]), place))]

    def evidence(self, entry: str) -> EntryEvidence | None:
        """What was seen of ``entry``; None where it is not among these."""
        place = self.space.places.get(entry)
        if place is None:
            return None
        return EntryEvidence(*(float(view[self.row, place]) for view in (self.views.cosine, self.views.linear, self.views.lexical)))


@dataclass(frozen=True, slots=True)
class TextReading:
    """What model and word lists make of one normalised text, whoever wrote it and when.

    ``embedding`` [D] is a unit vector, ``intents`` [I] are calibrated. ``ranking`` and ``candidates`` hold the best few of each,
    ``complaint`` is the probability that the text is any complaint. These five are of the question that the text asks, which is
    part of the text where it is ``framed``; all else is of the whole text. Nothing in it comes from the text as it was written, and none
    of its words but those of the keyword library, so that a cache may keep it.
    """

    embedding: NDArray[np.float32]
    intents: NDArray[np.float32]
    matches: Matches
    sentiment: SentimentScore
    ranking: tuple[IntentScore, ...]
    candidates: tuple[Candidate, ...]
    complaint: float
    language: LanguageGuess
    keywords: tuple[KeywordHit, ...]
    mentions: Mentions
    framed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model makes of N messages; row i belongs to message i.

    ``texts`` are normalised, ``questions`` are what they ask: the texts without the clauses that only frame the question.
    """

    texts: list[str]
    questions: list[str]
    rows: list[TextReading]
    timings: list[Timing]

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """[N, D], unit vectors."""
        return np.stack([row.embedding for row in self.rows])

    @property
    def intents(self) -> NDArray[np.float32]:
        """[N, I], calibrated."""
        return np.stack([row.intents for row in self.rows])

    @property
    def matches(self) -> list[Matches]:
        """How the entries fare with each message."""
        return [row.matches for row in self.rows]

    @property
    def entries(self) -> list[NDArray[np.float32]]:
        """Calibrated confidences of each message's entries."""
        return [row.matches.confidences for row in self.rows]


@dataclass(frozen=True, slots=True)
class Turn:
    """A message in its conversation, as far as the model has read it.

    ``text`` is the message normalised, ``mentions`` are what the policy's words find in it. ``reading`` is of another text where
    ``again`` says so. ``fragment`` says that it was read together with the open question, whatever came of it.
    """

    message: Message
    state: ConversationState
    text: str
    reading: Reading
    row: int
    classification: Classification
    candidates: tuple[Candidate, ...]
    context: InContext
    mentions: Mentions = SILENT
    again: Step | None = None
    fragment: bool = False

    @property
    def read(self) -> TextReading:
        """The row of the reading that is this turn's."""
        return self.reading.rows[self.row]

    @property
    def question(self) -> str:
        """The text that was matched."""
        return self.reading.questions[self.row]

    def steps(self) -> tuple[Step, ...]:
        """What was read instead of the text as it stands, and what the conversation added to the reading."""
        said = _MANNERS.get(self.context.manner)
        steps = (FRAMED if self.read.framed else None, self.again, Step("context", said) if said else None)
        return tuple(step for step in steps if step is not None)


def language_of(turn: Turn, english: Collection[str] = (), written: Collection[str] = ()) -> str:
    """The language to answer in: that of the message, or of the conversation where the message tells none.

    It is Chinese or English, or one of ``written``, in which entries of the shop have texts besides. At the start of a
    conversation a word or two tell English where the shop's own English texts have them (``english``).
    """
    own, before = customers_language(turn.message, turn.classification.language, written), turn.state.language
    if before is not None and stays_in(before, own, turn.message, written):
        return before
    if turn.message.language is not None or not tells_no_language(turn.text) or tells_itself(own, written):
        return own
    if before is not None:
        return before if before in written else frame_of(before)
    words = _LATIN_WORD.findall(turn.text.lower())
    return "en" if words and all(word in english for word in words) else own


def english_words(knowledge: Knowledge) -> frozenset[str]:
    """The words of at least ``SHORTEST_WORD`` letters in the English questions of the shop, of its first entries where there are many."""
    texts = (each.question.get("en", "") for each in islice(knowledge.faq.values(), MOST_READ))
    return frozenset(word for text in texts for word in _LATIN_WORD.findall(text.lower()) if len(word) >= SHORTEST_WORD)


def introduced(state: ConversationState, customer: Customer | None) -> ConversationState:
    """``state`` with what a message says of its customer; one that says nothing is from the customer whom the conversation knows."""
    return state if customer is None else replace(state, customer=profile_of(customer))


def has_read(turn: Turn) -> bool:
    """True where the message gives facts for an answer that the customer has read already."""
    return turn.context.manner is Manner.FACTS and turn.context.entry in turn.state.tried


def situation_of(turn: Turn, verdict: Verdict, offered: Sequence[FaqEntry], needs: Needs, entry: FaqEntry | None) -> str | None:
    """The template of the reply where outcome and intent alone do not name it."""
    if verdict.situation is not None:
        return verdict.situation
    adds = entry is not None and entry.id in turn.state.tried and needs.brings  # 改成文三路12号, after the answer about addresses
    if verdict.outcome is Outcome.ANSWERED and (has_read(turn) or adds) and not needs.filled:
        return RECEIVED
    if verdict.outcome is Outcome.ANSWERED and Topic.RESIGNED in turn.mentions.asserted:
        return RESIGNED
    if verdict.outcome is not Outcome.CLARIFY or offered:
        return None
    return "second_response_plain" if verdict.second_response else Outcome.NO_ANSWER.value  # there is nothing to choose from


def topic_of(question: Asked | None, knowledge: Knowledge) -> Intent | None:
    """The intent that an open question is about; None where there is none, or the shop no longer has it."""
    entry = knowledge.faq.get(question.about) if question else None
    return knowledge.taxonomy.intents.get(entry.intent if entry else question.about) if question else None


def strays(turn: Turn, knowledge: Knowledge) -> bool:
    """True for what only points (那多久到) and by itself would be about another category than the open question."""
    topic = topic_of(turn.state.question, knowledge)
    if topic is None or not only_points(turn.question):
        return False
    own = knowledge.faq[turn.candidates[0].id].intent
    return knowledge.taxonomy.intents[own].category != topic.category


def has_a_matter(knowledge: Knowledge, entry: FaqEntry) -> bool:
    """False for small talk, praise and complaints: they are about something else."""
    return entry.intent not in NO_MATTER | {PRAISE} and knowledge.taxonomy.intents[entry.intent].category != COMPLAINT


def may_be_offered(knowledge: Knowledge, entry: FaqEntry) -> bool:
    """False for small talk and praise, and for what choosing it would only hand to a person: complaints, entries that need one."""
    return has_a_matter(knowledge, entry) and knowledge.taxonomy.intents[entry.intent].answerable and not entry.needs_human


def offerable(knowledge: Knowledge) -> Mapping[str, tuple[str, ...]]:
    """The ids of the entries to ask about, by intent and by category."""
    found: dict[str, list[str]] = {}
    for entry in knowledge.faq.values():
        if may_be_offered(knowledge, entry):
            for code in {entry.intent, knowledge.taxonomy.intents[entry.intent].category}:
                found.setdefault(code, []).append(entry.id)
    return {code: tuple(ids) for code, ids in found.items()}


def worth_offering(knowledge: Knowledge, candidates: Sequence[Candidate], *, least: int) -> tuple[FaqEntry, ...]:
    """Up to three entries to ask the customer about: the best ``least``, and more that are worth it."""
    entries = ((knowledge.faq[each.id], each.confidence) for each in candidates)
    shown = [(entry, confidence) for entry, confidence in entries if may_be_offered(knowledge, entry)][:OFFERED]
    return tuple(entry for n, (entry, confidence) in enumerate(shown) if n < least or confidence >= WORTH_OFFERING)


def besides(candidates: Sequence[Candidate], read: Collection[str]) -> tuple[Candidate, ...]:
    """``candidates`` without those in ``read``, for who asks on does not ask for the answer just given.

    Given that it is none of them, an entry that is likelier than not is right with P(entry) / (1 - P(read)); less is no evidence
    to make certain of.
    """
    left = 1.0 - sum(each.confidence for each in candidates if each.id in read)
    rest = (each for each in candidates if each.id not in read)
    return tuple(
        replace(each, confidence=each.confidence / max(left, each.confidence)) if each.confidence >= LIKELY else each for each in rest
    )


def evidence_of(turn: Turn, entry: str, index: FaqIndex) -> EntryEvidence:
    """What speaks for ``entry``; one that the conversation brings up need not be on the message's shortlist."""
    if (seen := turn.read.matches.evidence(entry)) is not None:
        return seen
    cosine, lexical = index.look_up(entry, turn.read.embedding, turn.question)
    return EntryEvidence(cosine, nan, lexical)  # entries that the n-gram view knows are on every shortlist


def match_step(turn: Turn, best: Candidate, index: FaqIndex) -> Step:
    """Why ``best`` comes first."""
    seen = evidence_of(turn, best.id, index)
    linear = float(np.exp(np.float32(seen.linear)))
    said = "n-gram view has not seen it" if isnan(linear) else f"n-gram view {linear:.3f}"
    detail = f"{best.id}: confidence {best.confidence:.3f}, cosine {best.similarity:.3f}, {said}, log BM25 {seen.lexical:.2f}"
    return Step("match", detail)


def told_outcome(outcome: Outcome, request: ReplyRequest, reply: Reply, *, withheld: bool) -> Outcome:
    """What the customer is really told: an answer that lacks a fact became a question, one with personal data was not sent."""
    if outcome is not Outcome.ANSWERED:
        return outcome
    if reply.blocked:
        return Outcome.NO_ANSWER
    return Outcome.CLARIFY if withheld or set(reply.missing) - set(request.missing) else outcome


def facts_asked(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    """Facts that the reply asks for: with an answer what it needs, with a hand-off what the entry asks for anyway."""
    if evidence.accepted is None or verdict.outcome not in (Outcome.ANSWERED, Outcome.HANDOFF):
        return ()
    handed = verdict.outcome is Outcome.HANDOFF
    return tuple(fact for fact in verdict.asks if not handed or fact in evidence.accepted.ask)


def reply_steps(reply: Reply) -> tuple[Step, ...]:
    """Why another reply stands in the place of the one that was written first."""
    return (Step("reply", f"blocked, for it would have shown: {', '.join(reply.blocked)}"),) if reply.blocked else ()


def clock_of(knowledge: Knowledge, message: Message) -> Clock | None:
    """The message's time as rules see it, on the shop's clock."""
    if message.at is None:
        return None
    here = local(knowledge.policy, message.at)
    return Clock(here.hour, here.isoweekday(), holiday_on(here.date()) is not None, is_open(knowledge.policy, message.at))


def match_shortlists(
    index: FaqIndex,
    encodings: Encodings,
    linear: NDArray[np.float32],
    texts: Sequence[str],
    fusion: FusionWeights,
    confidence: ConfidenceModel,
    intent: IntentWeights,
) -> tuple[NDArray[np.float32], list[Matches]]:
    """Intents [N, I] and matches of normalised ``texts`` in a large space: each is scored over its own shortlist.

    ``linear`` [N, trained] are the log probabilities of the n-gram view.
    """
    head = log_softmax(encodings.intent)
    intents, matches = np.empty_like(head), []
    for row, text in enumerate(texts):
        shortlist = index.shortlist(encodings.embedding[row], text)
        views = shortlist.views(linear[row : row + 1], head[row : row + 1])
        intents[row : row + 1], judged = judge_shortlist(shortlist, views, fusion, confidence, intent)
        matches.append(judged)
    return intents, matches


def judge_shortlist(
    shortlist: Shortlist, views: Views, fusion: FusionWeights, confidence: ConfidenceModel, intent: IntentWeights
) -> tuple[NDArray[np.float32], Matches]:
    """Intents [1, I], to which entries left out add their share, and matches of one message by the ``views`` of its shortlist."""
    space = shortlist.space
    posterior, left = fuse_shortlist(views, fusion, shortlist)
    groups = [*space.intents.tolist(), *range(left.shape[1])]
    intents = intent_posterior(views.intent, np.concatenate((np.exp(posterior), left), axis=1), groups, intent)
    judged = features(posterior, views, intents, space)
    return intents, Matches(space, confidences(posterior, judged, confidence, space, elsewhere=left.sum(1))[0], views)
