"""What an import would do, decided before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from yingda.domain.records import ImportReport, ImportRow, Payload, RejectedRow, Sheet, Status, Version, payload_digest

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


def plan_import(sheet: Sheet, heads: Mapping[str, Version], live: Mapping[str, Version], check: Check) -> Plan:
    """What becomes of each row, given every record's ``heads`` and its newest publication still in force or to come (``live``)."""
    good, rejected = _sifted(sheet, check)
    same = [row for row in good if row.key in live and live[row.key].digest == payload_digest(row.payload)]
    unchanged = frozenset(row.key for row in same)
    rows = tuple(row for row in good if row.key not in unchanged)
    return Plan(
        rows=rows,
        added=tuple(row.key for row in rows if row.key not in live),
        changed=tuple(row.key for row in rows if row.key in live),
        unchanged=tuple(row.key for row in same),
        rejected=tuple(sorted(rejected, key=lambda one: (one.line, one.field))),
        notes=sheet.notes,
        over_drafts=tuple(row.key for row in rows if row.key in heads and heads[row.key].status in _OPEN),
    )


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
