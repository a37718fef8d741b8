"""What was told at an earlier time comes out of the records again, whatever was done to them since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.knowledge_kit import ANNA, BO, START, Clock, a_draft, faq, hours, records_in
from tests.store_kit import BACKENDS, opened
from yingda.domain.records import KnowledgeSnapshot
from yingda.store.knowledge.service import KnowledgeStore

Said = Mapping[str, str]


@pytest.fixture(params=BACKENDS)
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KnowledgeStore]:
    clock = Clock()
    with opened(request.param, tmp_path) as store:
        yield records_in(store, clock)


def said(snapshot: KnowledgeSnapshot) -> Said:
    """What each record says, as digests."""
    return {id_.key: version.digest for id_, version in snapshot.records.items()}


def clock_of(records: KnowledgeStore) -> Clock:
    clock = records._clock
    assert isinstance(clock, Clock)
    return clock


def lived(records: KnowledgeStore) -> list[tuple[datetime, Said]]:
    """A shop's life, and what it said after each step."""
    clock = clock_of(records)
    moments: list[tuple[datetime, Said]] = []

    def look(after: timedelta = timedelta()) -> None:
        clock.now += after
        moments.append((clock.now, said(records.snapshot(clock.now))))

    steps: list[Callable[[], object]] = [
        lambda: records.write(a_draft("a"), ANNA),
        lambda: records.write(a_draft("b"), ANNA),
        lambda: records.write(a_draft("a", answer={"zh": "二"}), ANNA, if_match="*"),
        lambda: records.save(a_draft("c"), ANNA),
        lambda: records.write(a_draft("a", answer={"zh": "节"}, since=hours(9), until=hours(10)), ANNA, if_match="*"),
        lambda: records.roll_back(faq("a"), BO),
        lambda: records.retire(faq("b"), BO),
        lambda: records.write(a_draft("a", answer={"zh": "三"}, since=hours(12), until=hours(13)), ANNA, if_match="*"),
        lambda: records.roll_back(faq("b"), ANNA),
    ]
    for step in steps:
        clock.go(hours=1)
        step()
        look()
        look(timedelta(minutes=30))
    look(timedelta(hours=2))
    return moments


def test_every_moment_is_found_again_by_what_it_said(records: KnowledgeStore) -> None:
    moments = lived(records)

    assert len({tuple(sorted(each.items())) for _, each in moments}) == 5
    for at, then in moments:
        found = records.then(at, lambda snapshot, then=then: said(snapshot) == then)  # type: ignore[misc]
        assert found is not None and said(found) == then
        assert said(records.as_of(at)) == then


def test_an_engine_that_follows_a_moment_later_is_found_too(records: KnowledgeStore) -> None:
    moments = lived(records)
    late = timedelta(milliseconds=300)

    for (_, before), (at, after) in pairwise(moments):
        if before != after:
            found = records.then(at + late, lambda snapshot, before=before: said(snapshot) == before)  # type: ignore[misc]
            assert found is not None, at


def test_before_anything_was_told_there_is_nothing_and_what_never_was_is_not_found(records: KnowledgeStore) -> None:
    assert records.then(START, lambda _: True) is None
    assert said(records.as_of(START)) == {}
    lived(records)

    assert said(records.as_of(START - timedelta(days=1))) == {}
    assert records.then(hours(5), lambda snapshot: len(snapshot.records) == 9) is None
