"""A pack into the store, files in and out, and an engine that follows: the parts joined as the service joins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import ANNA, BOTH, Clock, an_entry, embed_characters, faq
from tests.store_kit import opened
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import ANY, Draft, Finding, KnowledgeSnapshot, Refused
from yingda.live import (
    LiveEngine,
    RememberedVectors,
    export_file,
    import_file,
    knowledge_of,
    open_knowledge,
    preview_file,
    seed_from,
    warm,
)
from yingda.pack.exchange import Form
from yingda.pack.exchange.forms import Mismatch
from yingda.store.knowledge.service import KnowledgeStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(tmp_path: Path, clock: Clock) -> Iterator[KnowledgeStore]:
    with opened("sqlite", tmp_path) as store:
        records = open_knowledge(store, tiny_knowledge(), embed=embed_characters, clock=clock)
        assert seed_from(records, tiny_knowledge(), ANNA) == 10
        assert seed_from(records, tiny_knowledge(), ANNA) == 0
        yield records


def following(records: KnowledgeStore, clock: Clock) -> LiveEngine[Knowledge]:
    def build(snapshot: KnowledgeSnapshot) -> Knowledge:
        return knowledge_of(tiny_knowledge(), snapshot)

    return LiveEngine(records, build, clock=clock)


def test_a_seeded_store_knows_what_the_pack_knows(records: KnowledgeStore, clock: Clock) -> None:
    live = following(records, clock)

    assert {key: dict(entry.answer) for key, entry in live.engine.faq.items()} == {
        key: dict(entry.answer) for key, entry in tiny_knowledge().faq.items()
    }


@pytest.mark.parametrize("form", Form)
def test_an_export_imported_and_exported_again_is_the_same_bytes(records: KnowledgeStore, clock: Clock, form: Form) -> None:
    data = export_file(records, form, at=clock())
    report = import_file(records, data, form, BOTH, at=clock(), digest=sha256(data).hexdigest())

    assert (report.applied, report.added, report.changed, len(report.unchanged)) == (True, (), (), 5)
    assert export_file(records, form, at=clock()) == data


def test_an_import_is_seen_at_the_next_look(records: KnowledgeStore, clock: Clock) -> None:
    live = following(records, clock)
    data = "编号,意图,问题,答案\nship-late,ORDER_SHIP_TIME,拖了好久,{发货时限}内。\n".encode("gbk")
    preview = preview_file(records, data, Form.CSV, at=clock())
    assert not live.look()
    report = import_file(records, data, Form.CSV, BOTH, at=clock())

    assert preview.added == report.added == ("ship-late",)
    assert live.look()
    assert live.engine.faq["ship-late"].answer == {"zh": "{发货时限}内。"}


def test_a_file_with_a_broken_row_changes_nothing(records: KnowledgeStore, clock: Clock) -> None:
    data = "id,intent,question.zh,answer.zh\nnew,ORDER_CANCEL,退掉,好\nbad,NOBODY,退,{没有}\n".encode()
    report = import_file(records, data, Form.CSV, BOTH, at=clock())

    assert not report.applied
    assert [(one.line, one.field) for one in report.rejected] == [(3, "answer.zh"), (3, "intent")]
    assert records.version() == 1


def test_a_file_that_was_altered_changes_nothing(records: KnowledgeStore, clock: Clock) -> None:
    data = export_file(records, Form.YAML, at=clock())

    with pytest.raises(Mismatch):
        import_file(records, data + b"#", Form.YAML, BOTH, at=clock(), digest=sha256(data).hexdigest())
    assert records.version() == 1


def test_saving_names_the_entry_that_contradicts_it(records: KnowledgeStore) -> None:
    payload = {
        "id": "warranty-old",
        "intent": "AFTER_SALES_WARRANTY",
        "question": {"zh": "保多久"},
        "similar": {},
        "answer": {"zh": "两年。"},
    }
    saved = records.write(Draft(faq("warranty-old"), payload), BOTH)

    assert [(one.finding, one.first, one.second) for one in saved.alike] == [(Finding.CONTRADICTION, "warranty-new", "warranty-old")]
    assert "2 年 ≠ 1 年" in saved.alike[0].detail or "1 年 ≠ 2 年" in saved.alike[0].detail


def test_an_unknown_variable_is_refused_at_save(records: KnowledgeStore) -> None:
    payload = {**records.get(faq("hello")).payload, "answer": {"zh": "{__class__}"}}

    with pytest.raises(Refused, match="variable"):
        records.write(Draft(faq("hello"), payload), BOTH, if_match=ANY)


def test_a_policy_change_goes_live_by_itself(records: KnowledgeStore, clock: Clock) -> None:
    live = following(records, clock)
    later = clock().replace(hour=16)
    payload = {**records.get(faq("hello")).payload, "answer": {"zh": "大促在的。"}}
    records.write(Draft(faq("hello"), payload, None, later, later.replace(hour=20)), BOTH, if_match=ANY)
    live.look()

    assert live.engine.faq["hello"].answer["zh"] == "在的。"
    clock.now = later
    assert live.look()
    assert live.engine.faq["hello"].answer["zh"] == "大促在的。"
    clock.go(hours=4)
    assert live.look()
    assert live.engine.faq["hello"].answer["zh"] == "在的。"


def test_what_is_saved_is_compared_with_what_was_read_already(tmp_path: Path, clock: Clock) -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return embed_characters(texts)

    with opened("sqlite", tmp_path) as store:
        vectors = RememberedVectors(embed)
        records = open_knowledge(store, tiny_knowledge(), embed=vectors, clock=clock)
        seed_from(records, tiny_knowledge(), ANNA)
        like = an_entry("again", intent="ORDER_SHIP_TIME", question={"zh": "时候什么发"}, similar={}, ask=[])
        draft = Draft(faq("again"), like)
        assert records.save(draft, ANNA).alike == ()
        assert asked == ["时候什么发"]

        warm(vectors, records, clock())
        before = len(asked)
        found = records.save(draft, ANNA, if_match=ANY).alike
        assert {(one.first, one.second) for one in found} == {("again", "ship-when")}
        assert len(asked) == before


def test_warming_ends_when_it_is_told_to(records: KnowledgeStore, clock: Clock) -> None:
    vectors = RememberedVectors(embed_characters)
    warm(vectors, records, clock(), rest=lambda _: True)

    assert not vectors.has(["什么时候发"])


def test_warming_leaves_most_of_the_time_to_others(records: KnowledgeStore, clock: Clock) -> None:
    rests: list[float] = []

    def rest(seconds: float) -> bool:
        rests.append(seconds)
        return False

    warm(RememberedVectors(embed_characters), records, clock(), rest=rest)

    assert rests[0] == 0.0
    assert rests[1:]
    assert all(seconds > 0.0 for seconds in rests[1:])
