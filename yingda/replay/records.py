"""What a replay reads and compares: past turns, and decisions in the few words in which two can differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from dataclasses import fields as fields_of
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer
from yingda.domain.errors import MessageError, YingdaError
from yingda.domain.message import Channel, Customer, Message, Tier

DIGITS = 6
"""Decimals of a confidence as the service tells and stores it."""

_T = TypeVar("_T")


class ReplayError(YingdaError):
    """Past turns, a checkpoint or a configuration cannot be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision as far as customers and agents notice it, with its scores to DIGITS decimals.

    ``entry`` is the FAQ entry sent; ``best`` the one that fits best. ``tags``, ``notify``, ``template`` (its id) and ``blocked``
    (kinds of personal data that kept another reply from being sent) are None where an older record does not hold them:
    nothing differs from what is not known, see ``differing``. So is ``standing``: a person has the conversation after this message.
    """

    outcome: str
    intent: str
    sentiment: str
    entry: str | None
    reasons: tuple[str, ...]
    skill: str | None
    priority: str
    missing: tuple[str, ...]
    second_response: bool
    reply: str
    best: str | None
    scores: tuple[float, ...]
    tags: tuple[str, ...] | None = None
    notify: tuple[str, ...] | None = None
    template: str | None = None
    blocked: tuple[str, ...] | None = None
    standing: bool | None = None

    @classmethod
    def of(cls, answer: Answer) -> Seen:
        """What is seen of an answer of the engine."""
        best, handoff, about = answer.candidates[0] if answer.candidates else None, answer.handoff, answer.classification
        scores = (about.intent.confidence, about.sentiment.confidence, *((best.confidence, best.similarity) if best else ()))
        return cls(
            outcome=str(answer.outcome),
            intent=about.intent.code,
            sentiment=str(about.sentiment.label),
            entry=answer.faq.id if answer.faq else None,
            reasons=tuple(map(str, handoff.reasons)),
            skill=handoff.skill,
            priority=str(handoff.priority),
            missing=tuple(answer.missing),
            second_response=answer.second_response,
            reply=answer.reply.text,
            best=best.id if best else None,
            scores=tuple(round(score, DIGITS) for score in scores),
            tags=tuple(handoff.tags),
            notify=tuple(handoff.notify),
            template=answer.reply.template_id,
            blocked=tuple(answer.reply.blocked),
            standing=answer.handoff.required or answer.state.standing is not None,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Seen:
        """What is seen of an answer as the service told it (JSON of ``/v1/answer``).

        Raises KeyError, TypeError or AttributeError for another form.
        """
        about, handoff, candidates, reply = record["classification"], record["handoff"], record["candidates"], record["reply"]
        best = candidates[0] if candidates else None
        scores = [about["intent"]["confidence"], about["sentiment"]["confidence"]]
        scores += [best["confidence"], best["similarity"]] if best else []
        return cls(
            outcome=record["outcome"],
            intent=about["intent"]["code"],
            sentiment=about["sentiment"]["label"],
            entry=record["faq"]["id"] if record["faq"] else None,
            reasons=tuple(handoff["reasons"]),
            skill=handoff["skill"],
            priority=handoff["priority"],
            missing=tuple(record["missing"]),
            second_response=bool(record.get("second_response", False)),
            reply=reply["text"],
            best=best["id"] if best else None,
            scores=tuple(round(float(score), DIGITS) for score in scores),
            tags=_words(handoff.get("tags")),
            notify=_words(handoff.get("notify")),
            template=(reply.get("template") or {}).get("id"),
            blocked=_words(reply.get("blocked")),
            standing=None if "released" not in handoff else not handoff["released"],
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Seen:
        """The decision that ``fields`` wrote."""
        lists = {name: tuple(fields[name]) for name in ("reasons", "missing", "scores")}
        return cls(**{**fields, **lists, **{name: _words(fields[name]) for name in ("tags", "notify", "blocked")}})

    def fields(self) -> dict[str, Any]:
        """The decision as plain values."""
        return asdict(self)

    def differing(self, other: Seen) -> tuple[str, ...]:
        """Names of the fields in which the two differ; one that an older record does not hold differs from nothing."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in _FIELDS)
        return tuple(name for name, mine, theirs in pairs if mine != theirs and not (name in _LATER and (mine is None or theirs is None)))

    @property
    def handed_off(self) -> bool:
        """True when a person is to take over, or already has."""
        return self.outcome == "handoff"


_FIELDS = tuple(each.name for each in fields_of(Seen))
WORDING = frozenset({"reply", "missing", "template", "blocked"})
"""What a name or a value of the request's context may change; neither is stored."""
_LATER = frozenset({"tags", "notify", "template", "blocked", "standing"})


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One stored message, masked, with what its customer was told.

    ``served`` is None where nothing is stored; ``sent`` is False where it was decided and, by the roll-out, not sent. ``before`` is the
    conversation before this turn, needed of the first turn replayed when earlier ones are left out; ``released`` says that a person
    gave the conversation back before this turn.
    ``bundle`` and ``knowledge`` name the versions that decided. ``original`` is what the customer wrote, where personal data was
    taken out of ``text`` and the vault holds it: it is decided on and never shown.
    """

    turn_id: str
    conversation_id: str | None
    at: datetime
    text: str
    served: Seen | None = None
    channel: Channel = Channel.WEB
    language: str | None = None
    tier: Tier | None = None
    context: Mapping[str, str] = field(default_factory=dict)  # a plain one: turns travel to worker processes
    before: ConversationState | None = None
    released: bool = False
    bundle: str | None = None
    knowledge: str | None = None
    original: str | None = field(default=None, repr=False)
    sent: bool = True

    def message(self) -> Message:
        """The message as the engine gets it, without a name or a customer's id; raises MessageError."""
        customer = Customer(id="replay", tier=self.tier) if self.tier else None
        return Message(
            self.text if self.original is None else self.original,
            channel=self.channel,
            language=self.language,
            conversation_id=self.conversation_id,
            message_id=self.turn_id,
            customer=customer,
            context=self.context,
            at=self.at,
        )


def read_turns(path: Path) -> list[PastTurn]:
    """Past turns of a JSONL file, one object a line; raises ReplayError that names the line.

    Fields: ``turn_id``, ``at`` (RFC 3339 with offset) and ``text``; optional ``conversation_id``, ``channel``, ``language``,
    ``tier``, ``context``, ``released``, ``bundle``, ``knowledge`` and ``answer`` (as ``/v1/answer`` told it).
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ReplayError(f"{path}: cannot be read as UTF-8 text; name a JSONL file of past turns") from None
    return list(_turns(path, ((number, line) for number, line in enumerate(lines, 1) if line.strip())))


def _turns(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[PastTurn]:
    seen: dict[str, int] = {}
    for number, line in lines:
        turn = _turn(f"{path}:{number}", line)
        first = seen.setdefault(turn.turn_id, number)
        if first != number:
            raise ReplayError(f"{path}:{number}: turn_id stands in line {first} too; keep one of them")
        yield turn


def _turn(where: str, line: str) -> PastTurn:
    try:
        fields = json.loads(line)
        at = datetime.fromisoformat(fields["at"])
        if at.tzinfo is None:
            raise ReplayError(f"{where}: at has no offset; write it like 2026-11-22T09:30:00+08:00")
        answer, tier, context = fields.get("answer"), fields.get("tier"), fields.get("context") or {}
        turn = PastTurn(
            turn_id=_is(fields["turn_id"], str),
            conversation_id=fields.get("conversation_id"),
            at=at,
            text=_is(fields["text"], str),
            served=Seen.from_record(answer) if answer else None,
            channel=Channel(fields.get("channel") or Channel.WEB),
            language=fields.get("language"),
            tier=Tier(tier) if tier else None,
            context={_is(name, str): _is(value, str) for name, value in _is(context, dict).items()},
            released=bool(fields.get("released", False)),
            bundle=fields.get("bundle"),
            knowledge=fields.get("knowledge"),
            sent=was_sent(answer or {}),
        )
        turn.message()
    except MessageError as error:
        raise ReplayError(f"{where}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ReplayError(f"{where}: no past turn; give turn_id, at and text, and answer as /v1/answer told it") from None
    return turn


def was_sent(answer: Mapping[str, Any]) -> bool:
    """False for an answer, as ``/v1/answer`` told it, that the roll-out kept back; what tells of no roll-out was sent."""
    return bool((answer.get("rollout") or {}).get("send", True))


def _words(value: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _is(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError
    return value
