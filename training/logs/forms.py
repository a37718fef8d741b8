"""CSV, JSON Lines, JSON arrays and Excel sheets as raw rows."""

from __future__ import annotations

import csv
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from training.logs.encoding import LONGEST_LINE, detect
from training.logs.rasa import read_rasa
from training.logs.source import Limits, Opened, RawRow
from yingda.domain.errors import MaterialError

_DELIMITERS = ",\t;|，"
_SAMPLE = 1 << 16
_LONGEST_NAME = 24
_MESSAGE = re.compile(r"[。？！?!…~～]|\d{4}")
_TABLES = (".csv", ".tsv", ".txt")
_LINES = (".jsonl", ".ndjson")
_ENDINGS = (*_TABLES, *_LINES, ".json", ".xlsx", ".yml", ".yaml")


def open_source(path: Path, *, wanted: Mapping[str, str], limits: Limits, encoding: str | None = None) -> Opened:
    """``path`` ready to be read; its ending says what it is.

    ``wanted`` maps each part of a row to its column's name; the columns tell which delimiter a table uses.
    Raises MaterialError; rows raise it too, for a file that breaks in the middle.
    """
    ending = path.suffix.lower()
    if ending == ".xlsx":
        return _open_sheet(path, limits)
    if ending not in _ENDINGS:
        raise MaterialError(f"{path.name}: the ending {ending or '(none)'!r} is unknown; use one of: {' '.join(_ENDINGS)}")
    found = detect(path, forced=encoding)
    if ending in (*_TABLES, *_LINES) and found.longest_line > LONGEST_LINE:
        raise MaterialError(f"{path.name} has a line of more than {LONGEST_LINE:,} characters; this is no table of messages")
    if ending in _TABLES:
        return _open_table(path, found.encoding, wanted)
    if ending in _LINES:
        return Opened("JSON Lines", found.encoding, None, partial(_json_lines, path, found.encoding))
    if ending == ".json":
        return Opened("JSON array", found.encoding, None, partial(_json_array, path, found.encoding))
    return Opened("Rasa NLU", found.encoding, ("text", "intent"), partial(read_rasa, path, found.encoding))


def _open_table(path: Path, encoding: str, wanted: Mapping[str, str]) -> Opened:
    with path.open(encoding=encoding, newline="") as file:
        sample = file.read(_SAMPLE)
    delimiter = _delimiter(sample, wanted)
    header = next(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter), [])
    columns = tuple(_check_columns([cell.strip().lstrip("\ufeff") for cell in header], path.name))
    return Opened("CSV", encoding, columns, partial(_table, path, encoding, delimiter, columns))


def _delimiter(sample: str, wanted: Mapping[str, str]) -> str:
    """The one under which most wanted columns appear, then what csv.Sniffer says, then the comma."""
    first = sample.lstrip("\r\n").splitlines(keepends=True)[:1]
    names = set(wanted.values())
    known = {mark: len(names & {cell.strip() for cell in next(csv.reader(first, delimiter=mark), [])}) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: known[mark])
    if known[best]:
        return best
    try:
        return csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter
    except csv.Error:
        return ","


def _check_columns(columns: list[str], name: str) -> list[str]:
    """``columns``; raises MaterialError for a first line that names none. A first line of messages is never quoted."""
    if not any(columns):
        raise MaterialError(f"{name}: the first line is empty; write the column names there")
    doubled = {column for column in columns if column and columns.count(column) > 1}
    if any(len(column) > _LONGEST_NAME or _MESSAGE.search(column) for column in columns) or doubled:
        raise MaterialError(f"{name}: the first line is no line of distinct column names; add one such as: text,intent,faq,sentiment,id")
    return columns


def _table(path: Path, encoding: str, delimiter: str, columns: tuple[str, ...]) -> Iterator[RawRow]:
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        try:
            next(reader, None)
            line = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    fits = len(cells) <= len(columns) or not any(cells[len(columns) :])
                    yield RawRow(line, dict(zip(columns, cells, strict=False)) if fits else None)
                line = reader.line_num + 1
        except csv.Error as error:
            raise MaterialError(f"{path.name}:{line}: the row cannot be read ({error}); check its quotation marks") from error


def _json_lines(path: Path, encoding: str) -> Iterator[RawRow]:
    # newline="\n": other line ends may stand inside a text
    with path.open(encoding=encoding, newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield RawRow(number, _object(line))


def _object(line: str) -> Mapping[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_array(path: Path, encoding: str) -> Iterator[RawRow]:
    try:
        value = json.loads(path.read_text(encoding))
    except RecursionError as error:
        raise MaterialError(f"{path.name} is nested too deeply; write an array of flat objects") from error
    except ValueError as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise MaterialError(f"{path.name}{line} is not valid JSON; write an array of objects, or JSON Lines as .jsonl") from error
    if not isinstance(value, list):
        raise MaterialError(f"{path.name} is no JSON array; write [{{…}}, {{…}}], or one object a line as .jsonl")
    for number, item in enumerate(value, start=1):
        yield RawRow(number, item if isinstance(item, dict) else None)


def _open_sheet(path: Path, limits: Limits) -> Opened:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise MaterialError(f"{path.name} is no .xlsx file; save the sheet as .xlsx or CSV") from error
    if size > 4 * limits.max_bytes:
        raise MaterialError(f"{path.name} unpacks to {size // 1_000_000:,} MB; split it or save it as CSV")
    rows = _cells(path)
    header = next(rows, ())
    columns = tuple(_check_columns([_cell(cell).strip() for cell in header], path.name))
    rows.close()
    return Opened("Excel", None, columns, partial(_sheet, path, columns))


def _sheet(path: Path, columns: tuple[str, ...]) -> Iterator[RawRow]:
    rows = _cells(path)
    next(rows, None)
    for number, cells in enumerate(rows, start=2):
        texts = [_cell(cell) for cell in cells]
        if any(text.strip() for text in texts):
            yield RawRow(number, dict(zip(columns, texts, strict=False)))


def _cells(path: Path) -> Any:
    """Rows of the first sheet, one at a time; the workbook is closed behind them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions, which do not matter here
            workbook = load_workbook(path, read_only=True, data_only=True)
            try:
                yield from workbook.worksheets[0].iter_rows(values_only=True)
            finally:
                workbook.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, IndexError, EOFError, SyntaxError, OSError) as error:
        raise MaterialError(f"{path.name} is no readable .xlsx file; save the sheet again, or as CSV") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # Excel keeps every number as a float
    return str(value)
