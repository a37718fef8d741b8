"""Random steps on one record: the table decides, history only grows, and what speaks is what a plain model says."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.knowledge_kit import START, faq
from yingda.domain.records import Draft, NotAllowed, NothingBefore, Signed, Status, Version, VersionName
from yingda.store.knowledge import lifecycle
from yingda.store.knowledge.lifecycle import TRANSITIONS, Action
from yingda.store.knowledge.timeline import effective, first_needed, next_change, publications

PEOPLE = st.sampled_from(["anna", "bo", "chen"])
HOURS = st.none() | st.integers(1, 30)


class Life(RuleBasedStateMachine):
    """One record with roles on, and beside it the list of texts that may speak."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = START
        self.history: list[Version] = []
        self.before: tuple[Version, ...] = ()
        self.counter = 0

    @property
    def head(self) -> Version | None:
        return self.history[-1] if self.history else None

    def attempt(self, action: Action, step: object) -> None:
        """Take the step when table and roles permit it; nothing changes when they do not."""
        allowed = TRANSITIONS[self.head.status if self.head else None]
        assert callable(step)
        try:
            version = step()
        except NothingBefore:
            assert action is Action.ROLLBACK
        except NotAllowed as error:
            assert action not in allowed or "somebody other" in str(error)
        else:
            assert version.status is allowed[action]
            self.history.append(version)

    @rule(hours=st.integers(0, 20))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(person=PEOPLE, start=HOURS, length=HOURS)
    def save(self, person: str, start: int | None, length: int | None) -> None:
        draft = self.draft(start, length)
        self.attempt(Action.SAVE, lambda: lifecycle.saved(self.head, draft, Signed(person), at=self.now, title="发货"))

    @rule(person=PEOPLE, other=PEOPLE, start=HOURS, length=HOURS)
    def write(self, person: str, other: str, start: int | None, length: int | None) -> None:
        draft, by = self.draft(start, length), Signed(person, reviewer=other)
        self.attempt(Action.WRITE, lambda: lifecycle.written(self.head, draft, by, at=self.now, title="发货", two_people=True))

    @precondition(lambda self: self.history)
    @rule(person=PEOPLE, action=st.sampled_from([Action.REVIEW, Action.RETURN, Action.RETIRE, Action.ROLLBACK]))
    def step(self, person: str, action: Action) -> None:
        head, by = self.history[-1], Signed(person)
        steps = {
            Action.REVIEW: lambda: lifecycle.reviewed(head, by, at=self.now, two_people=True),
            Action.RETURN: lambda: lifecycle.returned(head, by, at=self.now),
            Action.RETIRE: lambda: lifecycle.retired(head, by, at=self.now),
            Action.ROLLBACK: lambda: lifecycle.rolled_back(self.history, by, at=self.now),
        }
        self.attempt(action, steps[action])

    @precondition(lambda self: self.history and not self.is_over(self.history[-1]))
    @rule(person=PEOPLE)
    def publish(self, person: str) -> None:
        head = self.history[-1]
        self.attempt(Action.PUBLISH, lambda: lifecycle.published(head, Signed(person), at=self.now, two_people=True))

    def draft(self, start: int | None, length: int | None) -> Draft:
        self.counter += 1
        since = None if start is None else self.now + timedelta(hours=start)
        until = None if length is None else (since or self.now) + timedelta(hours=length)
        return Draft(faq(), {"text": self.counter}, None, since, until)

    def is_over(self, version: Version) -> bool:
        return version.effective_until is not None and version.effective_until <= self.now

    @invariant()
    def history_only_grows(self) -> None:
        assert tuple(self.history[: len(self.before)]) == self.before
        assert [version.revision for version in self.history] == list(range(1, len(self.history) + 1))
        self.before = tuple(self.history)

    @invariant()
    def numbers_and_names_grow_together(self) -> None:
        numbers = [version.number for version in self.history]
        names = [VersionName.parse(version.name)[:2] for version in self.history]
        assert numbers == sorted(numbers)
        assert names == sorted(names)

    @invariant()
    def nobody_publishes_what_they_alone_have_seen(self) -> None:
        told = [version for version in self.history if version.status is Status.PUBLISHED and version.undoes is None]
        assert all(version.reviewer and version.reviewer != version.author for version in told)

    @invariant()
    def a_retired_record_is_silent_for_good(self) -> None:
        if self.head and self.head.status is Status.RETIRED:
            assert publications(self.history) == []

    @invariant()
    def nothing_changes_before_the_next_change_and_something_does_then(self) -> None:
        published = publications(self.history)
        change = next_change(published, self.now)
        speaking = effective(published, self.now)
        for hours in range(60):
            at = self.now + timedelta(hours=hours)
            if change is None or at < change:
                assert effective(published, at) is speaking
        if change is not None:
            assert effective(published, change) is not speaking

    @invariant()
    def what_is_covered_for_good_is_not_needed(self) -> None:
        published = publications(self.history)
        since = first_needed(published, self.now) or 0
        needed = [version for version in published if version.revision >= since]
        for hours in range(60):
            at = self.now + timedelta(hours=hours)
            assert effective(needed, at) is effective(published, at)


TestLife = Life.TestCase
