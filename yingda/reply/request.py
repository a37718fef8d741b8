"""What a reply is written from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import FaqEntry, Intent
from yingda.domain.message import Message

PAUSE = timedelta(hours=1)
"""Silence after which a conversation is opened with a greeting again."""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a reply is about: the outcome, the intent, the entry to send, the questions to offer, facts to ask for.

    ``second_response``: the customer was not content with the last reply (二次响应). ``standing``: a person was called before
    and has not released the conversation. ``soothing``: the customer is angry or complains. ``template``: the set that a
    rule names, by its id or its name in ``by_intent``. ``situation`` names a template other than that of the outcome.
    ``unasked``: facts that are not asked for, though a text may lack them.
    ``entry_language``: the language in which the texts of entries are said where they have it, beside ``language``, that of the
    frame; empty where it is the same.
    ``opening``: the reply opens a conversation and greets; a later one in a chat or a call goes straight to the matter.
    """

    message: Message
    language: str
    outcome: Outcome
    intent: Intent
    entry: FaqEntry | None
    offered: tuple[FaqEntry, ...]
    missing: tuple[str, ...]
    second_response: bool = False
    standing: bool = False
    soothing: bool = False
    template: str | None = None
    situation: str | None = None
    opening: bool = True
    unasked: tuple[str, ...] = ()
    entry_language: str = ""

    @property
    def texts_in(self) -> str:
        """The language to look for in the texts of entries."""
        return self.entry_language or self.language


def is_opening(state: ConversationState, at: datetime | None) -> bool:
    """True for the first reply of a conversation, and for one after a PAUSE; without times there is no pause."""
    if state.language is None:  # every reply leaves its language
        return True
    last = state.last_at
    if at is None or last is None or (at.utcoffset() is None) != (last.utcoffset() is None):
        return False
    return at - last >= PAUSE
