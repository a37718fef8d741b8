"""Entries as tables: CSV (RFC 4180) and Excel, a row an entry and a column for each field in each language."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from yingda.domain.records import ImportRow, KnowledgeError, Payload, RejectedRow, Sheet

MAX_ROWS, MAX_COLUMNS = 200_000, 200
MAX_UNPACKED = 192 * 1024 * 1024
"""Bytes an Excel file may unpack to; one of 100,000 entries has a quarter."""
MAX_ASIDE = 4 * 1024 * 1024
"""Bytes of a part that holds neither cells nor their texts: such parts are read as a whole, and a few kilobytes are usual."""
MAX_MARKS = 16_000_000
"""Tags in all its parts: MAX_ROWS of seven cells need eight for each cell and two a row. Whoever reads XML keeps something for each
element, and packed well a small file holds so many that they fill the memory, whatever the bound on bytes."""
_MAX_CELL = 32_767
"""Characters a cell of Excel holds."""

_ENCODINGS = ("utf-8-sig", "gb18030")  # GB 18030 holds all of GBK; what is valid UTF-8 is hardly ever meant as GBK
_DELIMITERS = ",\t;"
_BY_LANGUAGE = ("question", "similar", "answer")
_COLUMN = re.compile(r"(question|similar|answer)[._ ]([a-z]{2,3})(-[a-z]{4})?")
_SPOKEN = {
    "编号": "id",
    "意图": "intent",
    "问题": "question.zh",
    "question": "question.zh",
    "相似问": "similar.zh",
    "相似问法": "similar.zh",
    "similar": "similar.zh",
    "答案": "answer.zh",
    "answer": "answer.zh",
    "所需信息": "ask",
    "转人工": "needs_human",
}
_NO_TEXTS = {
    "f": "holds a formula; paste its value",
    "e": "holds an error of Excel; correct it",
    "d": "holds a date; format the cell as text and write the date as customers are to read it",
}
"""What a cell that is no text is refused with, by its type in Excel."""
_OF_CELLS = re.compile(r"/?xl/(worksheets/[^/]+|sharedStrings)\.xml", re.IGNORECASE)
_FLAGS = {"": False, "false": False, "0": False, "no": False, "否": False, "true": True, "1": True, "yes": True, "是": True}
_REQUIRED = ("id", "intent", "question.zh", "answer.zh")
# what spreadsheet programs would run as a formula, and what an apostrophe already guards (OWASP, "CSV Injection")
_RISKY, _GUARDED = re.compile(r"'*[=+\-@]"), re.compile(r"'+[=+\-@]")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CORE = (
    b"<?xml version='1.0' encoding='UTF-8'?>\n"
    b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)


class _Line(NamedTuple):
    """A row of a table as texts; ``wrong`` are cells that have no text, by column."""

    number: int
    cells: Sequence[str]
    wrong: Mapping[int, str]


def read_csv(data: bytes) -> Sheet:
    """A table whose first line names the columns; UTF-8 or GBK; comma, tab or semicolon."""
    text = _decoded(data)
    if text is None:
        return _refused(1, "the file is neither UTF-8 nor GBK; save it as CSV UTF-8")
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    try:
        return _sheet(_csv_lines(text, delimiter))
    except csv.Error as error:
        return _refused(1, f"not a table that can be read ({error}); close every quote and save it as CSV UTF-8")


def read_excel(data: bytes) -> Sheet:
    """The first sheet of a workbook; its first row names the columns. Formulas are refused, for they are not texts."""
    openpyxl = _openpyxl()
    try:
        with ZipFile(BytesIO(data)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > MAX_UNPACKED:
                return _refused(1, f"unpacks to more than {MAX_UNPACKED // 2**20} MiB; split the file")
            if any(part.file_size > MAX_ASIDE and not _OF_CELLS.fullmatch(part.filename) for part in parts):
                return _refused(1, f"a part beside its cells has more than {MAX_ASIDE // 2**20} MiB; save it again without pictures")
            if _marks(archive, most=MAX_MARKS) > MAX_MARKS:
                return _refused(1, "holds more cells than can be read; split the file")
        workbook = openpyxl.load_workbook(BytesIO(data), read_only=True)
        try:
            return _sheet(_excel_lines(workbook.worksheets[0]))
        finally:
            workbook.close()
    # zipfile and openpyxl have no error of their own for damaged parts: nearly any may come of one
    except Exception:
        return _refused(1, "not an Excel workbook that can be read; save it again as .xlsx")


def write_csv(entries: Sequence[Payload]) -> bytes:
    """UTF-8 with the mark by which Excel knows it, lines ending as RFC 4180 has them."""
    stream = StringIO()
    csv.writer(stream, lineterminator="\r\n").writerows(_table(entries))
    return stream.getvalue().encode("utf-8-sig")


def write_excel(entries: Sequence[Payload]) -> bytes:
    """A workbook of one sheet, the same bytes for the same entries; raises KnowledgeError for a cell too long for Excel."""
    workbook = _openpyxl().Workbook(write_only=True)
    sheet = workbook.create_sheet("faq")
    for row in _table(entries):
        if any(len(cell) > _MAX_CELL for cell in row):
            raise KnowledgeError(f"entry {row[0]} has a cell of more than {_MAX_CELL:,} characters, which Excel cannot hold; use JSONL")
        sheet.append(row)
    stream = BytesIO()
    workbook.save(stream)
    return _repacked(stream)


def _table(entries: Sequence[Payload]) -> Iterator[list[str]]:
    used = {language for entry in entries for field in _BY_LANGUAGE for language in entry.get(field, {})} | {"zh"}
    languages = sorted(used, key=lambda language: (language != "zh", language))
    columns = ["id", "intent", *(f"{field}.{language}" for field in _BY_LANGUAGE for language in languages), "ask", "needs_human"]
    yield columns
    for entry in entries:
        yield [_guard(_cell(entry, column)) for column in columns]


def _cell(entry: Payload, column: str) -> str:
    field, _, language = column.partition(".")
    value = entry.get(field, {}).get(language, "") if language else entry.get(field, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ("\n" if language else ",").join(value)


def _guard(cell: str) -> str:
    return "'" + cell if _RISKY.match(cell) else cell


def _unguard(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell


def _sheet(lines: Iterator[_Line]) -> Sheet:
    header = next(lines, None)
    if header is None:
        return _refused(1, "the table is empty; name the columns in its first line")
    columns = [_column(cell) for cell in header.cells]
    problems = _header_problems(columns)
    if problems:
        return Sheet(rejected=tuple(RejectedRow(header.number, name, reason) for name, reason in problems))
    notes = tuple(
        RejectedRow(header.number, "", f"column {place} is not read: its name is none of an entry's fields")
        for place, (name, cell) in enumerate(zip(columns, header.cells, strict=True), 1)
        if name is None and cell.strip()
    )
    rows: list[ImportRow] = []
    rejected: list[RejectedRow] = []
    for line in lines:
        if len(rows) == MAX_ROWS:
            return _refused(line.number, f"the table has more than {MAX_ROWS:,} rows; split it")
        wrong = _problems(line, columns)
        rejected += wrong
        if not wrong and any(cell.strip() for cell in line.cells):
            payload = _payload(dict(zip((name or "" for name in columns), line.cells, strict=False)))
            rows.append(ImportRow(line.number, payload["id"], payload))
    return Sheet(tuple(rows), tuple(rejected), notes)


def _header_problems(columns: Sequence[str | None]) -> list[tuple[str, str]]:
    named = [name for name in columns if name]
    missing = [(name, f"column '{name}' is missing; add it to the first line") for name in _REQUIRED if name not in named]
    twice = [(name, f"column '{name}' stands twice; keep one") for name in dict.fromkeys(named) if named.count(name) > 1]
    return missing + twice


def _column(cell: str) -> str | None:
    name = cell.strip().lower()
    name = _SPOKEN.get(name, name)
    found = _COLUMN.fullmatch(name)
    if found:
        return f"{found[1]}.{found[2]}{(found[3] or '').title()}"
    return name if name in ("id", "intent", "ask", "needs_human") else None


def _problems(line: _Line, columns: Sequence[str | None]) -> list[RejectedRow]:
    if len(line.cells) > len(columns) and any(cell.strip() for cell in line.cells[len(columns) :]):
        return [RejectedRow(line.number, "", "has more cells than the first line names; put texts with commas in quotes")]
    found = [RejectedRow(line.number, columns[n] or "", why) for n, why in line.wrong.items() if n < len(columns) and columns[n]]
    flag = dict(zip(columns, line.cells, strict=False)).get("needs_human", "").strip().lower()
    if flag not in _FLAGS:
        found.append(RejectedRow(line.number, "needs_human", "is neither true nor false; write one of them"))
    return found


def _payload(cells: Mapping[str, str]) -> dict[str, Any]:
    texts = {name: _unguard(cell).strip() for name, cell in cells.items()}
    by_field: dict[str, dict[str, Any]] = {field: {} for field in _BY_LANGUAGE}
    for name, text in texts.items():
        field, _, language = name.partition(".")
        if language and text:
            by_field[field][language] = [line.strip() for line in text.splitlines() if line.strip()] if field == "similar" else text
    ask = [word.strip() for word in re.split("[,，、;；\n]", texts.get("ask", "")) if word.strip()]
    flag = _FLAGS[texts.get("needs_human", "").lower()]
    return {"id": texts.get("id", ""), "intent": texts.get("intent", ""), **by_field, "ask": ask, "needs_human": flag}


def _decoded(data: bytes) -> str | None:
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _csv_lines(text: str, delimiter: str) -> Iterator[_Line]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 1
    for cells in reader:
        yield _Line(number, cells[: MAX_COLUMNS + 1], {})
        number = reader.line_num + 1


def _excel_lines(sheet: Any) -> Iterator[_Line]:
    for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), 1):
        wrong = {place: _NO_TEXTS[cell.data_type] for place, cell in enumerate(cells) if cell.data_type in _NO_TEXTS}
        yield _Line(number, [_text(cell.value) for cell in cells], wrong)


def _marks(archive: ZipFile, *, most: int) -> int:
    """Tags in all parts; counts on only as far as ``most``."""
    found = 0
    for part in archive.infolist():
        with archive.open(part) as stream:
            while found <= most and (chunk := stream.read(1 << 20)):
                found += chunk.count(b"<")
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _repacked(stream: BytesIO) -> bytes:
    """The workbook without the times at which it and its parts were written."""
    plain = BytesIO()
    with ZipFile(stream) as source, ZipFile(plain, "w", ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            part = ZipInfo(name, _EPOCH)
            part.compress_type = ZIP_DEFLATED
            target.writestr(part, _CORE if name == "docProps/core.xml" else source.read(name))
    return plain.getvalue()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise KnowledgeError("Excel files need openpyxl; run `pip install 'yingda[excel]'`, or use CSV") from None
    return openpyxl


def _refused(line: int, reason: str) -> Sheet:
    return Sheet(rejected=(RejectedRow(line, "", reason),))
