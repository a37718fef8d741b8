"""Rasa NLU files: ``nlu:`` with intents and their examples; https://rasa.com/docs (training data format, version 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from training.logs.source import RawRow
from yingda.domain.errors import MaterialError
from yingda.pack.source import MAX_DEPTH

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ENTITY = re.compile(r"\[([^\[\]\n]*)\](?:\([^()\n]*\)|\{[^{}\n]*\})")
_DASH = re.compile(r"\s*-\s?")


def read_rasa(path: Path, encoding: str) -> Iterator[RawRow]:
    """One row an example, with the fields text and intent (``intent/sub`` for retrieval intents); raises MaterialError.

    Lookups, synonyms and regexes hold no messages and are passed over.
    """
    try:
        text = path.read_text(encoding)
        _check_plain(text, path.name)
        tree = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise MaterialError(f"{path.name}{line} is not valid YAML; check indentation and quotes") from error
    section = _value(tree, "nlu")
    if not isinstance(section, yaml.SequenceNode):
        raise MaterialError(f"{path.name} has no list 'nlu:'; name a Rasa NLU file")
    for item in section.value:
        intent, examples = _value(item, "intent"), _value(item, "examples")
        if isinstance(intent, yaml.ScalarNode) and examples is not None:
            yield from (RawRow(line, {"text": plain(text), "intent": intent.value}) for line, text in _examples(examples))


def plain(example: str) -> str:
    """``example`` without entity annotations: [text](entity) and [text]{"entity": …} are text."""
    return _ENTITY.sub(r"\1", example)


def _check_plain(text: str, name: str) -> None:
    """Refuse what could grow or recurse without bound."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
            mark = event.start_mark
            line = f":{mark.line + 1}" if mark else ""
            raise MaterialError(f"{name}{line}: YAML aliases and deep nesting are refused; write the value out")


def _value(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _examples(node: Any) -> Iterator[tuple[int, str]]:
    """Lines of a block text, or items of a list of texts or of mappings with ``text``."""
    first = int(node.start_mark.line) + 1
    if isinstance(node, yaml.ScalarNode):
        # the text of a block starts on the line after its bar
        start = first + (node.style in ("|", ">"))
        for number, line in enumerate(node.value.split("\n"), start=start):
            if line.strip():
                yield number, _DASH.sub("", line, count=1)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            text = item if isinstance(item, yaml.ScalarNode) else _value(item, "text")
            if isinstance(text, yaml.ScalarNode):
                yield int(text.start_mark.line) + 1, text.value.strip()
