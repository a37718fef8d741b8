"""An engine with one thing changed: its rules, its entries, or where its readings come from; the model stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from yingda.decide.evidence import Evidence
from yingda.decide.rules import RuleSet, compile_rules, known_names
from yingda.domain.conversation import ConversationState
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.domain.records import Payload
from yingda.domain.rules import RuleDocument, RuleError, RuleMistake
from yingda.engine import Engine, Model
from yingda.pack.exchange.entries import check_entry, entry_of, names_of, payload_of, tidy
from yingda.replay.cache import CachedEncoder
from yingda.retrieve.index import FaqIndex, build_index, known_vectors
from yingda.retrieve.space import MatchSpace
from yingda.text.normalise import normalise

READINGS = 20_000
"""Texts whose reading an engine of a replay keeps, those that came last; a text that comes again is not read again."""


@dataclass(frozen=True, slots=True)
class EntryMistake:
    """Why an entry is refused: its place in the list, from 0, and ``field: what to do``."""

    place: int
    reason: str


class EntriesRefused(YingdaError):  # noqa: N818 - named by what happened
    """Changed entries cannot be used; ``mistakes`` holds every reason."""

    def __init__(self, mistakes: Sequence[EntryMistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"entry {mistake.place + 1}: {mistake.reason}" for mistake in self.mistakes))


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of; ``rules`` are the knowledge's documents, compiled, in their order."""

    model: Model
    index: FaqIndex
    knowledge: Knowledge
    rules: tuple[RuleSet, ...]

    def build(self, *, cache_size: int = 0) -> Engine:
        """An engine of these parts."""
        return Engine(self.model, self.index, self.knowledge, cache_size=cache_size)


def parts_of(engine: Engine) -> Parts:
    """The parts of ``engine``; an engine does not change, so they may be shared."""
    return Parts(engine._model, engine.index, engine.knowledge, engine._rules)


def evidence_of(engine: Engine, message: Message, state: ConversationState) -> Evidence:
    """All that ``engine`` would look at to decide ``message`` in a conversation of that ``state``."""
    (turn,) = engine._read_again([engine._turn(message, state, engine.read([message.text]), 0)])
    candidates = engine._settled_first(turn)
    accepted = candidates[0] if candidates[0].confidence >= engine._model.thresholds.match else None
    return engine._weigh(turn, candidates, accepted, engine._needs(turn, candidates, engine._language(turn)))


def sharing_readings(engines: Mapping[str, Engine]) -> dict[str, Engine]:
    """The same engines, such that those of one bundle encode a text once for all of them, and each reads it once.

    For one thread at a time.
    """
    caches: dict[str, CachedEncoder] = {}
    shared = {}
    for name, engine in engines.items():
        parts = parts_of(engine)
        cache = caches.setdefault(engine.identity.sha256, CachedEncoder(parts.model.encoder))
        shared[name] = replace(parts, model=replace(parts.model, encoder=cache)).build(cache_size=READINGS)
    return shared


def with_rules(engine: Engine, name: str, text: str) -> Engine:
    """``engine`` with the one rule document ``text`` (GoRules JDM) in place of all its own.

    Raises RuleError with every mistake, rows that never fire or override a more urgent one among them, as a pack's rules are checked.
    """
    parts = parts_of(engine)
    known = known_names(parts.knowledge, skills=parts.knowledge.handoff.skills)
    blocking = [finding for finding in compile_rules(text, known=known).findings if finding.blocks]
    if blocking:
        raise RuleError([RuleMistake("rules", finding.en, finding.row) for finding in blocking])
    document = RuleDocument.of(name, text)
    digest = _digest(parts.knowledge, f"rules {document.digest}")
    return replace(parts, knowledge=replace(parts.knowledge, rules=(document,), digest=digest)).build()


def with_entries(engine: Engine, payloads: Sequence[Payload]) -> Engine:
    """``engine`` with these entries added to its own, or in the place of those of the same id; raises EntriesRefused.

    A trained entry keeps the vector learnt from its messages, as it does when an edited pack is opened; any other one
    gets the mean of its wordings.
    """
    parts = parts_of(engine)
    changed = {entry.id: entry for entry in checked_entries(payloads, parts.knowledge)}
    told = "".join(repr(payload_of(entry)) for entry in changed.values())
    faq = MappingProxyType({**parts.knowledge.faq, **changed})
    knowledge = replace(parts.knowledge, faq=faq, digest=_digest(parts.knowledge, f"faq {told}"))
    return replace(parts, index=_index_over(parts, faq), knowledge=knowledge).build()


def checked_entries(payloads: Sequence[Payload], knowledge: Knowledge) -> list[FaqEntry]:
    """The entries that ``payloads`` hold; raises EntriesRefused with every reason why they cannot be used."""
    names, tidied = names_of(knowledge), [tidy(payload) for payload in payloads]
    mistakes: list[EntryMistake] = []
    seen: dict[str, int] = {}
    for place, payload in enumerate(tidied):
        mistakes += [EntryMistake(place, reason) for reason in check_entry(payload, names)]
        first = seen.setdefault(str(payload.get("id")), place)
        if first != place:
            mistakes.append(EntryMistake(place, f"id: stands in entry {first + 1} too; keep one of them"))
    if mistakes:
        raise EntriesRefused(mistakes)
    return [entry_of(payload) for payload in tidied]


def _digest(base: Knowledge, change: str) -> str:
    return sha256(f"{base.digest}\n{change}".encode(errors="surrogatepass")).hexdigest()


def _index_over(parts: Parts, faq: Mapping[str, FaqEntry]) -> FaqIndex:
    """The index over ``faq``; only entries that are new, or untrained with other wordings, are encoded."""
    model, index = parts.model, parts.index
    old, known = index.space, index.space.columns >= 0
    trained = np.zeros((int(old.columns.max(initial=0)) + 1, index.vectors.shape[1]), np.float32)
    trained[old.columns[known]] = index.vectors[known]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return model.encoder.run(model.tokenizer.encode(texts)).embedding

    given = known_vectors(index, parts.knowledge.faq)
    return build_index(_space_over(parts, faq), trained, faq, normalise=normalise, embed=embed, given=given)


def _space_over(parts: Parts, faq: Mapping[str, FaqEntry]) -> MatchSpace:
    old, number = parts.index.space, {code: place for place, code in enumerate(parts.model.intents)}
    columns = [int(old.columns[old.places[id_]]) if id_ in old.places else -1 for id_ in faq]
    none = slice(len(old.entries), None)
    return MatchSpace(
        entries=tuple(faq),
        intents=np.concatenate((np.asarray([number[entry.intent] for entry in faq.values()], np.intp), old.intents[none])),
        columns=np.concatenate((np.asarray(columns, np.intp), old.columns[none])),
    )
