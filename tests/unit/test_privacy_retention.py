"""The daily job: it runs at once and after each wait, tells what it did, and survives a store that fails."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Event

import pytest

from tests.privacy_kit import NOON
from yingda.domain.errors import StoreError
from yingda.privacy.person import Person, PrivacyError
from yingda.privacy.retention import LastRun, RetentionJob, retain


class Shelf:
    """A place that remembers what it was asked, and fails when told to."""

    name = "shelf"

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[tuple[datetime, bool]] = []
        self.failure = failure

    def search(self, person: Person) -> Mapping[str, int]:
        return {}

    def erase(self, person: Person) -> Mapping[str, int]:
        return {}

    def forget_before(self, when: datetime, *, dry_run: bool) -> Mapping[str, int]:
        self.asked.append((when, dry_run))
        if self.failure:
            raise self.failure
        return {"files": 2}


def test_the_term_is_a_year_unless_somebody_says_otherwise() -> None:
    shelf = Shelf()

    report = retain([shelf], now=NOON)
    retain([shelf], now=NOON, days=30, dry_run=True)

    assert shelf.asked == [(NOON - timedelta(days=365), False), (NOON - timedelta(days=30), True)]
    assert report["deleted"] == {"shelf": {"files": 2}} and report["before"] == "2025-11-11T12:00:00+00:00"


@pytest.mark.parametrize("days", [0, -1])
def test_no_term_is_refused(days: int) -> None:
    with pytest.raises(PrivacyError, match="1 or more"):
        retain([Shelf()], now=NOON, days=days)


def test_the_job_runs_at_once_and_after_each_wait() -> None:
    shelf, told, turns = Shelf(), list[LastRun](), iter((False, False, True))
    ended = Event()

    def wait() -> bool:
        end = next(turns)
        if end:
            ended.set()
        return end

    job = RetentionJob([shelf], clock=lambda: NOON, days=7, tell=told.append)
    job.start(wait=wait)
    assert ended.wait(timeout=30)
    job.close()

    assert shelf.asked == [(NOON - timedelta(days=7), False)] * 3
    assert [run.error for run in told] == [None] * 3 and job.last == told[-1]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (StoreError("the store cannot be reached", code="store_unreachable"), "the store cannot be reached"),
        (ValueError("13800138000"), "ValueError"),
    ],
)
def test_a_run_that_fails_says_so_without_quoting(failure: Exception, said: str) -> None:
    job = RetentionJob([Shelf(failure)], clock=lambda: NOON)

    job.run()

    assert job.last == LastRun(NOON, error=said)


def test_closing_a_job_that_never_began_is_no_error() -> None:
    job = RetentionJob([Shelf()], clock=lambda: NOON)

    job.close()

    assert job.last is None
