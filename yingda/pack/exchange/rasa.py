"""Entries as Rasa's retrieval intents: ``faq/ship-when`` with examples, ``utter_faq/ship-when`` with the answer.

Format of the Rasa 3 documentation, "Training Data Format" and "Responses". What Rasa has no word for (intent of the
taxonomy, facts to ask for, language) is kept in ``metadata``, which Rasa carries along unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yingda.domain.records import ImportRow, Payload, RejectedRow, Sheet
from yingda.pack.exchange.lines import dump_yaml, noted, parse_yaml, plain
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import Kind, Node

GROUP = "faq"
"""The retrieval intent that entries are written under; any is read."""

_VERSION = "3.1"
_KEPT = ("intent", "ask", "needs_human")
_PLAIN = "plain"
# [iPhone](product), [iPhone]{"entity": "product"} and [[a](b)]: the annotation goes, the text stays
_ANNOTATED = re.compile(r"\[([^\[\]]*)\](?:\([^()]*\)|\{[^{}]*\})(?:\{[^{}]*\})?")


@dataclass
class _Found:
    """What the documents say about one entry."""

    line: int
    questions: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


def read_rasa(documents: Sequence[bytes], *, known: Mapping[str, Payload]) -> Sheet:
    """The entries of ``nlu`` and ``responses``; the first example is the question, the others are similar wordings.

    What a file does not say is taken from the entry of that id in ``known``. Intents and responses that are no
    retrieval intent (``greet``, ``utter_greet``) are no entries and are noted.
    """
    found: dict[str, _Found] = {}
    notes: list[RejectedRow] = []
    rejected: list[RejectedRow] = []
    for data in documents:
        log = MistakeLog()
        tree = parse_yaml(data, log)
        if tree is not None and tree.kind is not Kind.MAPPING:
            log.add(tree.place, f"expected Rasa's nlu or responses, found {tree.kind}; export them from Rasa as YAML")
        elif tree is not None:
            _read_examples(tree.fields.get("nlu"), found, notes, log)
            _read_responses(tree.fields.get("responses"), found, notes, log)
        rejected += noted(log)
    if not found and not rejected and not notes:
        notes.append(RejectedRow(1, "", "holds neither nlu nor responses; export those of the retrieval intents from Rasa"))
    rows = tuple(ImportRow(one.line, key, _payload(key, one, known.get(key, {}))) for key, one in found.items())
    return Sheet(rows, tuple(rejected), tuple(notes))


def write_rasa(entries: Iterable[Payload]) -> bytes:
    """One document with examples and responses of all entries."""
    held = list(entries)
    document = {
        "version": _VERSION,
        "nlu": [_written_examples(entry) for entry in held],
        "responses": {f"utter_{GROUP}/{entry['id']}": _written_answers(entry) for entry in held},
    }
    return dump_yaml(document)


def _read_examples(node: Node | None, found: dict[str, _Found], notes: list[RejectedRow], log: MistakeLog) -> None:
    for item in _items(node, Kind.LIST, "nlu", log):
        if item.kind is not Kind.MAPPING or "intent" not in item.fields:
            notes.append(RejectedRow(item.place.line, "nlu", "is no intent; synonyms, regular expressions and look-ups are not entries"))
            continue
        key = _key(item.fields["intent"].text, "")
        if key is None:
            notes.append(RejectedRow(item.place.line, "nlu", "is no retrieval intent such as faq/ship-when; it is not an entry"))
            continue
        one = found.setdefault(key, _Found(item.place.line))
        one.metadata |= _mapping(item.fields.get("metadata"))
        for language, text in _examples(item.fields.get("examples"), log):
            one.questions.setdefault(language, []).append(text)


def _read_responses(node: Node | None, found: dict[str, _Found], notes: list[RejectedRow], log: MistakeLog) -> None:
    if node is None:
        return
    if node.kind is not Kind.MAPPING:
        log.add(node.place, f"field 'responses' must be a mapping, found {node.kind}; write each as utter_faq/ship-when")
        return
    for name, variations in node.fields.items():
        key = _key(name, "utter_")
        if key is None:
            notes.append(RejectedRow(variations.place.line, "responses", "answers no retrieval intent; it is not an entry"))
            continue
        one = found.setdefault(key, _Found(variations.place.line))
        for item in _items(variations, Kind.LIST, "responses", log):
            _take_answer(one, item, notes)


def _take_answer(one: _Found, item: Node, notes: list[RejectedRow]) -> None:
    content = plain(item)
    text = content.get("text") if isinstance(content, dict) else content
    if not isinstance(text, str):
        notes.append(RejectedRow(item.place.line, "responses", "a variation without text is not read"))
    elif one.answers.setdefault(_language(content), text) is not text:
        notes.append(RejectedRow(item.place.line, "responses", "an entry has one answer a language: this variation is not read"))


def _examples(node: Node | None, log: MistakeLog) -> Iterable[tuple[str, str]]:
    if node is not None and node.kind is Kind.TEXT:
        for line in node.text.split("\n"):
            if line.strip():
                yield "zh", _bare(line.strip().removeprefix("-"))
        return
    for item in _items(node, Kind.LIST, "examples", log):
        content = plain(item)
        text = content.get("text") if isinstance(content, dict) else content
        if isinstance(text, str):
            yield _language(content), text.strip() if _is_plain(content) else _bare(text)
        else:
            log.add(item.place, "an example has no text; write it or remove the example")


def _payload(key: str, one: _Found, known: Payload) -> dict[str, Any]:
    question = {language: texts[0] for language, texts in one.questions.items()}
    similar = {language: texts[1:] for language, texts in one.questions.items() if texts[1:]}
    told = {name: one.metadata.get(name, known.get(name)) for name in _KEPT}
    return {
        "id": key,
        "question": question or known.get("question", {}),
        "similar": similar if question else known.get("similar", {}),
        "answer": one.answers or known.get("answer", {}),
        **{name: value for name, value in told.items() if value is not None},
    }


def _written_examples(entry: Payload) -> dict[str, Any]:
    metadata = {name: entry[name] for name in _KEPT}
    wordings = [(language, text) for language, first in entry["question"].items() for text in (first, *entry["similar"].get(language, []))]
    # a wording that reads like an annotation says that it is none, and is read again as it is
    examples = [
        {"text": text, "metadata": {"language": language, **({_PLAIN: True} if _bare(text) != text.strip() else {})}}
        for language, text in wordings
    ]
    return {"intent": f"{GROUP}/{entry['id']}", "metadata": metadata, "examples": examples}


def _written_answers(entry: Payload) -> list[dict[str, Any]]:
    return [{"text": text, "metadata": {"language": language}} for language, text in entry["answer"].items()]


def _key(name: str, prefix: str) -> str | None:
    """The entry's id in ``faq/ship_when``, written as ids are; None for what is no retrieval intent."""
    group, slash, key = name.removeprefix(prefix).partition("/")
    return key.strip().lower().replace("_", "-") if slash and group and name.startswith(prefix) else None


def _bare(text: str) -> str:
    return _ANNOTATED.sub(r"\1", text).strip()


def _language(content: Any) -> str:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    language = metadata.get("language") if isinstance(metadata, dict) else None
    return language if isinstance(language, str) else "zh"


def _is_plain(content: Any) -> bool:
    metadata = content.get("metadata") if isinstance(content, dict) else None
    return isinstance(metadata, dict) and metadata.get(_PLAIN) is True


def _mapping(node: Node | None) -> dict[str, Any]:
    value = None if node is None else plain(node)
    return {name: value[name] for name in _KEPT if name in value} if isinstance(value, dict) else {}


def _items(node: Node | None, kind: Kind, name: str, log: MistakeLog) -> Sequence[Node]:
    if node is None:
        return ()
    if node.kind is not kind:
        log.add(node.place, f"field '{name}' must be {kind}, found {node.kind}; write {kind} there")
        return ()
    return node.items
