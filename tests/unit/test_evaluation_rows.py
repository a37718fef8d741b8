"""Further files of labelled messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.errors import EvaluationError
from evaluation.rows import pack_files, read_extra
from tests.fakes_evaluation import write_pack, write_rows
from yingda.domain.knowledge import Knowledge
from yingda.pack import read_pack

GOOD: dict[str, object] = {"text": "多久发货", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}


@pytest.fixture
def knowledge(tmp_path: Path) -> Knowledge:
    return read_pack(write_pack(tmp_path / "pack", {})).knowledge


def test_unknown_fields_are_ignored_and_known_ones_read(tmp_path: Path, knowledge: Knowledge) -> None:
    more: dict[str, object] = {"id": "x-1", "source": "shop", "sure": True, "also": ["cancel-how"], "lang": "zh"}

    file = read_extra(write_rows(tmp_path / "real.jsonl", [GOOD | more]), knowledge)

    row = file.rows[0]
    assert (row.text, row.also, row.sure, row.language) == ("多久发货", ("cancel-how",), True, "zh")


@pytest.mark.parametrize("other", ["test-1.jsonl", "multilingual.jsonl"])
def test_a_message_that_stands_twice_in_a_packs_own_files_is_refused(tmp_path: Path, other: str) -> None:
    root = write_pack(tmp_path / "twice", {"test-1.jsonl": [GOOD | {"text": "几时到"}, GOOD]})
    with (root / "utterances" / other).open("a", encoding="utf-8") as file:
        file.write(json.dumps(GOOD | {"text": " 多久發貨 "}) + "\n")

    with pytest.raises(EvaluationError, match=r"\.jsonl:\d repeats the message of \S+\.jsonl:\d; remove one of them$"):
        pack_files(root, read_pack(root))


def test_intent_and_entry_may_be_unknown(tmp_path: Path, knowledge: Knowledge) -> None:
    file = read_extra(write_rows(tmp_path / "real.jsonl", [GOOD | {"intent": None, "faq": None}]), knowledge)

    assert (file.rows[0].intent, file.rows[0].faq, file.rows[0].sure) == (None, None, None)


def test_places_and_names_keep_one_folder_and_the_line(tmp_path: Path, knowledge: Knowledge) -> None:
    path = tmp_path / "traffic" / "real.jsonl"
    path.parent.mkdir()
    path.write_text(f"\n{json.dumps(GOOD)}\n\n{json.dumps(GOOD)}\n", encoding="utf-8")

    file = read_extra(path, knowledge)

    assert [row.place for row in file.rows] == ["traffic/real.jsonl:2", "traffic/real.jsonl:4"]


def test_a_line_separator_inside_a_text_does_not_end_the_row(tmp_path: Path, knowledge: Knowledge) -> None:
    path = tmp_path / "real.jsonl"
    path.write_text(json.dumps(GOOD | {"text": "多久\u2028发货"}, ensure_ascii=False), encoding="utf-8")

    assert read_extra(path, knowledge).rows[0].text == "多久\u2028发货"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"intent": "SHIPPING"}, "unknown intent 'SHIPPING'"),
        ({"faq": "ship-how"}, "unknown entry 'ship-how'"),
        ({"also": ["ship-how"]}, "unknown entry 'ship-how'"),
        ({"also": "ship-when"}, "'also' must be a list"),
        ({"sentiment": "sad"}, "unknown sentiment 'sad'"),
        ({"sentiment": None}, "unknown sentiment None"),
        ({"sure": "yes"}, "'sure' must be true or false"),
        ({"faq": 7}, "'faq' must be a text or null"),
        ({"text": 7}, "'text' is no text"),
        ({"text": "  "}, "empty or blank"),
        ({"intent": "OUT_OF_SCOPE"}, "OUT_OF_SCOPE cannot have the entry"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_without_its_text(
    tmp_path: Path, knowledge: Knowledge, change: dict[str, object], complaint: str
) -> None:
    path = write_rows(tmp_path / "real.jsonl", [GOOD, GOOD | change])

    with pytest.raises(EvaluationError, match=complaint) as caught:
        read_extra(path, knowledge)

    assert f"{path}:2: " in str(caught.value)
    assert "多久发货" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "no JSON object"),
        (b'{"text": "a"}', "field 'intent' is missing"),
        (b"\xff", "not UTF-8"),
        (b"\n \n", "the test set is empty"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, knowledge: Knowledge, data: bytes, complaint: str) -> None:
    path = tmp_path / "real.jsonl"
    path.write_bytes(data)

    with pytest.raises(EvaluationError, match=complaint):
        read_extra(path, knowledge)


def test_half_a_character_in_a_label_is_refused_before_a_report_would_fail_on_it(tmp_path: Path, knowledge: Knowledge) -> None:
    path = tmp_path / "real.jsonl"
    path.write_text(json.dumps(GOOD | {"style": "\ud800"}), encoding="utf-8")

    with pytest.raises(EvaluationError, match="'style' holds half a character"):
        read_extra(path, knowledge)
