"""A conversation as a state machine: what kind of message came, what it does to the counters, and which hand-off is due.

In a row means: without a new question, and without satisfaction, in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from yingda.decide.context import only_points
from yingda.decide.evidence import COMPLAINT, GREETING, HUMAN, SECURITY, THANKS, UNRESOLVED, Evidence
from yingda.decide.wording import Mentions, Topic
from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry
from yingda.domain.takeover import Reason
from yingda.text.masking import mask
from yingda.text.normalise import normalise

SHORT = 30
"""Characters up to which words of (dis)satisfaction make up the message; a longer one has its own matter."""

BRIEF = 8
"""Characters up to which displeasure without a matter is about the answer before it."""

LIKELY = 0.5
"""Confidence from which an entry is more likely right than not."""

KEPT = 200
"""Characters of a question that are remembered; a fragment needs no more to be understood."""


_MARKS = re.compile(r"[\W_]+")
_MASKED = "〔"
"""How a placeholder for personal data begins."""


class Kind(StrEnum):
    """What a message is to the conversation."""

    GREETING = "greeting"
    THANKS = "thanks"
    SATISFIED = "satisfied"
    DISSATISFIED = "dissatisfied"
    NEW_QUESTION = "new_question"
    SAME_QUESTION = "same_question"
    FRAGMENT = "fragment"
    HANGING = "hanging"
    CHOICE = "choice"
    OUT_OF_SCOPE = "out_of_scope"
    UNDECIDED = "undecided"
    ASIDE = "aside"


SMALL_TALK = frozenset({Kind.GREETING, Kind.THANKS, Kind.SATISFIED})
"""Kinds that ask for nothing."""

QUESTIONS = frozenset({Kind.NEW_QUESTION, Kind.SAME_QUESTION})

_UNDERSTOOD = QUESTIONS | {Kind.FRAGMENT, Kind.CHOICE, Kind.SATISFIED}
"""Kinds after which a fragment that cannot be decided is a first one."""


_STARTING = frozenset({Kind.NEW_QUESTION, Kind.CHOICE, Kind.SATISFIED})
"""Kinds after which requests for facts are counted anew."""

_OPENING = frozenset({Kind.NEW_QUESTION, Kind.CHOICE})
"""Kinds that open a question in the place of another."""

_TRIGGERS = frozenset({Topic.PERSON, Topic.COMPLAINT, Topic.SECURITY})


class Effect(StrEnum):
    """What a message does to a counter."""

    KEEP = "keep"
    ADD = "add"
    CLEAR = "clear"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Effects:
    """One row of the table: what a kind of message does to each counter."""

    repeats: Effect = Effect.KEEP
    dissatisfied: Effect = Effect.KEEP
    out_of_scope: Effect = Effect.KEEP
    undecided: Effect = Effect.KEEP


ROWS: Mapping[Kind, Effects] = MappingProxyType(
    {
        Kind.GREETING: Effects(),
        Kind.THANKS: Effects(),
        Kind.SATISFIED: Effects(Effect.CLEAR, Effect.CLEAR, Effect.CLEAR, Effect.CLEAR),
        Kind.DISSATISFIED: Effects(dissatisfied=Effect.ADD),
        Kind.NEW_QUESTION: Effects(Effect.ONE, Effect.CLEAR, Effect.CLEAR, Effect.CLEAR),
        Kind.SAME_QUESTION: Effects(repeats=Effect.ADD, out_of_scope=Effect.CLEAR, undecided=Effect.CLEAR),
        Kind.FRAGMENT: Effects(out_of_scope=Effect.CLEAR, undecided=Effect.CLEAR),
        # who follows a second try and is dissatisfied again was not helped twice
        Kind.CHOICE: Effects(repeats=Effect.ONE, out_of_scope=Effect.CLEAR, undecided=Effect.CLEAR),
        Kind.HANGING: Effects(),
        Kind.OUT_OF_SCOPE: Effects(out_of_scope=Effect.ADD, undecided=Effect.ADD),
        Kind.UNDECIDED: Effects(undecided=Effect.ADD),
        Kind.ASIDE: Effects(),
    }
)
"""The whole machine."""

COUNTERS: Mapping[str, Reason] = MappingProxyType(
    {
        "repeats": Reason.REPEATED_QUESTION,
        "dissatisfied": Reason.DISSATISFIED,
        "out_of_scope": Reason.OUT_OF_SCOPE,
        "undecided": Reason.LOW_CONFIDENCE,
    }
)
"""The reason for which a person takes over when a counter reaches its limit."""

LIMITED = (*COUNTERS, "requests")
"""Every count of the state that a setting of the same name limits."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the machine sees it; ``asked`` is what it asks about, ``facts`` the kinds of fact it gives.

    ``brings`` says that one of them is needed for what it asks about, and was not given before.
    """

    kind: Kind
    asked: Asked | None = None
    facts: tuple[str, ...] = ()
    at: datetime | None = None
    brings: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """The conversation after a message, and the reasons for which its counters call a person."""

    state: ConversationState
    reasons: tuple[Reason, ...] = ()


def advance(state: ConversationState, turn: Turn, policy: HandoffPolicy) -> Advance:
    """Count ``turn``; nothing is counted while a hand-off stands. Pure, and never raises."""
    facts, last_at = tuple(dict.fromkeys((*state.facts, *turn.facts))), _later(state.last_at, turn.at)
    if state.standing is not None:
        return Advance(replace(state, facts=facts, last_at=last_at))
    effects = ROWS[turn.kind]
    counts = {name: _counted(getattr(state, name), getattr(effects, name)) for name in COUNTERS}
    after = replace(
        state,
        facts=facts,
        last_at=last_at,
        question=_open_question(state.question, turn),
        repeats=counts["repeats"],
        dissatisfied=counts["dissatisfied"],
        out_of_scope=counts["out_of_scope"],
        undecided=counts["undecided"],
        requests=0 if turn.brings or turn.kind in _STARTING else state.requests,
        hanging=turn.kind is Kind.HANGING or (state.hanging and turn.kind not in _UNDERSTOOD),
    )
    due = tuple(reason for name, reason in COUNTERS.items() if _is_due(name, effects, counts[name], policy))
    # messages that were all out of scope are no want of understanding; a mixture is
    all_outside = counts["out_of_scope"] == counts["undecided"]
    return Advance(after, tuple(reason for reason in due if not (all_outside and reason is Reason.LOW_CONFIDENCE)))


def _later(last: datetime | None, at: datetime | None) -> datetime | None:
    """Clocks that went back, or times that cannot be compared, never make a conversation older."""
    if last is None or at is None or not _comparable(last, at):
        return last or at
    return max(last, at)


def _comparable(one: datetime, other: datetime) -> bool:
    return (one.utcoffset() is None) == (other.utcoffset() is None)


def _counted(count: int, effect: Effect) -> int:
    return {Effect.KEEP: count, Effect.ADD: count + 1, Effect.CLEAR: 0, Effect.ONE: 1}[effect]


def _is_due(name: str, effects: Effects, count: int, policy: HandoffPolicy) -> bool:
    """A counter calls a person when it is moved, not again at every message that leaves it alone."""
    moved = getattr(effects, name) in (Effect.ADD, Effect.ONE)
    return moved and count >= int(getattr(policy, name))


def _open_question(before: Asked | None, turn: Turn) -> Asked | None:
    """A question stays open until another is asked; what could not be decided opens one only where none is."""
    opens = turn.kind in _OPENING or (turn.kind is Kind.UNDECIDED and before is None)
    return turn.asked if opens and turn.asked is not None else before


def resumed(state: ConversationState, at: datetime | None, policy: HandoffPolicy) -> ConversationState:
    """``state`` as a message of time ``at`` finds it: begun anew after the idle time, which releases a hand-off too."""
    return state if idle_since(state, at, policy) is None else NEW


def idle_since(state: ConversationState, at: datetime | None, policy: HandoffPolicy) -> datetime | None:
    """The time of the last message, where one of time ``at`` begins the conversation anew after the idle time; else None."""
    last = state.last_at
    if at is None or last is None or not _comparable(last, at):
        return None
    return last if at - last >= timedelta(hours=policy.idle_hours) else None


# ---- what kind of message it is ----


def turn_of(evidence: Evidence, mentions: Mentions, state: ConversationState, *, called: bool) -> Turn:
    """The message as the machine sees it; ``called`` says that it calls a person by itself."""
    kind = kind_of(evidence, mentions, state, called=called)
    opens = state.standing is None and (kind in _OPENING or (kind is Kind.UNDECIDED and state.question is None))
    asked = Asked(about(evidence), _words_of(evidence, state)[:KEPT]) if opens else None
    facts = tuple(dict.fromkeys(entity.type for entity in evidence.classification.entities))
    return Turn(kind, asked, facts, evidence.message.at, evidence.brings and evidence.accepted is not None)


def _words_of(evidence: Evidence, state: ConversationState) -> str:
    """What was asked, masked; of a choice the chosen question, for "2" says nothing that could be read again."""
    if evidence.chosen and evidence.accepted is not None:
        asked = evidence.accepted.question
        return asked.get(state.language or "") or asked.get("zh") or next(iter(asked.values()))
    return evidence.masked or mask(evidence.message.text)


def kind_of(evidence: Evidence, mentions: Mentions, state: ConversationState, *, called: bool) -> Kind:
    """What the message is to the conversation; the first rule that holds decides."""
    if evidence.only_facts:
        return Kind.ASIDE
    if evidence.chosen and evidence.accepted is not None:
        return Kind.FRAGMENT if state.question is not None and state.question.about == evidence.accepted.id else Kind.CHOICE
    # what nobody understood the first time opened the question, but was not counted as one
    if state.repeats > 0 and says_again(state.question, evidence.text or normalise(evidence.message.text), evidence.message.text):
        return Kind.SAME_QUESTION
    if Topic.IDENTITY in mentions.asserted or (Topic.NUDGED in mentions.asserted and evidence.accepted is None):
        return Kind.ASIDE
    if evidence.is_surely(THANKS, GREETING):
        return _displeased(evidence, mentions, state) if evidence.displeased else _small_talk(evidence, mentions)
    if Topic.ACKNOWLEDGED in mentions.asserted and evidence.accepted is None:
        return Kind.ASIDE
    if is_taken_back(evidence, mentions) or evidence.is_surely(HUMAN):
        return Kind.ASIDE
    if evidence.is_surely(UNRESOLVED):
        return Kind.DISSATISFIED
    if points(evidence):
        return Kind.UNDECIDED if state.hanging else Kind.HANGING
    if state.dissatisfied and _feeling(evidence, mentions) is Kind.DISSATISFIED and evidence.accepted is None:
        return Kind.DISSATISFIED  # 还是没反应, after a second try, is about the answer, whatever entry it resembles
    if evidence.sure and evidence.intent.code != OUT_OF_SCOPE and (evidence.accepted or called or is_worth_asking(evidence)):
        return _question(evidence, state)
    if _leaning(evidence) is not None and is_worth_asking(evidence):
        return _question(evidence, state)
    if said := _feeling(evidence, mentions):
        return said
    if _seems_same(evidence, state):
        return Kind.SAME_QUESTION
    if evidence.sure and evidence.askable:
        return _question(evidence, state)
    if called or not _TRIGGERS.isdisjoint(mentions.denied):
        return Kind.ASIDE
    if hangs(evidence):
        return Kind.UNDECIDED if state.hanging else Kind.HANGING
    outside = evidence.is_surely(OUT_OF_SCOPE) and evidence.accepted is None and not names_nothing(evidence)
    return Kind.OUT_OF_SCOPE if outside else Kind.UNDECIDED


def names_nothing(evidence: Evidence) -> bool:
    """True for what only points (可以吗): whatever it resembles, it may be about anything."""
    return only_points(evidence.text or evidence.message.text)


def points(evidence: Evidence) -> bool:
    """True for such a fragment beside an open question, where reading both together decided nothing."""
    return hangs(evidence) and not evidence.fragment and names_nothing(evidence)


def says_again(question: Asked | None, text: str, raw: str) -> bool:
    """True when ``raw`` (``text`` normalised) has the wording of the open ``question``, marks aside: whatever it may be else."""
    if question is None:
        return False
    own = normalise(mask(raw)) if _MASKED in question.text else text
    said, asked = (_MARKS.sub("", each).lower() for each in (own, normalise(question.text)))
    return bool(asked) and (said == asked or (len(question.text) >= KEPT and said.startswith(asked)))


def hangs(evidence: Evidence) -> bool:
    """True for a fragment that could not be decided, where the open question has entries to ask about."""
    return evidence.hanging and evidence.resumable and evidence.accepted is None


def _small_talk(evidence: Evidence, mentions: Mentions) -> Kind:
    """Thanks that say it is solved are more than thanks; polite words may wrap a complaint about the answer."""
    kind = Kind.THANKS if evidence.intent.code == THANKS else Kind.GREETING
    return _feeling(evidence, mentions) or kind


def _displeased(evidence: Evidence, mentions: Mentions, state: ConversationState) -> Kind:
    """What looks like greeting or thanks and is said in displeasure (好慢啊): about the answer, where there was one."""
    about_the_answer = bool(state.tried) and len(evidence.text or evidence.message.text) <= BRIEF
    return _feeling(evidence, mentions) or (Kind.DISSATISFIED if about_the_answer else Kind.ASIDE)


def _feeling(evidence: Evidence, mentions: Mentions) -> Kind | None:
    if len(evidence.text or evidence.message.text) > SHORT:
        return None
    if Topic.DISSATISFIED in mentions.asserted:
        return Kind.DISSATISFIED
    return Kind.SATISFIED if Topic.SATISFIED in mentions.asserted else None


def _question(evidence: Evidence, state: ConversationState) -> Kind:
    same = state.question is not None and state.question.about == about(evidence)
    if evidence.fragment and (same or _keeps_to_the_topic(evidence)):
        return Kind.FRAGMENT
    return Kind.SAME_QUESTION if same or (evidence.accepted is None and _seems_same(evidence, state)) else Kind.NEW_QUESTION


def _keeps_to_the_topic(evidence: Evidence) -> bool:
    """No entry is meant, and the intent is that of the open question."""
    names_none = evidence.accepted is None and _leaning(evidence) is None
    return names_none and evidence.topic is not None and evidence.topic.code == evidence.intent.code


def _seems_same(evidence: Evidence, state: ConversationState) -> bool:
    """Not sure enough to answer, but the best candidate is the open question's entry, and the best intent agrees."""
    if state.question is None or evidence.accepted is not None or evidence.fragment or not evidence.candidates:
        return False
    if evidence.offerable is not None and evidence.candidates[0].id not in evidence.offerable:
        return False  # it cannot be asked about, so nothing would be decided
    if evidence.hanging and only_points(evidence.text or evidence.message.text):
        return False  # it names nothing, so it is like nothing
    agrees = evidence.best is None or evidence.best.intent == evidence.intent.code
    return agrees and evidence.candidates[0].id == state.question.about


def about(evidence: Evidence) -> str:
    """What the message asks about: the entry, one that is more likely than not, or the intent where no entry fits."""
    entry = evidence.accepted or _leaning(evidence)
    return entry.id if entry is not None else evidence.intent.code


def _leaning(evidence: Evidence) -> FaqEntry | None:
    """The best entry where it is more likely right than not: too little to send it, enough to know what is asked."""
    likely = bool(evidence.candidates) and evidence.candidates[0].confidence >= LIKELY
    talk = {HUMAN, UNRESOLVED, THANKS, GREETING}
    return evidence.best if likely and evidence.best is not None and evidence.best.intent not in talk else None


def is_taken_back(evidence: Evidence, mentions: Mentions) -> bool:
    """True when the intent stands for just what the customer does not want (不用转人工, 不是来投诉)."""
    topic = {HUMAN: Topic.PERSON, SECURITY: Topic.SECURITY}.get(evidence.intent.code)
    if evidence.intent.category == COMPLAINT:
        topic = Topic.COMPLAINT
    return topic is not None and topic in mentions.denied


def is_worth_asking(evidence: Evidence, *, skip: int = 0) -> bool:
    """True when the best three candidates, without the first ``skip``, are probable enough together to ask between them."""
    best = evidence.candidates[skip : skip + 3]
    total = sum(candidate.confidence for candidate in best if evidence.offerable is None or candidate.id in evidence.offerable)
    return evidence.intent.code != OUT_OF_SCOPE and total >= evidence.thresholds.clarify
