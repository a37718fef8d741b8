"""The stages of a retraining are those of ``dvc.yaml``, moved into the run folder."""

from __future__ import annotations

import json
from hashlib import md5
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from training.params import Params
from training.pipeline import LEFT_OUT, Order, is_same_base, material, stages_of
from training.retrain import quick_params, run_params
from training.stages import Stage
from yingda.domain.errors import MaterialError

ROOT = Path(__file__).parents[2]
RUN = Path("runs/x")
PACK = Path("data/packs/retail")


def root_params() -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((ROOT / "params.yaml").read_text("utf-8")))


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Stage]:
    monkeypatch.chdir(ROOT)
    order = Order(RUN, (Path("a.csv"),), Path("map.yaml"), PACK, Path("models/current"), (Path("real.jsonl"),))
    return {stage.name: stage for stage in stages_of(order, run_params(root_params(), logs=RUN / "logs"))}


def test_every_stage_of_the_pipeline_is_run_between_import_and_comparison(stages: dict[str, Stage]) -> None:
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]

    assert list(stages) == ["import", "audit", *(name for name in described if name not in LEFT_OUT), "compare"]
    assert set(LEFT_OUT) < set(described)


def test_what_a_stage_reads_in_the_run_folder_was_made_before(stages: dict[str, Stage]) -> None:
    made: set[Path] = set()
    for stage in stages.values():
        read = {path for path in stage.inputs if path.is_relative_to(RUN)}
        assert read <= made, stage.name
        named = {Path(word) for word in stage.command if word.startswith(f"{RUN}/")}
        assert all(any(path.is_relative_to(known) for known in made | set(stage.outputs)) for path in named), stage.name
        made |= set(stage.outputs)


def test_no_stage_writes_outside_the_run_folder(stages: dict[str, Stage]) -> None:
    assert all(stage.outputs and all(path.is_relative_to(RUN) for path in stage.outputs) for stage in stages.values())


def test_no_stage_that_trains_is_given_an_exam(stages: dict[str, Stage]) -> None:
    exams = {"real.jsonl", "models/current"}
    for name in set(stages) - {"import", "evaluate", "compare"}:
        assert not exams & set(stages[name].command), name
        assert not any(path.name.startswith(("test-", "multilingual")) or path == PACK for path in stages[name].inputs), name


def test_what_is_compared_is_told_to_both_examiners(stages: dict[str, Stage]) -> None:
    assert stages["evaluate"].command[-4:] == ("--pack", str(PACK), "--extra", "real.jsonl")
    compare = stages["compare"].command
    assert compare[:5] == ("-m", "evaluation", "compare", "models/current", "runs/x/models/candidate")
    assert Path("models/current") in stages["compare"].inputs
    assert {0, 1} == stages["compare"].accepted < stages["evaluate"].accepted


def test_import_and_audit_take_the_logs(stages: dict[str, Stage]) -> None:
    assert stages["import"].command[:4] == ("-m", "training.logs", "import", "a.csv")
    assert stages["import"].command[-2:] == ("--mapping", "map.yaml")
    assert stages["audit"].command[2:4] == ("--logs", "runs/x/logs")
    assert RUN / "logs" in stages["prepare"].inputs


def test_a_quick_run_audits_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    order = Order(RUN, (Path("a.csv"),), None, PACK, Path("models/current"), (), quick=True)
    audit = next(stage for stage in stages_of(order, run_params(root_params(), logs=RUN / "logs")) if stage.name == "audit")

    assert audit.command[-1] == "--quick"


def test_only_training_goes_on_from_what_it_left(stages: dict[str, Stage]) -> None:
    assert stages["train"].resumes
    assert not any(stages[name].resumes for name in ("import", "prepare", "linear", "bundle", "evaluate", "compare"))


def test_the_parameters_of_a_run_are_the_roots_with_the_logs(tmp_path: Path) -> None:
    root = root_params()
    root["prepare"]["logs"] = [str(tmp_path), str(tmp_path / "absent")]
    params = run_params(root, logs=RUN / "logs")

    assert params["prepare"]["logs"] == [str(tmp_path), "runs/x/logs"]
    assert params["prepare"]["weak_logs"] == [folder for folder in root["prepare"]["weak_logs"] if Path(folder).is_dir()]
    assert {**params, "prepare": 0} == {**root, "prepare": 0}
    Params.model_validate(params)


def test_a_quick_run_trains_less_and_distils_nothing() -> None:
    params = Params.model_validate(quick_params(run_params(root_params(), logs=RUN / "logs")))

    assert params.train.epochs < root_params()["train"]["epochs"]
    assert params.layers == params.train.layers < root_params()["train"]["layers"]


def test_material_leaves_every_exam_out() -> None:
    names = {path.name for path in material(ROOT / PACK)}

    assert {"taxonomy.yaml", "train-1.jsonl"} <= names
    assert not any(name.startswith(("test-", "multilingual", "public", "robustness")) for name in names)


def test_a_repository_without_the_pipeline_is_refused(tmp_path: Path) -> None:
    order = Order(RUN, (), None, PACK, Path("models/current"), ())
    with pytest.raises(MaterialError, match=r"dvc.yaml: cannot be read; run from the repository root"):
        stages_of(order, {}, root=tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {cmd: python -m x}}", "utf-8")
    with pytest.raises(MaterialError, match="stage base_encoder is missing"):
        stages_of(order, {}, root=tmp_path)


def write_base(root: Path) -> dict[str, Any]:
    """A base encoder with the record that DVC keeps of it; returns its parameters."""
    (root / "models" / "base").mkdir(parents=True)
    (root / "models" / "base" / "weights").write_bytes(b"w")
    (root / "code.py").write_bytes(b"c")
    listed = json.dumps([{"md5": md5(b"w").hexdigest(), "relpath": "weights"}], sort_keys=True)
    params = {"hub_model": None, "shared_rank": 7}
    record = {
        "deps": [{"path": "code.py", "md5": md5(b"c").hexdigest()}],
        "params": {"params.yaml": {"base_encoder": params}},
        "outs": [{"path": "models/base", "md5": md5(listed.encode()).hexdigest() + ".dir"}],
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"stages": {"base_encoder": record}}), "utf-8")
    return params


def test_a_base_that_is_proven_the_same_is_taken_over(tmp_path: Path) -> None:
    params = write_base(tmp_path)

    assert is_same_base(tmp_path, params)
    assert not is_same_base(tmp_path, params | {"shared_rank": 8})


@pytest.mark.parametrize("changed", ["models/base/weights", "code.py", "dvc.lock"])
def test_a_base_of_other_bytes_or_code_is_built_anew(tmp_path: Path, changed: str) -> None:
    params = write_base(tmp_path)
    (tmp_path / changed).write_bytes(b"x")

    assert not is_same_base(tmp_path, params)


def test_a_repository_without_a_base_builds_one(tmp_path: Path) -> None:
    assert not is_same_base(tmp_path, {})
