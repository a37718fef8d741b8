"""Living knowledge over HTTP: entries, records of other kinds, their versions, and files of entries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel

from serving import knowledge_schemas as schemas
from serving.auth import needs
from serving.body import FileRoute, StrictRoute
from serving.context import context_of
from serving.errors import PROBLEM_JSON, FieldError, ProblemError, validation_problem
from serving.keys import Scope
from serving.live import Desk, Records
from serving.routes import as_json, problems
from yingda.domain.records import ANY, Draft, ImportReport, RecordId, RecordKind, Signed, Status, Version
from yingda.pack.exchange.entries import tidy
from yingda.pack.exchange.forms import Form, write_form
from yingda.store.knowledge.service import KnowledgeStore, Saved

LOCAL = "local"
"""The author where no keys are configured."""
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
_TAG = re.compile(r'\s*(\*|"([\x21\x23-\x7e]*)"|W/"[\x21\x23-\x7e]*")\s*')
_MEANINGS = {
    409: "The id is taken, the status does not permit the step, or knowledge is read-only here.",
    412: "The record has changed since it was read.",
    428: "If-Match is missing: send the ETag that was read, or `*`.",
}


class LifeStep(StrEnum):
    """What may be asked of a record."""

    REVIEW = "review"
    RETURN = "return"
    PUBLISH = "publish"
    RETIRE = "retire"
    ROLLBACK = "rollback"


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    own: dict[int | str, dict[str, Any]] = {
        status: {"description": _MEANINGS[status], "content": content} for status in statuses if status in _MEANINGS
    }
    return {**problems(*(status for status in statuses if status not in own)), **own}


_READ = _problems(401, 403, 404, 422, 500, 503)
_NEW = _problems(400, 401, 403, 409, 413, 415, 422, 500, 503)
_CHANGED = _problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 500, 503)
_MAY_READ, _MAY_WRITE = [needs(Scope.KNOWLEDGE_READ)], [needs(Scope.KNOWLEDGE_WRITE)]


async def _desk(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


async def _author(request: Request) -> str:
    return context_of(request.scope).key_id or LOCAL


IfMatch = Annotated[str | None, Header(description="The ETag that was read, in its quotation marks, or `*`.")]


async def _tags(if_match: IfMatch = None) -> list[str]:
    """The ETags of If-Match; a weak one fits nothing (RFC 9110, section 13.1.1)."""
    if if_match is None:
        raise ProblemError(428, "if_match_missing", "send If-Match with the ETag that you have read, or `*` to write over any state")
    found = [_TAG.fullmatch(part) for part in if_match.split(",")]
    if not all(found):
        raise ProblemError(400, "bad_if_match", "If-Match cannot be read; send the ETag as it was given, in quotation marks, or `*`")
    return [ANY if match[1] == ANY else match[2] or "" for match in found if match]


async def _cursor(cursor: Annotated[str, Query(max_length=400, description="`next_cursor` of the page before.")] = "") -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        detail = "this is no cursor; send next_cursor as it was given"
        raise validation_problem([FieldError(pointer="/cursor", code="bad_cursor", detail=detail)]) from None


DeskDependency = Annotated[Desk, Depends(_desk)]
Author = Annotated[str, Depends(_author)]
Tags = Annotated[list[str], Depends(_tags)]
Cursor = Annotated[str, Depends(_cursor)]
Limit = Annotated[int, Query(ge=1, le=200)]
KeyPath = Annotated[str, Path(max_length=64)]
Before = Annotated[int, Query(ge=1, description="A revision.")]
DraftFlag = Annotated[bool, Query(description="Save a draft that customers do not see.")]
StatusFilter = Annotated[Status | None, Query(description="Only records whose newest step has this status.")]

router = APIRouter(route_class=StrictRoute, tags=["knowledge"])
_files = APIRouter(route_class=FileRoute, tags=["knowledge"])


# ---- files of entries ----

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
    responses=_NEW,
    dependencies=_MAY_WRITE,
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
    how, digest = form or _form_of(request), sha256 or _digest_of(content_digest)
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
    return as_json(_report_out(report))


@router.get(
    "/v1/faq/export",
    operation_id="exportFaq",
    summary="Export the entries in force",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {media.partition(";")[0]: {} for media in MEDIA.values()}}, **_READ},
    dependencies=_MAY_READ,
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


# ---- entries ----


@router.get(
    "/v1/faq",
    operation_id="listFaq",
    summary="List entries",
    response_model=schemas.EntriesResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def list_faq(desk: DeskDependency, cursor: Cursor, limit: Limit = 50, status: StatusFilter = None) -> Response:
    """The newest step of each entry, drafts and retired ones included, in order of the ids."""
    found, more = await desk.read(partial(_page, RecordKind.FAQ, cursor, limit, status))
    return as_json(schemas.EntriesResponse(items=[_entry_out(version) for version in found], next_cursor=more))


@router.post(
    "/v1/faq",
    operation_id="addFaq",
    summary="Add an entry",
    response_model=schemas.SavedEntry,
    responses=_NEW,
    dependencies=_MAY_WRITE,
)
async def add_faq(body: schemas.NewEntry, desk: DeskDependency, author: Author, draft: DraftFlag = False) -> Response:
    """Publishes it, durably before this returns and in every worker within a second; the response names entries that ask the same."""
    new = _entry_draft(body.id, body)
    return _saved_entry(await desk.change(partial(_save, new, Signed(author, body.change.reason), draft, None)))


@router.get(
    "/v1/faq/{id}",
    operation_id="readFaq",
    summary="Read an entry",
    response_model=schemas.EntryOut,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def read_faq(id: KeyPath, desk: DeskDependency) -> Response:
    """Its newest step, with the ETag that a change needs."""
    version = await desk.read(lambda records: records.get(RecordId(RecordKind.FAQ, id)))
    return _tagged(_entry_out(version), version)


@router.put(
    "/v1/faq/{id}",
    operation_id="changeFaq",
    summary="Change an entry",
    response_model=schemas.SavedEntry,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def change_faq(
    id: KeyPath, body: schemas.EntryIn, desk: DeskDependency, author: Author, tags: Tags, draft: DraftFlag = False
) -> Response:
    """Publishes the change like a new entry."""
    new = _entry_draft(id, body)
    return _saved_entry(await desk.change(partial(_save, new, Signed(author, body.change.reason), draft, tags)))


@router.delete(
    "/v1/faq/{id}",
    operation_id="retireFaq",
    summary="Retire an entry",
    response_model=schemas.EntryOut,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def retire_faq(
    id: KeyPath, desk: DeskDependency, author: Author, tags: Tags, reason: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """It speaks no more; its history stays, and a rollback brings it back."""
    version = await desk.change(partial(_take, LifeStep.RETIRE, RecordId(RecordKind.FAQ, id), Signed(author, reason), tags))
    return _tagged(_entry_out(version), version)


@router.get(
    "/v1/faq/{id}/versions",
    operation_id="listFaqVersions",
    summary="Read an entry's history",
    response_model=schemas.VersionsResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def list_faq_versions(id: KeyPath, desk: DeskDependency) -> Response:
    """Every step, oldest first."""
    return await _versions(desk, RecordId(RecordKind.FAQ, id))


@router.get(
    "/v1/faq/{id}/diff",
    operation_id="compareFaqVersions",
    summary="Compare two revisions of an entry",
    response_model=schemas.DiffResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def compare_faq(id: KeyPath, desk: DeskDependency, before: Before, after: Before) -> Response:
    """Every field that differs."""
    return await _diff(desk, RecordId(RecordKind.FAQ, id), before, after)


@router.post(
    "/v1/faq/{id}/rollback",
    operation_id="rollBackFaq",
    summary="Roll an entry back",
    response_model=schemas.EntryOut,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def roll_back_faq(id: KeyPath, body: schemas.StepIn, desk: DeskDependency, author: Author, tags: Tags) -> Response:
    """Publishes again what was told before the last publication or retirement."""
    version = await desk.change(partial(_take, LifeStep.ROLLBACK, RecordId(RecordKind.FAQ, id), Signed(author, body.reason), tags))
    return _tagged(_entry_out(version), version)


# ---- records of any kind ----


@router.get(
    "/v1/knowledge/{kind}",
    operation_id="listRecords",
    summary="List records of a kind",
    response_model=schemas.RecordsResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def list_records(kind: RecordKind, desk: DeskDependency, cursor: Cursor, limit: Limit = 50, status: StatusFilter = None) -> Response:
    """The newest step of each record, drafts and retired ones included, in order of the ids."""
    found, more = await desk.read(partial(_page, kind, cursor, limit, status))
    return as_json(schemas.RecordsResponse(items=[_record_out(version) for version in found], next_cursor=more))


@router.post(
    "/v1/knowledge/{kind}",
    operation_id="draftRecord",
    summary="Draft a new record",
    response_model=schemas.SavedRecord,
    responses=_NEW,
    dependencies=_MAY_WRITE,
)
async def draft_record(kind: RecordKind, body: schemas.NewRecord, desk: DeskDependency, author: Author) -> Response:
    """Saves a draft; `review` and `publish` make it known to customers."""
    new = _draft(RecordId(kind, body.id), body.payload, body.change)
    return _saved_record(await desk.change(partial(_save, new, Signed(author, body.change.reason), True, None)))


@router.get(
    "/v1/knowledge/{kind}/{id}",
    operation_id="readRecord",
    summary="Read a record",
    response_model=schemas.RecordOut,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def read_record(kind: RecordKind, id: KeyPath, desk: DeskDependency) -> Response:
    """Its newest step, with the ETag that a change needs."""
    version = await desk.read(lambda records: records.get(RecordId(kind, id)))
    return _tagged(_record_out(version), version)


@router.put(
    "/v1/knowledge/{kind}/{id}",
    operation_id="redraftRecord",
    summary="Draft a change of a record",
    response_model=schemas.SavedRecord,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def redraft_record(
    kind: RecordKind, id: KeyPath, body: schemas.RecordIn, desk: DeskDependency, author: Author, tags: Tags
) -> Response:
    """Saves a draft; the published version goes on speaking."""
    new = _draft(RecordId(kind, id), body.payload, body.change)
    return _saved_record(await desk.change(partial(_save, new, Signed(author, body.change.reason), True, tags)))


@router.delete(
    "/v1/knowledge/{kind}/{id}",
    operation_id="retireRecord",
    summary="Retire a record",
    response_model=schemas.RecordOut,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def retire_record(
    kind: RecordKind, id: KeyPath, desk: DeskDependency, author: Author, tags: Tags, reason: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """It speaks no more; refused while another record needs it."""
    version = await desk.change(partial(_take, LifeStep.RETIRE, RecordId(kind, id), Signed(author, reason), tags))
    return _tagged(_record_out(version), version)


@router.get(
    "/v1/knowledge/{kind}/{id}/versions",
    operation_id="listRecordVersions",
    summary="Read a record's history",
    response_model=schemas.VersionsResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def list_versions(kind: RecordKind, id: KeyPath, desk: DeskDependency) -> Response:
    """Every step, oldest first."""
    return await _versions(desk, RecordId(kind, id))


@router.get(
    "/v1/knowledge/{kind}/{id}/diff",
    operation_id="compareRecordVersions",
    summary="Compare two revisions of a record",
    response_model=schemas.DiffResponse,
    responses=_READ,
    dependencies=_MAY_READ,
)
async def compare_versions(kind: RecordKind, id: KeyPath, desk: DeskDependency, before: Before, after: Before) -> Response:
    """Every field that differs."""
    return await _diff(desk, RecordId(kind, id), before, after)


@router.post(
    "/v1/knowledge/{kind}/{id}/{step}",
    operation_id="stepRecord",
    summary="Take a step in a record's life",
    response_model=schemas.RecordOut,
    responses=_CHANGED,
    dependencies=_MAY_WRITE,
)
async def step_record(
    kind: RecordKind, id: KeyPath, step: LifeStep, body: schemas.StepIn, desk: DeskDependency, author: Author, tags: Tags
) -> Response:
    """draft → review → publish → retire; `return` makes a reviewed version a draft again, `rollback` brings back the one before."""
    version = await desk.change(partial(_take, step, RecordId(kind, id), Signed(author, body.reason), tags))
    return _tagged(_record_out(version), version)


# ---- work ----


def _save(draft: Draft, by: Signed, is_draft: bool, tags: Sequence[str] | None, records: KnowledgeStore) -> Saved:
    if_match = None if tags is None else _tag(draft.id, tags, records)
    return (records.save if is_draft else records.write)(draft, by, if_match=if_match)


def _take(step: LifeStep, id_: RecordId, by: Signed, tags: Sequence[str], records: KnowledgeStore) -> Version:
    steps = {
        LifeStep.REVIEW: records.review,
        LifeStep.RETURN: records.return_to_author,
        LifeStep.PUBLISH: records.publish,
        LifeStep.RETIRE: records.retire,
        LifeStep.ROLLBACK: records.roll_back,
    }
    return steps[step](id_, by, if_match=_tag(id_, tags, records))


def _tag(id_: RecordId, tags: Sequence[str], records: KnowledgeStore) -> str:
    """The one ETag of several that may fit; raises NotFound."""
    head = records.get(id_)
    return head.etag if head.etag in tags else tags[0]


def _page(kind: RecordKind, after: str, limit: int, status: Status | None, records: Records) -> tuple[list[Version], str | None]:
    found = records.page(kind, after=after, limit=limit + 1, status=status)
    more = len(found) > limit
    return found[:limit], base64.urlsafe_b64encode(found[limit - 1].id.key.encode()).decode() if more else None


async def _versions(desk: Desk, id_: RecordId) -> Response:
    found = await desk.read(lambda records: records.history(id_))
    return as_json(schemas.VersionsResponse(items=[_version_out(version) for version in found]))


async def _diff(desk: Desk, id_: RecordId, before: int, after: int) -> Response:
    found = await desk.read(lambda records: records.diff(id_, before, after))
    changes = [schemas.FieldChange(**asdict(change)) for change in found]
    return as_json(schemas.DiffResponse(before=before, after=after, changes=changes))


# ---- in and out ----


def _entry_draft(id_: str, body: schemas.EntryIn) -> Draft:
    payload = {**body.model_dump(exclude={"change", "id"}), "id": id_}
    return _draft(RecordId(RecordKind.FAQ, id_), payload, body.change)


def _draft(id_: RecordId, payload: Mapping[str, Any], change: schemas.ChangeIn) -> Draft:
    told = tidy({"id": id_.key, **payload}) if id_.kind is RecordKind.FAQ else payload
    return Draft(id_, told, change.name, change.effective_from, change.effective_until)


def _saved_entry(saved: Saved) -> Response:
    entry = _entry_out(saved.version)
    return _tagged(schemas.SavedEntry(**entry.model_dump(), alike=_alike_out(saved)), saved.version, new=f"/v1/faq/{entry.id}")


def _saved_record(saved: Saved) -> Response:
    record = _record_out(saved.version)
    body = schemas.SavedRecord(**record.model_dump(), alike=_alike_out(saved), warnings=list(saved.warnings))
    return _tagged(body, saved.version)


def _tagged(body: BaseModel, version: Version, *, new: str | None = None) -> Response:
    response = as_json(body)
    response.headers["etag"] = f'"{version.etag}"'
    if new and version.revision == 1:
        response.headers["location"] = new
    return response


def _entry_out(version: Version) -> schemas.EntryOut:
    return schemas.EntryOut(**{**tidy(version.payload), "id": version.id.key}, version=_version_out(version))


def _record_out(version: Version) -> schemas.RecordOut:
    return schemas.RecordOut(kind=version.id.kind, id=version.id.key, payload=dict(version.payload), version=_version_out(version))


def _version_out(version: Version) -> schemas.VersionOut:
    names = schemas.VersionOut.model_fields
    return schemas.VersionOut(**{name: getattr(version, name) for name in names})


def _alike_out(found: Saved | ImportReport) -> list[schemas.AlikeOut]:
    return [schemas.AlikeOut(**asdict(one)) for one in found.alike]


def _report_out(report: ImportReport) -> schemas.ImportResponse:
    return schemas.ImportResponse(
        applied=report.applied,
        knowledge_version=report.knowledge_version,
        added=list(report.added),
        changed=list(report.changed),
        unchanged=list(report.unchanged),
        rejected=[schemas.RowOut(**asdict(row)) for row in report.rejected],
        notes=[schemas.RowOut(**asdict(row)) for row in report.notes],
        over_drafts=list(report.over_drafts),
        alike=_alike_out(report),
    )


def _rejected(report: ImportReport) -> ProblemError:
    """Nothing was imported; every broken row with its line and reason, up to MOST_TOLD of them."""
    rows = report.rejected
    errors = [FieldError(pointer="", code="row_rejected", detail=f"line {row.line}, {row.field or 'row'}: {row.reason}") for row in rows]
    detail = f"{len(rows)} mistake(s) in the file and nothing was imported; correct the rows, or send partial=true for the others"
    return ProblemError(422, "import_rejected", detail, errors=errors[:MOST_TOLD])


def _form_of(request: Request) -> Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _FORMS:
        detail = f"the form of the file is not known; send form={'|'.join(Form)}, or a content type such as text/csv"
        raise ProblemError(415, "unsupported_media_type", detail, headers={"Connection": "close"})
    return _FORMS[kind]


def _digest_of(header: str | None) -> str | None:
    """SHA-256 in hex of a Content-Digest; other algorithms are passed over."""
    found = re.search(r"sha-256=:([A-Za-z0-9+/]{43}=):", header or "")
    return base64.b64decode(found[1]).hex() if found else None


router.include_router(_files)
