"""Living knowledge: what a service team writes, version by version, and what may go wrong when it does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple

from yingda.domain.errors import YingdaError

Payload = Mapping[str, Any]
"""What a record says, as JSON: mappings, lists, texts, numbers, true, false and null."""

ANY = "*"
"""An ``if_match`` that fits every state of a record (RFC 9110, section 13.1.1)."""


class RecordKind(StrEnum):
    """What a record holds."""

    FAQ = "faq"
    KEYWORD = "keyword"
    TEMPLATE = "template"
    RULE = "rule"
    POLICY = "policy"


class Status(StrEnum):
    """How far a version has come."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    PUBLISHED = "published"
    RETIRED = "retired"


class KnowledgeError(YingdaError):
    """A record cannot be read or changed as asked; ``code`` is stable."""

    code = "knowledge_error"


class NotFound(KnowledgeError):  # noqa: N818 the words of the HTTP contract
    """There is no such record or version."""

    code = "not_found"


class Exists(KnowledgeError):  # noqa: N818 the words of the HTTP contract
    """A record of this kind and id is there already."""

    code = "exists"


class StaleVersion(KnowledgeError):  # noqa: N818 the words of the HTTP contract
    """The record has changed since the caller read it."""

    code = "stale_version"


class NotAllowed(KnowledgeError):  # noqa: N818 the words of the HTTP contract
    """The record's status, or who asks, does not permit the step."""

    code = "not_allowed"


class NothingBefore(NotAllowed):
    """Nothing was published before, so there is nothing to go back to."""

    code = "nothing_before"


class Refused(KnowledgeError):  # noqa: N818 the words of the HTTP contract
    """A record cannot be saved as it is; ``reasons`` lists every one of them as ``field: what to do``."""

    code = "refused"

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(f"{len(self.reasons)} reason(s) not to save this: " + "; ".join(self.reasons))


class RecordId(NamedTuple):
    """Names a record: its kind and its id among those of the kind."""

    kind: RecordKind
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"


_NAME = re.compile(r"V(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})-(\S(?:.{0,38}\S)?)")


class VersionName(NamedTuple):
    """A version as service teams write it: ``V1.0-物流查询模板``."""

    major: int
    minor: int
    title: str

    def __str__(self) -> str:
        return f"V{self.major}.{self.minor}-{self.title}"

    @classmethod
    def parse(cls, text: str) -> VersionName:
        """The name that ``text`` writes; raises Refused."""
        found = _NAME.fullmatch(text)
        if not found or not found[3].isprintable():
            raise Refused(["name: write V<major>.<minor>-<title>, such as V1.0-物流查询模板, with a title of 1 to 40 characters"])
        return cls(int(found[1]), int(found[2]), found[3])

    def next(self) -> VersionName:
        """What the next version is called unless its author says otherwise."""
        return self._replace(minor=self.minor + 1) if self.minor < 9999 else VersionName(self.major + 1, 0, self.title)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who takes a step and why; ``reviewer`` is the second person where one call does all (write, import, seed)."""

    author: str
    reason: str = ""
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a record to say; ``name`` is suggested when None.

    It is effective from ``effective_from`` (None: from publishing on) to ``effective_until`` (exclusive; None: for good).
    What is planned to begin in that span still begins, unless ``replace_planned``.
    """

    id: RecordId
    payload: Payload
    name: str | None = None
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    replace_planned: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One step in the life of a record. Steps are added and never changed; ``revision`` counts them from 1.

    ``number`` counts the versions and ``name`` names them; ``author`` wrote the payload, ``actor`` took this step ``at``
    that time for that ``reason``. ``knowledge_version`` is set on steps that changed what customers are told; ``undoes``
    is the revision that a rollback takes back. With ``replace_planned`` what was to begin in its span does not.
    """

    id: RecordId
    revision: int
    number: int
    name: str
    status: Status
    author: str
    actor: str
    reviewer: str | None
    at: datetime
    reason: str
    payload: Payload
    digest: str
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    knowledge_version: int | None = None
    undoes: int | None = None
    replace_planned: bool = False

    @property
    def etag(self) -> str:
        """Names this state of this record; a payload that comes back later has another."""
        return sha256(f"{self.id}\n{self.revision}\n{self.status}\n{self.digest}".encode()).hexdigest()[:32]


def canonical_json(payload: Payload) -> str:
    """The one way ``payload`` is stored and digested: names sorted, no blanks, characters as they are (after RFC 8785)."""
    return json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def payload_digest(payload: Payload) -> str:
    """SHA-256 of a payload, in hex."""
    return sha256(canonical_json(payload).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KnowledgeSnapshot:
    """All that is effective at one time; until ``next_change_at`` it stays so unless ``version`` grows.

    ``managed`` names the kinds that have a record at all, retired ones included: for those the store alone speaks.
    """

    version: int
    records: Mapping[RecordId, Version] = field(default_factory=lambda: MappingProxyType({}))
    next_change_at: datetime | None = None
    managed: frozenset[RecordKind] = frozenset()

    def of(self, kind: RecordKind) -> Mapping[str, Payload]:
        """Payloads of one kind by id, in order of the ids."""
        own = {id_.key: version.payload for id_, version in self.records.items() if id_.kind is kind}
        return {key: own[key] for key in sorted(own)}


# ---- import ----


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One record of a file; ``line`` is where it starts, from 1."""

    line: int
    key: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row, or one field of it, that cannot be imported: what is wrong and what to do."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds: rows, those that cannot be read, and notes on what the form has and records have not."""

    rows: tuple[ImportRow, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    notes: tuple[RejectedRow, ...] = ()


class Finding(StrEnum):
    """What is odd about two entries."""

    NEAR_DUPLICATE = "near_duplicate"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Alike:
    """Two entries that ask the same; ``detail`` says where, and what their answers disagree on."""

    finding: Finding
    first: str
    second: str
    similarity: float
    detail: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or would do: ids by what becomes of them.

    ``applied`` is false for a dry run and for an import that was refused. ``over_drafts`` are records whose open draft the
    import passed over; it stays in their history.
    """

    applied: bool
    knowledge_version: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    rejected: tuple[RejectedRow, ...] = ()
    notes: tuple[RejectedRow, ...] = ()
    over_drafts: tuple[str, ...] = ()
    alike: tuple[Alike, ...] = ()
