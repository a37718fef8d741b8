"""The reader of robustness.yaml, and its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.errors import EvaluationError
from evaluation.robustness.cases import CASES, Case, CaseKind, read_cases
from tests.fakes_evaluation import exam, write_pack
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Knowledge
from yingda.pack import read_knowledge, read_pack
from yingda.pack.reader import read_training

GOOD = "{id: a, kind: negation, texts: [我要取消, 我不取消了], never: [cancel-how]}"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack", {"test-1.jsonl": exam(3)})


@pytest.fixture
def knowledge(pack: Path) -> Knowledge:
    return read_knowledge(pack)


def write_cases(folder: Path, *cases: str, version: str = "1") -> Path:
    path = folder / CASES
    path.write_text(f"version: {version}\ncases:\n" + "".join(f"  - {case}\n" for case in cases), encoding="utf-8")
    return path


def complaint(path: Path, knowledge: Knowledge) -> str:
    with pytest.raises(EvaluationError) as caught:
        read_cases(path, knowledge)
    return str(caught.value)


def test_every_field_is_read(tmp_path: Path, knowledge: Knowledge) -> None:
    more = "{id: b, kind: person, texts: [不用人工], answers: [ship-when], never: [coupon-use], outcome_not: [handoff, clarify]}"
    moods = (
        "{id: c, kind: mood, texts: [没到, 没到，气人], calmer: false}",
        "{id: d, kind: mood, texts: [没到, 没到，谢谢], angrier: false}",
    )

    pair, single, upset, calm = read_cases(write_cases(tmp_path, GOOD, more, *moods), knowledge)

    assert pair == Case("a", CaseKind.NEGATION, ("我要取消", "我不取消了"), never=("cancel-how",))
    assert (pair.before, pair.text, pair.is_directional) == ("我要取消", "我不取消了", True)
    assert (single.before, single.text, single.is_directional) == (None, "不用人工", False)
    assert (single.answers, single.outcome_not) == (("ship-when",), (Outcome.HANDOFF, Outcome.CLARIFY))
    assert (upset.stays_upset, upset.stays_calm, calm.stays_upset, calm.stays_calm) == (True, False, False, True)


def test_a_pack_may_do_without_cases(tmp_path: Path, knowledge: Knowledge) -> None:
    assert read_cases(tmp_path / CASES, knowledge) == ()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("{id: x, kind: negatoin, texts: [好], never: [cancel-how]}", "case 'x': field 'kind' is 'negatoin'; use one of: negation"),
        ("{id: x, texts: [好], never: [cancel-how]}", "case 'x': field 'kind' is missing; add it"),
        ("{kind: time, texts: [好], never: [cancel-how]}", "case 1: field 'id' is missing; add it"),
        ("{id: x, kind: time, texts: [好], nevr: [cancel-how]}", "case 'x': unknown field 'nevr'"),
        ("{id: x, kind: time, texts: [好], never: [cancel]}", "case 'x': unknown entry 'cancel'; correct it"),
        ("{id: x, kind: time, texts: [好], answers: [cancel]}", "case 'x': unknown entry 'cancel'; correct it"),
        ("{id: x, kind: time, texts: [好], never: [cancel-how], answers: [cancel-how]}", "case 'x': entry 'cancel-how' is both right and"),
        ("{id: x, kind: time, texts: [好], never: []}", "case 'x': field 'never' is empty; fill it or remove it"),
        ("{id: x, kind: time, texts: [好], never: cancel-how}", "case 'x': field 'never' must be a list"),
        ("{id: x, kind: time, texts: [好]}", "case 'x': nothing is expected; write one of: answers, never"),
        ("{id: x, kind: time, texts: [], never: [cancel-how]}", "case 'x': field 'texts' holds 0 messages"),
        ("{id: x, kind: time, texts: [一, 二, 三], never: [cancel-how]}", "case 'x': field 'texts' holds 3 messages"),
        ("{id: x, kind: time, texts: [退货, 退貨], never: [cancel-how]}", "case 'x': both messages read the same"),
        ("{id: x, kind: time, texts: [' '], never: [cancel-how]}", "case 'x': an item of 'texts' is empty"),
        (
            "{id: x, kind: time, texts: [12], never: [cancel-how]}",
            "case 'x': an item of 'texts' must be text, found a number; put it in quotes",
        ),
        ("{id: x, kind: time, texts: [" + "好" * 2001 + "], never: [cancel-how]}", "case 'x': text has 2,001 characters"),
        ("{id: x, kind: mood, texts: [好], calmer: false}", "case 'x': a change of mood needs two messages"),
        ("{id: x, kind: mood, texts: [好, 差], calmer: true}", "case 'x': field 'calmer' may only be false"),
        ("{id: x, kind: mood, texts: [好, 差], angrier: 0}", "case 'x': field 'angrier' must be true or false"),
        ("{id: x, kind: person, texts: [好], outcome_not: [hand-off]}", "case 'x': unknown outcome 'hand-off'; use one of: answered"),
        (
            "{id: x, kind: person, texts: [好], outcome_not: [answered, clarify, handoff, no_answer]}",
            "case 'x': every outcome is ruled out",
        ),
        ("{id: x, kind: person, texts: [好], answers: [ship-when], outcome_not: [answered]}", "case 'x': an answer is both wanted and"),
        ("{id: x, id: y, kind: time, texts: [好], never: [cancel-how]}", "field 'id' stands twice"),
        ("just words", "case 1: expected a mapping of fields"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_case(tmp_path: Path, knowledge: Knowledge, case: str, expected: str) -> None:
    path = write_cases(tmp_path, case)

    said = complaint(path, knowledge)

    assert f"{path}:3: " in said
    assert expected in said


def test_names_and_messages_may_not_repeat(tmp_path: Path, knowledge: Knowledge) -> None:
    again = "{id: b, kind: time, texts: [我不取消了！, 我不取消瞭], never: [cancel-how]}"
    path = write_cases(tmp_path, GOOD, GOOD, again.replace("瞭", "了"))

    said = complaint(path, knowledge)

    assert f"{path}:4: duplicate case 'a', first in {CASES}:3" in said
    assert f"{path}:5: duplicate message '我不取消了', first in {CASES}:3" in said


def test_all_mistakes_are_reported_together_in_order(tmp_path: Path, knowledge: Knowledge) -> None:
    bad = [f"{{id: x{number}, kind: time, texts: [好{number}], never: [gone-{number}]}}" for number in range(3)]
    path = write_cases(tmp_path, *bad)

    first, *lines = complaint(path, knowledge).splitlines()

    assert first == f"{path}: 3 mistake(s); correct each line named here:"
    assert [line.split(": ")[1] for line in lines] == ["case 'x0'", "case 'x1'", "case 'x2'"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "the file is empty"),
        ("version: 1\ncases: [", "not valid YAML"),
        ("version: 2\ncases:\n  - " + GOOD, "field 'version' is 2; this program reads version 1"),
        ("version: 1\ncases: []", "field 'cases' is empty; write a case or remove the file"),
        ("cases:\n  - " + GOOD, "field 'version' is missing"),
        ("version: 1", "field 'cases' is missing"),
        ("- " + GOOD, "expected a mapping of fields"),
    ],
)
def test_a_file_that_is_no_list_of_cases_is_refused(tmp_path: Path, knowledge: Knowledge, content: str, expected: str) -> None:
    path = tmp_path / CASES
    path.write_text(content, encoding="utf-8")

    assert expected in complaint(path, knowledge)


def test_no_other_reader_of_the_pack_opens_the_file(pack: Path) -> None:
    digest = read_knowledge(pack).digest
    (pack / CASES).write_bytes(b"\xff not even text")

    assert read_knowledge(pack).digest == digest
    assert read_pack(pack).knowledge.digest == digest
    assert read_training(pack).knowledge.digest == digest
