"""Rows of a data set, read from JSON lines: normalised texts with their label. No text ever gets into a message or a report."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

from training.benchmark.sets import DataSet, Task
from yingda.domain.errors import MaterialError
from yingda.text.normalise import normalise


@dataclass(frozen=True)
class TextRow:
    """A normalised text and the name of its class."""

    text: str
    label: str


@dataclass(frozen=True)
class PairRow:
    """Two normalised texts, and whether they ask the same."""

    first: str
    second: str
    same: bool


RowT = TypeVar("RowT", TextRow, PairRow)


@dataclass(frozen=True)
class Material(Generic[RowT]):
    """The rows of a data set by part: train, dev and test, or all."""

    parts: Mapping[str, tuple[RowT, ...]]

    @property
    def sha256(self) -> str:
        """Of all rows as the models see them: other data, other digest."""
        digest = sha256()
        for name, rows in sorted(self.parts.items()):
            digest.update(json.dumps([name, [astuple(row) for row in rows]], ensure_ascii=False).encode())
        return digest.hexdigest()


class _FieldError(Exception):
    """What is wrong with a row."""


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _FieldError(f"{name!r} must be a text that is not empty")
    return normalise(value)


def _label(row: Mapping[str, Any]) -> str:
    value = row.get("label")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _FieldError("'label' must be a name or a whole number")
    return str(value)


def text_row(row: Mapping[str, Any]) -> TextRow:
    """A row with the fields ``text`` and ``label``."""
    return TextRow(_text(row, "text"), _label(row))


def pair_row(row: Mapping[str, Any]) -> PairRow:
    """A row with the fields ``text_a``, ``text_b`` and ``label``, 1 for pairs that ask the same."""
    if (label := _label(row)) not in ("0", "1"):
        raise _FieldError("'label' of a pair must be 0 or 1")
    return PairRow(_text(row, "text_a"), _text(row, "text_b"), label == "1")


def read_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The JSON objects of ``path``, gzipped or not, with their line numbers; empty lines are skipped."""
    try:
        raw = path.read_bytes()
        content = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except FileNotFoundError as error:
        raise MaterialError(f"{path} is missing; name the folder that holds the data sets, or leave this set out with --sets") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise MaterialError(f"{path} cannot be read as UTF-8 text; fetch the file again") from error
    for number, line in enumerate(content.split("\n"), 1):  # splitlines() would also cut at U+2028 inside a text
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise MaterialError(f"{path}:{number}: no JSON object; fetch the file again") from error
            if not isinstance(row, dict):
                raise MaterialError(f"{path}:{number}: no JSON object; fetch the file again")
            yield number, row


def parse(rows: Iterable[tuple[int, Mapping[str, Any]]], make: Callable[[Mapping[str, Any]], RowT], where: str) -> tuple[RowT, ...]:
    """``rows`` made by ``make``; raises MaterialError that names ``where`` and the number of the first wrong one."""
    found = []
    for number, row in rows:
        try:
            found.append(make(row))
        except _FieldError as error:
            raise MaterialError(f"{where}:{number}: {error}") from error
    if not found:
        raise MaterialError(f"{where}: no rows; fetch the file again")
    return tuple(found)


def read_folder(data: Path, dataset: DataSet) -> Material[TextRow] | Material[PairRow]:
    """The rows of ``dataset`` from DATA/NAME."""

    def read(files: Sequence[str], make: Callable[[Mapping[str, Any]], RowT]) -> tuple[RowT, ...]:
        paths = [data / dataset.name / name for name in files]
        return tuple(row for path in paths for row in parse(read_lines(path), make, str(path)))

    if dataset.task is Task.MATCHING:
        return Material({part: read(files, pair_row) for part, files in dataset.files.items()})
    return Material({part: read(files, text_row) for part, files in dataset.files.items()})
