"""Files of messages as raw rows, whatever their form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from yingda.domain.errors import MaterialError
from yingda.text.masking import mask

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may hold."""

    max_bytes: int = 200 * MEGABYTE
    max_rows: int = 500_000


class RawRow(NamedTuple):
    """A row as it stands: ``fields`` by column name, None when the row itself could not be read.

    ``line`` counts from 1: the line of a text file, the row of a sheet, the item of a JSON array.
    """

    line: int
    fields: Mapping[str, object] | None


class Opened(NamedTuple):
    """A file whose rows can be read: its form, its encoding (None where the form fixes it) and its columns.

    ``columns`` is None where each row names its own fields.
    """

    form: str
    encoding: str | None
    columns: tuple[str, ...] | None
    rows: Callable[[], Iterator[RawRow]]


def name_of(path: Path) -> str:
    """The file's name without its folder, personal data masked."""
    return mask(path.name.encode("utf-8", "replace").decode())


def check_size(path: Path, limits: Limits) -> int:
    """Bytes of ``path``; raises MaterialError for what is no file or too large."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise MaterialError(f"{path} is no file; name a CSV, JSON, .xlsx or Rasa YAML file")
    except OSError as error:
        raise MaterialError(f"{path} cannot be read ({error.strerror}); check its name") from error
    if size > limits.max_bytes:
        found, most = size / MEGABYTE, limits.max_bytes // MEGABYTE
        raise MaterialError(f"{path.name} has {found:,.0f} MB, the limit is {most}; split it or raise --max-megabytes")
    return size


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MaterialError(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def limited(rows: Iterator[RawRow], name: str, limits: Limits) -> Iterator[RawRow]:
    """``rows``; raises MaterialError when there are too many, or the first hundred all cannot be read."""
    unreadable = 0
    for number, row in enumerate(rows, start=1):
        if number > limits.max_rows:
            raise MaterialError(f"{name} has more than {limits.max_rows:,} rows; split it or raise --max-rows")
        unreadable += row.fields is None
        if unreadable == number == 100:
            raise MaterialError(f"{name}: none of the first 100 lines can be read; check that the file's ending fits its content")
        yield row
