"""Living knowledge in SQLite and PostgreSQL: what is acknowledged is there, what is stale is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.knowledge_kit import ANNA, BO, BOTH, START, Clock, Takes, a_draft, a_sheet, an_entry, faq, hours, records_in
from tests.store_kit import BACKENDS, opened
from yingda.domain.records import (
    ANY,
    Draft,
    Exists,
    KnowledgeSnapshot,
    NotAllowed,
    NotFound,
    NothingBefore,
    RecordKind,
    Refused,
    StaleVersion,
    Status,
)
from yingda.store.base import Store
from yingda.store.knowledge.service import KnowledgeStore

EMPTY = KnowledgeSnapshot(0)


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(store: Store, clock: Clock) -> KnowledgeStore:
    return records_in(store, clock)


# ---- one record ----


def test_a_record_goes_from_draft_to_retired_and_keeps_its_history(records: KnowledgeStore, clock: Clock) -> None:
    records.save(a_draft(), ANNA)
    records.review(faq(), BO)
    assert records.version() == 0
    assert records.snapshot(clock()).records == {}
    published = records.publish(faq(), BO)
    assert records.snapshot(clock()).records == {faq(): published}
    records.retire(faq(), BO)

    history = records.history(faq())
    assert [step.status for step in history] == [Status.DRAFT, Status.REVIEWED, Status.PUBLISHED, Status.RETIRED]
    assert [step.knowledge_version for step in history] == [None, None, 1, 2]
    assert (history[2].author, history[2].reviewer, history[2].name) == ("anna", "bo", "V1.0-ship-when 什么时候发货")
    assert records.snapshot(clock()).records == {}
    assert records.snapshot(clock()).managed == {RecordKind.FAQ}


def test_what_was_stored_is_read_again_whole(records: KnowledgeStore, store: Store, clock: Clock) -> None:
    saved = records.save(a_draft(name="V3.2-大促", since=hours(3), until=hours(9)), ANNA).version

    assert records_in(store, clock).get(faq()) == saved
    assert saved.at == START


def test_a_second_record_of_the_same_id_is_refused(records: KnowledgeStore) -> None:
    records.save(a_draft(), ANNA)

    with pytest.raises(Exists, match="ETag"):
        records.save(a_draft(), ANNA)


def test_a_stale_etag_is_refused_and_writes_nothing(records: KnowledgeStore) -> None:
    first = records.write(a_draft(), BOTH).version
    second = records.write(a_draft(intent="CANCEL"), BOTH, if_match=first.etag).version

    for step in (records.retire, records.review, records.publish, records.roll_back, records.return_to_author):
        with pytest.raises(StaleVersion):
            step(faq(), BO, if_match=first.etag)
    with pytest.raises(StaleVersion):
        records.write(a_draft(), BOTH, if_match=first.etag)
    assert records.get(faq()) == second
    assert records.version() == 2


def test_the_etag_of_a_text_that_came_back_is_another(records: KnowledgeStore) -> None:
    first = records.write(a_draft(), BOTH).version
    records.write(a_draft(intent="CANCEL"), BOTH, if_match=ANY)
    third = records.write(a_draft(), BOTH, if_match=ANY).version

    assert first.digest == third.digest
    assert first.etag != third.etag


def test_an_etag_for_a_record_that_is_not_there_is_stale(records: KnowledgeStore) -> None:
    with pytest.raises(StaleVersion, match="without an ETag"):
        records.save(a_draft(), ANNA, if_match="abc")


def test_steps_on_a_record_that_is_not_there_find_nothing(records: KnowledgeStore) -> None:
    for step in (records.retire, records.review, records.publish, records.roll_back):
        with pytest.raises(NotFound):
            step(faq("nobody"), BO)
    for read in (records.get, records.history):
        with pytest.raises(NotFound):
            read(faq("nobody"))


def test_a_draft_over_a_published_version_leaves_that_one_speaking(records: KnowledgeStore, clock: Clock) -> None:
    first = records.write(a_draft(), BOTH).version
    records.save(a_draft(intent="CANCEL"), ANNA, if_match=first.etag)

    assert records.snapshot(clock()).records[faq()].payload["intent"] == "SHIP"
    assert records.version() == 1


def test_with_roles_the_author_alone_publishes_nothing(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, two_people=True)
    records.save(a_draft(), ANNA)

    with pytest.raises(NotAllowed, match="somebody other"):
        records.review(faq(), ANNA)
    with pytest.raises(NotAllowed):
        records.write(a_draft("other"), ANNA)
    with pytest.raises(NotAllowed):
        records.import_rows(RecordKind.FAQ, a_sheet(an_entry("other")), ANNA)
    assert records.version() == 0
    records.review(faq(), BO)
    assert records.publish(faq(), ANNA).reviewer == "bo"


def test_a_rollback_brings_back_what_was_told_before(records: KnowledgeStore, clock: Clock) -> None:
    first = records.write(a_draft(), BOTH).version
    clock.go(hours=1)
    records.write(a_draft(intent="CANCEL"), BOTH, if_match=first.etag)
    clock.go(hours=1)
    back = records.roll_back(faq(), ANNA)

    assert back.payload == first.payload
    assert (back.number, back.name[:4], back.undoes, back.knowledge_version) == (3, "V1.2", 2, 3)
    assert len(records.history(faq())) == 3
    clock.go(hours=1)
    assert records.roll_back(faq(), ANNA).payload["intent"] == "CANCEL"


def test_a_rollback_brings_back_a_retired_record(records: KnowledgeStore, clock: Clock) -> None:
    records.write(a_draft(), BOTH)
    records.retire(faq(), BO)
    records.roll_back(faq(), ANNA)

    assert records.snapshot(clock()).records[faq()].payload == an_entry()


def test_the_first_version_has_nothing_to_roll_back_to(records: KnowledgeStore) -> None:
    records.write(a_draft(), BOTH)

    with pytest.raises(NothingBefore, match="nothing was published before"):
        records.roll_back(faq(), ANNA)


def test_the_difference_of_two_revisions_is_readable(records: KnowledgeStore) -> None:
    records.write(a_draft(), BOTH)
    records.write(a_draft(answer={"zh": "24 小时内发出。"}, needs_human=True), BOTH, if_match=ANY)

    assert [str(change) for change in records.diff(faq(), 1, 2)] == [
        "- answer.en: Within {发货时限}.",
        "~ answer.zh: {发货时限}内发出。 → 24 小时内发出。",
        "~ needs_human: false → true",
    ]
    with pytest.raises(NotFound, match="from 1 to 2"):
        records.diff(faq(), 1, 7)


def test_a_payload_that_its_kind_refuses_is_not_stored(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Takes(lambda payload: ["answer: is empty; write one"]))

    with pytest.raises(Refused, match="answer: is empty"):
        records.save(a_draft(), ANNA)
    with pytest.raises(Refused, match="differs from the id"):
        records.save(Draft(faq("other"), an_entry()), ANNA)
    assert records.heads(RecordKind.FAQ) == []


# ---- time ----


def test_a_version_goes_live_and_ends_by_itself(records: KnowledgeStore) -> None:
    standing = records.write(a_draft(), BOTH).version
    festival = records.write(a_draft(since=hours(2), until=hours(4), intent="CANCEL"), BOTH, if_match=ANY).version

    for at, speaking, change in ((0, standing, 2), (1.9, standing, 2), (2, festival, 4), (3.9, festival, 4), (4, standing, None)):
        snapshot = records.snapshot(hours(at))
        assert snapshot.records[faq()] == speaking
        assert snapshot.next_change_at == (hours(change) if change else None)


def test_what_a_rollback_undid_does_not_come_back_when_its_cover_ends(records: KnowledgeStore, clock: Clock) -> None:
    standing = records.write(a_draft(), BOTH).version
    records.write(a_draft(until=hours(8), intent="CANCEL"), BOTH, if_match=ANY)
    clock.go(hours=1)
    wrong = records.write(a_draft(ask=["photo"]), BOTH, if_match=ANY).version
    clock.go(hours=1)
    records.roll_back(faq(), ANNA)

    assert records.snapshot(hours(7)).records[faq()].payload["intent"] == "CANCEL"
    after = records.snapshot(hours(9)).records[faq()]
    assert after == standing
    assert after != wrong
