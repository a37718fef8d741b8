"""What the calls about knowledge share: who asks, which ETag fits, what is done, and how records are told."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel

from serving import knowledge_schemas as schemas
from serving.auth import needs
from serving.context import context_of
from serving.contract import BODY, GUARDED, headers, problems
from serving.errors import FieldError, ProblemError, validation_problem
from serving.keys import Scope
from serving.live import Desk, Records
from serving.options import refuse_unknown_options
from serving.routes import as_json
from yingda.domain.records import ANY, Draft, ImportReport, RecordId, RecordKind, Signed, Status, Version
from yingda.pack.exchange.entries import tidy
from yingda.store.knowledge.service import KnowledgeStore, Saved
from yingda.store.knowledge.timeline import Outlook

LOCAL = "local"
"""The author where no keys are configured."""
_TAG = re.compile(r'\s*(\*|"([\x21\x23-\x7e]*)"|W/"[\x21\x23-\x7e]*")\s*')
_TAKEN = {409: "The id is taken, the status does not permit the step, or knowledge is read-only here."}


class LifeStep(StrEnum):
    """What may be asked of a record."""

    REVIEW = "review"
    RETURN = "return"
    PUBLISH = "publish"
    RETIRE = "retire"
    ROLLBACK = "rollback"


LISTED = problems(*GUARDED, 422)
READ = problems(*GUARDED, 404, 422)
NEW = problems(*GUARDED, *BODY, 409, meanings=_TAKEN)
CHANGED = problems(*GUARDED, *BODY, 404, 409, 412, 428, meanings=_TAKEN)
RETIRED = problems(*GUARDED, 400, 404, 409, 412, 422, 428, meanings={**_TAKEN, 400: "If-Match cannot be read."})
_STATE = "The state that was told, for If-Match."
ETAG = headers(ETag=_STATE)
NEW_TAG = headers(ETag=_STATE, Location="Where it can be read, when it is new.")
MAY_READ = [needs(Scope.KNOWLEDGE_READ)]
MAY_WRITE = [needs(Scope.KNOWLEDGE_WRITE), Depends(refuse_unknown_options)]


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


# ---- work ----


def save(draft: Draft, by: Signed, is_draft: bool, tags: Sequence[str] | None, records: KnowledgeStore) -> tuple[Saved, schemas.OutlookOut]:
    """Save ``draft`` as a draft, or publish it at once; without ``tags`` it must be new. With it comes what it meets."""
    if_match = None if tags is None else _tag(draft.id, tags, records)
    saved = (records.save if is_draft else records.write)(draft, by, if_match=if_match)
    return saved, _outlook_out(records.outlook(saved.version))


def stepped(
    step: LifeStep, id_: RecordId, by: Signed, tags: Sequence[str], records: KnowledgeStore
) -> tuple[Version, schemas.OutlookOut | None]:
    """Like ``take``, and what the version meets where the step published it."""
    version = take(step, id_, by, tags, records)
    return version, _outlook_out(records.outlook(version)) if version.status is Status.PUBLISHED else None


def take(step: LifeStep, id_: RecordId, by: Signed, tags: Sequence[str], records: KnowledgeStore) -> Version:
    """Take one step in a record's life, where one of ``tags`` fits."""
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


def page(kind: RecordKind, after: str, limit: int, status: Status | None, records: Records) -> tuple[list[Version], str | None]:
    """Up to ``limit`` records after the id ``after``, and the cursor of the next page, None on the last."""
    found = records.page(kind, after=after, limit=limit + 1, status=status)
    more = len(found) > limit
    return found[:limit], base64.urlsafe_b64encode(found[limit - 1].id.key.encode()).decode() if more else None


async def versions_out(desk: Desk, id_: RecordId) -> Response:
    """Every step of a record, oldest first."""
    found = await desk.read(lambda records: records.history(id_))
    return as_json(schemas.VersionsResponse(items=[_version_out(version) for version in found]))


async def diff_out(desk: Desk, id_: RecordId, before: int, after: int) -> Response:
    """What differs between two revisions of a record."""
    found = await desk.read(lambda records: records.diff(id_, before, after))
    changes = [schemas.FieldChange(**asdict(change)) for change in found]
    return as_json(schemas.DiffResponse(before=before, after=after, changes=changes))


# ---- in and out ----


def same_as_path(**named: tuple[str, str | None]) -> None:
    """Refuse a body that names another record than its path; each of ``named`` is what the path and the body say."""
    wrong = [name for name, (path, body) in named.items() if body not in (None, path)]
    if wrong:
        detail = "this differs from the path; send the same or leave it out"
        raise validation_problem([FieldError(pointer=f"/{name}", code="differs_from_path", detail=detail) for name in wrong])


def entry_draft(id_: str, body: schemas.EntryIn) -> Draft:
    """The draft of an entry from what the caller sent."""
    payload = {**body.model_dump(exclude={"change", "id", "version"}), "id": id_}
    return new_draft(RecordId(RecordKind.FAQ, id_), payload, body.change)


def new_draft(id_: RecordId, payload: Mapping[str, Any], change: schemas.ChangeIn) -> Draft:
    """The draft of a record of any kind."""
    told = tidy({"id": id_.key, **payload}) if id_.kind is RecordKind.FAQ else payload
    return Draft(id_, told, change.name, change.effective_from, change.effective_until, change.replace_planned)


def saved_entry(done: tuple[Saved, schemas.OutlookOut]) -> Response:
    """A saved entry with its ETag, and where it can be read when it is new."""
    saved, outlook = done
    entry = entry_out(saved.version)
    body = schemas.SavedEntry(**entry.model_dump(), outlook=outlook, alike=alike_out(saved))
    return tagged(body, saved.version, new=f"/v1/faq/{entry.id}")


def saved_record(done: tuple[Saved, schemas.OutlookOut]) -> Response:
    """A saved record with its ETag."""
    saved, outlook = done
    record = record_out(saved.version)
    body = schemas.SavedRecord(**record.model_dump(), outlook=outlook, alike=alike_out(saved), warnings=list(saved.warnings))
    return tagged(body, saved.version)


def stepped_record(done: tuple[Version, schemas.OutlookOut | None]) -> Response:
    """A record after a step, with its ETag."""
    version, outlook = done
    return tagged(schemas.SteppedRecord(**record_out(version).model_dump(), outlook=outlook), version)


def tagged(body: BaseModel, version: Version, *, new: str | None = None) -> Response:
    """``body`` as a response with the ETag of ``version``."""
    response = as_json(body)
    response.headers["etag"] = f'"{version.etag}"'
    if new and version.revision == 1:
        response.headers["location"] = new
    return response


def entry_out(version: Version) -> schemas.EntryOut:
    """An entry as callers read it."""
    return schemas.EntryOut(**{**tidy(version.payload), "id": version.id.key}, version=_version_out(version))


def record_out(version: Version) -> schemas.RecordOut:
    """A record of any kind as callers read it."""
    return schemas.RecordOut(kind=version.id.kind, id=version.id.key, payload=dict(version.payload), version=_version_out(version))


def _version_out(version: Version) -> schemas.VersionOut:
    names = schemas.VersionOut.model_fields
    return schemas.VersionOut(**{name: getattr(version, name) for name in names})


def _outlook_out(found: Outlook) -> schemas.OutlookOut:
    return schemas.OutlookOut(until=found.until, planned=_planned_out(found.planned), covers=_planned_out(found.covers))


def _planned_out(versions: Sequence[Version]) -> list[schemas.PlannedOut]:
    names = schemas.PlannedOut.model_fields
    return [schemas.PlannedOut(**{name: getattr(version, name) for name in names}) for version in versions]


def alike_out(found: Saved | ImportReport) -> list[schemas.AlikeOut]:
    """The entries that ask the same."""
    return [schemas.AlikeOut(**asdict(one)) for one in found.alike]
