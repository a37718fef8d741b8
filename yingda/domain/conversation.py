"""What one conversation is so far, as far as decisions need it: counters, standing hand-off, the open question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from yingda.domain.message import CustomerProfile
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
    of that kind in a row. ``hanging``: a fragment came that could not be decided, and nothing that was since.
    ``requests``: replies in a row that asked for facts of the open question, since it was asked or one of them came.
    ``standing``: the hand-off that no person has released. ``facts``: kinds of fact the customer
    has given (``order_no``). ``offered``: entries the last reply asked the customer to choose from, in order. ``tried``:
    entries sent so far, each once, in order. ``language``: that of the replies. ``last_at``: time of the last message.
    ``customer``: tier and form of address, by the last message that named a customer.
    """

    question: Asked | None = None
    repeats: int = 0
    dissatisfied: int = 0
    out_of_scope: int = 0
    undecided: int = 0
    standing: Handoff | None = None
    facts: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    language: str | None = None
    last_at: datetime | None = None
    hanging: bool = False
    requests: int = 0
    customer: CustomerProfile | None = None


NEW = ConversationState()
"""A conversation not yet begun."""


def released(state: ConversationState) -> ConversationState:
    """``state`` after a person gave the conversation back: no hand-off stands, and every count starts anew.

    Counts that stayed would call a person again at the customer's next word.
    """
    return replace(state, standing=None, repeats=0, dissatisfied=0, out_of_scope=0, undecided=0, hanging=False, requests=0)
