"""Rows as the trainers see them: class numbers, and files that read back as they were written."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes_core import tiny_knowledge
from training.examples import (
    IGNORED,
    SENTIMENTS,
    Classes,
    Example,
    build_classes,
    example_of,
    example_of_log,
    examples_of_entry,
    read_classes,
    read_examples,
    write_classes,
    write_examples,
)
from training.logs.dataset import LogRow
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment, Utterance

ROWS = [
    *(Utterance(f"股票{n}", "OUT_OF_SCOPE", None, Sentiment.NEUTRAL) for n in range(3)),
    *(Utterance(f"投诉{n}", "COMPLAINT_SERVICE", None, Sentiment.ANGRY) for n in range(2)),
    Utterance("发货", "ORDER_SHIP_TIME", "ship-when", Sentiment.NEUTRAL, also=("cancel-how", "unknown")),
]

texts = st.text(st.characters(exclude_categories=["Cs"]))
examples = st.builds(
    Example, texts, st.integers(0, 99), st.integers(-100, 99), st.integers(0, 3), st.lists(st.integers(0, 9)).map(tuple), texts
)


def classes() -> Classes:
    return build_classes(tiny_knowledge(), ROWS)


def test_entries_come_first_in_file_order() -> None:
    assert classes().matches[:5] == ("ship-when", "cancel-how", "hello", "security-lock", "warranty-new")


def test_an_intent_with_enough_unanswered_rows_gets_a_class_of_its_own() -> None:
    assert classes().matches[5:] == ("none:OUT_OF_SCOPE",)


def test_every_match_class_knows_its_intent() -> None:
    built = classes()

    assert len(built.match_intents) == len(built.matches)
    assert built.match_intents[0] == "ORDER_SHIP_TIME"
    assert built.match_intents[-1] == "OUT_OF_SCOPE"


def test_a_row_becomes_class_numbers() -> None:
    built = classes()

    example = example_of(ROWS[-1], built, "发货")

    assert built.intents[example.intent] == "ORDER_SHIP_TIME"
    assert built.matches[example.match] == "ship-when"
    assert SENTIMENTS[example.sentiment] is Sentiment.NEUTRAL


def test_further_right_entries_are_numbered_and_retired_ones_left_out() -> None:
    built = classes()

    assert [built.matches[number] for number in example_of(ROWS[-1], built, "发货").also] == ["cancel-how"]


def test_an_unanswered_row_of_an_intent_too_rare_counts_as_out_of_scope() -> None:
    built = classes()

    assert built.match_of(None, "COMPLAINT_SERVICE") == IGNORED
    assert built.matches[example_of(ROWS[3], built, "投诉").match] == "none:OUT_OF_SCOPE"


def test_rows_whose_entry_nobody_knows_make_no_class() -> None:
    unknown = [LogRow(f"文{n}", "COMPLAINT_SERVICE", None, False, None, (), f"a.csv:{n}") for n in range(9)]

    assert build_classes(tiny_knowledge(), [*ROWS, *unknown]) == classes()


def test_an_entrys_own_wordings_have_no_sentiment() -> None:
    built = classes()

    rows = examples_of_entry(tiny_knowledge().faq["ship-when"], built, ["什么时候发", "多久发"])

    assert [(row.text, row.match, row.sentiment, row.style) for row in rows] == [
        ("什么时候发", 0, IGNORED, "faq"),
        ("多久发", 0, IGNORED, "faq"),
    ]


@given(st.lists(examples, max_size=5))
def test_examples_read_back_as_they_were_written(rows: list[Example]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"

        write_examples(path, rows)

        assert read_examples(path) == rows


@pytest.mark.parametrize("char", ["\u2028", "\u0085", "\x1e", "\r"])
def test_a_line_break_of_another_kind_inside_a_text_splits_no_row(tmp_path: Path, char: str) -> None:
    rows = [Example(f"发{char}货", 0, 0, 0)]

    write_examples(tmp_path / "rows.jsonl", rows)

    assert read_examples(tmp_path / "rows.jsonl") == rows


def test_classes_read_back_as_they_were_written(tmp_path: Path) -> None:
    write_classes(tmp_path / "deep" / "classes.json", classes())

    assert read_classes(tmp_path / "deep" / "classes.json") == classes()


def test_writing_leaves_no_partial_file_behind(tmp_path: Path) -> None:
    write_classes(tmp_path / "classes.json", classes())
    write_examples(tmp_path / "rows.jsonl", [])

    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.json", "rows.jsonl"]


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="run `dvc repro prepare`"):
        read_examples(tmp_path / "rows.jsonl")
    with pytest.raises(MaterialError, match="run `dvc repro prepare`"):
        read_classes(tmp_path / "classes.json")


@pytest.mark.parametrize(
    ("intent", "faq", "known", "match"),
    [
        ("ORDER_SHIP_TIME", "ship-when", True, "ship-when"),
        ("OUT_OF_SCOPE", None, True, "none:OUT_OF_SCOPE"),
        ("COMPLAINT_SERVICE", None, True, "none:OUT_OF_SCOPE"),  # too rare for a class of its own
        (None, None, True, "none:OUT_OF_SCOPE"),  # cannot be decided from the message alone
        ("ORDER_SHIP_TIME", None, False, None),  # nobody said which entry answers
    ],
)
def test_a_row_of_a_log_gets_the_class_it_is_evidence_for(intent: str | None, faq: str | None, known: bool, match: str | None) -> None:
    built = classes()

    example = example_of_log(LogRow("文", intent, faq, known, None, (), "a.csv:2"), built, "文")

    assert (None if example.match == IGNORED else built.matches[example.match]) == match
    assert (None if example.intent == IGNORED else built.intents[example.intent]) == intent
    assert example.sentiment == IGNORED
