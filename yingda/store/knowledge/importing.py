"""What an import would do, decided before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from yingda.domain.records import ImportReport, ImportRow, Payload, RejectedRow, Sheet, Status, Version, payload_digest
from yingda.store.knowledge.timeline import begins, effective, planned

Check = Callable[[str, Payload], list[str]]
"""Key and payload in; what is wrong, each as ``field: what to do``."""

_OPEN = (Status.DRAFT, Status.REVIEWED)


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to publish, and what becomes of the rest; keys in file order."""

    rows: tuple[ImportRow, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]
    notes: tuple[RejectedRow, ...]
    over_drafts: tuple[str, ...]
    live: Mapping[str, Sequence[Version]]

    def report(self, *, applied: bool, knowledge_version: int) -> ImportReport:
        """The plan as its reader sees it."""
        return ImportReport(
            applied=applied,
            knowledge_version=knowledge_version,
            added=self.added,
            changed=self.changed,
            unchanged=self.unchanged,
            rejected=self.rejected,
            notes=self.notes,
            over_drafts=self.over_drafts,
        )


def plan_import(sheet: Sheet, heads: Mapping[str, Version], live: Mapping[str, Sequence[Version]], check: Check, at: datetime) -> Plan:
    """What becomes of each row at the time ``at``, given every record's newest step (``heads``) and what of it speaks then or
    later (``live``, oldest first). A row that says what is told already leaves the record as it is, with all its times."""
    good, rejected = _sifted(sheet, check)
    same = [row for row in good if _said(live.get(row.key, ()), row, at)]
    unchanged = frozenset(row.key for row in same)
    rows = tuple(row for row in good if row.key not in unchanged)
    return Plan(
        rows=rows,
        added=tuple(row.key for row in rows if row.key not in live),
        changed=tuple(row.key for row in rows if row.key in live),
        unchanged=tuple(row.key for row in same),
        rejected=tuple(sorted(rejected, key=lambda one: (one.line, one.field))),
        notes=(*sheet.notes, *(note for row in rows for note in _kept_plans(row, live.get(row.key, ()), at))),
        over_drafts=tuple(row.key for row in rows if row.key in heads and heads[row.key].status in _OPEN),
        live=live,
    )


def _said(live: Sequence[Version], row: ImportRow, at: datetime) -> bool:
    """True when the record says it now, or is silent until it says it."""
    speaking = effective(live, at) or next(iter(planned(live, at)), None)
    return speaking is not None and speaking.digest == payload_digest(row.payload)


def _kept_plans(row: ImportRow, live: Sequence[Version], at: datetime) -> list[RejectedRow]:
    """What is planned for a record that a row changes; it begins at its time all the same."""
    told = [(version.name.partition("-")[0], begins(version).isoformat(timespec="minutes")) for version in planned(live, at)]
    return [
        RejectedRow(row.line, "effective_from", f"{name} is planned from {since} on and stays so; change it by itself")
        for name, since in told
    ]


def rejections(row: ImportRow, reasons: Iterable[str]) -> list[RejectedRow]:
    """Reasons written ``field: what to do``, with the row's line."""
    parts = [reason.partition(": ") for reason in reasons]
    return [RejectedRow(row.line, field if rest else "", rest or field) for field, _, rest in parts]


def _sifted(sheet: Sheet, check: Check) -> tuple[list[ImportRow], list[RejectedRow]]:
    good, rejected = [], list(sheet.rejected)
    first: dict[str, int] = {}
    for row in sheet.rows:
        if row.key in first:
            rejected.append(RejectedRow(row.line, "id", f"stands in the file twice, first in line {first[row.key]}; keep one"))
            continue
        first[row.key] = row.line
        reasons = check(row.key, row.payload)
        rejected += rejections(row, reasons)
        if not reasons:
            good.append(row)
    return good, rejected
