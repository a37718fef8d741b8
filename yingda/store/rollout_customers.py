"""Who is in a roll-out and what became of them, from the turns as they were stored.

A turn is written once and durably; everything here is derived from turns and written once a customer, so that a look may be
killed and repeated at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Row, Select, insert, select, tuple_, update

from yingda.decide.guardrail import harms_between, read_guardrail
from yingda.decide.rollout import share_of
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import Against, Arm, Metric, RolloutError, RolloutPlan, Stage
from yingda.store.base import Store
from yingda.store.codec import decode_state
from yingda.store.rollout_tables import RolloutCustomerRow, RolloutRow
from yingda.store.rollout_today import handed_off_today
from yingda.store.tables import TurnRow

PAUSE = timedelta(hours=1)
"""Silence after which a customer's conversation counts as ended."""

LATE = timedelta(minutes=10)
"""How much later than the time it bears a turn may reach the database, and still be found."""

PAGE = 500
"""Turns or customers looked at between two transactions; a writer of turns never waits for more."""

_Row = Row[*tuple[Any, ...]]
_PLACED = tuple(map(str, Arm))
_IN_SHADOW = "~shadow/"
"""Begins the name of a customer as counted in shadow; in gray the same customer is counted once more, for themselves."""

_NO_TODAY = (
    "the hand-offs of this release are judged by those of the release of today, and its store is not known here; "
    "set YINGDA_REFERENCE_STORE, as where the release was started"
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A customer who came in with a turn, and has not been counted."""

    customer: str
    arm: Arm
    share: float
    conversation_id: str
    version: int
    at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What happened to a customer whose conversation has ended; ``same`` is what the release of today made of the messages."""

    entry: _Entry
    harms: frozenset[Metric]
    same: bool | None = None


def discover(store: Store, release: str, plans: Mapping[int, RolloutPlan], now: datetime) -> int:
    """Find the customers who wrote under ``release`` since the last look; returns how many are new.

    ``plans`` holds every plan by its number. Only customers who could have been in either arm come in, or could be in gray if
    they wrote in shadow: those of a share of 0 or 1 have nobody to be compared with, and do so when that changes.
    """
    with store.reading() as session:
        since = session.scalar(select(RolloutRow.seen_until).where(RolloutRow.release == release))
    if since is None:
        return 0
    found = 0
    for page in _pages(store, release, since):
        found += _enter(store, release, _first_turns(store, release, page, plans))
    with store.writing() as session:
        until = max(since, now - LATE)
        session.execute(update(RolloutRow).where(RolloutRow.release == release, RolloutRow.seen_until < until).values(seen_until=until))
    return found


def observe(store: Store, release: str, now: datetime, *, pause: timedelta = PAUSE, today: Store | None = None) -> int:
    """Count each customer whose first conversation has ended, once; returns how many were counted.

    Where hand-offs are judged by the release of today, ``today`` is its store. Customers whom that is asked about come last and
    wait while it cannot be: raises RolloutError without it, StoreError when it fails.
    """
    entries = _open_entries(store, release, now - pause)
    asked = _handoffs_by(store, release) is Against.REFERENCE
    alone = [entry for entry in entries if not asked or entry.arm is Arm.AUTOMATED]
    beside = [entry for entry in entries if asked and entry.arm is not Arm.AUTOMATED]
    counted = _observe(store, release, alone, now, pause, None)
    if beside and today is None:
        raise RolloutError(_NO_TODAY)
    return counted + _observe(store, release, beside, now, pause, today)


def _observe(store: Store, release: str, entries: Sequence[_Entry], now: datetime, pause: timedelta, today: Store | None) -> int:
    counted = 0
    for start in range(0, len(entries), PAGE):
        ended = [
            _outcome(entry, harms, pause, today)
            for entry in entries[start : start + PAGE]
            if (harms := _harms(store, release, entry, now, pause)) is not None
        ]
        counted += _count(store, release, ended, now) if ended else 0
    return counted


def _outcome(entry: _Entry, harms: frozenset[Metric], pause: timedelta, today: Store | None) -> _Outcome:
    """What is counted: a customer of the other arm was handed over when the release of today did so.

    One of whom its service knows nothing counts as handed over, for it did not answer them; so chance of the wiring never
    looks like harm of the release.
    """
    if today is None:
        return _Outcome(entry, harms)
    did = handed_off_today(today, entry.conversation_id, entry.at, pause=pause)
    if entry.arm is Arm.SHADOW:
        return _Outcome(entry, harms, did)
    return _Outcome(entry, harms - {Metric.HANDOFF} if did is False else harms | {Metric.HANDOFF})


def _handoffs_by(store: Store, release: str) -> Against:
    with store.reading() as session:
        return read_guardrail(session.scalars(select(RolloutRow.guardrail).where(RolloutRow.release == release)).one()).limits.handoffs


def _pages(store: Store, release: str, since: datetime) -> Iterator[Sequence[_Row]]:
    """Turns of the release that an arm was drawn for, by time; columns only, for answers are long."""
    columns = (TurnRow.id, TurnRow.conversation_id, TurnRow.customer, TurnRow.at, TurnRow.channel, TurnRow.tier, TurnRow.arm)
    asked = select(*columns).where(TurnRow.release == release, TurnRow.arm.in_(_PLACED)).order_by(TurnRow.at, TurnRow.id).limit(PAGE)
    page = _rows(store, asked.where(TurnRow.at >= since))
    while page:
        yield page
        last = page[-1]
        page = _rows(store, asked.where(tuple_(TurnRow.at, TurnRow.id) > (last.at, last.id)))


def _first_turns(store: Store, release: str, page: Sequence[_Row], plans: Mapping[int, RolloutPlan]) -> list[dict[str, Any]]:
    """The first turn of each customer not known yet, with the chance they had to be in the automated arm."""
    first: dict[str, _Row] = {}
    for row in page:
        if (unit := _unit(row)) is not None:
            first.setdefault(unit, row)
    known = select(RolloutCustomerRow.customer).where(RolloutCustomerRow.release == release, RolloutCustomerRow.customer.in_(first))
    for (customer,) in _rows(store, known):
        first.pop(customer)
    drawn = select(TurnRow.id, TurnRow.answer).where(TurnRow.id.in_([row.id for row in first.values()]))
    numbers = {id_: answer.get("rollout", {}).get("revision") or 0 for id_, answer in _rows(store, drawn)}
    entries = [
        {"release": release, "customer": unit, "turn_id": row.id, "arm": row.arm, "share": _share(plans.get(numbers.get(row.id, 0)), row)}
        for unit, row in first.items()
    ]
    return [entry for entry in entries if 0 < entry["share"] < 1]


def _unit(row: _Row) -> str | None:
    """What the arm was drawn for: the customer, else the conversation; None for a message that nobody can be recognised by."""
    stage = _IN_SHADOW if row.arm == Arm.SHADOW else ""
    if row.customer is not None:
        return f"{stage}{row.customer}"
    alone = row.conversation_id == row.id or row.conversation_id.startswith("~message/")
    return None if alone else f"{stage}~conversation/{row.conversation_id}"


def _share(plan: RolloutPlan | None, row: _Row) -> float:
    """The chance that customers of this channel and tier had by ``plan``, or would have in gray if it is in shadow; 0 without one."""
    if plan is None:
        return 0.0
    if row.arm == Arm.SHADOW:
        plan = replace(plan, stage=Stage.GRAY)
    return share_of(plan, channel=Channel(row.channel or Channel.WEB), tier=Tier(row.tier or Tier.NORMAL))


def _enter(store: Store, release: str, entries: Sequence[dict[str, Any]]) -> int:
    if not entries:
        return 0
    with store.writing() as session:
        session.execute(select(RolloutRow.release).where(RolloutRow.release == release).with_for_update())
        names = [entry["customer"] for entry in entries]
        asked = select(RolloutCustomerRow.customer).where(RolloutCustomerRow.release == release, RolloutCustomerRow.customer.in_(names))
        known = set(session.scalars(asked))  # another look may have been quicker
        # a conversation that was erased between reading and writing is no loss, and no reason to fail
        there = set(session.scalars(select(TurnRow.id).where(TurnRow.id.in_([entry["turn_id"] for entry in entries]))))
        new = [entry for entry in entries if entry["customer"] not in known and entry["turn_id"] in there]
        if new:
            session.execute(insert(RolloutCustomerRow), new)
        return len(new)


def _open_entries(store: Store, release: str, before: datetime) -> list[_Entry]:
    """Customers who came in before that time and are not counted yet."""
    columns = (RolloutCustomerRow.customer, RolloutCustomerRow.arm, RolloutCustomerRow.share)
    asked = (
        select(*columns, TurnRow.conversation_id, TurnRow.version, TurnRow.at, TurnRow.channel, TurnRow.tier)
        .join(TurnRow, TurnRow.id == RolloutCustomerRow.turn_id)
        .where(RolloutCustomerRow.release == release, RolloutCustomerRow.observed_at.is_(None), TurnRow.at <= before)
        .order_by(RolloutCustomerRow.customer)
    )
    return [
        _Entry(row.customer, Arm(row.arm), row.share, row.conversation_id, row.version, row.at, _kind(row)) for row in _rows(store, asked)
    ]


def _kind(row: _Row) -> str:
    return f"{row.channel or Channel.WEB}/{row.tier or Tier.NORMAL}"


def _harms(store: Store, release: str, entry: _Entry, now: datetime, pause: timedelta) -> frozenset[Metric] | None:
    """What happened to a customer until they paused, or were answered by another; None while they still talk."""
    columns = select(TurnRow.at, TurnRow.arm, TurnRow.release, TurnRow.state).where(TurnRow.conversation_id == entry.conversation_id)
    earlier = _rows(store, columns.where(TurnRow.version < entry.version).order_by(TurnRow.version.desc()).limit(1))
    states: list[ConversationState] = []
    last = entry.at
    for row in _rows(store, columns.where(TurnRow.version >= entry.version).order_by(TurnRow.version)):
        if row.at - last >= pause or (row.arm, row.release) != (str(entry.arm), release):
            break
        states.append(decode_state(row.state))
        last = row.at
    else:
        if now - last < pause:
            return None
    return harms_between(decode_state(earlier[0].state) if earlier else NEW, states)


def _count(store: Store, release: str, ended: Sequence[_Outcome], now: datetime) -> int:
    """Mark the customers and add them to the guardrail's counts, in one transaction; who is marked already is not added."""
    counted = 0
    with store.writing() as session:
        row = session.scalars(select(RolloutRow).where(RolloutRow.release == release).with_for_update()).one()
        guardrail = read_guardrail(row.guardrail)
        for each in ended:
            entry, harms = each.entry, each.harms
            mark = update(RolloutCustomerRow).where(
                RolloutCustomerRow.release == release,
                RolloutCustomerRow.customer == entry.customer,
                RolloutCustomerRow.observed_at.is_(None),
            )
            marked = session.execute(mark.values(observed_at=now, harms=sorted(harms)), execution_options={"synchronize_session": False})
            if cast(CursorResult[Any], marked).rowcount == 1:
                guardrail = guardrail.update(entry.arm, share=entry.share, harms=harms, kind=entry.kind, same=each.same)
                counted += 1
        row.guardrail = guardrail.state()
    return counted


def _rows(store: Store, asked: Select[*tuple[Any, ...]]) -> Sequence[_Row]:
    with store.reading() as session:
        return session.execute(asked).all()
