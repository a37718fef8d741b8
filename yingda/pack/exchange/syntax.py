"""What is wrong with a record by itself, found before the shop around it is read: hostile payloads end here.

What these checks let pass is judged again, among the shop's names, with the same words (``Among.check``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from yingda.decide.rules import Finding, KnownNames, check_syntax, known_names
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import Payload, RecordId, RecordKind
from yingda.domain.rules import RuleError
from yingda.pack.templates import OUTCOMES
from yingda.reply.check import check_template

MOST = 20
"""Mistakes that are told of one record."""
_TEXTS = ("outcomes", "channels", "soothing", "person")


class SyntaxCheck:
    """Checks records of the shop whose intents and groups are those of ``base``; these do not live in the store."""

    def __init__(self, base: Knowledge) -> None:
        self._names: KnownNames = known_names(base, skills=base.handoff.skills)

    def __call__(self, id_: RecordId, payload: Payload) -> list[str]:
        """Each mistake as ``field: what to do``, at most MOST."""
        match id_.kind:
            case RecordKind.RULE:
                return rule_mistakes(payload, self._names)
            case RecordKind.TEMPLATE:
                return list(_first(MOST, _template_mistakes(payload)))
            case _:
                return []


def rule_mistakes(payload: Payload, names: KnownNames) -> list[str]:
    """Why a rule file is refused by its structure, the grammar of its cells, and rows that never fire or override more urgent ones."""
    try:
        return [line_of_finding(finding) for finding in check_syntax(payload, known=names) if finding.blocks]
    except RuleError as error:
        return [line_of(mistake.where, mistake.detail) for mistake in error.mistakes]


def line_of(where: str, detail: str) -> str:
    """A mistake of a rule file as ``field: what to do``."""
    return f"{where.replace(': ', ' ')}: {detail}"


def line_of_finding(finding: Finding, file: str = "") -> str:
    """A finding likewise; ``file`` names the file of its row where that is another one."""
    return line_of(f"{file}row '{finding.row}'", f"{finding.zh} / {finding.en}")


def _template_mistakes(payload: Payload) -> Iterator[str]:
    outcomes = payload.get("outcomes")
    if isinstance(outcomes, Mapping):
        for name in sorted(outcomes.keys() - OUTCOMES):
            yield f"outcomes: unknown outcome '{name}'; use one of: {', '.join(sorted(OUTCOMES))}"
    for field in _TEXTS:
        yield from _text_mistakes(field, payload.get(field))


def _text_mistakes(path: str, value: Any) -> Iterator[str]:
    """Mistakes of every text below ``value``, whatever its variables are called."""
    if isinstance(value, str):
        yield from (f"{path}: {reason}" for reason in check_template(value, None))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _text_mistakes(f"{path}.{name}", item)


def _first(most: int, found: Iterator[str]) -> Iterator[str]:
    yield from (reason for _, reason in zip(range(most), found, strict=False))
