"""Files in, a dataset folder out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.logs import report
from training.logs.dataset import FACTS, FORMAT, ROWS, Writer, check_target, digest_of, rows_text, version_of, write_dataset, write_text
from training.logs.forms import open_source
from training.logs.labels import Candidate, Reason, RowReader
from training.logs.mapping import Label, LogMapping, read_annotations
from training.logs.mapping import digest_of as mapping_digest
from training.logs.pack_texts import refuse_pack_files, training_texts
from training.logs.report import Source
from training.logs.selection import FileRows, Selection, select
from training.logs.source import Limits, Opened, RawRow, check_size, file_digest, limited, name_of
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Knowledge
from yingda.pack import read_knowledge

Track = Callable[[Iterator[RawRow], str], Iterable[RawRow]]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What to import and how."""

    files: tuple[Path, ...]
    out: Path
    pack: Path
    mapping: LogMapping
    limits: Limits
    encoding: str | None = None


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def untracked(rows: Iterator[RawRow], name: str) -> Iterable[RawRow]:  # noqa: ARG001 the signature is Track's
    """Shows no progress."""
    return rows


def import_logs(job: ImportJob, *, track: Track = untracked, clock: Clock = utc_now, writer: Writer = write_text) -> Mapping[str, Any]:
    """Import ``job.files``, write the dataset where any row was taken, and return the report as plain values.

    Raises MaterialError or PackError when a file, the mapping or the pack cannot be used; then nothing is written.
    """
    check_target(job.out)
    _check_files(job)
    knowledge = read_knowledge(job.pack)
    check_labels(job.mapping, knowledge)
    annotations = None if job.mapping.annotations is None else read_annotations(job.mapping.annotations)
    reader = RowReader(knowledge, job.mapping, annotations)
    read = [_read_file(path, job, reader, track) for path in job.files]
    selection = select([rows for _, rows in read], training_texts(job.pack))
    sources = [source for source, _ in read]
    facts = _facts(job, knowledge, sources, selection, clock())
    record = report.as_record(facts, sources, selection)
    if selection.rows:
        write_dataset(job.out, _contents(facts, record, selection), writer=writer)
    return record


def check_labels(mapping: LogMapping, knowledge: Knowledge) -> None:
    """Raise MaterialError when the mapping names an intent or entry that the pack does not have."""
    for name, label in mapping.labels.items():
        if not isinstance(label, Label):
            continue
        if label.faq is not None and label.faq not in knowledge.faq:
            raise MaterialError(f"labels.{name}: the pack has no entry '{label.faq}'; correct it")
        if label.intent is not None and label.intent not in knowledge.taxonomy.intents:
            raise MaterialError(f"labels.{name}: the pack has no intent '{label.intent}'; correct it")
        if label.intent is None and label.faq is None:
            raise MaterialError(f"labels.{name}: write an intent, an entry (faq), or skip")


def _check_files(job: ImportJob) -> None:
    refuse_pack_files(list(job.files), job.pack)
    names = [path.name for path in job.files]
    for path in job.files:
        check_size(path, job.limits)
        if names.count(path.name) > 1:
            raise MaterialError(f"{path.name} is named twice; sources are told apart by name, so rename one of them")


def _read_file(path: Path, job: ImportJob, reader: RowReader, track: Track) -> tuple[Source, FileRows]:
    wanted = job.mapping.columns.model_dump()
    try:
        opened = open_source(path, wanted=wanted, limits=job.limits, encoding=job.encoding)
        _check_columns(path, opened, job.mapping)
        rows = track(limited(opened.rows(), path.name, job.limits), path.name)
        candidates = tuple(_candidates(rows, reader))
    except UnicodeError as error:
        raise MaterialError(f"{path.name} was changed while it was read; try again") from error
    if not candidates:
        raise MaterialError(f"{path.name} holds no rows below its first line; name a file with messages")
    if all(candidate.text is None and candidate.reason is not Reason.TOO_LONG for candidate in candidates):
        raise MaterialError(f"{path.name}: no row has a text in '{job.mapping.columns.text}'; name its column or field with --text")
    return Source(name_of(path), file_digest(path), opened.form, opened.encoding), FileRows(name_of(path), candidates)


def _candidates(rows: Iterable[RawRow], reader: RowReader) -> Iterator[Candidate]:
    for row in rows:
        yield reader.read(row)


def _check_columns(path: Path, opened: Opened, mapping: LogMapping) -> None:
    """Raise MaterialError when a table lacks a column that is needed or was named."""
    if opened.columns is None:
        return
    columns = mapping.columns.model_dump()
    needed = {"text", "id"} if mapping.annotations is not None else {"text", *mapping.named_columns()}
    for part in sorted(needed):
        if columns[part] not in opened.columns:
            there = ", ".join(column for column in opened.columns if column)
            raise MaterialError(f"{path.name} has no column '{columns[part]}' for {part}; it has: {there}; name it with --{part}")
    labelled = columns["intent"] in opened.columns or columns["faq"] in opened.columns
    if mapping.annotations is None and not labelled:
        raise MaterialError(f"{path.name} has no column for intent or faq; name one with --intent or --faq, or give annotations")


def _facts(job: ImportJob, knowledge: Knowledge, sources: Sequence[Source], selection: Selection, now: datetime) -> dict[str, Any]:
    digest = digest_of(rows_text(selection.rows))
    return {
        "format": FORMAT,
        "version": version_of(digest),
        "rows_sha256": digest,
        "created": now.isoformat(timespec="seconds"),
        "pack": {"name": job.pack.resolve().name, "knowledge_sha256": knowledge.digest},
        "mapping_sha256": mapping_digest(job.mapping),
        "licence": job.mapping.licence,
        "sources": [{"file": source.name, "sha256": source.sha256} for source in sources],
        "counts": report.label_counts(selection.rows),
    }


def _contents(facts: Mapping[str, Any], record: Mapping[str, Any], selection: Selection) -> dict[str, str]:
    def readable(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"

    return {
        ROWS: rows_text(selection.rows),
        "rejected.jsonl": report.rejected_text(selection.files),
        "report.json": readable(record),
        "report.md": report.as_markdown(record),
        FACTS: readable(facts),
    }
