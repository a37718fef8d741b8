"""What a run in MLflow says: every number under a valid name, and no customer's text."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_core import write_fake_bundle
from training.plots import draw
from training.run_record import (
    History,
    Point,
    bundle_parameters,
    bundle_points,
    parameters,
    read_histories,
    read_report,
    report_points,
    training_points,
    without_texts,
)
from training.track import tags_of
from yingda.bundle import open_bundle
from yingda.domain.errors import MaterialError

ROOT = Path(__file__).parents[2]
TEXT = "隔壁的猫咬碎了我的快递单"
ENGLISH = "Refund"
"""One word, so that it looks like a name."""


def report(**suite: Any) -> dict[str, Any]:
    measures = {"coverage": {"value": 0.5, "n": 8, "low": 0.2, "high": 0.8}, "match_ece": {"value": None, "n": 0}}
    return {
        "bundle": {"sha256": "0" * 64},
        "suites": {"test": {"rows": 8, "measures": measures, "slices": [], "wrong_matches": [], **suite}},
    }


def points_of(tree: dict[str, Any]) -> dict[str, float]:
    return {point.name: point.value for point in report_points(tree)}


def write_training(path: Path, *losses: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"history": [{"epoch": number, "loss": loss} for number, loss in enumerate(losses, 1)]}), "utf-8")
    return path


def test_nested_parameters_get_dotted_names_and_keep_their_spelling() -> None:
    nested = {"seed": 7, "train": {"encoder_rate": 2.0e-4, "hub": None, "logs": ["a"]}, "version": "2026.1"}

    flat = {"seed": "7", "train.encoder_rate": "0.0002", "train.hub": "null", "train.logs": '["a"]', "version": "2026.1"}
    assert parameters(nested) == flat


def test_a_value_takes_the_name_of_its_measure() -> None:
    named = {"test/rows": 8, "test/coverage": 0.5, "test/coverage/n": 8, "test/coverage/low": 0.2, "test/coverage/high": 0.8}
    assert points_of(report()) == {**named, "test/match_ece/n": 0}


def test_a_slice_is_named_by_what_it_is_a_slice_of() -> None:
    part = {"by": "style", "value": "voice", "rows": 3, "measures": {"coverage": {"value": 0.25, "n": 3}}}

    assert points_of(report(slices=[part])).items() >= {"test/style/voice/rows": 3, "test/style/voice/coverage": 0.25}.items()


def test_a_slice_by_length_has_a_name_too() -> None:
    part = {"by": "length", "value": "81 characters and more", "rows": 3, "measures": {}}

    assert points_of(report(slices=[part]))["test/length/81_characters_and_more/rows"] == 3
    assert without_texts({"slices": [part]}) == {"slices": [part]}


def test_latency_stands_with_its_suite() -> None:
    tree = {**report(), "run": {"latency_ms": {"test": {"median": 6.5}}}}

    assert points_of(tree)["test/latency_ms/median"] == pytest.approx(6.5)


def test_only_finite_numbers_become_metrics() -> None:
    odd = {"a": float("nan"), "b": float("inf"), "c": True, "d": "0.5", "e": None, "f": 0.5}

    assert points_of(report(measures=odd)) == {"test/rows": 8, "test/f": 0.5}


def test_a_suite_of_an_odd_file_gets_a_name_that_leads_nowhere() -> None:
    tree = {**report(), "suites": {"../三月 1.jsonl": {"rows": 2}}}

    assert points_of(tree) == {"___三月_1_jsonl/rows": 2}


def test_epochs_are_steps() -> None:
    history = History("", ({"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "note": TEXT}))

    assert list(training_points([history])) == [Point("training/loss", 2.0, 1), Point("training/loss", 1.0, 2)]


def test_several_trainings_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    files = [write_training(tmp_path / name / "training.json", 2.0) for name in ("teacher", "student")]

    assert [point.name for point in training_points(read_histories({}, files))] == ["training/teacher/loss", "training/student/loss"]


def test_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [write_training(tmp_path / name / "same" / "training.json", 2.0) for name in ("a", "b")]

    with pytest.raises(MaterialError, match="same name"):
        read_histories({}, files)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"history": 1}', '{"history": [1]}'])
def test_a_file_without_a_history_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "training.json"
    if content is not None:
        path.write_text(content, "utf-8")

    with pytest.raises(MaterialError, match=r"training\.json.*dvc repro"):
        read_histories({}, [path])


def test_thresholds_promise_and_export_are_metrics() -> None:
    manifest = {
        "thresholds": {"match": 0.9},
        "promise": {"match": {"right": 5}},
        "encoder": {"export": {"messages": 3, "onnxruntime": "1.3"}},
    }

    assert list(bundle_points(manifest)) == [Point("thresholds/match", 0.9), Point("promise/match/right", 5), Point("export/messages", 3)]


def test_a_bundle_that_states_no_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match=r"manifest\.json: states no training parameters"):
        bundle_parameters(open_bundle(write_fake_bundle(tmp_path)))


@pytest.mark.parametrize(
    "hidden",
    [
        {"wrong_matches": [{"place": "test-1.jsonl:3", "text": TEXT, "got": "hello", "confidence": 0.9}]},
        {"wrong_matches": [{"place": "test-1.jsonl:3", "got": ENGLISH}]},
        {"quoted": [ENGLISH, TEXT]},
        {"message": ENGLISH},
        {"value": TEXT},
        {"deeper": {"list": [{"inner": {"text": ENGLISH}}]}},
        {"by_message": {TEXT: 0.5}},
        {"slices": [{"by": "style", "value": TEXT, "rows": 1, "measures": {}}]},
    ],
)
def test_no_text_of_a_message_stays_in_the_report_or_in_a_metric(hidden: dict[str, Any]) -> None:
    tree = report(**hidden)

    seen = json.dumps([without_texts(tree), points_of(tree)], ensure_ascii=False)
    assert TEXT not in seen
    assert ENGLISH not in seen


def test_what_programs_wrote_stays_in_the_report() -> None:
    gate = {"suite": "test", "metric": "coverage", "at_least": 0.4, "verdict": "passed", "detail": "0.5000 over 8 rows"}
    tree = {"bundle": {"version": "1.0", "sha256": "0" * 64}, "files": {"三月 1.jsonl": "1" * 64}, "verdict": "passed", "gates": [gate]}
    tree |= {"run": {"commit": "a" * 40 + "-dirty", "packages": {"numpy": "2.4.6"}}}
    tree |= {"suites": {"test": {"calibration": {"三月 1.jsonl": {"heads": {"match": {"bins": [{"confidence": 0.5, "accuracy": 0.4}]}}}}}}}

    assert without_texts(tree) == tree


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"suites": {"test": 3}}'])
def test_a_report_that_is_none_is_refused(tmp_path: Path, content: str | None) -> None:
    bundle = open_bundle(write_fake_bundle(tmp_path / "bundle"))
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content, "utf-8")

    with pytest.raises(MaterialError, match=r"evaluation\.json.*dvc repro evaluate"):
        read_report(tmp_path, bundle)


def test_a_report_about_another_bundle_is_refused(tmp_path: Path) -> None:
    bundle = open_bundle(write_fake_bundle(tmp_path / "bundle"))
    (tmp_path / "evaluation.json").write_text(json.dumps(report()), "utf-8")

    with pytest.raises(MaterialError, match="another bundle"):
        read_report(tmp_path, bundle)


def test_the_stage_that_made_the_bundle_is_read_from_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = open_bundle(write_fake_bundle(tmp_path / "models" / "candidate"))
    lock = "stages:\n  prepare: {cmd: x}\n  bundle:\n    outs:\n    - {path: models/candidate, md5: abc.dir}\n"
    (tmp_path / "dvc.lock").write_text(lock, "utf-8")

    found = tags_of(bundle, {"verdict": "passed"})
    assert found.items() >= {"dvc_stage": "bundle", "dvc_md5": "abc.dir", "verdict": "passed", "bundle_version": "1.0"}.items()


def test_a_bundle_that_dvc_did_not_make_has_no_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = open_bundle(write_fake_bundle(tmp_path / "mine"))

    assert "dvc_stage" not in tags_of(bundle, {})
    (tmp_path / "dvc.lock").write_text("stages: {}\n", "utf-8")
    assert "dvc_stage" not in tags_of(bundle, {})


def test_an_unreadable_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.lock").write_text("stages: [1]\n", "utf-8")

    with pytest.raises(MaterialError, match=r"dvc\.lock"):
        tags_of(open_bundle(write_fake_bundle(tmp_path / "mine")), {})


def test_plots_are_drawn_of_what_the_report_holds(tmp_path: Path) -> None:
    bins = [{"rows": 5, "confidence": 0.2, "accuracy": 0.3}, {"rows": 5, "confidence": 0.9, "accuracy": 0.8}]
    heads = {"match": {"bins": bins}, "intent": {"bins": [{"confidence": 0.2}]}, "sentiment": {"bins": []}, TEXT: {"bins": bins}}
    curve = {"aurc": 0.1, "points": [{"coverage": 0.2, "risk": 0.0}, {"coverage": 1.0, "risk": 0.1}]}
    suites = {
        "三月": {"calibration": {"pooled": {"heads": heads, "risk_coverage": curve}}},
        "other": {"calibration": {"pooled": {"heads": {}, "risk_coverage": None}}},
    }
    figures = draw([History("", ({"loss": 2.0}, {"loss": 1.0, "selection_accuracy": 0.5}))], {"suites": suites})

    assert set(figures) == {"training.png", "reliability_三月_match.png", "risk_coverage_三月.png"}
    for name, figure in figures.items():
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_calibration_errors_are_metrics() -> None:
    pooled = {
        "rows": 8,
        "heads": {"match": {"ece": {"value": 0.04, "n": 8}, "bins": [{"confidence": 0.5}]}},
        "risk_coverage": {"aurc": 0.1, "points": []},
    }

    found = points_of({"suites": {"test": {"calibration": {"pooled": pooled}}}})
    part = "test/calibration/pooled"
    named = {f"{part}/rows": 8, f"{part}/heads/match/ece": 0.04, f"{part}/heads/match/ece/n": 8, f"{part}/risk_coverage/aurc": 0.1}
    assert found == pytest.approx(named)


def test_the_file_that_mlflow_copies_needs_nothing_else_of_training() -> None:
    tree = ast.parse((ROOT / "training" / "pyfunc.py").read_text("utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    named |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}

    assert {name.split(".")[0] for name in named} - set(sys.stdlib_module_names) == {"mlflow", "pandas", "yingda"}
