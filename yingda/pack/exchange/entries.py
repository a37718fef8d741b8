"""One FAQ entry as a record's payload: its one form, and what a pack's author would be told about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yingda.domain.errors import PackError
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import MAX_CHARACTERS
from yingda.domain.records import Payload
from yingda.pack.faq import FaqNames, read_faq
from yingda.pack.mistakes import MistakeLog, Place
from yingda.pack.source import Kind, Node
from yingda.text.masking import mask_counted
from yingda.text.normalise import normalise
from yingda.text.titled_names import holds_titled_name

FIELDS = ("id", "intent", "question", "similar", "answer", "ask", "needs_human")
"""Fields of an entry, in the order in which files are written."""

MAX_QUESTION = 200
"""Characters of a question or similar wording; the longest of customers' questions are shorter."""
MAX_WORDINGS = 200
"""Similar wordings of an entry, of all languages; beyond this it is two entries."""

ALLOWED = frozenset({"电话", "网址", "IP地址"})
"""Kinds that speak of the shop and not of a customer: a hotline, a help page. All others belong in policy.yaml or nowhere.

A hotline in an answer is one that the policy publishes, else no reply with it would be sent (``wordings.private_texts``)."""

_EDGE = re.compile(r"^\s|\s$")
_LIST = Place("(list)", 1)


def tidy(payload: Payload) -> dict[str, Any]:
    """The one form of an entry: fields and languages in order, edges trimmed, defaults written out, empty lists left out.

    What is not of the right type stays as it is, for ``check_entry`` to name.
    """
    entry = {name: _tidy(payload[name]) for name in (*FIELDS, *sorted(set(payload) - set(FIELDS))) if name in payload}
    if isinstance(entry.get("similar"), dict):
        entry["similar"] = {language: texts for language, texts in entry["similar"].items() if texts != []}
    whole = {"ask": [], "needs_human": False, "similar": {}} | entry
    return {name: whole[name] for name in (*FIELDS, *sorted(set(whole) - set(FIELDS))) if name in whole}


def payload_of(entry: FaqEntry) -> dict[str, Any]:
    """An entry of a pack as a payload."""
    return tidy(
        {
            "id": entry.id,
            "intent": entry.intent,
            "question": dict(entry.question),
            "similar": {language: list(texts) for language, texts in entry.similar.items()},
            "answer": dict(entry.answer),
            "ask": list(entry.ask),
            "needs_human": entry.needs_human,
        }
    )


def entry_of(payload: Payload) -> FaqEntry:
    """The entry that a checked payload holds."""
    return FaqEntry(
        id=payload["id"],
        intent=payload["intent"],
        question=dict(payload["question"]),
        similar={language: tuple(texts) for language, texts in payload.get("similar", {}).items()},
        answer=dict(payload["answer"]),
        ask=tuple(payload.get("ask", ())),
        needs_human=payload.get("needs_human", False),
    )


def names_of(knowledge: Knowledge) -> FaqNames:
    """What an entry may refer to in a shop that runs."""
    return FaqNames(frozenset(knowledge.taxonomy.intents), frozenset(knowledge.templates.facts), knowledge.policy.variables())


def check_entry(payload: Payload, names: FaqNames) -> list[str]:
    """What is wrong with an entry, each as ``field: what to do``; the pack's own checks, and what only files can leave out.

    A reason never repeats personal data.
    """
    log = MistakeLog()
    read_faq([Node(Kind.LIST, _LIST, items=(node_of(payload),))], names, log)
    reasons = list(_noted(log))
    if not reasons:
        reasons += _wordings(payload)
    return list(dict.fromkeys(reasons))


def _noted(log: MistakeLog) -> Iterator[str]:
    try:
        log.raise_if_any()
    except PackError as error:
        for mistake in error.mistakes:
            if mistake.file != _LIST.file:  # that no entry is left is said by what is wrong with this one
                yield f"{mistake.file or 'entry'}: {mistake.detail}"


def _wordings(payload: Payload) -> Iterator[str]:
    similar = payload.get("similar", {})
    if sum(len(texts) for texts in similar.values()) > MAX_WORDINGS:
        yield f"similar: more than {MAX_WORDINGS} wordings; keep those that differ most, or write a second entry"
    for language in sorted(similar.keys() - payload["question"].keys()):
        yield f"similar.{language}: there is no question in that language; write one, or take these wordings out"
    for field, text in _questions(payload):
        yield from _mistakes_of_text(field, text, longest=MAX_QUESTION)
        if "\n" in text or "\t" in text:
            yield f"{field}: holds a line break or tab; write the question in one line"
        elif not normalise(text):
            yield f"{field}: is empty once invisible characters are gone; write a text"
        elif "{" in text or "}" in text:
            yield f"{field}: customers do not write {{变量}}; take the braces out"
    for field, text in answers_of(payload):
        yield from _mistakes_of_text(field, text, longest=MAX_CHARACTERS)


def answers_of(payload: Payload) -> Iterator[tuple[str, str]]:
    """The answers of an entry, each with its field."""
    yield from ((f"answer.{language}", text) for language, text in payload["answer"].items())


def _questions(payload: Payload) -> Iterator[tuple[str, str]]:
    yield from ((f"question.{language}", text) for language, text in payload["question"].items())
    for language, texts in payload.get("similar", {}).items():
        yield from ((f"similar.{language}", text) for text in texts)


def _mistakes_of_text(field: str, text: str, *, longest: int) -> Iterator[str]:
    if len(text) > longest:
        yield f"{field}: has {len(text):,} characters, at most {longest:,} are allowed; shorten it"
    elif kinds := sorted(_kinds(text) - ALLOWED):
        yield f"{field}: holds personal data ({'、'.join(kinds)}); take it out, or make it a policy variable if it is the shop's"
    if _EDGE.search(text):
        yield f"{field}: begins or ends with white space; take it out"


def _kinds(text: str) -> set[str]:
    """Kinds of personal data in a text that the shop wrote."""
    return {*mask_counted(text).counts, *(("姓名",) if holds_titled_name(text) else ())}


def node_of(value: Any, path: str = "") -> Node:
    """A payload as the tree that a file would give; the place names the field."""
    place = Place(path, 1)
    match value:
        case Mapping():
            return Node(Kind.MAPPING, place, fields={name: node_of(item, _below(path, name)) for name, item in value.items()})
        case list() | tuple():
            return Node(Kind.LIST, place, items=tuple(node_of(item, path) for item in value))
        case str():
            return Node(Kind.TEXT, place, text=value)
        case None:
            return Node(Kind.NULL, place)
        case bool():
            return Node(Kind.FLAG, place, text=str(value).lower())
    return Node(Kind.NUMBER, place, text=str(value))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _tidy(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\r\n", "\n").replace("\r", "\n").strip()
        case list() | tuple():
            return [_tidy(item) for item in value]
        case Mapping():
            return {name: _tidy(value[name]) for name in _languages_first(value)}
    return value


def _languages_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != "zh", name))
