"""All knowledge at one moment, and what an import would make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from yingda.domain.records import ImportRow, KnowledgeSnapshot, Payload, RecordId, RecordKind, Sheet, Status, Version, payload_digest
from yingda.store.knowledge.importing import Plan, plan_import
from yingda.store.knowledge.ledger import Ledger
from yingda.store.knowledge.timeline import effective, first_needed, is_over, next_change, publications

MOMENTS = 24
"""Times to come at which a change is checked; a shop that plans more of them is checked at the nearest."""


def snapshot_of(ledger: Ledger, at: datetime, told: Mapping[RecordId, list[Version]]) -> KnowledgeSnapshot:
    """What is effective of ``told``, each record's publications in order, at the time ``at``."""
    published = {id_: publications(steps) for id_, steps in told.items()}
    found = {id_: speaking for id_, steps in published.items() if (speaking := effective(steps, at))}
    changes = [change for steps in published.values() if (change := next_change(steps, at))]
    return KnowledgeSnapshot(ledger.version(), MappingProxyType(found), min(changes, default=None), ledger.managed())


def moments(start: datetime, *told: Mapping[RecordId, list[Version]], until: datetime | None = None) -> list[datetime]:
    """``start``, and each time after it and before ``until`` at which something of ``told`` begins or ends; the first MOMENTS of them."""
    steps = (version for each in told for history in each.values() for version in publications(history))
    bounds = {bound for version in steps for bound in (version.effective_from, version.effective_until) if bound is not None}
    later = sorted(bound for bound in bounds if start < bound and (until is None or bound < until))
    return [start, *later][:MOMENTS]


def dated(reason: str, at: datetime, now: datetime) -> str:
    """``reason``, and from when on it holds where that is not yet."""
    return reason if at <= now else f"{reason} (from {at.isoformat(timespec='minutes')} on)"


def with_told(snapshot: KnowledgeSnapshot, told: Mapping[RecordId, Version]) -> KnowledgeSnapshot:
    """The snapshot with ``told`` over its own records."""
    managed = snapshot.managed | {id_.kind for id_ in told}
    return replace(snapshot, records=MappingProxyType({**snapshot.records, **told}), managed=managed)


def as_if_told(kind: RecordKind, row: ImportRow) -> Version:
    """A row as its judge sees it; nothing but its payload counts."""
    digest, at = payload_digest(row.payload), datetime.min.replace(tzinfo=UTC)
    return Version(RecordId(kind, row.key), 1, 1, "", Status.PUBLISHED, "", "", None, at, "", row.payload, digest)


def plan_of(ledger: Ledger, kind: RecordKind, sheet: Sheet, check: Callable[[RecordId, Payload], list[str]], at: datetime) -> Plan:
    """What becomes of each row of a sheet, beside what is told at the time ``at`` and later."""
    told = {id_.key: publications(steps) for id_, steps in ledger.told_of_kind(kind).items()}
    live = {key: found for key, steps in told.items() if (found := [one for one in steps if not is_over(one, at)])}
    return plan_import(sheet, ledger.heads(kind), live, lambda key, payload: check(RecordId(kind, key), payload), at)


def since_of(history: list[Version], at: datetime) -> int | None:
    """The first revision of a history that is needed from ``at`` on."""
    return first_needed(publications(history), at)
