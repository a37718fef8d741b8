"""Living knowledge in the database: every call is one transaction, on disk before it returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from yingda.domain.records import (
    ANY,
    Alike,
    Draft,
    ImportReport,
    ImportRow,
    KnowledgeSnapshot,
    NotFound,
    Payload,
    RecordId,
    RecordKind,
    Refused,
    Sheet,
    Signed,
    Status,
    Version,
    payload_digest,
)
from yingda.store.base import Store
from yingda.store.knowledge import lifecycle
from yingda.store.knowledge.conditions import check_plain, default_title, head_at, head_under, plain_mistakes, there
from yingda.store.knowledge.difference import Change, difference
from yingda.store.knowledge.importing import Plan
from yingda.store.knowledge.ledger import Ledger
from yingda.store.knowledge.past import snapshots_near
from yingda.store.knowledge.plain import Judge, Syntax
from yingda.store.knowledge.shop import as_if_told, dated, moments, plan_of, since_of, snapshot_of, with_told
from yingda.store.knowledge.timeline import Outlook, outlook
from yingda.store.knowledge.transactions import reading, writing

FindAlike = Callable[[Mapping[str, Payload], Mapping[str, Payload]], tuple[Alike, ...]]
"""FAQ payloads that change and all others, by id; the pairs that ask the same."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A version that is stored, which other entries ask the same as it does, and what else is odd about it."""

    version: Version
    alike: tuple[Alike, ...] = ()
    warnings: tuple[str, ...] = ()


class KnowledgeStore:
    """Records of all kinds; threads and processes may share the database.

    ``syntax`` says what is wrong with a payload by itself, before anything is read; ``judge`` what it must be among the others,
    and what a step would break. With ``two_people`` nothing is published that its author alone has seen. Of entries, no more than
    ``most_entries`` are told now or later: a step beyond is Refused. Every method raises StoreError when the database fails.
    """

    def __init__(
        self,
        store: Store,
        *,
        judge: Judge,
        syntax: Syntax = lambda _, __: [],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        two_people: bool = False,
        find_alike: FindAlike | None = None,
        most_entries: int | None = None,
    ) -> None:
        self._store, self._judge, self._syntax, self._clock = store, judge, syntax, clock
        self._two_people, self._find_alike, self._most_entries = two_people, find_alike, most_entries

    # ---- reading ----

    def version(self) -> int:
        """The version of all knowledge: it grows with every publish, retirement, rollback and import."""
        with reading(self._store) as ledger:
            return ledger.version()

    def get(self, id_: RecordId) -> Version:
        """The newest step of a record, with its ETag; raises NotFound."""
        with reading(self._store) as ledger:
            return there(ledger.head(id_), id_)

    def heads(self, kind: RecordKind) -> list[Version]:
        """The newest step of each record of a kind, in order of the ids."""
        with reading(self._store) as ledger:
            return [version for _, version in sorted(ledger.heads(kind).items())]

    def page(self, kind: RecordKind, *, after: str = "", limit: int = 100, status: Status | None = None) -> list[Version]:
        """Like ``heads``, up to ``limit`` of those whose id comes after ``after`` and whose newest step has ``status``."""
        with reading(self._store) as ledger:
            return ledger.page(kind, after, limit, status)

    def never_told(self, rows: Mapping[RecordKind, Iterable[ImportRow]]) -> list[RecordId]:
        """Those of ``rows`` that say what no revision of their record ever said: what is new in a pack since it was read in."""
        with reading(self._store) as ledger:
            said = ledger.digests()
        found = ((RecordId(kind, row.key), payload_digest(row.payload)) for kind, held in rows.items() for row in held)
        return [id_ for id_, digest in found if (str(id_.kind), id_.key, digest) not in said]

    def history(self, id_: RecordId) -> tuple[Version, ...]:
        """Every step of a record, oldest first; raises NotFound."""
        with reading(self._store) as ledger:
            found = tuple(ledger.history(id_))
        if not found:
            there(None, id_)
        return found

    def diff(self, id_: RecordId, before: int, after: int) -> tuple[Change, ...]:
        """What changed between two revisions of a record; raises NotFound."""
        steps = {version.revision: version.payload for version in self.history(id_)}
        missing = [revision for revision in (before, after) if revision not in steps]
        if missing:
            raise NotFound(f"{id_}: there is no revision {missing[0]}; revisions go from 1 to {max(steps)}")
        return difference(steps[before], steps[after])

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:
        """All that is effective at the time ``at``, and until when, as one moment of the database has it."""
        with reading(self._store) as ledger:
            return snapshot_of(ledger, at, ledger.told())

    def as_of(self, at: datetime) -> KnowledgeSnapshot:
        """All that was told at an earlier time, by what had been published until then."""
        return next(self._near(at), None) or self.snapshot(at)

    def then(self, at: datetime, fits: Callable[[KnowledgeSnapshot], bool]) -> KnowledgeSnapshot | None:
        """What ``fits`` of all that may have been in use about the time ``at``; None where nothing does."""
        return next((each for each in self._near(at) if fits(each)), None)

    def _near(self, at: datetime) -> Iterator[KnowledgeSnapshot]:
        with reading(self._store) as ledger:
            told = ledger.ever_told()
        return snapshots_near(told, at)

    def outlook(self, version: Version) -> Outlook:
        """What a publication meets: until when it is told, what else is planned, and what it covers; of a draft, once published."""
        with reading(self._store) as ledger:
            before = [step for step in ledger.history(version.id) if step.revision < version.revision]
        told = version if version.status is Status.PUBLISHED else replace(version, status=Status.PUBLISHED)
        return outlook(before, replace(told, effective_from=max(told.effective_from or told.at, told.at)))

    # ---- one record ----

    def save(self, draft: Draft, by: Signed, *, if_match: str | None = None) -> Saved:
        """Save a draft: a new record, or over what ``if_match`` names (an ETag, or ANY).

        Raises Refused, Exists (a record is there and no ETag was given) and StaleVersion.
        """

        def step(ledger: Ledger) -> tuple[Version, tuple[str, ...]]:
            head = head_under(ledger.head(draft.id), draft.id, if_match)
            version = lifecycle.saved(head, draft, by, at=self._clock(), title=default_title(draft))
            return version, self._check(ledger, version)

        check_plain(draft, self._syntax)
        self._try(draft.id, step)
        with writing(self._store) as ledger:
            version, warnings = step(ledger)
            self._add(ledger, version)
        return Saved(version, self._alike_of(version), warnings)

    def write(self, draft: Draft, by: Signed, *, if_match: str | None = None) -> Saved:
        """Save, review (``by.reviewer``) and publish in one step; raises what ``save`` raises, and NotAllowed."""

        def step(ledger: Ledger) -> tuple[Version, tuple[str, ...]]:
            head = head_under(ledger.head(draft.id), draft.id, if_match)
            version = lifecycle.written(head, draft, by, at=self._clock(), title=default_title(draft), two_people=self._two_people)
            return version, self._check(ledger, version)

        check_plain(draft, self._syntax)
        self._try(draft.id, step)
        with writing(self._store) as ledger:
            version, warnings = step(ledger)
            version = self._tell(ledger, version)
        return Saved(version, self._alike_of(version), warnings)

    def review(self, id_: RecordId, by: Signed, *, if_match: str = ANY) -> Version:
        """The draft is good, says ``by.author``; raises NotFound, StaleVersion and NotAllowed."""
        with writing(self._store) as ledger:
            head = head_at(ledger, id_, if_match)
            return self._add(ledger, lifecycle.reviewed(head, by, at=self._clock(), two_people=self._two_people))

    def return_to_author(self, id_: RecordId, by: Signed, *, if_match: str = ANY) -> Version:
        """A reviewed version becomes a draft again; raises NotFound, StaleVersion and NotAllowed."""
        with writing(self._store) as ledger:
            return self._add(ledger, lifecycle.returned(head_at(ledger, id_, if_match), by, at=self._clock()))

    def publish(self, id_: RecordId, by: Signed, *, if_match: str = ANY) -> Version:
        """The reviewed version speaks from its time on; raises NotFound, StaleVersion, NotAllowed and Refused."""

        def step(ledger: Ledger) -> Version:
            version = lifecycle.published(head_at(ledger, id_, if_match), by, at=self._clock(), two_people=self._two_people)
            self._check(ledger, version)  # the shop may have changed since it was saved
            return version

        self._try(id_, step)
        with writing(self._store) as ledger:
            return self._tell(ledger, step(ledger))

    def retire(self, id_: RecordId, by: Signed, *, if_match: str = ANY) -> Version:
        """The record speaks no more; its history stays.

        Raises NotFound, StaleVersion, NotAllowed, and Refused when another record needs it.
        """
        with writing(self._store) as ledger:
            return self._tell(ledger, lifecycle.retired(head_at(ledger, id_, if_match), by, at=self._clock()))

    def roll_back(self, id_: RecordId, by: Signed, *, if_match: str = ANY) -> Version:
        """Publish again what was told before the last publication or retirement, as a new version.

        Doing it twice brings back what the first one took away. Raises NotFound, StaleVersion, NotAllowed, and Refused
        when it no longer fits the shop.
        """

        def step(ledger: Ledger) -> Version:
            head_at(ledger, id_, if_match)
            version = lifecycle.rolled_back(ledger.history(id_), by, at=self._clock())
            self._check(ledger, version)
            return version

        self._try(id_, step)
        with writing(self._store) as ledger:
            return self._tell(ledger, step(ledger))

    # ---- many records ----

    def preview_import(self, kind: RecordKind, sheet: Sheet) -> ImportReport:
        """What ``import_rows`` would do; nothing is written. Raises Refused where the shop would have more entries than can be searched."""
        with reading(self._store) as ledger:
            plan = self._plans(ledger, {kind: sheet})[kind]
            report = plan.report(applied=False, knowledge_version=ledger.version())
            self._check_size(ledger, {kind}, coming=0 if report.rejected else len(report.added))
        return replace(report, alike=self._alike_of_rows(kind, plan.rows))

    def import_rows(self, kind: RecordKind, sheet: Sheet, by: Signed, *, partial: bool = False) -> ImportReport:
        """Publish every row that adds or changes a record, in one transaction.

        A row that is refused keeps the whole file out, unless ``partial``; the report says why, and ``applied`` tells
        which it was. Records that the file does not name stay as they are. Raises NotAllowed and Refused (``by``, or what
        the rows would break).
        """
        with writing(self._store) as ledger:
            plan = self._plans(ledger, {kind: sheet})[kind]
            if plan.rejected and not partial:
                return plan.report(applied=False, knowledge_version=ledger.version())
            report = plan.report(applied=True, knowledge_version=self._publish_plans(ledger, {kind: plan}, by))
        return replace(report, alike=self._alike_of_rows(kind, plan.rows))

    def import_kinds(
        self, sheets: Mapping[RecordKind, Sheet], by: Signed, *, partial: bool = False, preview: bool = False
    ) -> dict[RecordKind, ImportReport]:
        """Like ``import_rows`` for records of several kinds, which are judged and published together, or not at all."""
        with reading(self._store) if preview else writing(self._store) as ledger:
            plans = self._plans(ledger, sheets)
            applied = not preview and (partial or not any(plan.rejected for plan in plans.values()))
            version = self._publish_plans(ledger, plans, by) if applied else ledger.version()
            return {kind: plan.report(applied=applied, knowledge_version=version) for kind, plan in plans.items()}

    def seed(self, rows: Mapping[RecordKind, Iterable[ImportRow]], by: Signed) -> int:
        """Publish a pack's records as V1.0, of those kinds of which the store never held one; returns how many.

        All or nothing; workers that start together seed once. Raises Refused when a record is not as it must be.
        """
        with writing(self._store) as ledger:
            held = ledger.managed()
            plans = self._plans(ledger, {kind: Sheet(tuple(found)) for kind, found in rows.items() if kind not in held})
            wrong = [f"{kind}, record in line {r.line}, {r.field}: {r.reason}" for kind, plan in plans.items() for r in plan.rejected]
            if wrong:
                raise Refused(wrong)
            self._publish_plans(ledger, plans, by, two_people=False)
            return sum(len(plan.rows) for plan in plans.values())

    # ---- within a transaction ----

    def _plans(self, ledger: Ledger, sheets: Mapping[RecordKind, Sheet]) -> dict[RecordKind, Plan]:
        """What becomes of each row, judged as though all of them were told."""
        now = self._names(ledger)
        rows = [(kind, row) for kind, sheet in sheets.items() for row in sheet.rows if kind is not RecordKind.FAQ]
        plain = {
            RecordId(kind, row.key): as_if_told(kind, row) for kind, row in rows if not self._mistakes(RecordId(kind, row.key), row.payload)
        }
        among = self._judge(with_told(now, plain))

        def check(id_: RecordId, payload: Payload) -> list[str]:
            return self._mistakes(id_, payload) or among.check(id_, payload)

        at = self._clock()
        return {kind: plan_of(ledger, kind, sheet, check, at) for kind, sheet in sheets.items()}

    def _mistakes(self, id_: RecordId, payload: Payload) -> list[str]:
        return plain_mistakes(id_, payload) or self._syntax(id_, payload)

    def _publish_plans(self, ledger: Ledger, plans: Mapping[RecordKind, Plan], by: Signed, *, two_people: bool | None = None) -> int:
        needed = self._two_people if two_people is None else two_people
        told = [
            (version, plan.live.get(version.id.key, ()))
            for kind, plan in plans.items()
            for version in self._written(ledger, kind, plan.rows, by, two_people=needed)
        ]
        if not told:
            return ledger.version()
        with self._unbroken(ledger, {version.id.kind for version, _ in told}):
            number = ledger.advance()
            steps = [(replace(version, knowledge_version=number), live) for version, live in told]
            ledger.add([(version, since_of([*live, version], version.at)) for version, live in steps])
        self._check_size(ledger, {version.id.kind for version, _ in told})
        return number

    def _written(self, ledger: Ledger, kind: RecordKind, rows: Iterable[ImportRow], by: Signed, *, two_people: bool) -> list[Version]:
        heads, now = ledger.heads(kind), self._clock()
        drafts = [Draft(RecordId(kind, row.key), row.payload) for row in rows]
        return [
            lifecycle.written(heads.get(draft.id.key), draft, by, at=now, title=default_title(draft), two_people=two_people)
            for draft in drafts
        ]

    def _add(self, ledger: Ledger, version: Version) -> Version:
        """A step that changes nothing for customers."""
        ledger.add([(version, since_of(ledger.history(version.id), version.at))])
        return version

    def _tell(self, ledger: Ledger, version: Version) -> Version:
        """A step that customers notice; raises Refused when it would break what others need."""
        ends = version.status is Status.RETIRED
        with self._unbroken(ledger, {version.id.kind}, ends=ends):
            told = replace(version, knowledge_version=ledger.advance())
            ledger.add([(told, since_of([*ledger.history(told.id), told], told.at))])
        if not ends:
            self._check_size(ledger, {version.id.kind})
        return told

    def _check_size(self, ledger: Ledger, kinds: Collection[RecordKind], *, coming: int = 0) -> None:
        """Raise Refused, and so undo the transaction, where there are, with ``coming``, more entries now or later than can be searched."""
        if self._most_entries is None or RecordKind.FAQ not in kinds:
            return
        if (count := ledger.told_count(RecordKind.FAQ) + coming) > self._most_entries:
            most = f"more than {self._most_entries:,} need a graph to search"
            raise Refused(
                [f"faq: there would be {count:,} entries, and {most}; run `pip install 'yingda[scale]'`, then start the service again"]
            )

    @contextmanager
    def _unbroken(self, ledger: Ledger, kinds: Collection[RecordKind], *, ends: bool = False) -> Iterator[None]:
        """Compare the shop before and after the block; an entry that comes or changes can break nothing."""
        if not ends and set(kinds) <= {RecordKind.FAQ}:
            yield
            return
        now, before, managed = self._clock(), ledger.told(), ledger.managed()
        yield
        after = ledger.told()
        for at in moments(now, before, after):
            then = replace(snapshot_of(ledger, at, before), managed=managed)
            reasons = self._judge(snapshot_of(ledger, at, after)).broken_since(self._judge(then))
            if reasons:
                raise Refused([dated(reason, at, now) for reason in reasons])

    def _names(self, ledger: Ledger, at: datetime | None = None) -> KnowledgeSnapshot:
        """All but the entries, now or at a time: what these may refer to."""
        return snapshot_of(ledger, at or self._clock(), ledger.told_of_others(RecordKind.FAQ))

    # ---- checks ----

    def _try(self, id_: RecordId, step: Callable[[Ledger], object]) -> None:
        """Take a step on a rule file without the lock, and keep nothing of it: examining rules takes time.

        What is refused never takes the lock; what is not is judged again under it, from what the judge remembers unless the
        shop has changed meanwhile.
        """
        if id_.kind is RecordKind.RULE:
            with reading(self._store) as ledger:
                step(ledger)

    def _check(self, ledger: Ledger, version: Version) -> tuple[str, ...]:
        """Raise Refused unless the payload fits the shop whenever it speaks; what is odd about it all the same."""
        told = {} if version.id.kind is RecordKind.FAQ else {version.id: version}
        others, now = ledger.told_of_others(RecordKind.FAQ), self._clock()
        warnings: dict[str, None] = {}
        for at in moments(max(now, version.effective_from or now), others, until=version.effective_until):
            among = self._judge(with_told(snapshot_of(ledger, at, others), told))
            reasons = among.check(version.id, version.payload)
            if reasons:
                raise Refused([dated(reason, at, now) for reason in reasons])
            warnings |= dict.fromkeys(among.warnings(version.id, version.payload))
        return tuple(warnings)

    def _alike_of(self, version: Version) -> tuple[Alike, ...]:
        rows = (ImportRow(1, version.id.key, version.payload),)
        return self._alike_of_rows(version.id.kind, rows)

    def _alike_of_rows(self, kind: RecordKind, rows: Iterable[ImportRow]) -> tuple[Alike, ...]:
        """Looked for outside the transaction: embedding takes time, and it refuses nothing."""
        if self._find_alike is None or kind is not RecordKind.FAQ:
            return ()
        changed = {row.key: row.payload for row in rows}
        others = self.snapshot(self._clock()).of(kind)
        return self._find_alike(changed, {key: payload for key, payload in others.items() if key not in changed})
