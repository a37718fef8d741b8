"""Files of rules and entries as changed configurations of a replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from yingda.decide.rules.document import LONGEST_FILE
from yingda.domain.records import KnowledgeError, RejectedRow
from yingda.domain.rules import RuleError
from yingda.engine import Engine
from yingda.pack.exchange import form_of, read_form
from yingda.replay.records import ReplayError
from yingda.replay.variants import EntriesRefused, with_entries, with_rules

Opener = Callable[[Engine, Path], Engine]
"""The engine of today with what a file holds in place of its own; raises ReplayError. Must be importable by name in a new process."""

_SHOWN = 20


def open_rules(today: Engine, path: Path) -> Engine:
    """``today`` with the rules of a JDM file instead of its own."""
    data = _read(path, most=4 * LONGEST_FILE)
    try:
        return with_rules(today, path.name, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ReplayError(f"{path}: is not UTF-8; save it in that encoding") from None
    except RuleError as error:
        raise _refused(path, [str(mistake) for mistake in error.mistakes]) from None


def open_entries(today: Engine, path: Path) -> Engine:
    """``today`` with the entries of a file added to its own, or in the place of those of the same id."""
    try:
        sheet = read_form(_read(path), form_of(path.name))
    except KnowledgeError as error:
        raise ReplayError(f"{path}: {error}") from None
    if sheet.rejected:
        raise _refused(path, [_told(row) for row in sheet.rejected])
    if not sheet.rows:
        raise ReplayError(f"{path}: holds no entry; write one a row")
    try:
        return with_entries(today, [row.payload for row in sheet.rows])
    except EntriesRefused as error:
        raise _refused(path, [f"line {sheet.rows[mistake.place].line}: {mistake.reason}" for mistake in error.mistakes]) from None


OPENERS: Mapping[str, Opener] = MappingProxyType(
    {".json": open_rules, **dict.fromkeys((".csv", ".jsonl", ".xlsx", ".yaml", ".yml"), open_entries)}
)
"""By suffix, how a changed file is read."""


def _read(path: Path, *, most: int | None = None) -> bytes:
    try:
        if most is not None and path.stat().st_size > most:  # before it is read
            raise ReplayError(f"{path}: is larger than {most:,} bytes; split it")
        return path.read_bytes()
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read ({error.strerror}); check its type and permissions") from None


def _told(row: RejectedRow) -> str:
    return f"line {row.line}: {row.field + ': ' if row.field else ''}{row.reason}"


def _refused(path: Path, reasons: list[str]) -> ReplayError:
    more = [f"and {len(reasons) - _SHOWN} more"] if len(reasons) > _SHOWN else []
    lines = "\n".join([*reasons[:_SHOWN], *more])
    return ReplayError(f"{path}: {len(reasons)} mistake(s); correct each:\n{lines}")
