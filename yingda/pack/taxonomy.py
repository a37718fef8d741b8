"""taxonomy.yaml: categories and intents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Category, Intent, Priority, Taxonomy
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog
from yingda.pack.source import Node

_FILE = ("version", "language", "categories")
_CATEGORY = ("code", "zh", "intents")
_INTENT = ("code", "zh", "kind", "priority", "skill", "is", "not")


def read_taxonomy(tree: Node, log: MistakeLog) -> Taxonomy:
    """The taxonomy in file order."""
    top = Fields(tree, log, required=_FILE)
    top.word("language")
    seen_categories, seen_intents = FirstSeen(log, "category"), FirstSeen(log, "intent")
    categories: list[Category] = []
    intents: dict[str, Intent] = {}
    for fields in top.records("categories", required=_CATEGORY, optional=("en",)):
        code = fields.word("code")
        seen_categories.add(code)
        categories.append(Category(code.text, _names(fields)))
        for record in fields.records("intents", required=_INTENT, optional=("en", "answerable")):
            intent = _read_intent(record, code.text, seen_intents)
            intents.setdefault(intent.code, intent)
    intents.pop("", None)
    if not intents:
        log.refuse(tree.place, "the taxonomy has no intent; write at least one")
    return Taxonomy(top.number("version"), tuple(categories), MappingProxyType(intents))


def _read_intent(fields: Fields, category: str, seen: FirstSeen) -> Intent:
    code = fields.word("code")
    seen.add(code)
    return Intent(
        code=code.text,
        category=category,
        names=_names(fields),
        kind=fields.word("kind").text,
        priority=fields.choice("priority", Priority),
        skill=fields.word("skill").text,
        covers=fields.word("is").text,
        excludes=fields.word("not").text,
        answerable=fields.flag("answerable", default=True),
    )


def _names(fields: Fields) -> Mapping[str, str]:
    names = {"zh": fields.word("zh"), "en": fields.optional_word("en")}
    return MappingProxyType({code: name.text for code, name in names.items() if name is not None})
