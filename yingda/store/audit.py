"""The audit log: who did what, when and with which outcome, in a chain of hashes; never what a customer wrote.

Each entry's hash is SHA-256 over the hash before it and the entry as canonical JSON (RFC 8785: keys sorted, no spaces, UTF-8;
values here are strings and integers alone), as in Haber and Stornetta, How to Time-Stamp a Digital Document (1991). Whoever
changes, takes out, puts in or moves an entry must compute anew all that follow, which a head that was noted elsewhere shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Select, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from yingda.domain.errors import StoreError
from yingda.domain.rollout import GUARDRAIL, PlanRevision
from yingda.store.audit_tables import AuditRow
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.lasting.memory import LastingMemory
from yingda.store.memory import Memory

GENESIS = "0" * 64
"""The hash before the first entry."""

PAGE = 1000
_LOCK = 0x79_61_75_64_69_74  # "yaudit": one number for all who write entries to this database
_WORD = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9._:@+/-]{0,128}")
_PLAIN = re.compile(r"(?!.*[0-9]{6})[A-Za-z0-9._:@-]{1,80}")
_FACTS = 16
_LARGEST = 2**53  # beyond it, JSON of other programs loses digits


class Outcome(StrEnum):
    """How it ended; ``ATTEMPTED`` is written before a change, and another entry after it says how that ended."""

    ATTEMPTED = "attempted"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is put on record.

    ``who`` is the id of a key or token, ``cli:USER``, ``server`` or ``guardrail``; ``action`` a word such as ``knowledge.publish``;
    ``target`` names what it was done to (``safe_name`` makes one of any text); ``facts`` are counts and codes. All are short and of few
    characters, so that nothing a customer wrote fits in: anything else is a ValueError.
    """

    who: str
    action: str
    at: datetime
    target: str = ""
    request_id: str = ""
    outcome: Outcome = Outcome.DONE
    facts: Mapping[str, int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = (self.who, self.target, self.request_id, *(value for value in self.facts.values() if isinstance(value, str)))
        words = (self.action, *self.facts)
        numbers = [value for value in self.facts.values() if not isinstance(value, str)]
        good = all(map(_NAME.fullmatch, names)) and all(map(_WORD.fullmatch, words)) and len(self.facts) <= _FACTS and self.who
        if not good or any(type(value) is not int or abs(value) > _LARGEST for value in numbers):
            raise ValueError("an audit entry holds names, codes and counts only; see AuditEntry")
        if self.at.utcoffset() is None:
            raise ValueError("an audit entry needs a time with offset")


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries there are, and the hash of the last: noted elsewhere, it shows later whether the end was cut or rewritten."""

    count: int
    hash: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it stands in the log."""

    number: int
    entry: AuditEntry
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the chain found: the head it reached, and the first entry that does not fit, with the reason."""

    head: Head
    broken: int | None = None
    reason: str = ""


class Audit:
    """The audit log in a store; threads and processes may share it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, entry: AuditEntry) -> Recorded:
        """Write ``entry`` behind the last one; it is on the disk when this returns. Raises StoreError, and then nothing was written."""
        try:
            with self._store.writing() as session:
                _alone(session)
                return _append(session, entry)
        except IntegrityError:
            detail = f"store {self._store.url}: the audit log refused an entry; run `yingda audit verify`"
            raise StoreError(detail, code="store_refused") from None

    def head(self) -> Head:
        """The end of the log; (0, GENESIS) while it is empty."""
        with self._store.reading() as session:
            return _head(session)

    def entries(self, *, after: int = 0, limit: int = PAGE) -> list[Recorded]:
        """Up to ``limit`` entries behind number ``after``, in order; raises StoreError where one was made unreadable."""
        with self._store.reading() as session:
            return [_recorded(row, self._store.url) for row in _page(session, after, limit)]

    def verify(self, noted: Head | None = None) -> Verification:
        """Compute the chain anew, and look whether it goes through ``noted``, a head of earlier."""
        reached = Head(0, GENESIS)
        for number, row in self._rows():
            reason = "it cannot be read" if row is None else _fault(row, reached)
            if row and noted and not reason and number == noted.count and row.hash != noted.hash:
                reason = "it is not the one that was noted: the log was written anew up to here"
            if row is None or reason:
                return Verification(reached, number, reason)
            reached = Head(number, row.hash)
        if noted and reached.count < noted.count:
            return Verification(reached, reached.count + 1, f"the log ends before entry {noted.count}, which was noted: its end was cut")
        return Verification(reached)

    def _rows(self) -> Iterator[tuple[int, AuditRow | None]]:
        """Every row by its number, some at a time; None for one that makes no sense to the database's driver."""
        after: int | None = None
        while True:
            with self._store.reading() as session:
                try:
                    found: list[tuple[int, AuditRow | None]] = [(row.number, row) for row in _page(session, after, PAGE)]
                except (TypeError, ValueError):
                    found = [(number, _one(session, number)) for number in session.scalars(_numbers(after).limit(PAGE))]
            yield from found
            if len(found) < PAGE:
                return
            after = found[-1][0]


def audit_of(memory: Memory) -> Audit | None:
    """The audit log kept beside ``memory``; None for a memory that forgets."""
    return Audit(memory.store) if isinstance(memory, SqlMemory | LastingMemory) else None


def taken_back(revision: PlanRevision) -> AuditEntry:
    """That the guardrail took a release back to shadow, by ``revision``."""
    return AuditEntry(
        GUARDRAIL, "rollout.take_back", revision.at, safe_name("release", revision.plan.release), facts={"revision": revision.number}
    )


def safe_name(kind: str, name: str) -> str:
    """``kind:name`` where the name is a plain identifier, else ``kind:sha256-…``: the same name gives the same target.

    Six digits in a row may be somebody's number, and are no plain identifier.
    """
    return f"{kind}:{name}" if _PLAIN.fullmatch(name) else hidden_name(kind, name)


def hidden_name(kind: str, name: str) -> str:
    """``kind:sha256-…``, for names that may be somebody's, such as a conversation's id: the log cannot be made to forget."""
    return f"{kind}:sha256-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _alone(session: Session) -> None:
    """On SQLite a writer is alone already. The lock is advisory: a user who may only insert and read can take it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _append(session: Session, entry: AuditEntry) -> Recorded:
    head = _head(session)
    number = head.count + 1
    digest = _hash(head.hash, number, entry)
    session.add(
        AuditRow(
            number=number,
            at=entry.at,
            who=entry.who,
            action=entry.action,
            target=entry.target,
            request_id=entry.request_id,
            outcome=entry.outcome.value,
            facts=dict(entry.facts),
            previous=head.hash,
            hash=digest,
        )
    )
    session.flush()
    return Recorded(number, entry, digest)


def _head(session: Session) -> Head:
    row = session.execute(select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)).one_or_none()
    return Head(0, GENESIS) if row is None else Head(row.number, row.hash)


def _page(session: Session, after: int | None, limit: int) -> list[AuditRow]:
    numbers = _numbers(after).limit(limit).scalar_subquery()
    return list(session.scalars(select(AuditRow).where(AuditRow.number.in_(numbers)).order_by(AuditRow.number)))


def _numbers(after: int | None) -> Select[int]:
    """The numbers behind ``after``; from the very first, whatever somebody made of it, for None."""
    numbers = select(AuditRow.number).order_by(AuditRow.number)
    return numbers if after is None else numbers.where(AuditRow.number > after)


def _one(session: Session, number: int) -> AuditRow | None:
    try:
        return session.get(AuditRow, number)
    except (TypeError, ValueError):
        return None


def _fault(row: AuditRow, before: Head) -> str:
    """Why ``row`` does not follow ``before``; empty where it does."""
    if row.number != before.count + 1:
        return f"entry {before.count + 1} is missing"
    if row.previous != before.hash:
        return "it does not follow the entry before it"
    try:
        expected = _hash(before.hash, row.number, _entry(row))
    except (AttributeError, TypeError, ValueError):
        return "it cannot be read"
    return "" if expected == row.hash else "its content is not what its hash was made of"


def _hash(previous: str, number: int, entry: AuditEntry) -> str:
    told = {
        "number": number,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "who": entry.who,
        "action": entry.action,
        "target": entry.target,
        "request_id": entry.request_id,
        "outcome": entry.outcome.value,
        "facts": dict(entry.facts),
    }
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(row.who, row.action, row.at, row.target, row.request_id, Outcome(row.outcome), row.facts)


def _recorded(row: AuditRow, where: str) -> Recorded:
    try:
        return Recorded(row.number, _entry(row), row.hash)
    except (TypeError, ValueError, AttributeError):
        detail = f"store {where}: audit entry {row.number} cannot be read; run `yingda audit verify`"
        raise StoreError(detail, code="store_broken") from None
