"""Copies, contradictions, drift and what to label next: what was planted is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes_audit import INTENT_OF, FakeLog, audit_pack, audit_rows
from training.audit.copies import Piece, contradictions, copies, parts_by_text, pieces
from training.audit.crossfit import QUICK, CrossFit, cross_fit, text_features
from training.audit.drift import intent_shifts, new_words
from training.audit.opinions import Opinion
from training.audit.rows import AuditRow, log_rows, pack_rows
from training.audit.similarity import similar_pairs
from training.audit.wanted import strengths, wanted
from training.params import load_params
from yingda.domain.knowledge import FaqEntry
from yingda.pack import read_pack


def piece(text: str, part: str) -> Piece:
    return Piece(f"{part}:1", text, text, part, "a")


def test_near_duplicates_across_parts_are_found() -> None:
    planted = [
        piece("我的包裹什么时候能发货", "fit"),
        piece("我的包裹什么时候能发货呢", "calibrate"),
        piece("发票抬头写错了怎么改", "select"),
        piece("发票抬头写错了怎么改啊", "logs"),
        piece("领券", "fit"),
    ]

    found = copies(planted, threshold=0.75)

    assert {(pair.first.part, pair.second.part) for pair in found} == {("fit", "calibrate"), ("select", "logs")}
    assert all(0.75 < pair.cosine < 1 for pair in found)


def test_copies_within_what_teaches_do_not_count() -> None:
    text = "我的包裹什么时候能发货"

    assert copies([piece(text, "fit"), piece(text, "entries"), piece(text, "fit")], threshold=0.75) == []


def test_rows_stand_in_the_parts_of_the_training_split(tmp_path: Path) -> None:
    pack, params = read_pack(audit_pack(tmp_path / "pack")), load_params()
    rows = [*pack_rows(pack.training), *log_rows([FakeLog("新的话")])]
    parts = parts_by_text(pack, [], [], params)

    found = pieces(rows, pack.knowledge.faq, parts)

    named = [one.part for one in found]
    assert (named.count("logs"), named.count("entries")) == (1, 5)
    shares = {"select": params.prepare.selection_share, "calibrate": params.prepare.calibration_share}
    for name, share in shares.items():
        assert named.count(name) == pytest.approx(120 * share, abs=3)  # a share of each of 2 labels, groups stay whole
    between = copies([one for one in found if one.part not in ("logs", "entries")], threshold=params.prepare.near_duplicate)
    assert between == []


def test_pairs_are_found_across_blocks_once_and_in_order() -> None:
    generator = np.random.default_rng(1)
    texts = ["".join(map(chr, generator.integers(0x4E00, 0x9FA5, 8))) for _ in range(2100)]
    texts[2099] = texts[0]

    assert [(pair.first, pair.second, pair.cosine) for pair in similar_pairs(texts, threshold=0.7)] == [(0, 2099, 1.0)]


def labelled(text: str, label: str | None, intent: str = "A", also: tuple[str, ...] = (), place: str = "log:1") -> AuditRow:
    return AuditRow(place, text, text, intent, label, also, True)


def test_one_text_with_two_labels_is_a_contradiction() -> None:
    rows = [labelled("同", "a", place="train-1.jsonl:4"), labelled("同", "b", place="log:9"), labelled("异", "a")]

    found = contradictions(rows)

    assert [(one.places, one.labels) for one in found] == [(("train-1.jsonl:4", "log:9"), ("a", "b"))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (labelled("同", "a"), labelled("同", "a")),
        (labelled("同", "a"), labelled("同", "b", also=("a",))),
        (labelled("同", "a"), labelled("同", None)),
    ],
)
def test_labels_that_agree_are_no_contradiction(one: AuditRow, other: AuditRow) -> None:
    assert contradictions([one, other]) == []


def test_an_intent_known_alone_can_contradict() -> None:
    assert len(contradictions([labelled("同", "a"), labelled("同", None, intent="B")])) == 1


def test_planted_drift_is_found_and_the_rest_left_alone() -> None:
    logs = audit_rows(each=60, seed=7, is_log=True)
    more = [replace(row, is_log=True) for row in audit_rows(each=200, seed=8) if row.intent == "COUPON"]

    shifts = intent_shifts([*audit_rows(each=100), *logs, *more])

    assert shifts[0].intent == "COUPON"
    assert shifts[0].adjusted is not None and shifts[0].adjusted < 0.001
    assert shifts[0].log_share > 2 * shifts[0].pack_share
    assert sum(shift.stability for shift in shifts) > 0.25


def test_the_same_shares_are_no_drift() -> None:
    shifts = intent_shifts([*audit_rows(each=50), *audit_rows(each=30, seed=7, is_log=True)])

    assert len(shifts) == 6
    assert all(shift.adjusted == pytest.approx(1.0) for shift in shifts)
    assert sum(shift.stability for shift in shifts) == pytest.approx(0.0, abs=1e-6)


def test_an_intent_too_rare_is_not_tested() -> None:
    logs = audit_rows(each=30, seed=7, is_log=True)

    shifts = intent_shifts([*audit_rows(), *logs, replace(logs[0], intent="RARE")])

    assert next(shift for shift in shifts if shift.intent == "RARE").adjusted is None


def test_without_logs_there_is_no_drift() -> None:
    assert intent_shifts(audit_rows()) == []
    assert new_words(audit_rows(), limit=5) == []


def test_a_new_word_is_found_whole_and_placeholders_are_not() -> None:
    logs = audit_rows(each=30, seed=7, is_log=True)
    changed = [replace(row, plain=f"直播间{row.plain}〔手机号〕") if n % 2 else row for n, row in enumerate(logs)]

    found = new_words([*audit_rows(each=60), *changed], limit=5)

    assert [word.gram for word in found] == ["直播间"]
    assert (found[0].pack, found[0].logs, found[0].example) == (0, 90, 361)


def test_uncertain_frequent_and_different_messages_are_wanted_first() -> None:
    pack = audit_rows()
    common = [labelled(f"礼品卡余额怎么用{n}", None, intent="SHIP", place=f"log:{n}") for n in range(20)]
    other = [labelled(f"海外仓清关要多久{n}", None, intent="SHIP", place=f"log:{30 + n}") for n in range(20)]
    sure = [labelled(text, None, intent="SHIP", place=f"log:{60 + n}") for n, text in enumerate(["仓库发了没", "取消订单", "开发票"])]
    rows = [*pack, *common, *other, *sure]
    features = text_features([row.plain for row in rows])
    fit = cross_fit(rows, features, np.arange(len(rows), dtype=np.int32), {}, effort=QUICK, seed=1)
    opinions = {n: Opinion("SHIP", "ship-when", {}, 0.99 if rows[n] in sure else 0.05) for n in range(len(pack), len(rows))}

    found = wanted(rows, features, fit, opinions, count=4)

    assert len(found) == 4
    assert {rows[one.row].text[:3] for one in found[:2]} == {"礼品卡", "海外仓"}
    assert all(one.uncertainty == pytest.approx(0.95) for one in found)


def test_sure_and_labelled_messages_are_not_wanted() -> None:
    rows = [*audit_rows(), *audit_rows(each=2, seed=6, is_log=True)]
    features = text_features([row.plain for row in rows])
    fit = CrossFit(("a", "b"), np.tile(np.asarray([0.99, 0.01], np.float32), (len(rows), 1)))

    assert wanted(rows, features, fit, {}, count=5) == []


def test_weak_entries_come_first_and_one_without_messages_is_the_weakest() -> None:
    rows = [AuditRow(f"t:{n}", "x", "x", "A", label, (), False) for n, label in enumerate(["a", "a", "b", "b"])]
    fit = CrossFit(("a", "b", "c"), np.asarray([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32))
    entries = {name: FaqEntry(name, "A", {"zh": name}, {}, {"zh": "。"}) for name in "abc"}

    found = strengths(rows, fit, entries)

    assert [(one.entry, one.messages, one.recall) for one in found] == [("c", 0, 0.0), ("b", 2, 0.5), ("a", 2, 1.0)]


def test_log_rows_keep_their_place_and_say_only_what_is_known() -> None:
    rows = log_rows(
        [FakeLog("什么时候发", faq="ship-when", faq_known=True), FakeLog("\u200b"), FakeLog("在吗"), FakeLog("下雨", faq_known=True)]
    )

    assert [(row.place, row.label) for row in rows] == [("log:1", "ship-when"), ("log:3", None), ("log:4", "none:SHIP")]
    assert {row.intent for row in rows} <= set(INTENT_OF.values())
