"""The bundle in models/current: whole, small, as good as its report says, and the same one the documents speak of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.__main__ import main as evaluate
from evaluation.speed import METRICS as SPEED_METRICS
from evaluation.speed import NAME as SPEED
from training.card import END, READMES, START, figures_table, write_card
from training.card_parts import calibration_table, slice_tables
from yingda.assemble import open_engine
from yingda.bundle import CARD, KNOWLEDGE, open_bundle
from yingda.domain.decision import Outcome, Reason
from yingda.domain.errors import BundleError
from yingda.domain.message import Message
from yingda.engine import Engine
from yingda.pack import read_knowledge

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models/current"
PACK = ROOT / "data/packs/retail"
REPORT = ROOT / "reports/current/evaluation.json"
MOST_BYTES = 60_000_000
MOST_SECONDS = 300
DRIFT = 0.01
"""Processors round int8 sums differently; a figure may move by this much from machine to machine."""
HAIR = 0.003
"""A gate kept or missed by less may come out the other way on another processor: three messages of a thousand."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    yield open_engine(BUNDLE, pack=PACK)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(REPORT.read_text("utf-8"))
    return found


def test_it_is_whole_and_at_most_60_mb() -> None:
    bundle = open_bundle(BUNDLE)
    assert sum(facts["bytes"] for facts in bundle.manifest["files"].values()) <= MOST_BYTES


def test_the_graph_tells_nothing_of_the_machine_it_was_made_on() -> None:
    graph = (BUNDLE / "encoder.onnx").read_bytes()
    for trace in (b"stack_trace", b'File "', b'.py", line', b"/site-packages/"):
        assert trace not in graph


def test_it_carries_the_knowledge_of_the_pack() -> None:
    assert read_knowledge(BUNDLE / KNOWLEDGE).digest == read_knowledge(PACK).digest


def test_report_and_card_are_about_this_bundle(report: dict[str, Any]) -> None:
    assert report["bundle"]["sha256"] == open_bundle(BUNDLE).identity.sha256
    card = (BUNDLE / CARD).read_text("utf-8")
    assert figures_table(report, "en") in card


def test_the_card_shows_slices_and_calibration_of_the_report_and_links_to_its_diagrams(report: dict[str, Any]) -> None:
    if "diagrams" not in report["run"]:
        pytest.skip("the report is older than its diagrams; `dvc repro` writes a new one")
    card = (BUNDLE / CARD).read_text("utf-8")
    assert calibration_table(report) in card
    assert all(part.table in card for part in slice_tables(report))
    assert all(f"](../../reports/current/{name})" in card and (REPORT.parent / name).is_file() for name in report["run"]["diagrams"])


@pytest.mark.parametrize("language", READMES)
def test_figures_in_the_readme_are_the_reports(report: dict[str, Any], language: str) -> None:
    text = (ROOT / READMES[language]).read_text("utf-8")
    assert text.split(START)[1].split(END)[0].strip() == figures_table(report, language)


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of `python -m evaluation` here and now, of the bundle as it would serve; speed included."""
    out = tmp_path_factory.mktemp("again")
    assert evaluate(["--bundle", str(BUNDLE), "--pack", str(PACK), "--out", str(out)]) in (0, 1)
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert all((out / name).is_file() for name in found["run"]["diagrams"])
    return found


def test_the_committed_report_passed(report: dict[str, Any]) -> None:
    # the verdict is of the machine that released the bundle; a rounding difference here must not overturn it by luck
    assert report["verdict"] == "passed"


def test_the_committed_report_took_less_than_five_minutes(report: dict[str, Any]) -> None:
    """Short enough to be done on every change: seconds by the clock of the machine that released the bundle."""
    assert 0 < report["run"]["took"]["whole"]["wall_s"] < MOST_SECONDS


def test_the_committed_report_is_about_these_files(report: dict[str, Any], again: dict[str, Any]) -> None:
    assert again["files"] == report["files"]
    assert again["pack"]["digest"] == report["pack"]["digest"]
    assert again["bundle"] == report["bundle"]


def test_every_figure_of_the_committed_report_repeats_here(report: dict[str, Any], again: dict[str, Any]) -> None:
    for part in ("suites", "examinations"):
        assert set(again[part]) == set(report[part])
        for name, found in report[part].items():
            assert set(again[part][name]["measures"]) == set(found["measures"])
            for metric, measure in found["measures"].items():
                here = again[part][name]["measures"][metric]
                assert here["value"] == pytest.approx(measure["value"], abs=DRIFT), f"{name}: {metric}"


def test_every_gate_of_the_committed_report_is_decided_the_same_way_here(report: dict[str, Any], again: dict[str, Any]) -> None:
    """But for a figure so close to its limit that the processor decides; what is counted without the engine has no such excuse."""
    assert [gate_name(gate) for gate in again["gates"]] == [gate_name(gate) for gate in report["gates"]]
    for gate, before in zip(again["gates"], report["gates"], strict=True):
        if gate["suite"] == SPEED:
            assert gate["verdict"] in ("passed", "failed"), gate_name(gate)
        elif not 0 < abs(before["margin"]) < HAIR:
            assert gate["verdict"] == before["verdict"], gate_name(gate)


def test_the_whole_evaluation_ran_here_and_tells_how_long_each_part_took(again: dict[str, Any]) -> None:
    """Every suite and examination over the bundle as it serves; the committed report says whether that is short enough for every change."""
    took = again["run"]["took"]
    assert set(took) == {"whole", "opening", "figures", "robustness", "conversations", SPEED, *again["suites"]}
    assert all(part["cpu_s"] > 0 for name, part in took.items() if name != "conversations")
    texts = [path.read_text("utf-8") for path in (PACK / "utterances").glob("test-*.jsonl")]
    rows = sum(bool(line.strip()) for text in texts for line in text.split("\n"))
    assert again["suites"]["test"]["rows"] == rows


def test_speed_is_measured_here(again: dict[str, Any]) -> None:
    measures = again["run"][SPEED]["measures"]
    assert set(measures) == set(SPEED_METRICS)
    assert all(0 < measure["value"] <= 1 for measure in measures.values())


def gate_name(gate: dict[str, Any]) -> str:
    return f"{gate['suite']}: {gate['metric']} {gate.get('at_least')} {gate.get('at_most')}"


def test_alone_equals_in_batch(engine: Engine) -> None:
    texts = ["快递三天没动了", "这件衣服能退吗", "where is my parcel", "谢谢", "a" * 2000]
    together = engine.read(texts)
    for row, text in enumerate(texts):
        alone = engine.read([text])
        assert alone.entries[0].tobytes() == together.entries[row].tobytes()
        assert alone.intents[0].tobytes() == together.intents[row].tobytes()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [("快递三天没动了", Outcome.ANSWERED), ("你好", Outcome.ANSWERED), ("转人工", Outcome.HANDOFF), ("今天股票涨了吗", Outcome.NO_ANSWER)],
)
def test_plain_messages_get_the_expected_outcome(engine: Engine, text: str, outcome: Outcome) -> None:
    assert engine.answer(Message(text)).outcome is outcome


def test_a_stolen_account_goes_to_a_person(engine: Engine) -> None:
    handoff = engine.answer(Message("我的号被盗了，有人用我账户下单")).handoff
    assert handoff.required
    assert Reason.SECURITY in handoff.reasons


def test_width_and_script_do_not_change_the_decision(engine: Engine) -> None:
    plain, odd = engine.answer_many([Message("请问订单什么时候发货?"), Message("請問訂單什麼時候發貨？\u200b")])
    assert plain.candidates == odd.candidates


def test_a_policy_edit_changes_the_reply_without_a_new_model(engine: Engine) -> None:
    values = {**engine.knowledge.policy.values}
    reply = engine.answer(Message("支持七天无理由退货吗")).reply.text
    assert f"{values['退货天数']} 天内" in reply


@pytest.mark.parametrize("name", ["encoder.onnx", "tokenizer.json", "linear.safetensors", "calibration.json"])
def test_an_altered_file_is_refused_by_name(name: str, tmp_path: Path) -> None:
    for path in BUNDLE.rglob("*"):
        target = tmp_path / path.relative_to(BUNDLE)
        if path.is_dir():
            target.mkdir()
        else:
            target.symlink_to(path) if path.name != name else target.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match=rf"{name}.*SHA-256.*restore"):
        open_bundle(tmp_path)


def test_the_card_can_be_written_again_from_report_and_manifest(report: dict[str, Any]) -> None:
    manifest = open_bundle(BUNDLE).manifest
    assert "# Model card" in write_card(manifest, report, {})


@pytest.mark.parametrize("language", READMES)
def test_the_example_reply_in_the_readme_is_real(engine: Engine, language: str) -> None:
    example = json.loads((ROOT / READMES[language]).read_text("utf-8").split("```json\n")[1].split("```")[0])
    answer = engine.answer(Message("快递三天没动了"))
    assert answer.faq is not None
    assert (answer.outcome, answer.faq.id, list(answer.missing)) == (example["outcome"], example["faq"]["id"], example["missing"])
    assert answer.faq.confidence == pytest.approx(example["faq"]["confidence"], abs=DRIFT)
    shown = example["classification"]["intent"]
    assert answer.classification.intent.confidence == pytest.approx(shown["confidence"], abs=DRIFT)
    assert answer.reply.text.startswith(example["reply"]["text"].removesuffix("…"))
