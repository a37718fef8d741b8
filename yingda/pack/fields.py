"""Typed access to the fields of one record; every mistake is noted and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from yingda.pack.mistakes import MistakeLog, Word
from yingda.pack.source import Kind, Node

Choice = TypeVar("Choice", bound=StrEnum)

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?")
"""A language and, where it has several, its script (RFC 5646): ja, zh-Hant."""
_WHOLE = re.compile(r"[0-9]{1,9}")
_TRUE = frozenset({"true", "yes", "on"})


class Fields:
    """A mapping of a pack file, checked for unknown and missing fields.

    A field that is missing or wrong reads as empty after its mistake was noted, so that the rest is still checked.
    """

    def __init__(self, node: Node, log: MistakeLog, *, required: Collection[str], optional: Collection[str] = ()) -> None:
        self.place = node.place
        self.log = log
        self._nodes = node.fields
        if node.kind is not Kind.MAPPING:
            log.add(node.place, f"expected a mapping of fields, found {node.kind}; write {', '.join(required)}")
            return
        for name in required:
            if name not in self._nodes:
                log.add(node.place, f"field '{name}' is missing; add it")
        for name, value in self._nodes.items():
            if name not in required and name not in optional:
                known = ", ".join((*required, *optional))
                log.add(value.place, f"unknown field '{name}'; remove it or use one of: {known}")

    def node(self, name: str, kind: Kind) -> Node | None:
        """The field when it is there and of ``kind``."""
        node = self._nodes.get(name)
        return node if node is not None and self._is(node, kind, f"field '{name}'") else None

    def word(self, name: str) -> Word:
        """A text that is not blank, with its line."""
        node = self.node(name, Kind.TEXT)
        return Word("", self.place) if node is None else self._word(node, f"field '{name}'")

    def optional_word(self, name: str) -> Word | None:
        """Like ``word``; None when the field is absent or null."""
        node = self._nodes.get(name)
        return None if node is None or node.kind is Kind.NULL else self.word(name)

    def words(self, name: str) -> tuple[Word, ...]:
        """A list of texts, none of them blank."""
        node = self.node(name, Kind.LIST)
        return () if node is None else self._words(node, name)

    def number(self, name: str) -> int:
        """A whole number."""
        node = self.node(name, Kind.NUMBER)
        if node is None:
            return 0
        if not _WHOLE.fullmatch(node.text):
            self.log.add(node.place, f"field '{name}' is {node.text}; write a whole number such as 1")
            return 0
        return int(node.text)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; ``default`` when absent."""
        node = self.node(name, Kind.FLAG)
        return default if node is None else node.text.lower() in _TRUE

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """A member of ``kind``."""
        first, word = next(iter(kind)), self.word(name)
        if word.text in list(kind):
            return kind(word.text)
        if word.text:
            self.log.add(word.place, f"field '{name}' is '{word.text}'; use one of: {', '.join(kind)}")
        return first

    def records(self, name: str, *, required: Collection[str], optional: Collection[str] = ()) -> tuple[Fields, ...]:
        """A list of records."""
        node = self.node(name, Kind.LIST)
        return () if node is None else records(node, self.log, required=required, optional=optional)

    def fields(self, name: str, *, required: Collection[str], optional: Collection[str] = ()) -> Fields | None:
        """A record inside this one."""
        node = self.node(name, Kind.MAPPING)
        return None if node is None else Fields(node, self.log, required=required, optional=optional)

    def named(self, name: str) -> Mapping[str, Node]:
        """A mapping with names of the author's choice."""
        node = self.node(name, Kind.MAPPING)
        return MappingProxyType({}) if node is None else node.fields

    def has(self, name: str, kind: Kind) -> bool:
        """True when the field is there and of ``kind``; notes nothing."""
        return name in self._nodes and self._nodes[name].kind is kind

    def scalars(self, name: str) -> Mapping[str, Word]:
        """Names of the author's choice, each with a text, number or flag as it is written."""
        found = {}
        for key, node in self.named(name).items():
            if node.kind in (Kind.LIST, Kind.MAPPING, Kind.NULL) or not node.text.strip():
                self.log.add(node.place, f"'{key}' in '{name}' must be a text or a number; write its value")
            found[key] = Word(node.text, node.place)
        return found

    def by_language(self, name: str, *, required: Collection[str]) -> Mapping[str, Word]:
        """A text that is not blank for each language; ``required`` languages must be there."""
        nodes = self._texts_by_language(name, required)
        return {code: self._word(node, f"'{code}' in '{name}'") for code, node in nodes.items()}

    def by_language_or_empty(self, name: str, *, required: Collection[str]) -> Mapping[str, Word]:
        """Like ``by_language``; a text may be empty."""
        nodes = self._texts_by_language(name, required)
        return {code: Word(node.text, node.place) for code, node in nodes.items()}

    def lists_by_language(self, name: str) -> Mapping[str, tuple[Word, ...]]:
        """A list of texts for each language."""
        nodes = self._languages(name, ())
        lists = {code: node for code, node in nodes.items() if self._is(node, Kind.LIST, f"'{code}' in '{name}'")}
        return {code: self._words(node, name) for code, node in lists.items()}

    def _languages(self, name: str, required: Collection[str]) -> Mapping[str, Node]:
        node = self.node(name, Kind.MAPPING)
        if node is None:
            return {}
        for code in required:
            if code not in node.fields:
                self.log.add(node.place, f"field '{name}' has no text for language '{code}'; add it")
        for code, value in node.fields.items():
            if not _LANGUAGE.fullmatch(code):
                self.log.add(value.place, f"'{code}' in '{name}' is no language code; use one such as zh, en or zh-Hant")
        return node.fields

    def _texts_by_language(self, name: str, required: Collection[str]) -> Mapping[str, Node]:
        nodes = self._languages(name, required)
        return {code: node for code, node in nodes.items() if self._is(node, Kind.TEXT, f"'{code}' in '{name}'")}

    def _words(self, node: Node, name: str) -> tuple[Word, ...]:
        label = f"an item of '{name}'"
        return tuple(self._word(item, label) for item in node.items if self._is(item, Kind.TEXT, label))

    def _word(self, node: Node, label: str) -> Word:
        if not node.text.strip():
            self.log.add(node.place, f"{label} is empty; write a text or remove it")
            return Word("", node.place)
        return Word(node.text, node.place)

    def _is(self, node: Node, kind: Kind, label: str) -> bool:
        if node.kind is kind:
            return True
        quotes = kind is Kind.TEXT and node.kind in (Kind.NUMBER, Kind.FLAG)
        remedy = "put it in quotes" if quotes else f"write {kind} there"
        self.log.add(node.place, f"{label} must be {kind}, found {node.kind}; {remedy}")
        return False


def records(node: Node, log: MistakeLog, *, required: Collection[str], optional: Collection[str] = ()) -> tuple[Fields, ...]:
    """Each item of a list as a record."""
    return tuple(Fields(item, log, required=required, optional=optional) for item in node.items)
