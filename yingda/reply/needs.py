"""What an entry needs of this customer: facts to ask for, values that its answer lacks, and what the message itself gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType

from yingda.domain.decision import FACTS_IN_TEXT, Entity
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.reply.guard import KINDS, is_order_number
from yingda.reply.language import in_language
from yingda.reply.values import FILLED, fact_of, usable
from yingda.reply.variables import variables_of
from yingda.text.masking import Item, find_items

_NUMBERS = frozenset({"order_no", "tracking_no"})
"""Facts whose value, as it was written, may be said back to the customer; never a telephone, an address, an identity number."""
_LABELLED = re.compile(
    r"(?:(?:订单|单号|编号|运单)(?:号码?)?|(?<![a-z])order(?: ?(?:number|num|no\.?|id))?(?: is| was)?)[\s:：是为#]*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What an entry needs. ``asks`` are the facts to ask for, in their order, ``unasked`` those that are not asked for though
    a text may lack them: they were given before, or no message can give them while another fact can be asked for.

    ``withheld``: the answer lacks a value, so that it cannot be sent. ``stuck``: some of what is needed was given, and a message can
    give nothing more. ``brings``: the message gives a kind of fact that is needed and was not given before. ``filled``: the
    answer quotes a value that the message gives.
    """

    asks: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    withheld: bool = False
    stuck: bool = False
    brings: bool = False
    filled: bool = False

    def as_read(self, ask: Collection[str]) -> Needs:
        """The same for an answer that was read already: it lacks nothing, and only what the entry asks for, ``ask``, is open."""
        asks = tuple(fact for fact in self.asks if fact in ask)
        dropped = tuple(fact for fact in self.asks if fact not in ask)
        return replace(self, asks=asks, unasked=(*self.unasked, *dropped), withheld=False, stuck=False)


def needs_of(
    entry: FaqEntry, knowledge: Knowledge, message: Message, *, language: str, given: Collection[str], entities: Sequence[Entity]
) -> Needs:
    """What ``entry`` needs of the customer who wrote ``message``, in which ``entities`` were found.

    ``given`` are the kinds of fact that earlier messages gave. Their values are not kept, for a conversation is stored without
    personal data: such a fact is not asked for again, and does not fill a variable either.
    """
    now = {entity.type for entity in entities}
    known, filled = {*given, *now}, with_spoken(message, entities, knowledge)
    texts = (in_language(entry.answer, language),)
    lacking = _facts(texts, knowledge, filled, language)
    before = lacking if filled is message else _facts(texts, knowledge, message, language)
    wanted = tuple(dict.fromkeys((*missing_facts(entry, knowledge, message, ()), *lacking)))
    open_ = tuple(fact for fact in wanted if fact not in known)
    can_be_given = tuple(fact for fact in open_ if fact in FACTS_IN_TEXT or fact in entry.ask)
    needed = {*entry.ask, *before}
    return Needs(
        asks=can_be_given or open_,
        unasked=tuple(fact for fact in dict.fromkeys((*known, *wanted)) if fact not in (can_be_given or open_)),
        withheld=bool(lacking),
        stuck=bool(lacking) and not can_be_given and not needed.isdisjoint(known),
        brings=bool((now & needed) - {*given}),
        filled=bool(set(before) - set(lacking)),
    )


def missing_facts(entry: FaqEntry, knowledge: Knowledge, message: Message, found: Iterable[str]) -> tuple[str, ...]:
    """Facts the entry asks for that neither the request's context nor the message itself (``found``) gives."""
    given = set(found)
    context_of = knowledge.templates.context_of
    return tuple(fact for fact in entry.ask if fact not in given and not usable(message.context.get(context_of.get(fact, ""), "")))


def wanted_facts(entry: FaqEntry, knowledge: Knowledge, message: Message) -> tuple[str, ...]:
    """Facts that continue the question about ``entry``: those it asks for, and those its answer lacks in any language."""
    texts = ((text, language) for language, text in entry.answer.items())
    lacking = (fact for text, language in texts for fact in _facts((text,), knowledge, message, language))
    return tuple(dict.fromkeys((*entry.ask, *lacking)))


def with_spoken(message: Message, entities: Sequence[Entity], knowledge: Knowledge) -> Message:
    """``message`` with the numbers of its text, and what it names (顺丰), as context values where the request carries none.

    Two different values of a kind fill nothing: nobody knows which of them is meant.
    """
    context_of, private = knowledge.templates.context_of, _Private(message.text)
    found: dict[str, set[str]] = {}
    for entity in entities:
        name = context_of.get(entity.type, "")
        is_named = name in knowledge.policy.spoken and entity.type not in _NUMBERS
        if not (entity.type in _NUMBERS or is_named) or name not in knowledge.policy.context or usable(message.context.get(name, "")):
            continue
        if len(values := found.setdefault(name, set())) < 2:
            values.add(entity.text if is_named else _value(message.text, entity, private))
    spoken = {name: value for name, (value, *others) in found.items() if value and not others}
    return replace(message, context=MappingProxyType({**message.context, **spoken})) if spoken else message


def _facts(texts: Sequence[str], knowledge: Knowledge, message: Message, language: str) -> tuple[str, ...]:
    """The facts whose variables have no value."""
    values: Mapping[str, str] = knowledge.policy.values_in(language)
    names = [name for text in texts for name in _variables(text) if name not in values and name not in FILLED]
    if not names:  # what nearly every answer comes to
        return ()
    context = {name for name in knowledge.policy.context if usable(message.context.get(name, ""))}
    return tuple(dict.fromkeys(fact_of(name, knowledge.templates) for name in names if name not in context))


@lru_cache(maxsize=10_000)
def _variables(text: str) -> tuple[str, ...]:
    """The variables of an answer of the shop, which is asked about with every message."""
    return tuple(variables_of(text))


class _Private:
    """Where a text holds personal data; looked for once, and only if somebody asks: a message may hold hundreds of numbers."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _items(self) -> list[Item]:
        return [item for item in find_items(self._text) if item.kind in KINDS]

    def touches(self, entity: Entity) -> bool:
        """True where any of it is part of the entity."""
        return any(item.start < entity.end and entity.start < item.end for item in self._items)


def _value(text: str, entity: Entity, private: _Private) -> str:
    """The number as it was written; empty where it may be personal data of another kind."""
    value = " ".join(unicodedata.normalize("NFKC", text[entity.start : entity.end]).split())
    if not usable(value) or not is_order_number(value):
        return ""
    return "" if private.touches(entity) and not _LABELLED.search(text[: entity.start]) else value
