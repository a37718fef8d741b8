"""More entries than can be searched are refused before they are acknowledged, in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.knowledge_kit import ANNA, BO, BOTH, Clock, a_draft, a_sheet, an_entry, faq, records_in
from tests.store_kit import BACKENDS, opened
from yingda.domain.records import ANY, RecordKind, Refused, Status
from yingda.store.knowledge.service import KnowledgeStore


@pytest.fixture(params=BACKENDS)
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KnowledgeStore]:
    with opened(request.param, tmp_path) as store:
        yield records_in(store, Clock(), most_entries=2)


def test_an_import_beyond_what_can_be_searched_changes_nothing(records: KnowledgeStore) -> None:
    with pytest.raises(Refused, match=r"faq: there would be 3 entries, and more than 2 need a graph to search; run `pip install"):
        records.import_rows(RecordKind.FAQ, a_sheet(*map(an_entry, "abc")), BOTH, partial=True)
    assert (records.version(), records.heads(RecordKind.FAQ)) == (0, [])
    assert records.import_rows(RecordKind.FAQ, a_sheet(*map(an_entry, "ab")), BOTH).applied


def test_a_dry_run_says_that_the_import_would_be_too_large(records: KnowledgeStore) -> None:
    with pytest.raises(Refused, match="faq: there would be 3 entries, and more than 2"):
        records.preview_import(RecordKind.FAQ, a_sheet(*map(an_entry, "abc")))
    records.import_rows(RecordKind.FAQ, a_sheet(*map(an_entry, "ab")), BOTH)

    assert records.preview_import(RecordKind.FAQ, a_sheet(an_entry("b", ask=[]))).changed == ("b",)


def test_one_entry_too_many_is_refused_until_another_is_retired(records: KnowledgeStore) -> None:
    records.import_rows(RecordKind.FAQ, a_sheet(*map(an_entry, "ab")), BOTH)
    records.write(a_draft("b", ask=[]), BOTH, if_match=ANY)
    with pytest.raises(Refused, match="more than 2"):
        records.write(a_draft("c"), BOTH)
    records.save(a_draft("c"), ANNA)
    records.review(faq("c"), BO)
    version = records.version()
    with pytest.raises(Refused, match="more than 2"):
        records.publish(faq("c"), BO)
    assert (records.version(), records.get(faq("c")).status) == (version, Status.REVIEWED)
    records.retire(faq("a"), BO)
    assert records.publish(faq("c"), BO).status is Status.PUBLISHED
