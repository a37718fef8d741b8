"""Living knowledge over HTTP: entries, records of other kinds, and their versions."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from serving import knowledge_files
from serving import knowledge_schemas as schemas
from serving.body import StrictRoute
from serving.knowledge_work import (
    CHANGED,
    ETAG,
    LISTED,
    MAY_READ,
    MAY_WRITE,
    NEW,
    NEW_TAG,
    READ,
    RETIRED,
    Author,
    Cursor,
    DeskDependency,
    LifeStep,
    Tags,
    diff_out,
    entry_draft,
    entry_out,
    new_draft,
    page,
    record_out,
    same_as_path,
    save,
    saved_entry,
    saved_record,
    stepped,
    stepped_record,
    tagged,
    take,
    versions_out,
)
from serving.routes import as_json
from yingda.domain.records import RecordId, RecordKind, Signed, Status

Limit = Annotated[int, Query(ge=1, le=200)]
KeyPath = Annotated[str, Path(max_length=64)]
Before = Annotated[int, Query(ge=1, description="A revision.")]
DraftFlag = Annotated[bool, Query(description="Save a draft that customers do not see.")]
StatusFilter = Annotated[Status | None, Query(description="Only records whose newest step has this status.")]

router = APIRouter(route_class=StrictRoute, tags=["knowledge"])
router.include_router(knowledge_files.router)  # first: `export` is no id of an entry


# ---- entries ----


@router.get(
    "/v1/faq",
    operation_id="listFaq",
    summary="List entries",
    response_model=schemas.EntriesResponse,
    responses=LISTED,
    dependencies=MAY_READ,
)
async def list_faq(desk: DeskDependency, cursor: Cursor, limit: Limit = 50, status: StatusFilter = None) -> Response:
    """The newest step of each entry, drafts and retired ones included, in order of the ids."""
    found, more = await desk.read(partial(page, RecordKind.FAQ, cursor, limit, status))
    return as_json(schemas.EntriesResponse(items=[entry_out(version) for version in found], next_cursor=more))


@router.post(
    "/v1/faq",
    operation_id="addFaq",
    summary="Add an entry",
    response_model=schemas.SavedEntry,
    responses={**NEW_TAG, **NEW},
    dependencies=MAY_WRITE,
)
async def add_faq(body: schemas.NewEntry, desk: DeskDependency, author: Author, draft: DraftFlag = False) -> Response:
    """Publishes it, durably before this returns and in every worker within a second; the response names entries that ask the same."""
    new = entry_draft(body.id, body)
    return saved_entry(await desk.change(partial(save, new, Signed(author, body.change.reason), draft, None)))


@router.get(
    "/v1/faq/{id}",
    operation_id="readFaq",
    summary="Read an entry",
    response_model=schemas.EntryOut,
    responses={**ETAG, **READ},
    dependencies=MAY_READ,
)
async def read_faq(id: KeyPath, desk: DeskDependency) -> Response:
    """Its newest step, with the ETag that a change needs."""
    version = await desk.read(lambda records: records.get(RecordId(RecordKind.FAQ, id)))
    return tagged(entry_out(version), version)


@router.put(
    "/v1/faq/{id}",
    operation_id="changeFaq",
    summary="Change an entry",
    response_model=schemas.SavedEntry,
    responses={**ETAG, **CHANGED},
    dependencies=MAY_WRITE,
)
async def change_faq(
    id: KeyPath, body: schemas.EntryChange, desk: DeskDependency, author: Author, tags: Tags, draft: DraftFlag = False
) -> Response:
    """Publishes the change like a new entry; what is planned for later stays planned, unless `replace_planned`."""
    same_as_path(id=(id, body.id))
    new = entry_draft(id, body)
    return saved_entry(await desk.change(partial(save, new, Signed(author, body.change.reason), draft, tags)))


@router.delete(
    "/v1/faq/{id}",
    operation_id="retireFaq",
    summary="Retire an entry",
    response_model=schemas.EntryOut,
    responses={**ETAG, **RETIRED},
    dependencies=MAY_WRITE,
)
async def retire_faq(
    id: KeyPath, desk: DeskDependency, author: Author, tags: Tags, reason: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """It speaks no more; its history stays, and a rollback brings it back."""
    version = await desk.change(partial(take, LifeStep.RETIRE, RecordId(RecordKind.FAQ, id), Signed(author, reason), tags))
    return tagged(entry_out(version), version)


@router.get(
    "/v1/faq/{id}/versions",
    operation_id="listFaqVersions",
    summary="Read an entry's history",
    response_model=schemas.VersionsResponse,
    responses=READ,
    dependencies=MAY_READ,
)
async def list_faq_versions(id: KeyPath, desk: DeskDependency) -> Response:
    """Every step, oldest first."""
    return await versions_out(desk, RecordId(RecordKind.FAQ, id))


@router.get(
    "/v1/faq/{id}/diff",
    operation_id="compareFaqVersions",
    summary="Compare two revisions of an entry",
    response_model=schemas.DiffResponse,
    responses=READ,
    dependencies=MAY_READ,
)
async def compare_faq(id: KeyPath, desk: DeskDependency, before: Before, after: Before) -> Response:
    """Every field that differs."""
    return await diff_out(desk, RecordId(RecordKind.FAQ, id), before, after)


@router.post(
    "/v1/faq/{id}/rollback",
    operation_id="rollBackFaq",
    summary="Roll an entry back",
    response_model=schemas.EntryOut,
    responses={**ETAG, **CHANGED},
    dependencies=MAY_WRITE,
)
async def roll_back_faq(id: KeyPath, body: schemas.StepIn, desk: DeskDependency, author: Author, tags: Tags) -> Response:
    """Publishes again what was told before the last publication or retirement."""
    version = await desk.change(partial(take, LifeStep.ROLLBACK, RecordId(RecordKind.FAQ, id), Signed(author, body.reason), tags))
    return tagged(entry_out(version), version)


# ---- records of any kind ----


@router.get(
    "/v1/knowledge/{kind}",
    operation_id="listRecords",
    summary="List records of a kind",
    response_model=schemas.RecordsResponse,
    responses=LISTED,
    dependencies=MAY_READ,
)
async def list_records(kind: RecordKind, desk: DeskDependency, cursor: Cursor, limit: Limit = 50, status: StatusFilter = None) -> Response:
    """The newest step of each record, drafts and retired ones included, in order of the ids."""
    found, more = await desk.read(partial(page, kind, cursor, limit, status))
    return as_json(schemas.RecordsResponse(items=[record_out(version) for version in found], next_cursor=more))


@router.post(
    "/v1/knowledge/{kind}",
    operation_id="draftRecord",
    summary="Draft a new record",
    response_model=schemas.SavedRecord,
    responses={**ETAG, **NEW},
    dependencies=MAY_WRITE,
)
async def draft_record(kind: RecordKind, body: schemas.NewRecord, desk: DeskDependency, author: Author) -> Response:
    """Saves a draft; `review` and `publish` make it known to customers."""
    new = new_draft(RecordId(kind, body.id), body.payload, body.change)
    return saved_record(await desk.change(partial(save, new, Signed(author, body.change.reason), True, None)))


@router.get(
    "/v1/knowledge/{kind}/{id}",
    operation_id="readRecord",
    summary="Read a record",
    response_model=schemas.RecordOut,
    responses={**ETAG, **READ},
    dependencies=MAY_READ,
)
async def read_record(kind: RecordKind, id: KeyPath, desk: DeskDependency) -> Response:
    """Its newest step, with the ETag that a change needs."""
    version = await desk.read(lambda records: records.get(RecordId(kind, id)))
    return tagged(record_out(version), version)


@router.put(
    "/v1/knowledge/{kind}/{id}",
    operation_id="redraftRecord",
    summary="Draft a change of a record",
    response_model=schemas.SavedRecord,
    responses={**ETAG, **CHANGED},
    dependencies=MAY_WRITE,
)
async def redraft_record(
    kind: RecordKind, id: KeyPath, body: schemas.RecordChange, desk: DeskDependency, author: Author, tags: Tags
) -> Response:
    """Saves a draft; the published version goes on speaking."""
    same_as_path(kind=(kind, body.kind), id=(id, body.id))
    new = new_draft(RecordId(kind, id), body.payload, body.change)
    return saved_record(await desk.change(partial(save, new, Signed(author, body.change.reason), True, tags)))


@router.delete(
    "/v1/knowledge/{kind}/{id}",
    operation_id="retireRecord",
    summary="Retire a record",
    response_model=schemas.RecordOut,
    responses={**ETAG, **RETIRED},
    dependencies=MAY_WRITE,
)
async def retire_record(
    kind: RecordKind, id: KeyPath, desk: DeskDependency, author: Author, tags: Tags, reason: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """It speaks no more; refused while another record needs it."""
    version = await desk.change(partial(take, LifeStep.RETIRE, RecordId(kind, id), Signed(author, reason), tags))
    return tagged(record_out(version), version)


@router.get(
    "/v1/knowledge/{kind}/{id}/versions",
    operation_id="listRecordVersions",
    summary="Read a record's history",
    response_model=schemas.VersionsResponse,
    responses=READ,
    dependencies=MAY_READ,
)
async def list_versions(kind: RecordKind, id: KeyPath, desk: DeskDependency) -> Response:
    """Every step, oldest first."""
    return await versions_out(desk, RecordId(kind, id))


@router.get(
    "/v1/knowledge/{kind}/{id}/diff",
    operation_id="compareRecordVersions",
    summary="Compare two revisions of a record",
    response_model=schemas.DiffResponse,
    responses=READ,
    dependencies=MAY_READ,
)
async def compare_versions(kind: RecordKind, id: KeyPath, desk: DeskDependency, before: Before, after: Before) -> Response:
    """Every field that differs."""
    return await diff_out(desk, RecordId(kind, id), before, after)


@router.post(
    "/v1/knowledge/{kind}/{id}/{step}",
    operation_id="stepRecord",
    summary="Take a step in a record's life",
    response_model=schemas.SteppedRecord,
    responses={**ETAG, **CHANGED},
    dependencies=MAY_WRITE,
)
async def step_record(
    kind: RecordKind, id: KeyPath, step: LifeStep, body: schemas.StepIn, desk: DeskDependency, author: Author, tags: Tags
) -> Response:
    """draft → review → publish → retire; `return` makes a reviewed version a draft again, `rollback` brings back the one before."""
    return stepped_record(await desk.change(partial(stepped, step, RecordId(kind, id), Signed(author, body.reason), tags)))
