"""What training tells of its rows in a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.bundle import trained_texts
from training.examples import Example, write_examples
from training.origins import PARTS
from yingda.domain.errors import MaterialError


def test_rows_of_every_part_count_as_trained(tmp_path: Path) -> None:
    for part in PARTS:
        write_examples(tmp_path / f"{part}.jsonl", [Example(f"{part} {number}", 0, 0, 0) for number in range(2)])

    assert sorted(trained_texts(tmp_path)) == sorted(f"{part} {number}" for part in PARTS for number in range(2))


def test_a_missing_part_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_examples(tmp_path / "fit.jsonl", [Example("多久发货", 0, 0, 0)])

    with pytest.raises(MaterialError, match=r"select\.jsonl is missing; run `dvc repro prepare`"):
        list(trained_texts(tmp_path))
