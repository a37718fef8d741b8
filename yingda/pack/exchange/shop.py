"""Records into knowledge: what a shop knows at one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType

from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.records import KnowledgeSnapshot, Payload, RecordKind
from yingda.pack.exchange.entries import entry_of
from yingda.pack.exchange.kinds import keyword_of, policy_of, rule_of, templates_of
from yingda.pack.mistakes import MistakeLog

Convert = Callable[[Knowledge, Mapping[str, Payload]], Knowledge]
"""What is known so far and a kind's payloads by id; the knowledge with these in the place of the pack's own."""


def with_entries(base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
    """The FAQ from records."""
    return replace(base, faq=MappingProxyType({key: entry_of(payload) for key, payload in payloads.items()}))


class RememberedEntries:
    """``with_entries`` for one knowledge after another: an entry whose payload is the very object it was is not made anew."""

    def __init__(self) -> None:
        self._made: Mapping[str, tuple[Payload, FaqEntry]] = {}

    def __call__(self, base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
        before = self._made
        self._made = {
            key: made if (made := before.get(key)) is not None and made[0] is payload else (payload, entry_of(payload))
            for key, payload in payloads.items()
        }
        return replace(base, faq=MappingProxyType({key: entry for key, (_, entry) in self._made.items()}))


def with_keywords(base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
    """The keyword library from records ``{"term", "synonyms", "intents"}``."""
    return replace(base, keywords=tuple(keyword_of(one) for one in payloads.values()))


def with_policy(base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
    """The pack's policy with the values of records over its own."""
    return replace(base, policy=policy_of(base.policy, payloads))


def with_templates(base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
    """The reply templates from records, for the policy that is known; raises PackError when they do not fit together."""
    log = MistakeLog()
    templates = templates_of(base.templates, payloads, base.policy, log)
    log.raise_if_any()
    return replace(base, templates=templates)


def with_rules(base: Knowledge, payloads: Mapping[str, Payload]) -> Knowledge:
    """The rule files from records, in the order in which a pack's files apply."""
    documents = sorted((rule_of(key, payload) for key, payload in payloads.items()), key=lambda document: document.name)
    return replace(base, rules=tuple(documents))


CONVERT: Mapping[RecordKind, Convert] = MappingProxyType(
    {
        RecordKind.POLICY: with_policy,  # before the templates, which name its variables
        RecordKind.TEMPLATE: with_templates,
        RecordKind.KEYWORD: with_keywords,
        RecordKind.RULE: with_rules,
        RecordKind.FAQ: with_entries,
    }
)


def knowledge_of(base: Knowledge, snapshot: KnowledgeSnapshot, *, convert: Mapping[RecordKind, Convert] = CONVERT) -> Knowledge:
    """What the shop knows by ``snapshot``: the pack's knowledge where the store never held a kind, the records elsewhere.

    Its digest names both, so that decisions can say what they were made with. Raises PackError.
    """
    knowledge = base
    for kind in (kind for kind in convert if kind in snapshot.managed):
        knowledge = convert[kind](knowledge, snapshot.of(kind))
    return replace(knowledge, digest=digest_of(base, snapshot))


def digest_of(base: Knowledge, snapshot: KnowledgeSnapshot) -> str:
    """The digest of what ``knowledge_of`` makes of them, without making it."""
    if not snapshot.managed:
        return base.digest
    in_order = sorted(snapshot.records.items(), key=lambda record: (record[0].kind, record[0].key))
    told = "".join(f"{id_} {version.digest}\n" for id_, version in in_order)
    return sha256(f"{base.digest}\n{told}".encode()).hexdigest()
