"""Files of entries over HTTP: import with a report of every row, and export."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from serving import knowledge_schemas as schemas
from serving.body import FileRoute, StrictRoute
from serving.contract import GUARDED, Responses, headers, problems
from serving.errors import ProblemError, RowError
from serving.knowledge_work import LISTED, MAY_READ, MAY_WRITE, Author, DeskDependency, alike_out
from serving.routes import as_json
from yingda.domain.records import ImportReport, RecordKind, Signed
from yingda.pack.exchange.forms import Form, write_form

MOST_TOLD = 200
"""Rejected rows that a problem lists."""
MEDIA = {
    Form.CSV: "text/csv; charset=utf-8",
    Form.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.JSONL: "application/x-ndjson",
    Form.YAML: "application/yaml",
    Form.RASA: "application/yaml",
}
_FORMS = {
    **{media.partition(";")[0]: form for form, media in MEDIA.items() if form is not Form.RASA},
    **dict.fromkeys(("application/jsonl", "application/jsonlines"), Form.JSONL),
    **dict.fromkeys(("text/yaml", "application/x-yaml", "text/x-yaml"), Form.YAML),
}
_ENDING = {Form.RASA: "rasa.yaml"}
_REFUSED = {
    409: "Knowledge is read-only here, or may not be published by its author alone.",
    413: "The file is longer than 8 MiB.",
    415: "The form of the file is not known, or it is compressed.",
    422: "A row or a parameter breaks a rule, or the file has another SHA-256; `errors` tells.",
}
_IMPORTED = problems(*GUARDED, 408, *_REFUSED, meanings=_REFUSED)
_EXPORTED: Responses = {
    200: {
        "description": "The file.",
        "content": {media.partition(";")[0]: {} for media in MEDIA.values()},
        **headers(content_digest="`sha-256=:…:` of the file (RFC 9530).", content_disposition="A name for the file.")[200],
    }
}
router = APIRouter(route_class=StrictRoute)
_files = APIRouter(route_class=FileRoute)

_FILE_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file, up to 8 MiB. Rasa's files are YAML and need `form=rasa`.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in sorted(_FORMS)},
    }
}


@_files.post(
    "/v1/faq/import",
    operation_id="importFaq",
    summary="Import a file of entries",
    response_model=schemas.ImportResponse,
    responses=_IMPORTED,
    dependencies=MAY_WRITE,
    openapi_extra=_FILE_BODY,
)
async def import_faq(
    request: Request,
    desk: DeskDependency,
    author: Author,
    form: Annotated[Form | None, Query(description="How the file is written; told by the content type when absent.")] = None,
    dry_run: Annotated[bool, Query(description="Report what would happen and write nothing.")] = False,
    partial_: Annotated[bool, Query(alias="partial", description="Import the good rows of a file that has broken ones.")] = False,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{64}$", description="SHA-256 of the file: an altered one is refused.")] = None,
    content_digest: Annotated[str | None, Header(description="The same as RFC 9530 writes it: `sha-256=:…:`.")] = None,
    reason: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Publishes every row that adds or changes an entry, together; one broken row keeps the whole file out unless `partial`."""
    how, digest = form or _form_of(request), _one_digest(sha256, content_digest)
    data, signed, at = await request.body(), Signed(author, reason), desk.clock()
    # Imported here: printing the contract needs no numpy.
    from yingda.live import import_file, preview_file

    if dry_run:
        report = await desk.change(lambda records: preview_file(records, data, how, at=at, digest=digest))
    else:
        work = partial(import_file, data=data, form=how, by=signed, at=at, digest=digest, partial=partial_)
        report = await desk.change(work)
        if not report.applied:
            raise _rejected(report)
    return as_json(_report_out(report, would_apply=partial_ or not report.rejected))


@router.get(
    "/v1/faq/export",
    operation_id="exportFaq",
    summary="Export the entries in force",
    response_class=Response,
    responses={**_EXPORTED, **LISTED},
    dependencies=MAY_READ,
)
async def export_faq(desk: DeskDependency, form: Form = Form.CSV) -> Response:
    """A file that imports as it is, and exports again to the same bytes; `content-digest` holds its SHA-256."""
    data = await desk.read(lambda records: write_form(records.snapshot(desk.clock()).of(RecordKind.FAQ).values(), form))
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    headers = {
        "content-digest": f"sha-256=:{digest}:",
        "content-disposition": f'attachment; filename="faq.{_ENDING.get(form, form.value)}"',
    }
    return Response(data, media_type=MEDIA[form], headers=headers)


def _report_out(report: ImportReport, *, would_apply: bool) -> schemas.ImportResponse:
    return schemas.ImportResponse(
        applied=report.applied,
        would_apply=would_apply,
        knowledge_version=report.knowledge_version,
        added=list(report.added),
        changed=list(report.changed),
        unchanged=list(report.unchanged),
        rejected=[schemas.RowOut(**asdict(row)) for row in report.rejected],
        notes=[schemas.RowOut(**asdict(row)) for row in report.notes],
        over_drafts=list(report.over_drafts),
        alike=alike_out(report),
    )


def _rejected(report: ImportReport) -> ProblemError:
    """Nothing was imported; every broken row with its line and reason, up to MOST_TOLD of them."""
    rows = report.rejected
    errors = [RowError(pointer="", code="row_rejected", detail=row.reason, line=row.line, field=row.field) for row in rows]
    detail = f"{len(rows)} mistake(s) in the file and nothing was imported; correct the rows, or send partial=true for the others"
    return ProblemError(422, "import_rejected", detail, errors=errors[:MOST_TOLD])


def _form_of(request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        detail = f"the form of the file is not known; send form={'|'.join(Form)}, or a content type such as text/csv"
        raise ProblemError(415, "unsupported_media_type", detail, headers={"Connection": "close"})
    return _FORMS[kind]


def _one_digest(given: str | None, header: str | None) -> str | None:
    """The SHA-256 in hex that the file must have, by the query or the Content-Digest (RFC 9530); both must say the same."""
    told = None if header is None else _digest_of(header)
    if given and told and given.lower() != told:
        raise ProblemError(422, "digest_unreadable", "sha256 and Content-Digest name different files; send one of them, or both alike")
    return given or told


def _digest_of(header: str) -> str:
    """SHA-256 in hex of a Content-Digest; a digest that cannot be checked is refused, for its sender relies on the check."""
    found = re.search(r"(?:^|[,\s])sha-256=:([A-Za-z0-9+/]{43}=):", header)
    if found is None:
        raise ProblemError(
            422, "digest_unreadable", "Content-Digest holds no SHA-256 in base64; write `sha-256=:…:`, or send sha256= in hex"
        )
    return base64.b64decode(found[1]).hex()


router.include_router(_files)
