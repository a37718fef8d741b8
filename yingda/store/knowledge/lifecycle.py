"""The life of a record as pure functions: each takes what is there and gives the next step, or says why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from yingda.domain.records import (
    Draft,
    NotAllowed,
    NothingBefore,
    RecordId,
    Refused,
    Signed,
    Status,
    Version,
    VersionName,
    payload_digest,
)
from yingda.store.knowledge.timeline import begins, effective, publications


class Action(StrEnum):
    """What may be asked of a record."""

    SAVE = "save"
    REVIEW = "review"
    RETURN = "return"
    PUBLISH = "publish"
    WRITE = "write"
    RETIRE = "retire"
    ROLLBACK = "roll back"


_ALWAYS: Mapping[Action, Status] = {Action.SAVE: Status.DRAFT, Action.WRITE: Status.PUBLISHED}
_LATER: Mapping[Action, Status] = {**_ALWAYS, Action.ROLLBACK: Status.PUBLISHED}
TRANSITIONS: Mapping[Status | None, Mapping[Action, Status]] = MappingProxyType(
    {
        None: _ALWAYS,
        Status.DRAFT: {**_LATER, Action.REVIEW: Status.REVIEWED, Action.RETIRE: Status.RETIRED},
        Status.REVIEWED: {**_LATER, Action.PUBLISH: Status.PUBLISHED, Action.RETURN: Status.DRAFT, Action.RETIRE: Status.RETIRED},
        Status.PUBLISHED: {**_LATER, Action.RETIRE: Status.RETIRED},
        Status.RETIRED: _LATER,
    }
)
"""Status before (None: no record yet), action, status after; what is not here is refused.

``WRITE`` is draft, review and publication in one step, for shops without roles, imports and seeds.
"""

_OPEN = (Status.DRAFT, Status.REVIEWED)
_LONGEST_PERSON, _LONGEST_REASON = 64, 500


def saved(head: Version | None, draft: Draft, by: Signed, *, at: datetime, title: str) -> Version:
    """A draft: the open version with another text, or a new version over a published or retired one."""
    return _written(head, draft, by, Action.SAVE, at=at, title=title)


def written(head: Version | None, draft: Draft, by: Signed, *, at: datetime, title: str, two_people: bool) -> Version:
    """A version that is written, reviewed and published at once."""
    version = _written(head, draft, by, Action.WRITE, at=at, title=title)
    _check_reviewer(version.author, by.reviewer, needed=two_people)
    return _from_now(replace(version, reviewer=by.reviewer))


def reviewed(head: Version, by: Signed, *, at: datetime, two_people: bool) -> Version:
    """The draft, found good by ``by.author``; where roles are on, this is not who wrote it."""
    step = _step(head, by, Action.REVIEW, at)
    _check_reviewer(head.author, by.author, needed=two_people)
    return replace(step, reviewer=by.author)


def returned(head: Version, by: Signed, *, at: datetime) -> Version:
    """The reviewed version back with its author."""
    return replace(_step(head, by, Action.RETURN, at), reviewer=None)


def published(head: Version, by: Signed, *, at: datetime, two_people: bool) -> Version:
    """The reviewed version, for customers from its time on."""
    step = _step(head, by, Action.PUBLISH, at)
    _check_reviewer(head.author, head.reviewer, needed=two_people)
    return _from_now(step)


def retired(head: Version, by: Signed, *, at: datetime) -> Version:
    """The end of the record: neither its draft nor anything published before speaks any more."""
    return _step(head, by, Action.RETIRE, at)


def rolled_back(history: Sequence[Version], by: Signed, *, at: datetime) -> Version:
    """What was told before, published again as a new version.

    The last publication, or a planned one that began after it, is taken back, and the one below it whose span holds ``at``
    speaks again; of a retired record, what spoke last. Raises NothingBefore.
    """
    head = history[-1]
    _next_status(head, Action.ROLLBACK)
    told = [version for version in history if version.status in (Status.PUBLISHED, Status.RETIRED)]
    last = _last_told(told, at)
    before = [version for version in told if version.status is Status.PUBLISHED and version is not last]
    target = effective(before, at)
    if last is None or target is None:
        found = f"nothing before {VersionName.parse((last or head).name)} is in force" if before else "nothing was published before"
        raise NothingBefore(f"cannot roll back {head.id}: {found}; save a new version, or retire the record")
    name = VersionName.parse(head.name).next()._replace(title=VersionName.parse(target.name).title)
    step = _step(head, by, Action.ROLLBACK, at)
    return replace(
        step,
        number=head.number + 1,
        name=str(name),
        author=by.author,
        reviewer=target.reviewer,
        payload=target.payload,
        digest=target.digest,
        effective_from=step.at,
        effective_until=target.effective_until,
        undoes=last.revision,
        replace_planned=False,
    )


def _last_told(told: Sequence[Version], at: datetime) -> Version | None:
    """The step that a rollback takes back: the last one, or what speaks now where it began even later."""
    if not told or told[-1].status is Status.RETIRED:
        return told[-1] if told else None
    speaking = effective(publications(told), at)
    return speaking if speaking and begins(speaking) > begins(told[-1]) else told[-1]


def suggest_name(head: Version | None, title: str) -> str:
    """What the next version of a record is called unless its author says otherwise."""
    if head is None:
        return str(VersionName(1, 0, title))
    name = VersionName.parse(head.name)
    return head.name if head.status in _OPEN else str(name.next())


def _written(head: Version | None, draft: Draft, by: Signed, action: Action, *, at: datetime, title: str) -> Version:
    reasons = [*_mistakes_of(by), *_mistakes_of_span(draft, at)]
    if reasons:
        raise Refused(reasons)
    name = VersionName.parse(draft.name or suggest_name(head, title))
    _check_order(head, name)
    return Version(
        id=draft.id,
        revision=head.revision + 1 if head else 1,
        number=head.number + (head.status not in _OPEN) if head else 1,
        name=str(name),
        status=_next_status(head, action, draft.id),
        author=by.author,
        actor=by.author,
        reviewer=None,
        at=_after(head, at),
        reason=by.reason,
        payload=draft.payload,
        digest=payload_digest(draft.payload),
        effective_from=draft.effective_from,
        effective_until=draft.effective_until,
        replace_planned=draft.replace_planned,
    )


def _step(head: Version, by: Signed, action: Action, at: datetime) -> Version:
    reasons = _mistakes_of(by)
    if reasons:
        raise Refused(reasons)
    status = _next_status(head, action)
    return replace(
        head,
        revision=head.revision + 1,
        status=status,
        actor=by.author,
        at=_after(head, at),
        reason=by.reason,
        knowledge_version=None,
        undoes=None,
    )


def _after(head: Version | None, at: datetime) -> datetime:
    """``at``, or the time of the last step where another worker's clock was ahead: what is published later begins no earlier."""
    return max(at, head.at) if head else at


def _next_status(head: Version | None, action: Action, id_: RecordId | None = None) -> Status:
    allowed = TRANSITIONS[head.status if head else None]
    if action not in allowed:
        state = f"{head.id} is {head.status}" if head else f"{id_} does not exist"
        raise NotAllowed(f"cannot {action}: {state}; from there one can {', '.join(allowed)}")
    return allowed[action]


def _check_reviewer(author: str, reviewer: str | None, *, needed: bool) -> None:
    if needed and (reviewer is None or _same_person(author, reviewer)):
        raise NotAllowed("roles are on: somebody other than the author must review this; name that person as reviewer")


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _check_order(head: Version | None, name: VersionName) -> None:
    """Names grow; an open version may keep its own."""
    if head is None:
        return
    last = VersionName.parse(head.name)
    if name[:2] < last[:2] or (name[:2] == last[:2] and head.status not in _OPEN):
        raise Refused([f"name: V{name.major}.{name.minor} does not follow V{last.major}.{last.minor}; use {last.next()}"])


def _from_now(version: Version) -> Version:
    """The version with its beginning written out; a time that has passed means at once."""
    if version.effective_until is not None and version.effective_until <= version.at:
        raise Refused(["effective_until: this time has passed; give a later one"])
    started = version.effective_from is None or version.effective_from < version.at
    return replace(version, effective_from=version.at if started else version.effective_from)


def _mistakes_of(by: Signed) -> list[str]:
    reasons = []
    for name, person in (("author", by.author), ("reviewer", by.reviewer)):
        if person is not None and not (person.strip() and len(person) <= _LONGEST_PERSON and person.isprintable()):
            reasons.append(f"{name}: name a person in 1 to {_LONGEST_PERSON} visible characters")
    if len(by.reason) > _LONGEST_REASON or not all(char.isprintable() or char == "\n" for char in by.reason):
        reasons.append(f"reason: write at most {_LONGEST_REASON} visible characters")
    return reasons


def _mistakes_of_span(draft: Draft, at: datetime) -> list[str]:
    start, end = draft.effective_from, draft.effective_until
    reasons = [
        f"{name}: give the time with its offset, such as 2026-11-11T00:00:00+08:00"
        for name, time in (("effective_from", start), ("effective_until", end))
        if time is not None and time.utcoffset() is None
    ]
    if not reasons and end is not None and end <= (start or at):
        reasons.append("effective_until: ends before it begins; give a later time")
    return reasons
