"""The evaluation says no: the shipped bundle passes every gate, and each way of spoiling it is caught by the gate meant for it.

Each case is a call of `python -m evaluation` with everything as it is there, but for two things that would cost minutes: the encoder
file is never spoiled, so each message is encoded once for all cases, and speed is not measured, which a remembered encoding would
make a lie of. Everything behind the encoder runs anew, over all rows of the test set, for the lower bound needs them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from evaluation.__main__ import main
from evaluation.speed import NAME as SPEED
from tests.says_no_kit import (
    BUNDLE,
    PACK,
    ROOT,
    Bench,
    Change,
    ForgetfulEngine,
    Found,
    SilentEngine,
    SureEngine,
    UntrainedHeads,
    assert_refused,
    edited,
    exams,
    make_pack,
    shuffle_labels,
    spoil,
    with_encoder,
    written,
)
from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.knowledge import DISPLEASED
from yingda.text.fingerprint import fingerprints, read_fingerprints

GATES = ROOT / "evaluation/gates.yaml"
LARGEST_INTENT = "ORDER_MODIFY"
"""The intent with most rows in the test set; smaller ones are lost in the noise of figures over all rows."""
COLDER = 0.1
"""A temperature ten times too low: confidences run to 0 and 1."""

CORE = {
    "test: faq_top1",
    "test: intent_accuracy",
    "test: coverage",
    "test: automatic_coverage",
    "multilingual: faq_top1",
    "robustness: minimum_function",
    "robustness: directional",
}

PROMISES = {
    "test: match_accuracy_lower_bound",
    "test: automatic_accuracy_lower_bound",
    "test: wrong_automatic_answers",
    "promise: served_budget_exceeded",
}
SILENCE = {"robustness: invariance_kept", "robustness: least_kept", "robustness: story_kept"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("bench")
    yield Bench(root, make_pack(root / "pack"))


@pytest.fixture
def examine(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Found]:
    """Evaluates a bundle (the shipped one unless named) and gives what was found."""

    def _examine(bundle: Path = BUNDLE, *, pack: Path = bench.pack, change: Change = lambda engine: engine) -> Found:
        arguments = ["--bundle", str(bundle), "--pack", str(pack), "--out", str(tmp_path / "out")]
        code = main(arguments, load=bench.loader(change))
        captured = capsys.readouterr()
        assert "could not run" not in captured.err
        report = json.loads((tmp_path / "out/evaluation.json").read_text("utf-8"))
        return Found(code, captured.out, report, (tmp_path / "out/evaluation.md").read_text("utf-8"))

    return _examine


def cool_sentiment(fields: dict[str, Any]) -> None:
    """As if the head had been calibrated to a temperature of 0.1."""
    fields["sentiment"]["temperature"] = COLDER


def cool_confidence(fields: dict[str, Any]) -> None:
    """The log odds of match confidence divided by 0.1."""
    confidence = fields["confidence"]
    confidence["weights"] = [weight / COLDER for weight in confidence["weights"]]
    confidence["bias"] /= COLDER


def cool_intent(fields: dict[str, Any]) -> None:
    """The logits of the fused intent divided by 0.1."""
    fields["intent"] = {name: weight / COLDER for name, weight in fields["intent"].items()}


def look_away(fields: dict[str, Any]) -> None:
    """A sentiment bias under which displeasure is hardly ever seen."""
    labels = json.loads((BUNDLE / layout.LABELS).read_text("utf-8"))["sentiments"]
    fields["sentiment"]["alertness"] = 0.0
    fields["sentiment"]["bias"] = [-4.0 if label in DISPLEASED else 0.0 for label in labels]


def forget_intent(knowledge: Path) -> None:
    """Remove every FAQ entry of the largest intent."""
    for path in knowledge.glob("faq-*.yaml"):
        entries = yaml.safe_load(path.read_text("utf-8"))
        kept = [entry for entry in entries if entry["intent"] != LARGEST_INTENT]
        path.write_text(json.dumps(kept, ensure_ascii=False), "utf-8")  # JSON is YAML


def draw_class_vectors(path: Path) -> None:
    """Unit vectors in random directions, as before any training."""
    shape = load_file(path)["classes"].shape
    vectors = np.random.default_rng(20).standard_normal(shape).astype(np.float32)
    save_file({"classes": vectors / np.linalg.norm(vectors, axis=1, keepdims=True)}, path)


def draw_linear_view(path: Path) -> None:
    """The n-gram view with its weights dealt out to random classes, and no bias."""
    arrays, generator = load_file(path), np.random.default_rng(21)
    arrays["classes"] = generator.integers(0, len(arrays["bias"]), len(arrays["classes"])).astype(arrays["classes"].dtype)
    arrays["weights"] = generator.permutation(arrays["weights"])
    save_file(arrays | {"bias": np.zeros_like(arrays["bias"])}, path)


def test_the_shipped_bundle_passes_every_gate(examine: Callable[..., Found]) -> None:
    found = examine()

    gates = {f"{gate['suite']}: {gate['metric']}" for gate in yaml.safe_load(GATES.read_text("utf-8"))["gates"]}
    unmeasured = {gate for gate in gates if gate.startswith(f"{SPEED}: ")}
    assert found.gates("passed") == gates - unmeasured
    assert found.gates("undecided") == unmeasured, "tests/integration/test_shipped_bundle.py measures them"
    assert found.code == 2


def test_shuffled_labels_are_refused_for_wrong_matches(bench: Bench, examine: Callable[..., Found], tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    for path in exams(pack):
        shuffle_labels(path, seed=1)

    found = examine(pack=pack)

    assert_refused(found, by=PROMISES | {"test: out_of_scope_refusal", "multilingual: wrong_automatic_answers"})
    assert_refused(found, by={"test: faq_top1", "test: intent_accuracy", "test: match_ece", "multilingual: faq_top1"})
    assert "test: sentiment_ece" in found.gates("passed"), "the mood kept its label"


def test_an_intent_without_entries_is_refused_for_what_is_not_found(examine: Callable[..., Found], tmp_path: Path) -> None:
    found = examine(spoil(tmp_path / "bundle", knowledge=forget_intent))

    assert_refused(found, by={"labels: labels_lacking", "test: least_found_intent"})
    assert "labelled modify-address, which the knowledge lacks" in found.screen
    # the engine says that it does not know these messages, so no promise about its answers is broken
    assert found.gates("passed") >= PROMISES


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (cool_sentiment, {"test: sentiment_ece"}),
        (cool_intent, {"test: intent_ece"}),
        (cool_confidence, PROMISES | {"test: match_ece"}),
        (look_away, {"test: displeased_recall"}),
    ],
)
def test_a_spoiled_calibration_is_refused_for_it(
    change: Callable[[dict[str, Any]], None], by: set[str], examine: Callable[..., Found], tmp_path: Path
) -> None:
    found = examine(spoil(tmp_path / "bundle", CALIBRATION=edited(change)))

    assert_refused(found, by=by)
    assert {"test: faq_top1", "test: intent_accuracy"} <= found.gates("passed"), "the order of candidates is the same"


def test_untrained_heads_are_refused_though_they_answer_nothing_wrongly(examine: Callable[..., Found], tmp_path: Path) -> None:
    bundle = spoil(tmp_path / "bundle", FAQ_VECTORS=draw_class_vectors, LINEAR_WEIGHTS=draw_linear_view)
    found = examine(bundle, change=lambda engine: with_encoder(engine, UntrainedHeads(engine._model.encoder)))

    assert_refused(found, by=CORE)
    assert found.gates("failed") & {"test: displeased_recall", "test: sentiment_ece"}
    # who never answers is never wrong: without the floors above, such a bundle would not be refused
    assert "test: wrong_automatic_answers" in found.gates("passed")


def test_leaked_test_rows_are_refused_for_contamination(examine: Callable[..., Found], tmp_path: Path) -> None:
    leaked = [json.loads(line)["text"] for line in exams(PACK)[0].read_text("utf-8").splitlines()[:40]]

    def leak(path: Path) -> None:
        save_file({"rows": np.union1d(read_fingerprints(path), fingerprints(leaked))}, path)

    found = examine(spoil(tmp_path / "bundle", TRAINED=leak))

    assert_refused(found, by={"contamination: contaminated_rows"})
    assert found.gates("failed") == {"contamination: contaminated_rows"}
    assert "- test-1.jsonl, " in found.page and "`test-1.jsonl:" in found.page


@pytest.mark.parametrize(
    ("forgets", "by", "kept"),
    [
        (False, SILENCE, {"robustness: best_kept"}),
        (True, SILENCE | {"robustness: best_kept"}, set[str]()),
    ],
)
def test_silence_at_every_change_of_wording_is_refused(
    forgets: bool, by: set[str], kept: set[str], examine: Callable[..., Found], bench: Bench
) -> None:
    known = frozenset(written(bench.pack))

    found = examine(change=lambda engine: SilentEngine(engine, known, forgets))

    assert_refused(found, by=by)
    assert found.gates("failed") == by
    assert {"robustness: invariance", "robustness: invariance_all"} | kept <= found.gates("passed"), "silence misleads nobody"


def test_wrong_answers_at_every_change_of_wording_are_refused(examine: Callable[..., Found], bench: Bench) -> None:
    known = frozenset(written(bench.pack))

    found = examine(change=lambda engine: SureEngine(engine, known))

    assert_refused(found, by={"robustness: invariance", "robustness: invariance_all", "robustness: least_kept"})
    assert "test: wrong_automatic_answers" in found.gates("passed"), "every message of the test files is answered as before"


def test_an_engine_that_forgets_its_conversations_is_refused_for_them(examine: Callable[..., Found]) -> None:
    found = examine(change=ForgetfulEngine)

    assert_refused(found, by={"conversations: turns_passed"})
    assert {gate.partition(":")[0] for gate in found.gates("failed")} == {"conversations"}


def test_labels_in_another_order_than_the_models_outputs_are_refused(examine: Callable[..., Found], tmp_path: Path) -> None:
    def sort_classes(fields: dict[str, Any]) -> None:
        fields["matches"] = sorted(fields["matches"], reverse=True)
        fields["intents"] = sorted(fields["intents"], reverse=True)

    found = examine(spoil(tmp_path / "bundle", LABELS=edited(sort_classes)))

    assert_refused(found, by={"test: faq_top1", "test: intent_accuracy", "test: least_found_intent"})


def set_threshold(root: Path) -> tuple[Path, Path]:
    """The threshold lowered by hand, and a manifest that vouches for it."""
    thresholds = {**open_bundle(BUNDLE).manifest["thresholds"], "match": 0.85}
    return spoil(root / "bundle", facts={"thresholds": thresholds}), PACK


def edit_manifest(root: Path) -> tuple[Path, Path]:
    """The threshold lowered by hand and nothing else."""
    bundle = spoil(root / "bundle")
    path = bundle / layout.MANIFEST
    fields = json.loads(path.read_text("utf-8"))
    fields["thresholds"]["match"] = fields["promise"]["match"]["threshold"] = 0.85
    path.write_text(json.dumps(fields), "utf-8")
    return bundle, PACK


def lose_a_number(root: Path) -> tuple[Path, Path]:
    """A calibration that came out as no number."""

    def spoil_weight(fields: dict[str, Any]) -> None:
        fields["confidence"]["bias"] = float("nan")

    return spoil(root / "bundle", CALIBRATION=edited(spoil_weight)), PACK


def repeat_rows(root: Path) -> tuple[Path, Path]:
    """A test file in which every message stands twice, so that bounds come out narrower."""
    pack = make_pack(root / "pack")
    rows = (path := exams(pack)[0]).read_text("utf-8")
    path.unlink()  # a link to the pack's own file
    path.write_text(rows + rows, "utf-8")
    return BUNDLE, pack


def cut_rows(root: Path) -> tuple[Path, Path]:
    """A test file that was cut while it was copied."""
    pack = make_pack(root / "pack")
    rows = (path := exams(pack)[0]).read_bytes()
    path.unlink()
    path.write_bytes(rows[: len(rows) // 2])
    return BUNDLE, pack


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_threshold, "manifest.json: serves the threshold 0.85 for match, and the promise was made for 0.89"),
        (edit_manifest, "manifest.json: a value in it was altered after it was written"),
        (lose_a_number, "manifest.json: written for another version of Yingda; rebuild it"),
        (repeat_rows, "test-1.jsonl:509 repeats the message of test-1.jsonl:1; remove one of them"),
        (cut_rows, "test-1.jsonl"),
    ],
)
def test_what_was_spoiled_by_hand_or_on_the_way_cannot_run(
    change: Callable[[Path], tuple[Path, Path]], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, pack = change(tmp_path)

    assert main(["--bundle", str(bundle), "--pack", str(pack), "--out", str(tmp_path / "out")]) == 2

    complaint = capsys.readouterr().err
    assert complaint.startswith("evaluation could not run: ")
    assert said in complaint
    assert not (tmp_path / "out").exists()
