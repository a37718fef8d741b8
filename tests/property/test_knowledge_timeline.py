"""Random timelines of one record: what is planned speaks at its time, unless it was replaced, retired or taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.knowledge_kit import ANNA, START, faq
from yingda.domain.records import Draft, NotAllowed, Status, Version
from yingda.store.knowledge import lifecycle
from yingda.store.knowledge.timeline import begins, effective, first_needed, outlook, publications


@dataclass(frozen=True)
class Step:
    """Hours that pass, and then a publication, a rollback or a retirement."""

    after: int
    what: str
    start: int | None
    length: int | None
    replace: bool


STEPS = st.lists(
    st.builds(
        Step,
        after=st.integers(0, 6),
        what=st.sampled_from(["write"] * 6 + ["rollback", "retire"]),
        start=st.none() | st.integers(1, 20),
        length=st.none() | st.integers(1, 12),
        replace=st.sampled_from([False, False, True]),
    ),
    max_size=12,
)


def lived(steps: list[Step]) -> list[Version]:
    """The history that ``steps`` make; those that are not possible are left out."""
    history: list[Version] = []
    now = START
    for number, step in enumerate(steps):
        now += timedelta(hours=step.after)
        head = history[-1] if history else None
        try:
            if step.what == "write":
                draft = planned_draft(number, step, now)
                history.append(lifecycle.written(head, draft, ANNA, at=now, title="发货", two_people=False))
            elif head is not None:
                history.append(
                    lifecycle.retired(head, ANNA, at=now) if step.what == "retire" else lifecycle.rolled_back(history, ANNA, at=now)
                )
        except NotAllowed:
            continue
    return history


def planned_draft(number: int, step: Step, now: datetime) -> Draft:
    since = None if step.start is None else now + timedelta(hours=step.start)
    until = None if step.length is None else (since or now) + timedelta(hours=step.length)
    return Draft(faq(), {"text": number}, None, since, until, step.replace)


def was_stopped(plan: Version, later: Version) -> bool:
    """Whether ``later`` says that ``plan`` does not speak."""
    if later.status is Status.RETIRED or later.undoes == plan.revision:
        return True
    in_span = begins(later) <= begins(plan) and (later.effective_until is None or begins(plan) < later.effective_until)
    return in_span and (later.replace_planned or begins(later) == begins(plan))


@given(STEPS)
def test_what_is_planned_speaks_at_its_time(steps: list[Step]) -> None:
    history = lived(steps)
    for plan in (version for version in history if version.status is Status.PUBLISHED and begins(version) > version.at):
        if not any(was_stopped(plan, later) for later in history[plan.revision :]):
            assert effective(publications(history), begins(plan)) is plan


@given(STEPS)
def test_a_step_covers_no_plan_that_its_outlook_does_not_name(steps: list[Step]) -> None:
    history = lived(steps)
    for place, version in enumerate(history):
        if version.status is not Status.PUBLISHED:
            continue
        found, before, now = outlook(history[:place], version), publications(history[:place]), publications(history[: place + 1])
        lost = [plan for plan in before if begins(plan) > version.at and plan not in now and plan.revision != version.undoes]
        assert list(found.covers) == sorted(lost, key=lambda plan: (begins(plan), plan.revision))
        assert version.replace_planned or not found.covers
        assert effective(now, begins(version)) is version
        for hours in range(40):
            at = begins(version) + timedelta(hours=hours)
            if found.until is None or at < found.until:
                assert effective(now, at) is version
        assert found.until is None or effective(now, found.until) is not version


@given(STEPS, st.integers(0, 60))
def test_what_is_kept_tells_the_same_as_the_whole_history(steps: list[Step], after: int) -> None:
    history = lived(steps)
    at = max([START, *(version.at for version in history)]) + timedelta(hours=after)
    since = first_needed(publications(history), at)
    kept = [version for version in history if since is not None and version.revision >= since]
    for hours in range(60):
        later = at + timedelta(hours=hours)
        assert effective(publications(kept), later) is effective(publications(history), later)
