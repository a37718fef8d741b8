"""keywords.yaml: words that speak for an intent."""

from __future__ import annotations

from collections.abc import Collection

from yingda.domain.knowledge import Keyword
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog, check_known
from yingda.pack.source import Kind, Node
from yingda.text.normalise import normalise


def read_keywords(tree: Node, intents: Collection[str] | None, log: MistakeLog) -> tuple[Keyword, ...]:
    """The library in file order; a term or synonym stands in it once, however it is written."""
    top = Fields(tree, log, required=("version", "keywords"))
    top.number("version")
    seen = FirstSeen(log, "keyword")
    lines = top.records("keywords", required=("term", "intents"), optional=("synonyms",))
    return tuple(_read_keyword(fields, intents, seen) for fields in lines)


def _read_keyword(fields: Fields, intents: Collection[str] | None, seen: FirstSeen) -> Keyword:
    term, synonyms, codes = fields.word("term"), fields.words("synonyms"), fields.words("intents")
    for word in (term, *synonyms):
        if word.text and not normalise(word.text):
            fields.log.add(word.place, "a keyword holds only characters that nobody sees; write a visible one")
        seen.add(word, key=normalise(word.text).casefold())
    for code in codes:
        check_known(code, intents, fields.log, what="intent", home="taxonomy.yaml")
    if not codes and fields.has("intents", Kind.LIST):
        fields.log.add(fields.place, f"keyword '{term.text}' names no intent; add one or remove the keyword")
    return Keyword(term.text, tuple(word.text for word in synonyms), tuple(code.text for code in codes))
