"""Living knowledge in SQLite and PostgreSQL: what is acknowledged is there, what is stale is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.knowledge_kit import ANNA, BO, BOTH, START, Clock, Takes, a_draft, a_sheet, an_entry, faq, hours, records_in
from tests.store_kit import BACKENDS, opened
from yingda.domain.errors import StoreError
from yingda.domain.records import (
    ANY,
    Draft,
    Exists,
    ImportRow,
    KnowledgeSnapshot,
    NotAllowed,
    NotFound,
    RecordId,
    RecordKind,
    Refused,
    Sheet,
    StaleVersion,
    Status,
)
from yingda.store.base import Store, open_store
from yingda.store.knowledge.service import KnowledgeStore


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

    with pytest.raises(NotFound, match="no earlier version"):
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


# ---- many records ----


def test_an_import_adds_changes_and_leaves(records: KnowledgeStore, clock: Clock) -> None:
    records.import_rows(RecordKind.FAQ, a_sheet(an_entry("a"), an_entry("b"), an_entry("c")), BOTH)
    records.save(a_draft("b", ask=[]), ANNA, if_match=ANY)
    sheet = a_sheet(an_entry("a"), an_entry("b", intent="CANCEL"), an_entry("d"))
    preview = records.preview_import(RecordKind.FAQ, sheet)
    report = records.import_rows(RecordKind.FAQ, sheet, BOTH)

    assert (preview.applied, preview.knowledge_version) == (False, 1)
    assert (report.applied, report.knowledge_version) == (True, 2)
    for told in (preview, report):
        assert (told.added, told.changed, told.unchanged, told.over_drafts) == (("d",), ("b",), ("a",), ("b",))
    assert list(records.snapshot(clock()).of(RecordKind.FAQ)) == ["a", "b", "c", "d"]
    assert [step.status for step in records.history(faq("b"))] == [Status.PUBLISHED, Status.DRAFT, Status.PUBLISHED]


def test_a_broken_row_keeps_the_whole_import_out_unless_partial(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Takes(lambda p: [] if p["intent"] == "SHIP" else ["intent: unknown; correct it"]))
    sheet = a_sheet(an_entry("a"), an_entry("b", intent="X"), an_entry("a"))
    refused = records.import_rows(RecordKind.FAQ, sheet, BOTH)

    assert not refused.applied
    assert [(one.line, one.field) for one in refused.rejected] == [(3, "intent"), (4, "id")]
    assert records.snapshot(clock()).records == {}
    assert records.version() == 0
    assert records.import_rows(RecordKind.FAQ, sheet, BOTH, partial=True).applied
    assert list(records.snapshot(clock()).of(RecordKind.FAQ)) == ["a"]


def test_an_import_that_changes_nothing_does_not_wake_the_workers(records: KnowledgeStore) -> None:
    records.import_rows(RecordKind.FAQ, a_sheet(an_entry("a")), BOTH)
    again = records.import_rows(RecordKind.FAQ, a_sheet(an_entry("a")), BOTH)

    assert (again.unchanged, again.knowledge_version) == (("a",), 1)


def test_a_pack_seeds_a_store_once(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, two_people=True)
    rows = a_sheet(an_entry("a"), an_entry("b")).rows

    assert records.seed({RecordKind.FAQ: rows}, ANNA) == 2
    records.retire(faq("a"), BO)
    assert records.seed({RecordKind.FAQ: rows}, ANNA) == 0
    assert records.get(faq("b")).name == "V1.0-b 什么时候发货"
    assert list(records.snapshot(clock()).of(RecordKind.FAQ)) == ["b"]


def test_pages_follow_one_another_in_order_of_the_ids(records: KnowledgeStore) -> None:
    records.import_rows(RecordKind.FAQ, a_sheet(*(an_entry(key) for key in ("b-1", "a", "b-", "c"))), BOTH)
    records.save(a_draft("d"), ANNA)

    first = records.page(RecordKind.FAQ, limit=3)
    assert [version.id.key for version in first] == ["a", "b-", "b-1"]
    assert [version.id.key for version in records.page(RecordKind.FAQ, after="b-1", limit=3)] == ["c", "d"]
    assert [version.id.key for version in records.page(RecordKind.FAQ, status=Status.DRAFT)] == ["d"]


def test_what_was_never_told_is_known_whatever_became_of_it(records: KnowledgeStore) -> None:
    rows = {RecordKind.FAQ: a_sheet(an_entry("a"), an_entry("b")).rows}
    assert [id_.key for id_ in records.never_told(rows)] == ["a", "b"]
    records.seed(rows, ANNA)
    records.write(a_draft("a", intent="CANCEL"), BOTH, if_match=ANY)
    records.retire(faq("b"), BO)

    assert records.never_told(rows) == []
    assert records.never_told({RecordKind.FAQ: a_sheet(an_entry("a", ask=[])).rows}) == [faq("a")]


def test_records_of_several_kinds_are_imported_together_or_not_at_all(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Takes(lambda payload: ["value: is bad; correct it"] if payload.get("bad") else []))
    word = ImportRow(1, "退", {"term": "退", "intents": ["CANCEL"]})
    good = {RecordKind.FAQ: a_sheet(an_entry("a")), RecordKind.KEYWORD: Sheet((word,))}
    bad = {**good, RecordKind.POLICY: Sheet((ImportRow(1, "x", {"bad": True}),))}

    assert [report.applied for report in records.import_kinds(bad, BOTH).values()] == [False] * 3
    assert [report.applied for report in records.import_kinds(good, BOTH, preview=True).values()] == [False] * 2
    assert records.version() == 0
    assert [report.added for report in records.import_kinds(good, BOTH).values()] == [("a",), ("退",)]
    assert records.version() == 1


class Needs(Takes):
    """A shop in which one keyword must stay, and which counts what it is asked."""

    def __init__(self, snapshot: KnowledgeSnapshot | None = None) -> None:
        super().__init__()
        self.words = snapshot.of(RecordKind.KEYWORD) if snapshot else {}

    def __call__(self, snapshot: KnowledgeSnapshot) -> Needs:
        return Needs(snapshot)

    def broken_since(self, before: Takes) -> list[str]:
        assert isinstance(before, Needs)
        return ["rule: still names it"] if "退" in before.words and "退" not in self.words else []


def test_a_step_that_breaks_something_is_refused_and_leaves_no_trace(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Needs())
    word = RecordId(RecordKind.KEYWORD, "退")
    records.write(Draft(word, {"term": "退"}), BOTH)
    clock.go(hours=1)

    with pytest.raises(Refused, match="still names it"):
        records.retire(word, BO)
    assert (records.get(word).status, records.version()) == (Status.PUBLISHED, 1)


def test_a_shop_that_changed_refuses_what_it_took_before(store: Store, clock: Clock) -> None:
    known = {"SHIP"}
    judge = Takes(lambda payload: [] if payload["intent"] in known else ["intent: unknown; correct it"])
    records = records_in(store, clock, judge=judge)
    records.write(a_draft(), BOTH)
    clock.go(hours=1)
    known.add("CANCEL")
    records.write(a_draft(intent="CANCEL"), BOTH, if_match=ANY)
    records.save(a_draft("other"), ANNA)
    records.review(faq("other"), BO)
    known.remove("SHIP")

    for step, key in ((records.roll_back, "ship-when"), (records.publish, "other")):
        with pytest.raises(Refused, match="unknown"):
            step(faq(key), BO)
    assert records.version() == 2


# ---- together ----


def test_of_writers_with_one_etag_one_wins(store: Store, clock: Clock) -> None:
    first = records_in(store, clock).write(a_draft(), BOTH).version
    gate = Barrier(4)
    outcomes: list[int | None] = []

    def write(number: int) -> None:
        records = records_in(store, clock)
        gate.wait()
        try:
            outcomes.append(records.write(a_draft(ask=[], needs_human=bool(number % 2)), BOTH, if_match=first.etag).version.revision)
        except StaleVersion:
            outcomes.append(None)

    threads = [Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [2, None, None, None]


def test_every_write_has_a_version_of_its_own(store: Store, clock: Clock) -> None:
    versions: list[int | None] = []

    def write(number: int) -> None:
        records = records_in(store, clock)
        versions.extend(records.write(a_draft(f"e-{number}-{turn}"), BOTH).version.knowledge_version for turn in range(5))

    threads = [Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version or 0 for version in versions) == list(range(1, 16))


def test_a_store_without_tables_says_what_to_run(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'empty.db'}")

    with pytest.raises(StoreError, match="yingda store migrate"):
        records_in(store, Clock()).version()
    store.close()
