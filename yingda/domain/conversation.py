"""What one conversation is so far, as far as decisions need it: counters, standing hand-off, the open question."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from yingda.domain.takeover import Handoff


@dataclass(frozen=True, slots=True)
class Asked:
    """The question a conversation is about; a fragment (那多久到) is read together with it.

    ``about`` is the FAQ entry's id, or the intent's code where no entry fits; ``text`` is the customer's wording, masked.
    """

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class ConversationState:
    """What the hand-off policy remembers between two messages; the default is a conversation not yet begun.

    ``repeats``: times in a row that ``question`` was asked. ``dissatisfied``, ``out_of_scope`` and ``undecided``: messages
    of that kind in a row. ``standing``: the hand-off that no person has released. ``facts``: kinds of fact the customer
    has given (``order_no``). ``tried``: entries sent so far, each once, in order. ``last_at``: time of the last message.
    """

    question: Asked | None = None
    repeats: int = 0
    dissatisfied: int = 0
    out_of_scope: int = 0
    undecided: int = 0
    standing: Handoff | None = None
    facts: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    last_at: datetime | None = field(default=None)


NEW = ConversationState()
"""A conversation not yet begun."""
