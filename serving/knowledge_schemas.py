"""Schemas of living knowledge: what people write, and what is told about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from serving.request_schemas import Clean, Strict
from yingda.domain.records import Finding, RecordKind, Status

Key = Annotated[str, Field(min_length=1, max_length=64), Clean]
Reason = Annotated[str, Field(max_length=500), Clean]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?$")]
Wording = Annotated[str, Field(max_length=10_000), Clean]


def _written(value: Any) -> Any:
    # pydantic takes numbers, and digits in quotes, for seconds since 1970
    if value is not None and not (isinstance(value, str) and value[4:5] == "-"):
        raise PydanticCustomError("datetime_type", "this must be a time with offset, such as 2027-01-01T00:00:00+08:00")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "this is no time between the years 1 and 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), BeforeValidator(_written)]


class ChangeIn(Strict):
    """Why something is changed, what the version is called and when it speaks."""

    reason: Reason = ""
    name: Annotated[str, Field(max_length=64), Clean] | None = Field(
        default=None, description="Name of the version; the next one is suggested.", examples=["V1.1-物流查询"]
    )
    effective_from: Annotated[Moment, Field(strict=False)] | None = Field(
        default=None, description="When it begins to speak; at once when absent."
    )
    effective_until: Annotated[Moment, Field(strict=False)] | None = Field(
        default=None, description="When it ends, exclusive; never when absent."
    )
    replace_planned: bool = Field(
        default=False, description="What is planned to begin in that span does not; otherwise it begins at its time, over this version."
    )


class EntryIn(Strict):
    """What an entry says."""

    intent: Key
    question: dict[Language, Wording] = Field(min_length=1, examples=[{"zh": "什么时候发货"}])
    similar: dict[Language, list[Wording]] = Field(default_factory=dict)
    answer: dict[Language, Wording] = Field(min_length=1, examples=[{"zh": "付款后{发货时限}内发出。"}])
    ask: list[Key] = Field(default_factory=list, description="Facts that the answer needs, by the names of the templates.")
    needs_human: bool = False
    change: ChangeIn = Field(default_factory=ChangeIn)


class NewEntry(EntryIn):
    """A new entry."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["ship-when"])]


class EntryChange(EntryIn):
    """What an entry is to say; an entry as it was read may be sent back with its changes."""

    id: Key | None = Field(default=None, description="The same as in the path, where it is there.")
    version: dict[str, Any] | None = Field(default=None, description="Passed over; If-Match says which state is changed.")


class RecordIn(Strict):
    """What a record of any kind says."""

    payload: dict[str, Any] = Field(
        description=(
            "faq: as in /v1/faq. keyword: {term, synonyms, intents}. policy: {value, translations}. rule: a decision table in "
            "GoRules JDM. template: the set `default`, or one set {id, version, outcomes} for an intent, a category or a rule."
        )
    )
    change: ChangeIn = Field(default_factory=ChangeIn)


class RecordChange(RecordIn):
    """What a record is to say; a record as it was read may be sent back with its changes."""

    kind: RecordKind | None = Field(default=None, description="The same as in the path, where it is there.", strict=False)
    id: Key | None = Field(default=None, description="The same as in the path, where it is there.")
    version: dict[str, Any] | None = Field(default=None, description="Passed over; If-Match says which state is changed.")


class NewRecord(RecordIn):
    """A new record."""

    id: Key


class StepIn(Strict):
    """Why a step is taken."""

    reason: Reason = ""


class VersionOut(BaseModel):
    """One step in the life of a record."""

    name: str = Field(description="As service teams write it: V1.0-物流查询模板.")
    number: int = Field(description="Counts the versions.")
    revision: int = Field(description="Counts the steps; names a state of the record in `diff`.")
    status: Status
    etag: str = Field(description="For If-Match.")
    author: str
    actor: str = Field(description="Who took this step.")
    reviewer: str | None
    at: datetime
    reason: str
    effective_from: datetime | None
    effective_until: datetime | None
    replace_planned: bool = Field(description="It was to replace what was planned to begin in its span.")
    knowledge_version: int | None = Field(description="Version of all knowledge from this step on; null where customers notice nothing.")


class PlannedOut(BaseModel):
    """A publication that has not begun."""

    name: str
    revision: int
    effective_from: datetime | None
    effective_until: datetime | None


class OutlookOut(BaseModel):
    """What a publication meets; of a draft, what it would meet."""

    until: datetime | None = Field(description="When something else is told, or nothing is; null where that is never so.")
    planned: list[PlannedOut] = Field(description="What begins at its time, over this version.")
    covers: list[PlannedOut] = Field(description="What was planned and does not begin, because `replace_planned` was sent.")


class AlikeOut(BaseModel):
    """Two entries that ask the same."""

    finding: Finding
    first: str
    second: str
    similarity: float
    detail: str


class EntryOut(BaseModel):
    """An entry, and the step it was last changed by."""

    id: str
    intent: str
    question: dict[str, str]
    similar: dict[str, list[str]]
    answer: dict[str, str]
    ask: list[str]
    needs_human: bool
    version: VersionOut


class SavedEntry(EntryOut):
    """An entry that was saved; `alike` names entries that ask the same, and those that contradict it."""

    outlook: OutlookOut
    alike: list[AlikeOut]


class EntriesResponse(BaseModel):
    """A page of entries, in order of their ids."""

    items: list[EntryOut]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class RecordOut(BaseModel):
    """A record, and the step it was last changed by."""

    kind: RecordKind
    id: str
    payload: dict[str, Any]
    version: VersionOut


class SteppedRecord(RecordOut):
    """A record after a step; `outlook` is null unless the step published it."""

    outlook: OutlookOut | None


class SavedRecord(RecordOut):
    """A record that was saved; `warnings` are findings that keep nothing from being published."""

    outlook: OutlookOut
    alike: list[AlikeOut]
    warnings: list[str]


class RecordsResponse(BaseModel):
    """A page of records of a kind, in order of their ids."""

    items: list[RecordOut]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class VersionsResponse(BaseModel):
    """Every step of a record, oldest first."""

    items: list[VersionOut]


class FieldChange(BaseModel):
    """One field before and after; null where it is not there."""

    field: str
    before: str | None
    after: str | None


class DiffResponse(BaseModel):
    """What changed between two revisions."""

    before: int
    after: int
    changes: list[FieldChange]


class RowOut(BaseModel):
    """A row of a file, or one field of it."""

    line: int
    field: str
    reason: str


class ImportResponse(BaseModel):
    """What an import did, or would do, by id."""

    applied: bool = Field(description="False for a dry run.")
    would_apply: bool = Field(
        description="False for a dry run of a file that the same call would refuse whole without `dry_run`, for a row is rejected and "
        "`partial` is not given: `added` and `changed` then tell of the good rows alone, and would not happen."
    )
    knowledge_version: int
    added: list[str]
    changed: list[str]
    unchanged: list[str]
    rejected: list[RowOut]
    notes: list[RowOut]
    over_drafts: list[str] = Field(description="Records whose open draft the import passed over.")
    alike: list[AlikeOut]
