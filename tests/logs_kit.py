"""A small pack, files of labelled messages in every form, and how tests import them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from tests.pack_kit import write_pack
from training.logs.dataset import LogRow, read_dataset, write_text
from training.logs.importer import ImportJob, import_logs
from training.logs.mapping import read_mapping
from training.logs.source import Limits

Writer = Callable[[Path, str], None]

HEADER = ("text", "intent", "faq", "sentiment", "id")
ROWS = (
    ("我的件咋还没动静呀", "SHIP", "ship-when", "negative", "7"),
    ("这单我不想要啦，撤了吧", "CANCEL", "cancel-how", "neutral", "8"),
    ("今儿个天气真不错啊", "OUT_OF_SCOPE", "", "positive", "9"),
)
TEXTS = [row[0] for row in ROWS]
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def table(*rows: tuple[str, ...], header: tuple[str, ...] = HEADER, mark: str = ",") -> str:
    return "".join(mark.join(row) + "\n" for row in (header, *(rows or ROWS)))


def row(text: str, **labels: object) -> dict[str, object]:
    return {"text": text, "intent": "SHIP", **labels}


def logs(root: Path, name: str = "logs.csv", text: str | None = None) -> Path:
    path = root / name
    path.write_text(text or table(), "utf-8")
    return path


def records(*rows: tuple[str, ...]) -> list[dict[str, str | None]]:
    return [dict(zip(HEADER, (cell or None for cell in row), strict=False)) for row in rows or ROWS]


def write_sheet(path: Path, *rows: tuple[object, ...]) -> None:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in (HEADER, *(rows or ROWS)):
        sheet.append(list(row))
    workbook.save(path)
    workbook.close()


def pack(root: Path) -> Path:
    """The small pack, and beside its files an examination that nobody may open: it is no JSON."""
    folder = root / "pack"
    if not folder.exists():
        write_pack(folder, {})
        (folder / "utterances" / "test-9.jsonl").write_bytes(b"\xff not to be opened")
    return folder


def job(
    root: Path, *files: Path, mapping: Path | None = None, columns: Mapping[str, str] | None = None, limits: Limits | None = None
) -> ImportJob:
    return ImportJob(
        files=files, out=root / "out", pack=pack(root), mapping=read_mapping(mapping, columns or {}), limits=limits or Limits()
    )


def imported(root: Path, *files: Path, mapping: str | None = None, writer: Writer = write_text, **options: Any) -> Mapping[str, Any]:
    """The report of an import of ``files`` into ``root/out``."""
    path = None
    if mapping is not None:
        path = root / "map.yaml"
        path.write_text(mapping, "utf-8")
    return import_logs(job(root, *files, mapping=path, **options), clock=lambda: NOON, writer=writer)


def import_rows(root: Path, *rows: Mapping[str, object], mapping: str | None = None) -> Mapping[str, Any]:
    """Like ``imported``, of one JSON Lines file."""
    path = root / "logs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return imported(root, path, mapping=mapping)


def taken(root: Path) -> list[LogRow]:
    return read_dataset(root / "out")


def reasons(record: Mapping[str, Any]) -> dict[str, int]:
    return {reason: found["count"] for file in record["files"] for reason, found in file["reasons"].items()}
