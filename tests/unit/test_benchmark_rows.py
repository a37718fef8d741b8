"""Data sets as they are read: right files of every set, and what is said of wrong ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.benchmark_kit import lines, pair_rows, text_rows, write_sets
from training.benchmark.hub import read_hub
from training.benchmark.rows import Material, PairRow, TextRow, read_folder
from training.benchmark.sets import HUMAN, SETS, Scheme, Task
from yingda.domain.errors import MaterialError

BANKING = SETS["banking77"]


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_read_from_its_files(tmp_path: Path, name: str) -> None:
    write_sets(tmp_path)

    material = read_folder(tmp_path, SETS[name])

    dataset = SETS[name]
    kind = PairRow if dataset.task is Task.MATCHING else TextRow
    per_file = len(pair_rows()) if dataset.task is Task.MATCHING else 30 if dataset.task is Task.INTENT else 20
    per_file += 10 if dataset.outside else 0
    assert {part: len(rows) for part, rows in material.parts.items()} == {p: per_file * len(f) for p, f in dataset.files.items()}
    assert all(isinstance(row, kind) for rows in material.parts.values() for row in rows)
    assert set(dataset.files) == ({"all"} if dataset.scheme is not Scheme.OFFICIAL else set(dataset.files) - {"all"})


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaterialError, match=rf"{name}.* is missing; name the folder") as caught:
        read_folder(tmp_path, SETS[name])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{oops", r"train\.jsonl:2: no JSON object"),
        (b"[1, 2]", r"train\.jsonl:2: no JSON object"),
        (b'{"label": "a"}', r"train\.jsonl:2: 'text' must be a text"),
        (b'{"text": "  ", "label": "a"}', r"train\.jsonl:2: 'text' must be a text"),
        (b'{"text": "secret"}', r"train\.jsonl:2: 'label' must be"),
        (b'{"text": "secret", "label": true}', r"train\.jsonl:2: 'label' must be"),
        (b'{"text": "secret", "label": null}', r"train\.jsonl:2: 'label' must be"),
        (b"\xff\xfe", r"train\.jsonl cannot be read as UTF-8"),
    ],
)
def test_a_wrong_line_is_named_without_its_text(tmp_path: Path, line: bytes, said: str) -> None:
    write_sets(tmp_path)
    (tmp_path / "banking77/train.jsonl").write_bytes(b'{"text": "first", "label": "a"}\n' + line + b"\n")

    with pytest.raises(MaterialError, match=said) as caught:
        read_folder(tmp_path, BANKING)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["bustm", "atec"])
def test_a_pair_is_labelled_0_or_1(tmp_path: Path, name: str) -> None:
    dataset = SETS[name]
    for file in (file for files in dataset.files.values() for file in files):
        lines(tmp_path / name / file, [*pair_rows(), {"text_a": "a", "text_b": "b", "label": 2}])

    with pytest.raises(MaterialError, match=r":31: 'label' of a pair must be 0 or 1"):
        read_folder(tmp_path, dataset)


def test_files_that_are_empty_or_cut_are_refused(tmp_path: Path) -> None:
    lines(tmp_path / "waimai_10k/all.jsonl", [])
    lines(tmp_path / "chnsenticorp_htl/all.jsonl.gz", text_rows())
    whole = (tmp_path / "chnsenticorp_htl/all.jsonl.gz").read_bytes()
    (tmp_path / "chnsenticorp_htl/all.jsonl.gz").write_bytes(whole[:-20])

    with pytest.raises(MaterialError, match="no rows"):
        read_folder(tmp_path, SETS["waimai_10k"])
    with pytest.raises(MaterialError, match="cannot be read"):
        read_folder(tmp_path, SETS["chnsenticorp_htl"])


def test_texts_are_normalised_and_numbers_are_names(tmp_path: Path) -> None:
    lines(tmp_path / "waimai_10k/all.jsonl", [{"text": "太\u2028慢了！！！！", "label": 0}])

    material = read_folder(tmp_path, SETS["waimai_10k"])

    assert material.parts["all"] == (TextRow("太 慢了!!", "0"),)


def test_other_rows_have_another_digest() -> None:
    one, two = TextRow("a", "x"), TextRow("b", "x")

    assert Material({"train": (one,), "test": (two,)}).sha256 == Material({"test": (two,), "train": (one,)}).sha256
    assert Material({"train": (one,), "test": (two,)}).sha256 != Material({"train": (two,), "test": (one,)}).sha256


def test_rows_of_the_hub_get_our_names() -> None:
    asked = []

    def fetched(name: str, config: str | None, split: str) -> Iterator[Mapping[str, Any]]:
        asked.append((name, config, split))
        yield {"text": f"in {split}", "intent": "oos"}

    material = read_hub(SETS["clinc150"], fetched)

    assert material.parts == {
        "train": (TextRow("in train", "oos"),),
        "dev": (TextRow("in validation", "oos"),),
        "test": (TextRow("in test", "oos"),),
    }
    assert asked == [("clinc/clinc_oos", "plus", split) for split in ("train", "validation", "test")]


def test_rows_of_the_hub_are_checked_as_those_of_a_file() -> None:
    with pytest.raises(MaterialError, match="mteb/banking77, train:1: 'label' must be"):
        read_hub(BANKING, lambda name, config, split: [{"text": "a"}])
    with pytest.raises(MaterialError, match="eprstmt has no place on the hub; give the folder"):
        read_hub(SETS["eprstmt"], lambda name, config, split: [])


def test_published_figures_are_percentages_with_a_source() -> None:
    published = [found for dataset in SETS.values() for found in dataset.published]

    assert all(1 < found.percent < 100 and found.source for found in published)
    assert {name for name, dataset in SETS.items() if any(found.system == HUMAN for found in dataset.published)} == {
        "dataclue_cic", "bustm", "atec", "eprstmt",
    }  # fmt: skip
    assert {name for name, dataset in SETS.items() if dataset.licence} == {"banking77", "clinc150", "hwu64", "jddc_intent"}
