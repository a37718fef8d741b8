"""What training tells of its rows in a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.bundle import thresholds, trained_texts
from training.examples import Example, write_examples
from training.origins import PARTS
from training.params import load_params
from yingda.decide.thresholds import Thresholds
from yingda.domain.errors import MaterialError

REPOSITORY = Path(__file__).parents[2]


def test_rows_of_every_part_count_as_trained(tmp_path: Path) -> None:
    for part in PARTS:
        write_examples(tmp_path / f"{part}.jsonl", [Example(f"{part} {number}", 0, 0, 0) for number in range(2)])

    assert sorted(trained_texts(tmp_path)) == sorted(f"{part} {number}" for part in PARTS for number in range(2))


def test_a_missing_part_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_examples(tmp_path / "fit.jsonl", [Example("多久发货", 0, 0, 0)])

    with pytest.raises(MaterialError, match=r"select\.jsonl is missing; run `dvc repro prepare`"):
        list(trained_texts(tmp_path))


def test_every_promised_threshold_of_a_bundle_is_that_of_the_calibration() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    promises = {
        "match": {"threshold": 0.91},
        "intent": {"threshold": 0.92},
        "angry": {"threshold": 0.47},
        "angry_beside": {"threshold": 0.85},
    }

    found = Thresholds(**thresholds(params, promises))

    assert (found.match, found.intent, found.angry, found.angry_beside) == (0.91, 0.92, 0.47, 0.85)
    assert (found.ambiguity, found.clarify) == (params.decide.ambiguity, params.decide.clarify)
