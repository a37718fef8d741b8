"""A finished pipeline in MLflow: one run, one version, a model that answers as the engine does, and no customer's text."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from tests.fakes_core import write_tiny_bundle
from training.track import main
from training.tracking import Registry, open_registry, store_uri
from yingda import bundle as layout
from yingda.assemble import open_engine
from yingda.bundle import open_bundle
from yingda.domain.errors import MessageError
from yingda.domain.message import Channel, Customer, Message, Tier

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.pyfunc import PyFuncModel

ROOT = Path(__file__).parents[2]
QUOTED = ("隔壁的猫咬碎了我的快递单，什么时候发", "The cat of my neighbour ate the parcel label")
"""Messages in the report, beside it and in the training file."""

ASKED = ("你好，楼下小卖部说没有我的包裹", "发货了吗，我家鹦鹉等着呢", "怒怒怒", "今天星期几")
"""Messages that the logged model answers."""


def write_bundle(root: Path, *, version: str = "1.0") -> Path:
    """The tiny bundle with what a finished pipeline says about itself."""
    write_tiny_bundle(root)
    manifest = json.loads((root / layout.MANIFEST).read_text("utf-8"))
    facts = {name: value for name, value in manifest.items() if name not in ("files", "format")}
    history = [{"epoch": 1, "loss": 2.5, "selection_accuracy": 0.25}, {"epoch": 2, "loss": 1.5, "selection_accuracy": 0.75}]
    training = {"history": history, "params": {"seed": 7, "train": {"epochs": 2, "hub": None}}}
    promise = {"error_budget": 0.03, "match": {"threshold": 0.7, "right": 9}}
    layout.write_manifest(root, {**facts, "version": version, "training": training, "promise": promise, "data_sha256": "d" * 64})
    return root


def write_report(folder: Path, bundle: Path) -> Path:
    """A report about ``bundle`` that quotes messages wherever it can."""
    folder.mkdir(parents=True)
    mistakes = [{"place": f"test-1.jsonl:{n}", "text": text, "got": "hello", "confidence": 0.9} for n, text in enumerate(QUOTED)]
    suite = {
        "rows": 8,
        "measures": {"coverage": {"value": 0.5, "n": 8, "low": 0.2, "high": 0.8}},
        "slices": [{"by": "style", "value": "plain", "rows": 3, "measures": {"coverage": {"value": 0.25, "n": 3}}}],
        "wrong_matches": mistakes,
        "worst": QUOTED[0],
        "by_message": dict.fromkeys(QUOTED, 1.0),
        "calibration": {"pooled": {"heads": {"match": {"bins": [{"confidence": 0.5, "accuracy": 0.5}]}}}},
    }
    identity = open_bundle(bundle).identity
    report = {"bundle": {"version": identity.version, "sha256": identity.sha256}, "verdict": "passed", "suites": {"test": suite}}
    (folder / "evaluation.json").write_text(json.dumps(report, ensure_ascii=False), "utf-8")
    (folder / "evaluation.md").write_text("\n".join(QUOTED), "utf-8")
    return folder


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with a bundle, its report and a store that holds both as version 1 of ``yingda``."""
    root = tmp_path_factory.mktemp("tracking")
    bundle = write_bundle(root / "bundle")
    write_report(root / "report", bundle)
    training = {"history": [{"epoch": 1, "loss": 3.5, "hardest": QUOTED[0]}], "hardest": list(QUOTED)}
    (root / "training.json").write_text(json.dumps(training, ensure_ascii=False), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main(["--bundle", "bundle", "--report", "report"]) == 0
        yield root


@pytest.fixture
def registry(workshop: Path) -> Iterator[Registry]:
    with open_registry("yingda", uri=store_uri(workshop)) as opened:
        yield opened


@pytest.fixture
def run(registry: Registry) -> Run:
    found = registry.client.get_model_version("yingda", "1").run_id
    assert found is not None
    return registry.client.get_run(found)


@pytest.fixture(scope="module")
def model(workshop: Path) -> PyFuncModel:
    import mlflow

    with open_registry("yingda", uri=store_uri(workshop)):
        loaded: PyFuncModel = mlflow.pyfunc.load_model("models:/yingda@candidate")
    return loaded


def predict(model: PyFuncModel, rows: pd.DataFrame) -> pd.DataFrame:
    found = model.predict(rows)
    assert isinstance(found, pd.DataFrame)
    return found


def runs_of(registry: Registry, name: str) -> list[str]:
    experiment = registry.client.get_experiment_by_name(name)
    assert experiment is not None
    return [run.info.run_id for run in registry.client.search_runs([experiment.experiment_id])]


def versions(registry: Registry, name: str) -> list[str]:
    return sorted(str(found.version) for found in registry.client.search_model_versions(f"name='{name}'"))


def alias(registry: Registry, name: str, wanted: str) -> str:
    return str(registry.client.get_model_version_by_alias(name, wanted).version)


def test_parameters_arrive(run: Run) -> None:
    assert run.data.params == {"seed": "7", "train.epochs": "2", "train.hub": "null"}


def test_training_arrives_epoch_by_epoch(registry: Registry, run: Run) -> None:
    found = registry.client.get_metric_history(run.info.run_id, "training/selection_accuracy")

    assert {point.step: point.value for point in found} == pytest.approx({1: 0.25, 2: 0.75})


def test_promise_thresholds_and_evaluation_arrive(run: Run) -> None:
    wanted = {
        "promise/match/right": 9,
        "thresholds/match": 0.7,
        "test/coverage": 0.5,
        "test/coverage/low": 0.2,
        "test/style/plain/coverage": 0.25,
    }

    assert {name: run.data.metrics[name] for name in wanted} == pytest.approx(wanted)


def test_tags_name_the_bundle_and_its_data(run: Run, workshop: Path) -> None:
    wanted = {"bundle_sha256": open_bundle(workshop / "bundle").identity.sha256, "data_sha256": "d" * 64, "verdict": "passed"}

    assert run.data.tags.items() >= wanted.items()
    assert run.info.run_name == "1.0"


def test_manifest_card_report_and_plots_are_kept(registry: Registry, run: Run) -> None:
    root, plots = (registry.client.list_artifacts(run.info.run_id, path) for path in (None, "plots"))

    assert {file.path for file in root} == {"MODEL_CARD.md", "evaluation.json", "manifest.json", "plots"}
    assert {file.path for file in plots} == {"plots/training.png", "plots/reliability_test_match.png"}


def test_the_store_is_where_the_documents_say(workshop: Path) -> None:
    assert {path.name for path in (workshop / "mlruns").iterdir()} == {"mlflow.db", "artifacts"}


def test_the_logged_model_answers_as_the_engine_does(model: PyFuncModel, workshop: Path) -> None:
    answers = open_engine(workshop / "bundle").answer_many([Message(text) for text in ASKED])
    wanted = [
        {
            "intent": answer.classification.intent.code,
            "sentiment": answer.classification.sentiment.label,
            "faq": answer.faq.id if answer.faq else None,
            "outcome": answer.outcome,
            "reply": answer.reply.text,
        }
        for answer in answers
    ]

    found = predict(model, pd.DataFrame({"text": ASKED}))
    assert found[["intent", "sentiment", "faq", "outcome", "reply"]].to_dict(orient="records") == wanted
    assert {row["faq"] for row in wanted} > {None}  # the messages are of both kinds
    # the same arithmetic in the same process; the tolerance is for the way through a table
    assert list(found["intent_confidence"]) == pytest.approx([a.classification.intent.confidence for a in answers], abs=1e-9)
    assert list(found["match_confidence"]) == pytest.approx([a.candidates[0].confidence for a in answers], abs=1e-9)


def test_what_is_known_of_the_customer_reaches_the_engine(model: PyFuncModel, workshop: Path) -> None:
    rows = pd.DataFrame(
        {
            "text": ["怎么取消", "怎么取消"],
            "channel": ["email", None],
            "language": ["en", None],
            "customer_name": ["王小明", None],
            "customer_gender": ["male", None],
            "customer_tier": ["vip", None],
        }
    )
    known = Message("怎么取消", channel=Channel.EMAIL, language="en", customer=Customer("", "王小明", "male", Tier.VIP))
    wanted = [answer.reply.text for answer in open_engine(workshop / "bundle").answer_many([known, Message("怎么取消")])]

    assert list(predict(model, rows)["reply"]) == wanted
    assert wanted[0] != wanted[1]


def test_no_rows_give_no_answers(model: PyFuncModel) -> None:
    found = predict(model, pd.DataFrame({"text": pd.Series([], dtype=object)}))

    assert len(found) == 0
    assert {"intent", "faq", "reply"} <= set(found.columns)


@pytest.mark.parametrize("changes", [{"text": "  "}, {"channel": "fax"}, {"customer_tier": "gold"}])
def test_a_row_that_cannot_be_answered_is_named_and_not_quoted(model: PyFuncModel, changes: dict[str, str]) -> None:
    rows = pd.DataFrame([{"text": ASKED[0], "channel": "web", "customer_tier": "normal"}, {"text": ASKED[1], "channel": "web"} | changes])

    with pytest.raises(MessageError, match="row 2") as caught:
        predict(model, rows)
    assert ASKED[1] not in str(caught.value)
    assert "fax" not in str(caught.value)


def test_the_same_bundle_makes_no_second_version(registry: Registry, workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = runs_of(registry, "yingda")

    assert main(["--bundle", "bundle", "--report", "report"]) == 0
    assert "already holds this bundle" in capsys.readouterr().out
    assert versions(registry, "yingda") == ["1"]
    assert runs_of(registry, "yingda") == runs


def test_a_new_bundle_is_the_candidate_until_it_is_promoted(registry: Registry, workshop: Path, tmp_path: Path) -> None:
    newer = write_bundle(tmp_path / "newer", version="2.0")
    report = write_report(tmp_path / "report", newer)

    assert main(["--bundle", "bundle", "--report", "report", "--alias", "champion", "--name", "shop"]) == 0
    assert main(["--bundle", str(newer), "--report", str(report), "--training", "training.json", "--name", "shop"]) == 0
    assert (alias(registry, "shop", "champion"), alias(registry, "shop", "candidate")) == ("1", "2")
    assert main(["--name", "shop", "--promote", "2"]) == 0
    assert (alias(registry, "shop", "champion"), versions(registry, "shop")) == ("2", ["1", "2"])


def test_no_text_of_a_message_reaches_the_store(workshop: Path, model: PyFuncModel) -> None:
    """Of the report, the files beside it, a training file, or what the model was asked."""
    predict(model, pd.DataFrame({"text": ASKED}))
    assert main(["--bundle", "bundle", "--report", "report", "--training", "training.json", "--name", "private"]) == 0

    files = {path: path.read_bytes() for path in (workshop / "mlruns").rglob("*") if path.is_file()}
    assert any(path.name == "mlflow.db" and b"training/loss" in content for path, content in files.items())
    spellings = [
        form for text in (*QUOTED, *ASKED[:2]) for form in (text.encode(), text.encode("utf-16-le"), json.dumps(text)[1:-1].encode())
    ]
    assert [path for path, content in files.items() if any(form in content for form in spellings)] == []


def test_nothing_in_the_store_is_a_pickle(workshop: Path) -> None:
    names = [path.name for path in (workshop / "mlruns").rglob("*") if path.is_file()]

    assert "pyfunc.py" in names
    assert [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))] == []


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a refused command says: one line, and exit code 2."""
    capsys.readouterr()
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("track: ")
    assert said.err.count("\n") == 1
    return said.err


def test_an_unknown_version_is_refused_and_the_known_ones_are_named(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name one of: 1" in refused(["--promote", "7"], capsys)
    assert "none yet" in refused(["--promote", "1", "--name", "nobody"], capsys)


@pytest.mark.parametrize("argv", [["--bundle", "b", "--report", "r", "--alias", "best"], ["--bundle", "b"], []])
def test_an_unknown_alias_or_a_missing_option_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2


def test_nothing_is_made_of_a_bundle_or_report_that_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_report(tmp_path / "report", write_bundle(tmp_path / "bundle"))
    write_bundle(tmp_path / "other", version="2.0")

    assert "no bundle folder" in refused(["--bundle", "gone", "--report", "report"], capsys)
    assert "missing" in refused(["--bundle", "bundle", "--report", "gone"], capsys)
    assert "another bundle" in refused(["--bundle", "other", "--report", "report"], capsys)
    assert "missing" in refused(["--bundle", "bundle", "--report", "report", "--training", "gone"], capsys)
    (tmp_path / "bundle" / layout.LABELS).write_text("{}", "utf-8")
    assert "the manifest says" in refused(["--bundle", "bundle", "--report", "report"], capsys)
    assert not (tmp_path / "mlruns").exists()


def test_a_name_that_mlflow_would_not_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--name" in refused(["--promote", "1", "--name", "a'b"], capsys)


def test_a_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:  # bound but not listening: nothing can answer there
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://clerk:secret@{address}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

        said = refused(["--promote", "1"], capsys)
    assert address in said
    assert "MLFLOW_TRACKING_URI" in said
    assert "secret" not in said
    assert os.environ["MLFLOW_TRACKING_URI"] == f"http://clerk:secret@{address}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("this is not a database, and it stays as it is", "utf-8")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")

    assert "check the file" in refused(["--promote", "1"], capsys)
    assert path.read_text("utf-8").startswith("this is not")


def test_mlflow_sends_nothing_to_its_makers() -> None:
    """In a process of its own: MLflow sends nothing from tests and from CI anyway."""
    quiet = ("MLFLOW_", "PYTEST_", "CI", "GITHUB_", "DO_NOT_TRACK")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
    code = """
from training.track import main
assert main(["--promote", "1", "--name", "nobody"]) == 2
import mlflow.telemetry
print(mlflow.telemetry.get_telemetry_client())
"""
    environment |= {"MLFLOW_TRACKING_URI": "wrong://store", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
