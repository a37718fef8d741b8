"""faq-*.yaml: the answers a shop gives."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry
from yingda.pack.fields import Fields, records
from yingda.pack.mistakes import FirstSeen, MistakeLog, Word, check_known
from yingda.pack.source import Kind, Node
from yingda.pack.variables import check_variables

_REQUIRED = ("id", "intent", "question", "similar", "answer")
_OPTIONAL = ("ask", "needs_human")
_LANGUAGES = ("zh",)


_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class FaqNames:
    """What an entry may refer to: intents of the taxonomy, facts of the templates, variables of the policy.

    A part is None when its file could not be read.
    """

    intents: Collection[str] | None
    facts: Collection[str] | None
    variables: Collection[str] | None


def read_faq(trees: Sequence[Node], names: FaqNames, log: MistakeLog) -> Mapping[str, FaqEntry]:
    """All entries of all files by id, in file order."""
    seen = FirstSeen(log, "entry")
    entries: dict[str, FaqEntry] = {}
    for tree in trees:
        if tree.kind is not Kind.LIST:
            log.add(tree.place, f"expected a list of entries, found {tree.kind}; start each entry with '- id:'")
        for fields in records(tree, log, required=_REQUIRED, optional=_OPTIONAL):
            entry = _read_entry(fields, names, seen)
            entries.setdefault(entry.id, entry)
    entries.pop("", None)
    if trees and not entries:
        log.add(trees[0].place, "the pack has no FAQ entry; write at least one")
    return MappingProxyType(entries)


def _read_entry(fields: Fields, names: FaqNames, seen: FirstSeen) -> FaqEntry:
    code, intent = fields.word("id"), fields.word("intent")
    seen.add(code)
    if code.text and not _ID.fullmatch(code.text):
        fields.log.add(code.place, f"entry id '{code.text}' must be letters a-z, digits, hyphens and underscores; rename it")
    check_known(intent, names.intents, fields.log, what="intent", home="taxonomy.yaml")
    if intent.text == OUT_OF_SCOPE:
        fields.log.add(intent.place, f"an entry cannot answer {OUT_OF_SCOPE}; give it an intent of the shop's")
    ask = fields.words("ask")
    for fact in ask:
        check_known(fact, names.facts, fields.log, what="fact", home="facts in templates.yaml")
    answer = fields.by_language("answer", required=_LANGUAGES)
    for word in answer.values():
        check_variables(word, names.variables, fields.log)
    return FaqEntry(
        id=code.text,
        intent=intent.text,
        question=_texts(fields.by_language("question", required=_LANGUAGES)),
        similar=MappingProxyType({code: _plain(words) for code, words in fields.lists_by_language("similar").items()}),
        answer=_texts(answer),
        ask=_plain(ask),
        needs_human=fields.flag("needs_human", default=False),
    )


def _texts(words: Mapping[str, Word]) -> Mapping[str, str]:
    return MappingProxyType({code: word.text for code, word in words.items()})


def _plain(words: Sequence[Word]) -> tuple[str, ...]:
    return tuple(word.text for word in words)
