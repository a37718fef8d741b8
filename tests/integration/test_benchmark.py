"""The benchmark command on toy sets and a small random encoder: a table, resumed parts, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmark_kit import TOPICS, lines, text_rows, write_base, write_params, write_sets
from training.benchmark.run import run

SETS = ["--sets", "clinc150", "bustm", "eprstmt"]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with parameters, base weights and data sets, in which the benchmark ran once."""
    root = tmp_path_factory.mktemp("benchmark")
    write_sets(root / "sets")
    lines(root / "broken/banking77/train.jsonl", [{"text": "a row without its label"}])
    write_base(root / "base")
    write_params(root / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("YINGDA_PARAMS", raising=False)
        assert run(["sets", *SETS, "--base", "base", "--out", "out", "--rows", "40"]) == 0
        yield root


def files_of(folder: Path) -> dict[Path, str]:
    return {path: path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_set_asked_for_is_in_the_table(workshop: Path) -> None:
    page, records = (workshop / "out/benchmark.md").read_text("utf-8"), json.loads((workshop / "out/benchmark.json").read_text("utf-8"))

    assert [record["name"] for record in records] == SETS[1:]
    assert all(f"## {name}" in page for name in SETS[1:])
    assert {"in_scope_accuracy", "out_of_scope_recall", "auroc", "ece"} <= records[0]["figures"].keys()
    assert {"accuracy", "spearman", "ece", "accuracy_before_training"} <= records[1]["figures"].keys()
    # the toy test rows were trained on, and single characters tell their topics apart
    assert records[0]["figures"]["in_scope_accuracy_without_threshold"] > 0.9
    assert records[2]["figures"]["accuracy"] > 0.9


def test_only_figures_are_left_behind(workshop: Path) -> None:
    left = files_of(workshop / "out")

    assert {path.suffix for path in left} == {".json", ".md"}
    assert not any(topic in content for content in left.values() for topic in TOPICS.values())


def test_finished_sets_are_taken_as_they_are_and_stale_ones_are_not(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workshop)
    command = ["sets", "--sets", "eprstmt", "--base", "base", "--out", "again", "--rows", "40", "--epochs", "1"]
    said = []
    for _ in range(2):
        assert run(command) == 0
        said.append(capsys.readouterr().err)
    (workshop / "again/parts/eprstmt.json").unlink()  # as if interrupted after the last fold
    assert run(command) == 0
    said.append(capsys.readouterr().err)
    lines(workshop / "sets/eprstmt/test_public.jsonl", text_rows((0, 1))[:-1])
    assert run(command) == 0
    said.append(capsys.readouterr().err)

    assert ["finished before" in text for text in said] == [False, True, False, False]
    assert ["training 1 of 1" in text for text in said] == [True, False, False, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "is missing; name the folder that holds the data sets"),
        (["sets", "--base", "nowhere"], "model.safetensors is missing; run `dvc repro base_encoder`"),
        (["sets", "--sets", "jddc_intent", "--rows", "3"], "rows are too few for 5 folds"),
        (["broken", "--sets", "banking77"], "train.jsonl:1: 'label' must be a name or a whole number"),
    ],
)
def test_what_cannot_run_says_why_in_one_line(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("COLUMNS", "400")

    assert run([*(["--base", "base"] if "--base" not in arguments else []), "--out", "refused", *arguments]) == 2

    assert said in (error := capsys.readouterr().err)
    assert error.count("\n") == 1
    assert not (workshop / "refused").exists()
