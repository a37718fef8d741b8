"""Studies become tables of the model card, whatever figures they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.studies import read_studies, shown, study_table
from yingda.domain.errors import MaterialError


def test_a_folder_without_studies_has_none(tmp_path: Path) -> None:
    assert read_studies(tmp_path / "nowhere") == {}


def test_a_single_row_and_a_list_of_rows_are_both_read(tmp_path: Path) -> None:
    (tmp_path / "held-out.json").write_text('{"entries": 20}', "utf-8")
    (tmp_path / "depth.json").write_text('[{"layers": 3}, {"layers": 6}]', "utf-8")

    assert read_studies(tmp_path) == {"depth": [{"layers": 3}, {"layers": 6}], "held-out": [{"entries": 20}]}


@pytest.mark.parametrize("text", ["{", "[]", "{}", "[1]", '"words"', '{"a": {"b": 1}}', '[{"a": 1}, {}]'])
def test_a_broken_study_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "depth.json").write_text(text, "utf-8")

    with pytest.raises(MaterialError, match=r"depth\.json.*run the study again or remove the file"):
        read_studies(tmp_path)


def test_a_field_that_a_row_lacks_is_a_dash() -> None:
    assert study_table([{"layers": 3}, {"layers": 6, "cpu_ms": 5.25}]).splitlines() == [
        "| layers | ms a message on a CPU |",
        "| --- | --- |",
        "| 3 | – |",
        "| 6 | 5.25 |",
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [(0.25, "0.250"), (54.913, "54.91"), (15871, "15,871"), (1, "1"), ("int8", "int8"), (None, "–"), ([0.61, 0.7], "[0.610, 0.700]")],
)
def test_a_value_is_shown_as_people_read_it(value: object, cell: str) -> None:
    assert shown(value) == cell
