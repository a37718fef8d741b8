"""Writes the replies of one shop, and keeps those in which nothing of a customer can stand."""

from __future__ import annotations

from dataclasses import dataclass

from yingda.cache import Cache
from yingda.domain.decision import Outcome, Reply
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Channel, Message
from yingda.reply.compose import compose
from yingda.reply.greeting import scene
from yingda.reply.hours import local
from yingda.reply.promise import Promise, promise_for
from yingda.reply.request import ReplyRequest

KEPT = 1024
"""Replies kept: an entry is sent in a few forms, by channel, language and time of day."""


@dataclass(frozen=True, slots=True)
class _Key:
    """All that the reply to a customer without name and without values depends on, beside the knowledge."""

    language: str
    entry_language: str
    channel: Channel
    outcome: Outcome
    intent: str
    entry: str | None
    offered: tuple[str, ...]
    missing: tuple[str, ...]
    unasked: tuple[str, ...]
    second_response: bool
    standing: bool
    soothing: bool
    template: str | None
    situation: str | None
    opening: bool
    promise: Promise
    scene: tuple[str, str] | None


class ReplyWriter:
    """Replies over one ``knowledge``, whose entries and intents requests name; threads may share it."""

    def __init__(self, knowledge: Knowledge, *, kept: int = KEPT) -> None:
        self._knowledge = knowledge
        self._written: Cache[Reply] = Cache(kept)

    def write(self, request: ReplyRequest) -> Reply:
        """As ``compose``; a reply to a customer of whom nothing is known is the same for all, and written once."""
        if _says_who(request.message):
            return compose(request, self._knowledge)
        key = self._key(request)
        reply = self._written.get(key)
        if reply is None:
            reply = compose(request, self._knowledge)
            self._written.keep({key: reply})
        return reply

    def _key(self, request: ReplyRequest) -> _Key:
        at, policy = request.message.at, self._knowledge.policy
        return _Key(
            request.language,
            request.entry_language,
            request.message.channel,
            request.outcome,
            request.intent.code,
            request.entry.id if request.entry else None,
            tuple(entry.id for entry in request.offered),
            request.missing,
            request.unasked,
            request.second_response,
            request.standing,
            request.soothing,
            request.template,
            request.situation,
            request.opening,
            promise_for(policy, at, language=request.language),
            scene(local(policy, at)) if at else None,
        )


def _says_who(message: Message) -> bool:
    """True where a reply may name the customer, or say what the request tells of them."""
    return bool(message.context) or (message.customer is not None and bool(message.customer.name))
