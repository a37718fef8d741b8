"""Many records at once, and many writers at once, in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest

from tests.knowledge_kit import ANNA, BO, BOTH, Clock, Takes, a_draft, a_sheet, an_entry, faq, hours, records_in
from tests.store_kit import BACKENDS, opened
from yingda.domain.errors import StoreError
from yingda.domain.records import (
    ANY,
    Draft,
    ImportRow,
    KnowledgeSnapshot,
    RecordId,
    RecordKind,
    Refused,
    Sheet,
    StaleVersion,
    Status,
)
from yingda.store.base import Store, open_store
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
        self.words = {payload["term"] for payload in snapshot.of(RecordKind.KEYWORD).values()} if snapshot else set()

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


def test_a_step_that_will_break_something_is_refused_before_its_time_comes(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Needs())
    word = RecordId(RecordKind.KEYWORD, "退")
    records.write(Draft(word, {"term": "退"}), BOTH)
    clock.go(hours=1)

    with pytest.raises(Refused, match=r"still names it \(from 2026-11-11T09:00\+00:00 on\)"):
        records.write(Draft(word, {"term": "换"}, None, hours(5)), BOTH, if_match=ANY)
    assert records.version() == 1


class Quotes(Takes):
    """A shop in which payloads may quote a value only while it speaks."""

    def __init__(self, snapshot: KnowledgeSnapshot = EMPTY) -> None:
        spoken = "店号" in snapshot.of(RecordKind.POLICY)
        super().__init__(lambda payload: [] if spoken or "value" in payload else ["answer: there is no {店号}; correct it"])

    def __call__(self, snapshot: KnowledgeSnapshot) -> Quotes:
        return Quotes(snapshot)


def test_an_entry_must_fit_the_shop_as_long_as_it_speaks(store: Store, clock: Clock) -> None:
    records = records_in(store, clock, judge=Quotes())
    value = RecordId(RecordKind.POLICY, "店号")
    records.write(Draft(value, {"value": "八号店"}, None, hours(2), hours(9)), BOTH)

    for since, until in ((None, hours(3)), (hours(4), hours(10)), (hours(3), None)):
        with pytest.raises(Refused, match="there is no"):
            records.save(a_draft(since=since, until=until), ANNA)
    assert records.save(a_draft(since=hours(2), until=hours(9)), ANNA).version.status is Status.DRAFT


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


def test_a_number_for_an_id_is_said_to_need_quotes(records: KnowledgeStore) -> None:
    rows = Sheet((ImportRow(1, "123", an_entry("123", id=123)),))

    report = records.import_rows(RecordKind.FAQ, rows, BOTH)

    assert [(row.field, row.reason) for row in report.rejected] == [("id", "must be text; write it in quotes")]
