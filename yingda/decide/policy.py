"""The hand-off and answer policy as one table over a message and the conversation so far; pure and deterministic.

What a message says by itself stands in HANDOFF_ROWS, what the conversation adds in ``conversation.ROWS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from yingda.decide.conversation import (
    BRIEF,
    COUNTERS,
    QUESTIONS,
    SMALL_TALK,
    Advance,
    Kind,
    Turn,
    advance,
    hangs,
    is_taken_back,
    is_worth_asking,
    names_nothing,
    points,
    resumed,
    turn_of,
)
from yingda.decide.evidence import COMPLAINT as COMPLAINT
from yingda.decide.evidence import GREETING, HUMAN, NO_MATTER, PRAISE, SECURITY, THANKS, UNRESOLVED
from yingda.decide.evidence import Evidence as Evidence
from yingda.decide.routing import is_urgent, merged, no_handoff, route
from yingda.decide.routing import triage as triage
from yingda.decide.wording import Mentions, Topic, wording_of
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Candidate, Handoff, Outcome, Reason, Step
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry

KEEP_OFFERED = frozenset({"acknowledged", "heard", "identity", "nudged"})
"""Situations in which the questions offered before stay open to be chosen from."""


_SAID = {"heard": "displeased, and names no matter", "identity": "asks what it is talking to", "nudged": "waits for a reply"}


class Offer(StrEnum):
    """Which entries the customer may be asked about."""

    CANDIDATES = "candidates"
    INTENT = "intent"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome, hand-off, the lines that decided, and the conversation after the message.

    ``second_response`` marks the second try after a dissatisfied message (二次响应). ``situation`` names the reply's template where
    the outcome alone does not, ``offer`` the entries that a question back is about, ``asks`` the facts to ask for.
    """

    outcome: Outcome
    handoff: Handoff
    steps: tuple[Step, ...]
    state: ConversationState
    second_response: bool = False
    situation: str | None = None
    offer: Offer = Offer.CANDIDATES
    asks: tuple[str, ...] = ()

    @property
    def step(self) -> Step:
        """The line of the table that decided."""
        return self.steps[0]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the policy."""

    reason: Reason
    detail: str
    holds: Callable[[Evidence, Mentions], bool]


def _asks_for_person(evidence: Evidence, mentions: Mentions) -> bool:
    wanted = Topic.PERSON in mentions.asserted and not evidence.is_surely(PRAISE)
    only_asks_who = Topic.IDENTITY in mentions.asserted  # 你是真人吗
    return wanted or (evidence.is_surely(HUMAN) and not only_asks_who and not is_taken_back(evidence, mentions))


def _complains(evidence: Evidence, mentions: Mentions) -> bool:
    if Topic.COMPLAINT in mentions.denied:
        return False
    # 房东不退押金，去哪投诉 is about others; a few words that name nobody else (我要告你) are said to the shop
    about_others = evidence.is_surely(OUT_OF_SCOPE) and len(evidence.text or evidence.message.text) > BRIEF
    said = Topic.COMPLAINT in mentions.asserted and not evidence.is_surely(PRAISE) and not about_others
    sure_of_one = evidence.sure and evidence.intent.category == COMPLAINT
    return said or sure_of_one or evidence.complaint >= evidence.thresholds.intent


def _is_in_danger(evidence: Evidence, mentions: Mentions) -> bool:
    said = Topic.SECURITY in mentions.asserted and not evidence.is_surely(PRAISE, OUT_OF_SCOPE)
    return said or (evidence.is_surely(SECURITY) and not is_taken_back(evidence, mentions))


def _needs_person(evidence: Evidence, mentions: Mentions) -> bool:
    """True when the entry says so, or when no entry may close its intent; a dissatisfied message gets its second try."""
    entry = standing_entry(evidence, mentions)
    if entry is None or evidence.intent.code == UNRESOLVED:
        return False
    return entry.needs_human or not evidence.intent.answerable


HANDOFF_ROWS: tuple[_Row, ...] = (
    _Row(Reason.REQUESTED, "the customer asks for a person", _asks_for_person),
    _Row(Reason.COMPLAINT, "a complaint", _complains),
    _Row(Reason.NEGATIVE_SENTIMENT, "the customer is angry", lambda e, _: e.furious),
    _Row(Reason.SECURITY, "account security", _is_in_danger),
    _Row(Reason.NEEDS_HUMAN, "the matching entry needs a person", _needs_person),
)
"""What one message says by itself; a need of the entry counts only where nothing else holds."""


def decide(evidence: Evidence) -> Verdict:
    """What happens to the message, and the conversation after it; several hand-off reasons may stand together."""
    mentions = evidence.mentions
    if mentions is None:
        mentions = wording_of(evidence.policy.words).find(evidence.text or evidence.message.text)
    state = resumed(evidence.state, evidence.message.at, evidence.policy)
    rows, doubted = _calling(evidence, mentions, state.standing)
    turn = turn_of(evidence, mentions, state, called=bool(rows) or doubted)
    advanced = advance(state, turn, evidence.policy)
    if state.standing is not None:
        return _stay_out(evidence, state.standing, turn, advanced, rows, doubted=doubted)
    stuck = _cannot_answer(evidence, mentions, turn, advanced.state)
    said = [*(row.reason for row in rows), *([Reason.NEEDS_HUMAN] if stuck else [])]
    reasons = _together(evidence, said, advanced.reasons)
    asks = evidence.wants if evidence.accepted is not None and advanced.state.requests < evidence.policy.requests else ()
    if reasons:
        handoff = route(evidence, reasons)
        own = [row.detail for row in rows if row.reason in reasons]
        details = [*own, *([stuck] if stuck else []), *_counted(advanced), *([_doubt(evidence)] if doubted else [])]
        verdict = _verdict(evidence, Outcome.HANDOFF, "; ".join(details), turn, replace(advanced.state, standing=handoff), handoff)
        return replace(verdict, asks=() if stuck else asks)
    verdict = _reply(evidence, mentions, turn, advanced.state)
    if verdict.outcome is not Outcome.ANSWERED or not asks:
        return verdict
    return replace(verdict, asks=asks, state=replace(verdict.state, requests=advanced.state.requests + 1))


def _calling(evidence: Evidence, mentions: Mentions, standing: Handoff | None) -> tuple[list[_Row], bool]:
    """The rows that hold, and whether anger was left out of them as too doubtful to stand beside an urgent hand-off.

    Anger calls a person at a low confidence, lest an angry customer is left with a machine. Where a person takes over urgently
    without it, by this message or before, it would only move the matter to other people: that takes the confidence of a statement.
    """
    rows = [row for row in HANDOFF_ROWS if row.holds(evidence, mentions)]
    others = [row for row in rows if row.reason is not Reason.NEGATIVE_SENTIMENT]
    called = [row.reason for row in others if row.reason is not Reason.NEEDS_HUMAN]
    doubted = len(others) < len(rows) and not evidence.enraged and is_urgent(evidence, called, standing)
    return (others if doubted else rows), doubted


def _doubt(evidence: Evidence) -> str:
    return f"anger is no further reason below {evidence.thresholds.angry_beside:.3f}"


def _cannot_answer(evidence: Evidence, mentions: Mentions, turn: Turn, state: ConversationState) -> str | None:
    """Why the answer will not be sent and asking goes on no longer: what it lacks nobody can give here, or asking brought nothing."""
    if not evidence.withheld or standing_entry(evidence, mentions) is None or turn.kind is Kind.DISSATISFIED:
        return None
    if evidence.stuck:
        return "the answer lacks what no message can give"
    return f"asked {state.requests} times for what the answer lacks" if state.requests >= evidence.policy.requests else None


def _together(evidence: Evidence, said: Sequence[Reason], due: Sequence[Reason]) -> tuple[Reason, ...]:
    """All reasons in their order: the policy outranks an entry's need, and VIP is a reason only beside another."""
    found = {*said, *due}
    if found != {Reason.NEEDS_HUMAN}:
        found.discard(Reason.NEEDS_HUMAN)
    if found and evidence.is_vip:
        found.add(Reason.VIP)
    return tuple(reason for reason in Reason if reason in found)


def _stay_out(evidence: Evidence, standing: Handoff, turn: Turn, advanced: Advance, rows: Sequence[_Row], *, doubted: bool) -> Verdict:
    """A person has the conversation: only thanks and goodbye are answered, and nothing is released.

    What calls a person by itself is merged into the hand-off that stands; what an entry needs is not, for a person is there.
    """
    called = [row for row in rows if row.reason is not Reason.NEEDS_HUMAN]
    if turn.kind in SMALL_TALK - {Kind.GREETING} and (evidence.accepted is not None or turn.kind is Kind.SATISFIED) and not called:
        verdict = _verdict(evidence, Outcome.ANSWERED, "thanks or goodbye; the hand-off stands", turn, advanced.state)
        return verdict if evidence.accepted is not None else replace(verdict, situation="satisfied")
    handoff = merged(evidence, standing, _together(evidence, [row.reason for row in called], ()))
    said = (f"{'also' if row.reason in standing.reasons else 'new'}: {row.detail}" for row in called)
    seen = "; ".join(("a hand-off stands", *said, *([_doubt(evidence)] if doubted else [])))
    verdict = _verdict(evidence, Outcome.HANDOFF, seen, turn, replace(advanced.state, standing=handoff), handoff)
    return replace(verdict, asks=evidence.wants)


def _reply(evidence: Evidence, mentions: Mentions, turn: Turn, state: ConversationState) -> Verdict:
    """The bot answers, asks back, or says that it cannot."""
    if turn.kind is Kind.DISSATISFIED:
        verdict = _verdict(evidence, Outcome.CLARIFY, "dissatisfied; a second try with the next best entries", turn, state)
        return replace(verdict, second_response=True)
    if situation := _aside(evidence, mentions, turn, state):
        said = _SAID.get(situation, "only acknowledges")
        return replace(_verdict(evidence, Outcome.CLARIFY, f"{said}; asks for the matter", turn, state), situation=situation)
    entry = standing_entry(evidence, mentions)
    if entry is not None:
        # what was held back for want of a fact was not read
        is_news = turn.kind not in SMALL_TALK and entry.id not in state.tried and not evidence.withheld
        after = replace(state, tried=(*state.tried, entry.id)) if is_news else state
        return _verdict(evidence, Outcome.ANSWERED, f"match at or above {evidence.thresholds.match:.3f}", turn, after)
    if turn.kind is Kind.SATISFIED:
        begun = state.question is not None or bool(state.tried)
        outcome = Outcome.ANSWERED if begun else Outcome.CLARIFY
        return replace(_verdict(evidence, outcome, "says that it is solved", turn, state), situation="satisfied")
    if evidence.only_facts:
        continues = state.question is not None and state.question.about in state.tried
        said = "facts without a question; " + ("noted for the open one" if continues else "asks what they are for")
        return replace(_verdict(evidence, Outcome.CLARIFY, said, turn, state), situation="facts_received" if continues else "facts_alone")
    if turn.kind is Kind.ASIDE and not is_worth_asking(evidence, skip=int(is_taken_back(evidence, mentions))):
        verdict = _verdict(evidence, Outcome.CLARIFY, "only takes something back; asks for the matter", turn, state)
        return replace(verdict, situation="noted")
    if points(evidence):
        return _asks_which(evidence, turn, state)
    if is_worth_asking(evidence, skip=int(is_taken_back(evidence, mentions))):
        return _verdict(evidence, Outcome.CLARIFY, "no match is sure enough, but the best few are worth asking about", turn, state)
    if turn.kind in (Kind.HANGING, Kind.UNDECIDED) and hangs(evidence):
        return _asks_which(evidence, turn, state)
    if turn.kind in QUESTIONS and evidence.sure and evidence.askable:
        verdict = _verdict(evidence, Outcome.CLARIFY, "the intent is sure and no entry is; asks about the intent's entries", turn, state)
        return replace(verdict, offer=Offer.INTENT)
    if turn.kind is Kind.UNDECIDED and evidence.is_keyword and evidence.askable:
        verdict = _verdict(evidence, Outcome.CLARIFY, "but a keyword of the intent; asks about the intent's entries", turn, state)
        return replace(verdict, offer=Offer.INTENT)
    if turn.kind is Kind.SAME_QUESTION and evidence.resumable:
        verdict = _verdict(evidence, Outcome.CLARIFY, "the same question, and no entry is sure; asks which is meant", turn, state)
        return replace(verdict, offer=Offer.QUESTION)
    if _stays_near(evidence):
        verdict = _verdict(evidence, Outcome.CLARIFY, "nothing fits, and it is near the open question; asks about that", turn, state)
        return replace(verdict, situation="fragment", offer=Offer.QUESTION)
    if turn.kind is Kind.UNDECIDED and names_nothing(evidence) and evidence.state.question is None:
        verdict = _verdict(evidence, Outcome.CLARIFY, "a fragment of nothing that was said; asks for the matter", turn, state)
        return replace(verdict, situation="noted")
    return _verdict(evidence, Outcome.NO_ANSWER, "nothing fits well enough to answer", turn, state)


def _asks_which(evidence: Evidence, turn: Turn, state: ConversationState) -> Verdict:
    verdict = _verdict(evidence, Outcome.CLARIFY, "a fragment that nothing decides; asks about the open question", turn, state)
    return replace(verdict, situation="fragment", offer=Offer.QUESTION)


def _stays_near(evidence: Evidence) -> bool:
    """True for what nobody understood beside an open question of the same category (还没到账, after 退款到哪了)."""
    own, topic = evidence.intent, evidence.topic
    return evidence.resumable and topic is not None and own.code not in NO_MATTER and own.category == topic.category


def _aside(evidence: Evidence, mentions: Mentions, turn: Turn, state: ConversationState) -> str | None:
    """The short reply to what asks for nothing of the shop: 嗯 after an answer, 好慢啊 before any, 你是机器人吗."""
    if turn.kind is not Kind.ASIDE or evidence.only_facts:
        return None
    if Topic.IDENTITY in mentions.asserted:
        return "identity"
    if evidence.displeased and evidence.is_surely(THANKS, GREETING):
        return "heard"
    if Topic.NUDGED in mentions.asserted:
        return "nudged"
    if Topic.ACKNOWLEDGED in mentions.asserted and evidence.accepted is None:
        if evidence.displeased and state.question is None:
            return "heard"  # an angry face
        return "acknowledged" if state.question is not None or state.tried else "noted"
    return None


def standing_entry(evidence: Evidence, mentions: Mentions) -> FaqEntry | None:
    """The accepted entry, unless the customer does not want just that, is displeased and greeted, or only asks what it is talking to."""
    greets = evidence.displeased and evidence.intent.code in (THANKS, GREETING)
    only_asks_who = Topic.IDENTITY in mentions.asserted
    return None if greets or only_asks_who or is_taken_back(evidence, mentions) else evidence.accepted


def next_best(candidates: Sequence[Candidate], tried: Sequence[str]) -> tuple[Candidate, ...]:
    """What a second try may offer: the candidates of the open question that were not sent yet, best first."""
    return tuple(candidate for candidate in candidates if candidate.id not in tried)


def _counted(advanced: Advance) -> list[str]:
    named = {reason: name for name, reason in COUNTERS.items()}
    return [f"{reason.value.replace('_', ' ')}: {getattr(advanced.state, named[reason])} in a row" for reason in advanced.reasons]


def _verdict(
    evidence: Evidence, outcome: Outcome, detail: str, turn: Turn, state: ConversationState, handoff: Handoff | None = None
) -> Verdict:
    counts = ", ".join(f"{name} {getattr(state, name)}/{getattr(evidence.policy, name)}" for name in COUNTERS)
    asked = f" about {state.question.about}" if turn.kind in QUESTIONS and state.question is not None else ""
    steps = (Step("decide", detail), Step("conversation", f"{turn.kind}{asked}; {counts}"))
    return Verdict(outcome, handoff or no_handoff(evidence), steps, state)
