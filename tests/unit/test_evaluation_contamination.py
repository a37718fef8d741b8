"""Test messages that the bundle has seen are found in every spelling, and named by place alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluation.contamination import METRICS, examine_contamination
from evaluation.conversations.scenario import Expectation, Scenario, ScenarioFile, Turn
from evaluation.examination import Examination
from evaluation.gates import Gate, Side, Verdict, check
from evaluation.material import Material, Suite
from evaluation.near_copies import near_copies
from evaluation.promised import Promised
from evaluation.robustness.cases import Case, CaseKind
from evaluation.rows import TestFile
from tests.fakes_evaluation import make_row
from tests.pack_kit import write_pack
from yingda.bundle import KNOWLEDGE, TRAINED
from yingda.domain.decision import Outcome
from yingda.domain.errors import BundleError
from yingda.domain.message import Channel, Tier
from yingda.pack import copy_knowledge, read_knowledge
from yingda.text.fingerprint import write_fingerprints

TEXTS = ("ABC这件有货吗?", "请问多久发货", "怎么 取消订单")
CLEAN = ("昨天那件还能改地址么", "优惠券用不了", "发票开错了", "能不能便宜一点")


def exam(texts: Sequence[str], name: str = "test-1.jsonl") -> TestFile:
    return TestFile(name, "0" * 64, tuple(make_row(text, place=f"{name}:{number}") for number, text in enumerate(texts, start=1)))


def examined(root: Path, *files: TestFile, trained: Sequence[str] = TEXTS) -> Examination:
    write_fingerprints(root / TRAINED, trained)
    return examine_contamination(root, files)


def test_a_clean_bundle_gives_zero_over_all_rows(tmp_path: Path) -> None:
    found = examined(tmp_path, exam(CLEAN))

    measure = found.measures["contaminated_rows"]
    assert (measure.value, measure.n, measure.low) == (0.0, 4, 0.0)
    assert found.facts["places"] == []


@pytest.mark.parametrize(
    "spelling",
    [
        "ABC这件有货吗?",
        "ＡＢＣ这件有货吗？",
        "ABC這件有貨嗎?",
        "  ABC这件有货吗?\u3000",
        "ABC这件有货\u200b吗??????",
        "怎么\u3000\u3000取消订单",
    ],
)
def test_a_trained_row_is_found_in_every_spelling_that_the_engine_reads_alike(tmp_path: Path, spelling: str) -> None:
    trained = [*TEXTS, "ABC这件有货吗??"]

    found = examined(tmp_path, exam([*CLEAN, spelling]), trained=trained)

    assert found.measures["contaminated_rows"].value == pytest.approx(1 / 5)  # one division, rounded once
    assert found.facts["places"] == ["test-1.jsonl:5"]


def test_a_row_trained_in_another_spelling_is_found(tmp_path: Path) -> None:
    found = examined(tmp_path, exam(["请问多久发货"]), trained=["請問多久發貨 "])

    assert found.facts["places"] == ["test-1.jsonl:1"]


def test_rows_are_counted_by_file_and_named_by_place(tmp_path: Path) -> None:
    first, further = exam([*CLEAN, TEXTS[0], TEXTS[1]]), exam([TEXTS[0], "你好"], name="traffic/real.jsonl")

    found = examined(tmp_path, first, further)

    assert found.facts["files"] == {
        "test-1.jsonl": {"rows": 6, "contaminated": 2, "short": 0, "short_seen": 0},
        "traffic/real.jsonl": {"rows": 2, "contaminated": 1, "short": 1, "short_seen": 0},
    }
    assert found.facts["places"] == ["test-1.jsonl:5", "test-1.jsonl:6", "traffic/real.jsonl:1"]
    assert found.facts["trained_texts"] == 3
    measure = found.measures["contaminated_rows"]
    assert measure.n == 7
    assert measure.value == pytest.approx(3 / 7)  # one division, rounded once
    assert measure.low is not None and measure.high is not None and measure.low < 3 / 7 < measure.high


def test_what_any_author_writes_is_counted_apart(tmp_path: Path) -> None:
    found = examined(tmp_path, exam(["你好", " 在嗎？ ", "谢谢", "请问在吗"]), trained=["你好", "在吗?"])

    assert (found.measures["contaminated_rows"].value, found.measures["contaminated_rows"].n) == (0.0, 1)
    assert found.facts["files"]["test-1.jsonl"] == {"rows": 4, "contaminated": 0, "short": 3, "short_seen": 2}


def test_a_text_of_four_characters_counts(tmp_path: Path) -> None:
    assert examined(tmp_path, exam(["多久发货"]), trained=["多久发货"]).measures["contaminated_rows"].value == 1.0


def test_short_rows_alone_give_no_value(tmp_path: Path) -> None:
    measure = examined(tmp_path, exam(["你好"]), trained=["你好"]).measures["contaminated_rows"]

    assert (measure.value, measure.n) == (None, 0)


def test_a_bundle_without_fingerprints_gives_no_value_and_the_page_says_why(tmp_path: Path) -> None:
    found = examine_contamination(tmp_path, [exam(TEXTS)])

    assert (found.measures["contaminated_rows"].value, found.measures["contaminated_rows"].n) == (None, 0)
    assert "does not say which texts it was trained on" in found.page[0]


@pytest.mark.parametrize("trained", [(), CLEAN], ids=["emptied", "of another bundle"])
def test_fingerprints_without_the_bundles_own_wordings_decide_nothing(tmp_path: Path, trained: Sequence[str]) -> None:
    knowledge = write_pack(tmp_path / "pack")
    copy_knowledge(knowledge, tmp_path / KNOWLEDGE)
    wordings = [text for entry in read_knowledge(knowledge).faq.values() for text in entry.texts()]

    foreign, own = examined(tmp_path, exam(TEXTS), trained=trained), examined(tmp_path, exam(TEXTS), trained=[*trained, *wordings])

    assert (foreign.measures["contaminated_rows"].value, own.measures["contaminated_rows"].value) == (None, 0.0)
    assert f"of the {len(wordings)} wordings of its own entries, which every training sees, 0 are in" in foreign.missing
    gate = Gate("contamination", "contaminated_rows", Side.AT_MOST, 0.005)
    assert check([gate], [], [foreign])[0].verdict is Verdict.UNDECIDED


def test_fingerprints_that_cannot_be_read_are_an_error_and_not_a_clean_result(tmp_path: Path) -> None:
    (tmp_path / TRAINED).write_bytes(b"")

    with pytest.raises(BundleError, match=r"trained\.safetensors: holds no fingerprints"):
        examine_contamination(tmp_path, [exam(TEXTS)])


def test_neither_facts_nor_page_hold_a_text(tmp_path: Path) -> None:
    found = examined(tmp_path, exam([*CLEAN, *TEXTS, "你好"]), trained=[*TEXTS, "你好"])

    told = json.dumps(dict(found.facts), ensure_ascii=False) + "\n".join(found.page)
    assert "`test-1.jsonl:5`" in told
    assert not [text for text in (*CLEAN, *TEXTS) if text in told]


def test_the_page_names_the_first_places_of_a_file_and_counts_the_rest(tmp_path: Path) -> None:
    texts = [f"第{number}个问题" for number in range(25)]

    found = examined(tmp_path, exam(texts), trained=texts)

    assert found.page[-1].startswith("- test-1.jsonl, 25 of 25: `test-1.jsonl:1`, ")
    assert found.page[-1].endswith("`test-1.jsonl:20` and 5 more")
    assert len(found.facts["places"]) == 25


def test_cases_and_turns_are_looked_up_beside_the_rows(tmp_path: Path) -> None:
    expect = Expectation((Outcome.ANSWERED,), (), (), None, "")
    turns = tuple(Turn(text, None, expect) for text in ("请问多久发货", "請問多久發貨", "在吗", "改到下周送"))
    talk = Scenario("c1", "一次对话", Tier.NORMAL, Channel.WEB, turns)
    pair = Case("not-cancel", CaseKind.NEGATION, ("怎么取消订单", "先别取消订单了"), never=("cancel-how",))
    single = Case("trap", CaseKind.KEYWORD_TRAP, ("ABC这件有货吗?",), answers=("stock",))
    suites = (Suite("test", (exam(CLEAN),), public=True),)
    material = Material(tmp_path, suites, (pair, single), {}, Promised(), (ScenarioFile("conversations/a.jsonl", "0" * 64, (talk,)),))
    write_fingerprints(tmp_path / TRAINED, [*TEXTS, "怎么取消订单"])

    found = examine_contamination(tmp_path, [*material.own_files, *material.lines])

    # the first message of a pair is not counted, nor a turn that says the same once more
    assert found.facts["places"] == ["robustness.yaml: trap", "conversations/a.jsonl: c1 · 1"]
    assert (found.measures["contaminated_rows"].value, found.measures["contaminated_rows"].n) == (2 / 8, 8)
    assert found.facts["files"]["conversations/a.jsonl"] == {"rows": 3, "contaminated": 1, "short": 1, "short_seen": 0}


def test_copies_that_differ_in_a_word_are_counted_beside_the_measure(tmp_path: Path) -> None:
    asked = [("test-1.jsonl:1", "麻烦问一下这个订单多久能发货嘛"), ("test-1.jsonl:2", "优惠券用不了")]
    near = near_copies(asked, ["麻烦问一下这个订单多久能发货", "麻煩問一下這個訂單多久能發貨", "发票开错了"])
    write_fingerprints(tmp_path / TRAINED, TEXTS)

    found = examine_contamination(tmp_path, [exam(CLEAN)], near=near)

    assert (near.places, near.rows, near.taught) == (("test-1.jsonl:1",), 2, 2)
    assert found.measures["contaminated_rows"].value == 0.0
    assert found.facts["near_copies"] == {"alike": 0.85, "near": 1, "rows": 2, "taught": 2, "places": ["test-1.jsonl:1"]}
    assert "1 of 2 test messages, beside 2 texts of the pack." in found.page and found.page[-1].endswith("`test-1.jsonl:1`")


@pytest.mark.parametrize(
    ("one", "other", "cosine"),
    [("多久发货", "多久发货", 1.0), ("多久发货", "取消订单", 0.0), ("abcd", "abce", 3 / 5), ("abab", "ab", 3 / 12**0.5), ("a", "a", 1.0)],
)
def test_likeness_is_the_cosine_of_the_sets_of_character_pairs(one: str, other: str, cosine: float) -> None:
    assert near_copies([("x:1", one)], [other], alike=cosine - 1e-9).places == ("x:1",)
    assert near_copies([("x:1", one)], [other], alike=cosine + 1e-9).places == ()


def test_a_pack_that_teaches_nothing_has_no_near_copies() -> None:
    assert near_copies([("x:1", "多久发货")], []).places == ()


def test_every_measure_is_defined(tmp_path: Path) -> None:
    assert set(examined(tmp_path, exam(CLEAN)).measures) == set(METRICS)
