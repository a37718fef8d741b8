"""A dataset on disk: its version, written whole or not at all, refused when it was changed."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from tests.logs_kit import ROWS, import_rows, imported, logs, row, table, taken
from training.logs.dataset import _swap, as_dataset, read_dataset, read_facts, write_text
from yingda.domain.errors import MaterialError


def test_the_same_input_has_the_same_version_at_any_time_and_place(tmp_path: Path) -> None:
    versions = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        versions.add(imported(tmp_path / name, logs(tmp_path / name))["version"])

    assert len(versions) == 1
    facts = (tmp_path / "a" / "out" / "dataset.json").read_text("utf-8")
    assert str(tmp_path) not in facts
    assert versions == {json.loads(facts)["rows_sha256"][:12]}


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"):
        imported(tmp_path, logs(tmp_path), writer=failing)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs.csv", "pack"]


def test_a_writer_that_fails_leaves_the_old_dataset(tmp_path: Path) -> None:
    imported(tmp_path, logs(tmp_path))
    before = read_facts(tmp_path / "out")

    with pytest.raises(OSError, match="full"):
        import_more(tmp_path)

    assert read_facts(tmp_path / "out") == before
    assert len(taken(tmp_path)) == 3
    assert not list(tmp_path.glob("out.*"))


def test_an_interrupt_between_the_two_renames_brings_the_old_dataset_back(tmp_path: Path) -> None:
    old, new = tmp_path / "out", tmp_path / "gone.partial"
    old.mkdir()

    with pytest.raises(FileNotFoundError):
        _swap(new, old, tmp_path / "out.previous")

    assert old.is_dir()


def failing(path: Path, text: str) -> None:
    if path.name == "report.md":
        path.write_text(text[:5], "utf-8")
        raise OSError(28, "disk full")
    write_text(path, text)


def import_more(root: Path) -> None:
    imported(root, logs(root, "more.csv", table(ROWS[0])), writer=failing)


def test_a_new_dataset_replaces_the_old_one_whole(tmp_path: Path) -> None:
    imported(tmp_path, logs(tmp_path))
    (tmp_path / "out" / "left.txt").write_text("from before", "utf-8")
    imported(tmp_path, logs(tmp_path, text=table(ROWS[0])))

    assert len(taken(tmp_path)) == 1
    assert not (tmp_path / "out" / "left.txt").exists()


def test_a_dataset_left_between_two_renames_comes_back(tmp_path: Path) -> None:
    imported(tmp_path, logs(tmp_path))
    (tmp_path / "out").rename(tmp_path / "out.previous")

    with pytest.raises(OSError, match="full"):
        import_more(tmp_path)

    assert len(taken(tmp_path)) == 3


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", "utf-8")

    with pytest.raises(MaterialError, match="no dataset"):
        imported(tmp_path, logs(tmp_path))

    assert (tmp_path / "out" / "thesis.txt").exists()


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()

    with pytest.raises(MaterialError, match="named twice"):
        imported(tmp_path, logs(tmp_path), logs(tmp_path / "b"))


def test_rows_of_several_files_are_settled_together(tmp_path: Path) -> None:
    record = imported(tmp_path, logs(tmp_path), logs(tmp_path, "more.csv"))

    assert [(file["accepted"], file["duplicate"]) for file in record["files"]] == [(3, 0), (0, 3)]


def test_changed_rows_are_noticed(tmp_path: Path) -> None:
    imported(tmp_path, logs(tmp_path))
    path = tmp_path / "out" / "rows.jsonl"
    path.write_text(path.read_text("utf-8").replace("SHIP", "CANCEL"), "utf-8")

    with pytest.raises(MaterialError, match="changed after its import"):
        read_dataset(tmp_path / "out")


@pytest.mark.parametrize("facts", ["{", "[]", '{"format": 99}'])
def test_a_broken_dataset_is_refused(tmp_path: Path, facts: str) -> None:
    (tmp_path / "dataset.json").write_text(facts, "utf-8")

    with pytest.raises(MaterialError, match="import the files again"):
        read_dataset(tmp_path)


def test_hugging_face_datasets_read_the_rows(tmp_path: Path) -> None:
    import_rows(tmp_path, row("没有情绪的那条"))

    own = as_dataset(taken(tmp_path))
    file = datasets.load_dataset("json", data_files=str(tmp_path / "out" / "rows.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    assert own.to_list() == file.to_list()
    assert own.features["sentiment"].dtype == "string"
