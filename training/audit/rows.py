"""The labelled messages under audit: rows of the pack, and rows of imported logs, in one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from yingda.domain.knowledge import Utterance
from yingda.retrieve.space import NONE_PREFIX
from yingda.text.normalise import normalise


class LogMessage(Protocol):
    """What the audit needs of a row of an imported log; ``faq`` says nothing unless ``faq_known``."""

    @property
    def text(self) -> str: ...
    @property
    def intent(self) -> str | None: ...
    @property
    def faq(self) -> str | None: ...
    @property
    def faq_known(self) -> bool: ...
    @property
    def also(self) -> Sequence[str]: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One message; ``label`` is its match class (an entry, or ``none:INTENT``), None where nobody said which.

    ``place`` is ``FILE:LINE`` in the pack and ``log:ROW`` in a log dataset, both counted from 1; ``plain`` is the
    normalised text, which is what every finding compares.
    """

    place: str
    text: str
    plain: str
    intent: str | None
    label: str | None
    also: tuple[str, ...]
    is_log: bool


def pack_rows(training: Mapping[str, Sequence[Utterance]]) -> list[AuditRow]:
    """The training messages of a pack, in the order of its files."""
    return [
        AuditRow(f"{name}:{line}", row.text, normalise(row.text), row.intent, _label(row.intent, row.faq), tuple(row.also), is_log=False)
        for name, rows in training.items()
        for line, row in enumerate(rows, start=1)
    ]


def log_rows(rows: Iterable[LogMessage]) -> list[AuditRow]:
    """The messages of a log dataset; those with nothing left after normalisation are passed over."""
    found = []
    for number, row in enumerate(rows, start=1):
        plain = normalise(row.text)
        label = _label(row.intent, row.faq) if row.faq_known else None
        if plain:
            found.append(AuditRow(f"log:{number}", row.text, plain, row.intent, label, tuple(row.also), is_log=True))
    return found


def _label(intent: str | None, entry: str | None) -> str | None:
    return entry or (NONE_PREFIX + intent if intent else None)
