"""The forms that FAQ entries come and go in."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import PurePath

from yingda.domain.records import ImportRow, KnowledgeError, Payload, RejectedRow, Sheet
from yingda.pack.exchange import lines, rasa, tables
from yingda.pack.exchange.entries import tidy

MAX_BYTES = 32 * 1024 * 1024
"""Largest file read at once; 100,000 entries of the usual size have half as much."""


class Form(StrEnum):
    """How a file is written."""

    CSV = "csv"
    EXCEL = "xlsx"
    JSONL = "jsonl"
    YAML = "yaml"
    RASA = "rasa"


_ENDINGS = {"csv": Form.CSV, "xlsx": Form.EXCEL, "jsonl": Form.JSONL, "ndjson": Form.JSONL, "yaml": Form.YAML, "yml": Form.YAML}


class Mismatch(KnowledgeError):  # noqa: N818 a name in line with its siblings
    """A file is not the one that was meant."""

    code = "digest_mismatch"


def form_of(name: str) -> Form:
    """The form that a file name tells; Rasa's files end like any YAML and must be named. Raises KnowledgeError."""
    form = _ENDINGS.get(PurePath(name).suffix.lower().lstrip("."))
    if form is None:
        raise KnowledgeError(f"the form of '{PurePath(name).name[:80]}' is unknown; use one of: {', '.join(Form)}")
    return form


def verify(data: bytes, digest: str | None) -> None:
    """Raises Mismatch unless ``data`` has the SHA-256 ``digest`` (hex); None asks for nothing."""
    found = sha256(data).hexdigest()
    if digest is not None and not hmac.compare_digest(found, digest.strip().lower()):
        raise Mismatch("the file's SHA-256 differs from the one given: it was altered or cut on its way; send it again")


def read_form(data: bytes, form: Form, *, digest: str | None = None, known: Mapping[str, Payload] | None = None) -> Sheet:
    """The entries of a file, tidied but not checked; what cannot be read at all is among ``rejected``.

    ``known`` are the entries as they stand: Rasa names no intent of the taxonomy, so an entry keeps its own. Raises
    Mismatch when ``digest`` is given and differs, before anything is read.
    """
    verify(data, digest)
    if len(data) > MAX_BYTES:
        return Sheet(rejected=(RejectedRow(1, "", f"the file is larger than {MAX_BYTES // 2**20} MiB; split it"),))
    match form:
        case Form.CSV:
            sheet = tables.read_csv(data)
        case Form.EXCEL:
            sheet = tables.read_excel(data)
        case Form.JSONL:
            sheet = lines.read_jsonl(data)
        case Form.YAML:
            sheet = lines.read_pack_yaml(data)
        case Form.RASA:
            sheet = rasa.read_rasa([data], known=known or {})
    return Sheet(tuple(_tidied(sheet.rows)), sheet.rejected, sheet.notes)


def write_form(entries: Iterable[Payload], form: Form) -> bytes:
    """The entries as a file, in order of their ids; reading and writing it again gives the same bytes."""
    ordered: Sequence[Payload] = sorted((tidy(entry) for entry in entries), key=lambda entry: str(entry["id"]))
    match form:
        case Form.CSV:
            return tables.write_csv(ordered)
        case Form.EXCEL:
            return tables.write_excel(ordered)
        case Form.JSONL:
            return lines.write_jsonl(ordered)
        case Form.YAML:
            return lines.write_pack_yaml(ordered)
        case Form.RASA:
            return rasa.write_rasa(ordered)


def _tidied(rows: Iterable[ImportRow]) -> Iterable[ImportRow]:
    for row in rows:
        payload = tidy(row.payload)
        yield ImportRow(row.line, str(payload.get("id", "")), payload)
