"""Roll-outs in the database: the plan in force, its history, and the counts by which a release is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from yingda.decide.guardrail import Guardrail, limits_for, read_guardrail
from yingda.decide.rollout import SKIPPED, advance, next_stage, plan_fields, read_plan, skips_gray, stop
from yingda.domain.errors import StoreError, YingdaError
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import GUARDRAIL, PlanRevision, RolloutError, RolloutPlan, Stage
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.failures import is_away
from yingda.store.lasting.breaker import Within, at_once
from yingda.store.lasting.memory import LastingMemory
from yingda.store.memory import Memory
from yingda.store.rollout_customers import PAUSE, discover, observe
from yingda.store.rollout_tables import RolloutPlanRow, RolloutRow

_OVERTAKEN = "the roll-out was changed meanwhile; read the plan and try again"
_NONE = "there is no roll-out; start one first"

_NEWEST = "SELECT max(number) FROM rollout_plans"

Move = Callable[[RolloutPlan], RolloutPlan]


class Rollouts:
    """The roll-out of a store; threads and processes may share the database, and each change is one transaction.

    Methods that change raise RolloutError when what is asked does not fit the plan in force; all raise StoreError when the
    database fails. ``today`` is the store of the service that answers with the release of today; it is only read.
    """

    def __init__(self, store: Store, ask: Within = at_once, *, today: Store | None = None) -> None:
        if today is not None and today.engine.url == store.engine.url:
            raise RolloutError("YINGDA_REFERENCE_STORE is the store of this release; name the store of the service of today")
        self._store, self._ask, self._today = store, ask, today
        self._latest: PlanRevision | None = None
        self._looked = False

    # ---- reading ----

    def in_force(self) -> PlanRevision | None:
        """The plan by which messages are placed from now on; None while nothing was ever rolled out.

        One look at the database, so that a change counts for the next message of every worker. While the store is away the
        plan seen last stays in force; raises StoreError where none was ever looked for.
        """
        try:
            self._latest, self._looked = self._ask(self._look), True
        except StoreError as error:
            if not (self._looked and is_away(error)):
                raise
        return self._latest

    def _look(self) -> PlanRevision | None:
        number = self._store.glance(_NEWEST)
        if number is None or (self._latest is not None and self._latest.number == number):
            return self._latest if number is not None else None
        with self._store.reading() as session:
            return _head(session)

    def history(self) -> list[PlanRevision]:
        """Every plan that was in force, oldest first."""
        with self._store.reading() as session:
            return [_revision(row) for row in session.scalars(select(RolloutPlanRow).order_by(RolloutPlanRow.number))]

    def guardrail(self, release: str) -> Guardrail:
        """The counts of a release so far; raises RolloutError when it was never rolled out."""
        with self._store.reading() as session:
            found = session.scalar(select(RolloutRow.guardrail).where(RolloutRow.release == release))
        if found is None:
            raise RolloutError(f"release '{release}' was never rolled out; see the history for those that were")
        return read_guardrail(found)

    # ---- what people do ----

    def start(self, plan: RolloutPlan, *, by: str, reason: str, at: datetime) -> PlanRevision:
        """Put a new release into shadow, whatever stage ``plan`` names: it decides, and nothing is sent."""
        if len(plan.release) > 128:
            raise RolloutError("roll-out plan: release is longer than 128 characters; give it a shorter name")
        begun = stop(plan, by=by, reason=reason)
        with self._changing() as session:
            head = _head(session)
            if head is not None and head.plan.stage is Stage.GRAY:
                raise RolloutError(f"release '{head.plan.release}' is in stage gray; stop it or roll it out in full first")
            if session.get(RolloutRow, plan.release) is not None:
                raise RolloutError(f"release '{plan.release}' was rolled out before; advance it, or give the new release a name of its own")
            counts = Guardrail(limits_for(plan.reference, today=self._today is not None)).state()
            session.add(RolloutRow(release=plan.release, guardrail=counts, seen_until=at))
            session.flush()
            return _append(session, head, begun, by=by, reason=reason, at=at)

    def advance(
        self,
        *,
        by: str,
        reason: str,
        at: datetime,
        stage: Stage | None = None,
        share: float | None = None,
        channels: Mapping[Channel, float | None] | None = None,
        tiers: Mapping[Tier, float | None] | None = None,
        number: int | None = None,
        force: bool = False,
    ) -> PlanRevision:
        """Move the release on as a person wants (see ``decide.rollout.advance``).

        ``number`` is the revision that person saw: another one now in force is not overwritten. A release that its
        guardrail took back stays back, for its counts would take it back again. A step that only ``force`` allows says so in the
        history, before the reason.
        """

        def moved(plan: RolloutPlan) -> RolloutPlan:
            return advance(plan, by=by, reason=told(plan), stage=stage, share=share, channels=channels, tiers=tiers, force=force)

        def told(plan: RolloutPlan) -> str:
            return SKIPPED + reason if skips_gray(plan, stage) and reason.strip() else reason

        return self._move(moved, by=by, reason=told, at=at, number=number, onward=stage is not Stage.SHADOW)

    def stop(self, *, by: str, reason: str, at: datetime) -> PlanRevision:
        """Take the release back to shadow, whatever revision is in force: who stops must not have to read first."""
        return self._move(lambda plan: stop(plan, by=by, reason=reason), by=by, reason=lambda _: reason, at=at, number=None, onward=False)

    # ---- what the guardrail does ----

    def watch(self, now: datetime, *, pause: timedelta = PAUSE) -> PlanRevision | None:
        """One look at the release in force: count the customers whose first conversation has ended, and judge.

        Returns the revision that took the release back to shadow, or keeps it there, when this look did. It may be killed
        anywhere, and any number may run at once: each customer is counted once. Where the store of today's service cannot be
        read, who must be looked up there waits for a later look, and what is counted is judged all the same; then it raises.
        """
        current = self.in_force()
        if current is None:
            return None
        release = current.plan.release
        discover(self._store, release, {each.number: each.plan for each in self.history()}, now)
        waiting: YingdaError | None = None
        try:
            observe(self._store, release, now, pause=pause, today=self._today)
        except YingdaError as error:
            waiting = error
        taken_back = self._judge(release, now)
        if waiting is not None and taken_back is None:
            raise waiting
        return taken_back

    def _judge(self, release: str, now: datetime) -> PlanRevision | None:
        with self._changing() as session:
            row, head = _locked(session, release), _head(session)
            if head is None or head.plan.release != release:
                return None  # a person has begun another release meanwhile
            verdict = read_guardrail(row.guardrail).verdict()
            moved = next_stage(head.plan, verdict)
            if moved is head.plan or (head.plan.stage is Stage.SHADOW and _was_taken_back(session, release)):
                return None
            return _append(session, head, moved, by=GUARDRAIL, reason=verdict.reason(), at=now, automatic=True)

    def _move(
        self, move: Move, *, by: str, reason: Callable[[RolloutPlan], str], at: datetime, number: int | None, onward: bool
    ) -> PlanRevision:
        with self._changing() as session:
            head = _head_locked(session)
            if number is not None and number != head.number:
                raise RolloutError(_OVERTAKEN)
            if onward and _was_taken_back(session, head.plan.release):
                raise RolloutError(f"the guardrail took release '{head.plan.release}' back; start the repaired one under a name of its own")
            return _append(session, head, move(head.plan), by=by, reason=reason(head.plan), at=at)

    @contextmanager
    def _changing(self) -> Iterator[Session]:
        """A transaction that writes; two changes of one moment cannot both be the next revision, and the second is told so."""
        try:
            with self._store.writing() as session:
                yield session
        except IntegrityError:
            raise RolloutError(_OVERTAKEN) from None


def rollouts_of(memory: Memory, *, today: Store | None = None) -> Rollouts | None:
    """The roll-out kept beside ``memory``; None for a memory that forgets, where nothing could be rolled out safely."""
    if isinstance(memory, LastingMemory):
        found = Rollouts(memory.store, memory.breaker.ask, today=today)
        with suppress(StoreError):
            found.in_force()  # known from the start, for the store may go away before the first message
        return found
    return Rollouts(memory.store, today=today) if isinstance(memory, SqlMemory) else None


def _head(session: Session) -> PlanRevision | None:
    row = session.scalars(select(RolloutPlanRow).order_by(RolloutPlanRow.number.desc()).limit(1)).one_or_none()
    return None if row is None else _revision(row)


def _head_locked(session: Session) -> PlanRevision:
    """The plan in force, which nobody else changes until the end of the transaction; raises RolloutError without one."""
    head = _head(session)
    if head is None:
        raise RolloutError(_NONE)
    _locked(session, head.plan.release)
    return _head(session) or head  # what another wrote while this one waited for the lock


def _locked(session: Session, release: str) -> RolloutRow:
    """The row of a release, with the lock that everyone takes who counts for it or judges it."""
    return session.scalars(select(RolloutRow).where(RolloutRow.release == release).with_for_update()).one()


def _was_taken_back(session: Session, release: str) -> bool:
    asked = select(RolloutPlanRow.number).where(RolloutPlanRow.release == release, RolloutPlanRow.automatic)
    return session.scalar(asked.limit(1)) is not None


def _append(
    session: Session, head: PlanRevision | None, plan: RolloutPlan, *, by: str, reason: str, at: datetime, automatic: bool = False
) -> PlanRevision:
    found = PlanRevision(1 if head is None else head.number + 1, plan, at, by, reason, automatic)
    fields = {"number": found.number, "release": plan.release, "plan": plan_fields(plan)}
    session.add(RolloutPlanRow(**fields, at=at, by=by, reason=reason, automatic=automatic))
    return found


def _revision(row: RolloutPlanRow) -> PlanRevision:
    try:
        plan = read_plan(row.plan, source="stored plan")
    except RolloutError:
        raise StoreError("a stored roll-out plan cannot be read; was it written by a newer version?", code="store_too_new") from None
    return PlanRevision(row.number, plan, row.at, row.by, row.reason, row.automatic)
