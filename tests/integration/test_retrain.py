"""``training.retrain`` from logs to promotion, with stages that write what they are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes_core import write_fake_bundle
from training.retrain import main
from training.run_lock import hold
from training.track import NAME
from training.tracking import open_registry, store_uri
from yingda import bundle as layout
from yingda.bundle import open_bundle

ROOT = Path(__file__).parents[2]
MAKE = """
import os, pathlib, shutil, sys
words = sys.argv[1:]
target = pathlib.Path(words[words.index("--out" if "--out" in words else "--target") + 1])
name = "compare" if words[0] == "compare" else __spec__.name.removesuffix(".__main__").rpartition(".")[2]
with open("ran.txt", "a") as log:
    log.write(name + "\\n")
made = pathlib.Path("made") / name
if made.is_dir():
    shutil.copytree(made, target, dirs_exist_ok=True)
else:
    target.mkdir(parents=True, exist_ok=True)
    (target / "params").write_bytes(pathlib.Path(os.environ["YINGDA_PARAMS"]).read_bytes())
    print("3 rows in", target)
if pathlib.Path("fails").is_file() and pathlib.Path("fails").read_text() == name:
    sys.exit("the rows are of no use; import others")
sys.exit(int((made / "code").read_text()) if (made / "code").is_file() else 0)
"""
TRAINING = {"history": [{"epoch": 1, "loss": 2.5, "selection_accuracy": 0.25}], "params": {"seed": 7}}
STAGES = {
    "prepare": ("prepare", ["data/packs/retail"], "data/processed"),
    "base_encoder": ("base_encoder", [], "models/base"),
    "check_base": ("check_base", ["models/base"], "models/check"),
    "train": ("train", ["data/processed", "models/base"], "models/checkpoints"),
    "bundle": ("bundle", ["models/checkpoints"], "models/candidate"),
}
ALL = ["logs", "audit", "prepare", "base_encoder", "train", "bundle", "evaluation", "compare"]


def write(path: Path, tree: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree), "utf-8")


def comparison(champion: str, sha256: str, advice: str) -> dict[str, Any]:
    found = {"champion": 0.4, "candidate": 0.5, "difference": 0.1, "low": 0.05, "high": 0.15}
    return {
        "recommendation": advice,
        "reasons": [f"{advice} it"],
        "champion": {"bundle": {"version": "1", "sha256": champion}},
        "candidate": {"bundle": {"version": "2", "sha256": sha256}},
        "parts": {"together": {"rows": 9, "differences": {"coverage": found}}},
        "changed": 4,
    }


def advise(root: Path, advice: str) -> None:
    """Let the comparison end with ``advice``."""
    champion, candidate = (open_bundle(root / folder).identity.sha256 for folder in ("models/current", "made/bundle"))
    write(root / "made/compare/compare.json", comparison(champion, candidate, advice))
    (root / "made/compare/code").write_text("0" if advice == "promote" else "1", "utf-8")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose stages copy what lies in ``made``, else the parameters they were given."""
    cmds = {n: {"cmd": f"python -m training.{m} --target {out}", "deps": deps, "outs": [out]} for n, (m, deps, out) in STAGES.items()}
    cmds["evaluate"] = {"cmd": "python -m evaluation --out reports/candidate", "deps": ["models/candidate"], "outs": ["reports/candidate"]}
    cmds["bundle"]["params"] = ["version"]
    write(tmp_path / "dvc.yaml", {"stages": cmds})
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["prepare"] |= {"logs": [], "weak_logs": []}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    for name in ("training/logs", "training/audit", "evaluation/__main__", *(f"training/{module}" for module, _, _ in STAGES.values())):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(MAKE, "utf-8")
        path.with_name("__init__.py").touch()  # a package comes before the installed one, a mere folder does not
    write(tmp_path / "data/packs/retail/taxonomy.yaml", {})
    write(tmp_path / "logs.csv", "text")
    layout.write_manifest(write_fake_bundle(tmp_path / "models/current"), {"version": "1"})
    layout.write_manifest(write_fake_bundle(tmp_path / "made/bundle"), {"version": "2", "training": TRAINING})
    write(tmp_path / "made/evaluation/evaluation.json", {"verdict": "passed", "suites": {}})
    advise(tmp_path, "promote")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(root: Path) -> list[str]:
    path = root / "ran.txt"
    found = path.read_text("utf-8").split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def serving(root: Path) -> str:
    return open_bundle(root / "models/current").identity.version


def test_logs_become_a_candidate_that_is_promoted_on_request(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs.csv"]) == 0
    assert ran(root) == ALL
    said = capsys.readouterr()
    assert said.out == (root / "runs/retrain/verdict.md").read_text("utf-8")
    for part in ("# Retraining: promote", "3 rows in runs/retrain/logs", "runs/retrain/audit", "Gates: passed", "4 answers change"):
        assert part in said.out
    assert "| coverage | 0.400 | 0.500 | +0.100 | [+0.050, +0.150] |" in said.out
    assert "python -m training.retrain --promote --run runs/retrain\n" in said.out
    assert "[1/8] import" in said.err and "[8/8] compare: done" in said.err
    assert serving(root) == "1"

    assert main(["--promote"]) == 0
    assert serving(root) == "2"
    assert open_bundle(root / "models/previous").identity.version == "1"
    assert "models/current is now 2" in capsys.readouterr().out
    card = (root / "models/current" / layout.CARD).read_text("utf-8")
    assert "Gates: passed" in card and "| coverage |" in card and "runs/retrain" not in card


def aliases(root: Path) -> dict[str, str]:
    """Version of the bundle behind each alias of the registered model."""
    with open_registry(NAME, uri=store_uri(root)) as registry:
        found = {
            alias: registry.client.get_model_version_by_alias(NAME, alias) for alias in registry.client.get_registered_model(NAME).aliases
        }
        return {alias: version.tags["bundle_version"] for alias, version in found.items()}


def test_the_candidate_is_kept_in_mlflow_and_promoting_makes_it_the_champion(root: Path) -> None:
    made = open_bundle(root / "made/bundle").identity.sha256
    write(root / "made/evaluation/evaluation.json", {"verdict": "passed", "suites": {"test": {"measures": {}}}, "bundle": {"sha256": made}})

    assert main(["logs.csv"]) == 0
    assert aliases(root) == {"candidate": "2"}
    assert main(["--promote"]) == 0
    assert aliases(root) == {"candidate": "2", "champion": "2"}


def test_a_trial_is_no_candidate(root: Path) -> None:
    assert main(["logs.csv", "--quick"]) == 0
    assert not (root / "mlruns").exists()


def test_a_comparison_won_with_a_gate_missed_keeps_the_champion(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = {"suite": "robustness", "metric": "invariance", "at_least": 0.99, "verdict": "failed", "detail": "0.9500 over 1576 rows"}
    write(root / "made/evaluation/evaluation.json", {"verdict": "failed", "suites": {}, "gates": [gate]})

    assert main(["logs.csv"]) == 1
    said = capsys.readouterr().out
    assert "# Retraining: keep" in said
    assert "- the candidate failed robustness: invariance at least 0.99: 0.9500 over 1576 rows" in said


def test_a_record_that_cannot_be_kept_costs_no_verdict(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(root / "mlruns/mlflow.db", "no database")

    assert main(["logs.csv"]) == 0
    assert "note: not kept in MLflow" in capsys.readouterr().err


def test_a_candidate_that_is_not_better_is_kept_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    advise(root, "keep")

    assert main(["logs.csv"]) == 1
    assert "# Retraining: keep" in capsys.readouterr().out
    before = serving(root)
    assert main(["--promote"]) == 1
    assert "not promoted: the advice is to keep the champion" in capsys.readouterr().err
    assert serving(root) == before

    assert main(["--promote", "--anyway"]) == 0
    assert serving(root) != before
    assert open_bundle(root / "models/current").manifest["evaluation"] == {"verdict": "passed"}


def test_a_champion_that_was_not_compared_with_is_not_replaced(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs.csv"]) == 0
    layout.write_manifest(root / "models/current", {"version": "1.5"})

    assert main(["--promote"]) == 2
    assert "is no longer the bundle of the comparison" in capsys.readouterr().err
    assert serving(root) == "1.5"


def test_stages_are_told_the_parameters_of_the_run(root: Path) -> None:
    main(["logs.csv", "--quick", "--run", "runs/q"])

    given = yaml.safe_load((root / "runs/q/models/checkpoints/params").read_text("utf-8"))
    assert given["prepare"]["logs"] == ["runs/q/logs"]
    assert given["train"]["epochs"] == 2


def test_the_second_run_does_only_what_changed(root: Path) -> None:
    main(["logs.csv"])
    ran(root)

    assert main(["logs.csv"]) == 0
    assert ran(root) == []
    advise(root, "keep")  # nothing a stage knows of
    write(root / "logs.csv", "more text")
    assert main(["logs.csv"]) == 0
    assert ran(root) == ["logs"]  # the import made the same rows of it


def test_another_version_makes_only_the_bundle_and_what_follows(root: Path) -> None:
    main(["logs.csv"])
    ran(root)
    params = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    (root / "params.yaml").write_text(yaml.safe_dump(params | {"version": "9"}), "utf-8")
    layout.write_manifest(root / "made/bundle", {"version": "9"})
    advise(root, "promote")

    assert main(["logs.csv"]) == 0
    assert ran(root) == ["bundle", "evaluation", "compare"]


def test_a_failing_stage_ends_the_run_with_its_message(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "fails").write_text("train", "utf-8")

    assert main(["logs.csv"]) == 2
    assert "stage train failed: 3 rows in runs/retrain/models/checkpoints\nthe rows are of no use; import others" in capsys.readouterr().err
    assert not (root / "runs/retrain/verdict.md").exists()
    (root / "fails").unlink()
    ran(root)
    assert main(["logs.csv"]) == 0
    assert ran(root) == ["train", "bundle", "evaluation", "compare"]


def test_two_runs_in_one_folder_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with hold(root / "runs/retrain"):
        assert main(["logs.csv"]) == 2
    assert "another retraining" in capsys.readouterr().err
    assert ran(root) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.csv"], "nowhere.csv: there is no such file"),
        (["logs.csv", "--mapping", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["logs.csv", "--extra", "nowhere.jsonl"], "nowhere.jsonl: there is no such file"),
        (["logs.csv", "--champion", "models/none"], "models/none: there is no bundle folder here"),
        (["--promote", "--run", "runs/none"], "run the retraining to its end first"),
    ],
)
def test_what_is_missing_is_one_line_before_any_work(root: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(words) == 2

    complaint = capsys.readouterr().err
    assert said in complaint and complaint.count("\n") == 1
    assert ran(root) == []
    assert not (root / "runs/none").exists()


@pytest.mark.parametrize("words", [[], ["logs.csv", "--promote"]])
def test_logs_and_promotion_are_two_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)

    assert caught.value.code == 2
    assert "name files of logs to train with" in capsys.readouterr().err


def test_mistaken_parameters_are_refused_under_their_own_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "params.yaml").write_text("seed: x", "utf-8")

    assert main(["logs.csv"]) == 2
    assert "params.yaml: " in capsys.readouterr().err


def test_a_candidate_that_was_not_compared_is_not_promoted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["logs.csv"])
    layout.write_manifest(root / "runs/retrain/models/candidate", {"version": "3"})

    assert main(["--promote"]) == 2
    assert "is not the bundle that was compared" in capsys.readouterr().err
    assert serving(root) == "1"
