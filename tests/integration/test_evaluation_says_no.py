"""The evaluation says no: the shipped bundle passes every gate, and each way of spoiling it is caught by the gate meant for it.

The encoder is never spoiled, so each message is encoded once for all cases; everything behind the encoder runs anew, over all rows
of the test set, for the lower bound of match accuracy needs them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from evaluation.command import run
from evaluation.conversations.scenario import FOLDER as CONVERSATIONS
from evaluation.robustness.cases import CASES
from evaluation.speed import METRICS, open_loop
from yingda import bundle as layout
from yingda.assemble import open_engine
from yingda.bundle import open_bundle, write_manifest
from yingda.domain.knowledge import DISPLEASED
from yingda.engine import Encoder, Engine
from yingda.pack import copy_knowledge, read_knowledge
from yingda.runtime import Encodings
from yingda.text.fingerprint import write_fingerprints

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models/current"
PACK = ROOT / "data/packs/retail"
EXAMS = ("test-*.jsonl", "multilingual.jsonl")

GATES = ROOT / "evaluation/gates.yaml"
LARGEST_INTENT = "ORDER_MODIFY"
"""The intent with most rows in the test set; smaller ones are lost in the noise of figures over all rows."""
COLDER = 0.1
"""A temperature ten times too low: confidences run to 0 and 1."""

CORE = {
    "test: faq_top1",
    "test: intent_accuracy",
    "test: coverage",
    "multilingual: faq_top1",
    "robustness: minimum_function",
    "robustness: directional",
}


@dataclass(frozen=True)
class Found:
    """What one evaluation gave: exit code, screen, the report for programs and the one for people."""

    code: int
    screen: str
    report: Mapping[str, Any]
    page: str

    def gates(self, verdict: str) -> set[str]:
        """The gates with ``verdict``, as ``suite: metric``."""
        return {f"{gate['suite']}: {gate['metric']}" for gate in self.report["gates"] if gate["verdict"] == verdict}


@dataclass
class RememberingEncoder:
    """Encodes each message once; ``known`` is shared by all engines with this very encoder file."""

    encoder: Encoder
    known: dict[tuple[int, ...], Encodings]

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """As the encoder itself."""
        for row in map(tuple, ids):
            if row not in self.known:
                self.known[row] = self.encoder.run([row])
        found = [self.known[tuple(row)] for row in ids]
        return Encodings(*(np.concatenate([getattr(one, name) for one in found]) for name in ("embedding", "intent", "sentiment")))


@dataclass
class Bench:
    """Opens bundles with what their encoder said before; ``root`` has a folder for all that is written."""

    root: Path
    pack: Path
    encoded: dict[str, dict[tuple[int, ...], Encodings]] = field(default_factory=dict)

    def open_with_pack(self, bundle: Path, *, pack: Path) -> Engine:
        """The opener of `python -m evaluation`."""
        return self._remembering(bundle, open_engine(bundle, pack=pack))

    def open_as_served(self, bundle: Path, *, pack: Path) -> Engine:
        """With the knowledge inside the bundle, as `yingda` serves it where no pack is named."""
        return self._remembering(bundle, open_engine(bundle))

    def _remembering(self, bundle: Path, engine: Engine) -> Engine:
        digest = open_bundle(bundle).manifest["files"][layout.ENCODER]["sha256"]
        encoder = RememberingEncoder(engine._model.encoder, self.encoded.setdefault(digest, {}))
        return Engine(replace(engine._model, encoder=encoder), engine._index, engine.knowledge)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("bench")
    yield Bench(root, make_pack(root / "pack"))


@pytest.fixture
def examine(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Found]:
    """Evaluates a bundle (the shipped one unless named) and gives what was found."""

    def _examine(bundle: Path = BUNDLE, *, pack: Path = bench.pack, opener: Any = bench.open_with_pack, loop_opener: Any = None) -> Found:
        arguments = ["--bundle", str(bundle), "--pack", str(pack), "--out", str(tmp_path / "out")]
        code = run(arguments, opener=opener, draw=lambda _: {}, loop_opener=loop_opener)
        captured = capsys.readouterr()
        assert code != 2, captured.err
        report = json.loads((tmp_path / "out/evaluation.json").read_text("utf-8"))
        return Found(code, captured.out, report, (tmp_path / "out/evaluation.md").read_text("utf-8"))

    return _examine


def make_pack(root: Path) -> Path:
    """What the suites need of the retail pack: its knowledge and the labelled messages that no model sees."""
    (root / "utterances").mkdir(parents=True)
    copy_knowledge(PACK, root)
    for path in exams(PACK):
        (root / "utterances" / path.name).symlink_to(path)
    for name in (CASES, CONVERSATIONS):
        (root / name).symlink_to(PACK / name)
    return root


def exams(pack: Path) -> list[Path]:
    return [path for pattern in EXAMS for path in sorted((pack / "utterances").glob(pattern))]


def shuffle_labels(path: Path, *, seed: int) -> None:
    """Give every row of a file the intent, entry and further entries of another row."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    labels = [{name: row[name] for name in ("intent", "faq", "also") if name in row} for row in rows]
    random.Random(seed).shuffle(labels)
    kept = [{name: row[name] for name in row if name not in ("intent", "faq", "also")} for row in rows]
    path.unlink()  # a link to the pack's own file
    path.write_text("".join(json.dumps(row | label, ensure_ascii=False) + "\n" for row, label in zip(kept, labels, strict=True)), "utf-8")


def spoil(root: Path, **changes: Callable[[Path], None]) -> Path:
    """The shipped bundle at ``root`` with the named files changed, and a manifest that vouches for it all."""
    wanted = {layout.KNOWLEDGE if name == "knowledge" else getattr(layout, name): change for name, change in changes.items()}
    for path in BUNDLE.rglob("*"):
        target = root / path.relative_to(BUNDLE)
        if path.is_file() and path.name != layout.MANIFEST:
            target.parent.mkdir(parents=True, exist_ok=True)
            touched = target.relative_to(root).parts[0] in wanted
            target.write_bytes(path.read_bytes()) if touched else target.symlink_to(path)
    for name, change in wanted.items():
        change(root / name)
    facts = {name: fact for name, fact in open_bundle(BUNDLE).manifest.items() if name not in ("format", "files")}
    write_manifest(root, facts | {"knowledge_sha256": read_knowledge(root / layout.KNOWLEDGE).digest})
    return root


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """``change`` applied to the content of a JSON file."""

    def _edit(path: Path) -> None:
        fields = json.loads(path.read_text("utf-8"))
        change(fields)
        path.write_text(json.dumps(fields), "utf-8")

    return _edit


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


def assert_refused(found: Found, by: set[str]) -> None:
    """Exit code 1, and screen and both reports name each gate of ``by`` with the figure that failed it."""
    assert found.code == 1
    assert found.report["verdict"] == "failed"
    assert by <= found.gates("failed")
    assert "\nfailed (bundle " in found.screen
    assert found.page.startswith("# Evaluation: failed\n")
    for gate in found.report["gates"]:
        if f"{gate['suite']}: {gate['metric']}" in by:
            value = {**found.report["suites"], **found.report["examinations"]}[gate["suite"]]["measures"][gate["metric"]]
            why = f"{value['value']:.4f} over {value['n']} rows"
            side, limit = next((side, gate[side]) for side in ("at_least", "at_most") if side in gate)
            name = f"{gate['suite']}: {gate['metric']} {side.replace('_', ' ')} {limit:g}"
            assert gate["detail"].startswith(why)
            assert any(line.startswith("failed") and f"{name}: {why}" in line for line in found.screen.splitlines())
            assert f"| {name} | failed | {why}" in found.page


def test_the_shipped_bundle_passes_every_gate(examine: Callable[..., Found]) -> None:
    found = examine(loop_opener=open_loop)

    gates = {f"{gate['suite']}: {gate['metric']}" for gate in yaml.safe_load(GATES.read_text("utf-8"))["gates"]}
    assert found.gates("passed") == gates
    assert found.code == 0


def test_shuffled_labels_are_refused_for_wrong_matches(bench: Bench, examine: Callable[..., Found], tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    for path in exams(pack):
        shuffle_labels(path, seed=1)

    found = examine(pack=pack)

    promises = {"test: match_accuracy_lower_bound", "test: wrong_automatic_answers", "test: out_of_scope_refusal"}
    assert_refused(found, by=promises | {"test: faq_top1", "test: intent_accuracy", "test: match_ece", "multilingual: faq_top1"})
    assert "test: sentiment_ece" in found.gates("passed"), "the mood kept its label"


def test_an_intent_without_entries_is_refused_for_what_is_not_found(bench: Bench, examine: Callable[..., Found], tmp_path: Path) -> None:
    found = examine(spoil(tmp_path / "bundle", knowledge=forget_intent), opener=bench.open_as_served)

    assert_refused(found, by={"test: least_found_intent"})
    # the engine says that it does not know these messages, so no promise about its answers is broken
    assert {"test: match_accuracy_lower_bound", "test: wrong_automatic_answers"} <= found.gates("passed")


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (cool_sentiment, {"test: sentiment_ece"}),
        (cool_intent, {"test: intent_ece"}),
        (cool_confidence, {"test: match_ece", "test: match_accuracy_lower_bound", "test: wrong_automatic_answers"}),
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
    found = examine(spoil(tmp_path / "bundle", FAQ_VECTORS=draw_class_vectors, LINEAR_WEIGHTS=draw_linear_view))

    assert_refused(found, by=CORE)
    # who never answers is never wrong: without the floors above, such a bundle would not be refused
    assert "test: wrong_automatic_answers" in found.gates("passed")
    unshown = {"test: match_accuracy_lower_bound", "robustness: invariance", "robustness: invariance_all"}
    assert found.gates("undecided") <= unshown | {f"speed: {name}" for name in METRICS}


def test_leaked_test_rows_are_refused_for_contamination(examine: Callable[..., Found], tmp_path: Path) -> None:
    leaked = [json.loads(line)["text"] for line in exams(PACK)[0].read_text("utf-8").splitlines()[:40]]

    def leak(path: Path) -> None:
        write_fingerprints(path, [*leaked, "别的消息"])

    found = examine(spoil(tmp_path / "bundle", TRAINED=leak))

    assert_refused(found, by={"contamination: contaminated_rows"})
    assert found.gates("failed") == {"contamination: contaminated_rows"}
    assert "- test-1.jsonl, " in found.page and "`test-1.jsonl:" in found.page
