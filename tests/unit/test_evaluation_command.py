"""The command from end to end, with an engine that says what it is told."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from evaluation.command import run
from evaluation.markdown import SCREEN
from tests.fakes_evaluation import FakeEngine, FakeOpener, Said, exam, knows, write_gates, write_pack, write_rows
from yingda.domain.errors import BundleError
from yingda.pack import read_knowledge

ROWS = exam(90)
FOREIGN: list[dict[str, object]] = [{"text": "when?", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral", "lang": "en"}]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack", {"test-1.jsonl": ROWS[:50], "test-2.jsonl": ROWS[50:]})


def command(pack: Path, out: Path, *, engine: FakeEngine | None = None, extra: Sequence[Path] = ()) -> int:
    arguments = ["--pack", str(pack), "--bundle", "models/fake", "--out", str(out)]
    further = ["--extra", *map(str, extra)] if extra else []
    gates = write_gates(out.parent / "gates.yaml")
    return run([*arguments, *further], opener=FakeOpener(engine or knows(ROWS)), gates=gates, draw=lambda _: {})


def report(out: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((out / "evaluation.json").read_text(encoding="utf-8")))


def shuffled_labels(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    labels = [(row["intent"], row["faq"]) for row in rows]
    random.Random(1).shuffle(labels)
    return [row | {"intent": intent, "faq": faq} for row, (intent, faq) in zip(rows, labels, strict=True)]


def test_an_engine_that_is_right_passes(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, tmp_path / "out") == 0

    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "passed    2 of 2 gates"
    assert captured.out.endswith(f"passed (bundle 2026.1); to read: {tmp_path / 'out/evaluation.html'}\n")
    assert captured.out.count("\n") < 25
    assert "messages" in captured.err


def test_shuffled_labels_fail_the_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": shuffled_labels(ROWS)})

    assert command(pack, tmp_path / "out", engine=knows(ROWS)) == 1
    screen = capsys.readouterr().out
    assert report(tmp_path / "out")["verdict"] == "failed"
    gates = report(tmp_path / "out")["gates"]
    assert {gate["verdict"] for gate in gates} == {"failed"}
    wide = min(gates, key=lambda gate: gate["margin"])
    lines = screen.splitlines()
    assert lines[0].startswith(f"failed    test: {wide['metric']} ")
    assert f"misses by {-100 * wide['margin']:.2f} points" in lines[0]
    quoted = [line.strip() for line in lines[1:6]]
    assert quoted == [f"{each['place']} “{each['text']}” {each['said']}" for each in wide["examples"]]
    assert all(line.startswith("test-1.jsonl:") and " expected: answered, " in line for line in quoted)


@pytest.mark.parametrize(("failed", "examples"), [(4, 20), (5, 5), (20, 14), (30, 4)])
def test_the_verdict_fits_one_screen_however_many_gates_failed(
    failed: int, examples: int, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gates = tmp_path / "many.yaml"
    conditions = [f"  - {{suite: test, metric: faq_top1, at_least: {0.5 + number / 100:g}}}\n" for number in range(failed)]
    gates.write_text("gates:\n" + "".join(conditions), encoding="utf-8")
    shelf = FakeOpener(FakeEngine(otherwise=Said(entry="coupon-use")))

    assert run(["--pack", str(pack), "--out", str(tmp_path / "out")], opener=shelf, gates=gates, draw=lambda _: {}) == 1

    lines = capsys.readouterr().out.splitlines()
    named = [line for line in lines if line.startswith("failed    test: faq_top1 at least ")]
    assert len(lines) <= SCREEN
    assert (len(named), sum("expected: answered, " in line for line in lines)) == (failed, examples)
    assert f"at least {0.5 + (failed - 1) / 100:g}: " in named[0] and "expected: answered, " in lines[1], "the widest miss comes first"
    assert lines[-1].startswith("failed (bundle 2026.1); to read: ")


def test_a_long_message_is_one_short_line_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row | {"text": f"{row['text']}\x1b[31m\n" + "长" * 100} for row in ROWS]
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": rows})

    assert command(pack, tmp_path / "out", engine=FakeEngine(otherwise=Said(entry="coupon-use"))) == 1

    quoted = [line for line in capsys.readouterr().out.splitlines() if "test-1.jsonl:" in line]
    assert len(quoted) == 10
    assert all("长…”" in line and "\x1b" not in line for line in quoted)


def test_a_set_too_small_to_decide_is_neither_passed_nor_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": ROWS[:30]})

    assert command(pack, tmp_path / "out") == 2
    assert "too small to decide" in capsys.readouterr().out


@dataclass
class Shelf:
    """Opens the same engine whatever it is asked for, and remembers with which knowledge."""

    engine: FakeEngine
    asked: list[Path | None] = field(default_factory=list)

    def __call__(self, bundle: Path, *, pack: Path | None = None) -> FakeEngine:
        self.asked.append(pack)
        return self.engine


def test_the_bundles_own_knowledge_is_examined_unless_another_is_named(pack: Path, tmp_path: Path) -> None:
    shelf, gates = Shelf(knows(ROWS)), write_gates(tmp_path / "gates.yaml")
    words = ["--pack", str(pack), "--bundle", "models/fake", "--out", str(tmp_path / "out")]

    run(words, opener=shelf, gates=gates, draw=lambda _: {})
    run([*words, "--knowledge", "edited"], opener=shelf, gates=gates, draw=lambda _: {})

    assert shelf.asked == [None, Path("edited")]


def test_labels_that_the_examined_knowledge_lacks_are_missed_and_not_refused(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = read_knowledge(pack)
    engine = replace(knows(ROWS), knowledge=replace(known, faq={name: known.faq[name] for name in ("ship-when", "cancel-how")}))
    gates = tmp_path / "gates.yaml"
    gates.write_text("gates: [{suite: labels, metric: labels_lacking, at_most: 0}]", encoding="utf-8")

    code = run(["--pack", str(pack), "--out", str(tmp_path / "out")], opener=FakeOpener(engine), gates=gates, draw=lambda _: {})

    assert code == 1
    assert report(tmp_path / "out")["examinations"]["labels"]["lacking"] == {"coupon-use": 30}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "failed    labels: labels_lacking at most 0: 0.3333 over 90 rows, misses by 33.33 points"
    assert lines[1] == "          test-1.jsonl:3 “第2个问题” labelled coupon-use, which the knowledge lacks"


def test_the_report_names_everything_it_depends_on(pack: Path, tmp_path: Path) -> None:
    command(pack, tmp_path / "out")

    found = report(tmp_path / "out")
    assert found["bundle"] == {"version": "2026.1", "sha256": "b" * 64}
    assert found["pack"] == {"digest": "d" * 64}
    data = (pack / "utterances" / "test-1.jsonl").read_bytes()
    assert found["files"]["test-1.jsonl"] == sha256(data).hexdigest()
    assert set(found["run"]) == {"commit", "python", "packages", "diagrams", "took", "latency_ms", "speed"}
    assert list(found["run"]["took"]) == ["whole", "opening", "test", "robustness", "conversations", "speed", "figures"]
    assert all(set(part) == {"wall_s", "cpu_s"} for part in found["run"]["took"].values())
    assert {"numpy", "onnxruntime", "opencc", "scipy", "tokenizers"} <= set(found["run"]["packages"])


def test_the_same_inputs_give_the_same_report_but_for_the_run(pack: Path, tmp_path: Path) -> None:
    engine = knows(ROWS)
    slower = FakeEngine({text: replace(said, milliseconds=9.0) for text, said in engine.says.items()})
    command(pack, tmp_path / "one", engine=engine)
    command(pack, tmp_path / "two", engine=slower)

    one, two = report(tmp_path / "one"), report(tmp_path / "two")
    assert one.pop("run") != two.pop("run")
    assert one == two


def test_test_files_are_one_suite_and_languages_another(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": ROWS, "multilingual.jsonl": FOREIGN})
    command(pack, tmp_path / "out")

    suites = report(tmp_path / "out")["suites"]
    assert {name: suite["rows"] for name, suite in suites.items()} == {"test": 90, "multilingual": 1}
    assert suites["multilingual"]["slices"][0]["value"] == "en"


def test_mistakes_of_the_pack_are_quoted_for_reading(pack: Path, tmp_path: Path) -> None:
    command(pack, tmp_path / "out", engine=FakeEngine(otherwise=Said(entry="coupon-use")))

    wrong = report(tmp_path / "out")["suites"]["test"]["wrong_matches"][0]
    assert wrong["place"] == "test-1.jsonl:1"
    assert (wrong["text"], wrong["gold"], wrong["got"]) == ("第0个问题", "ship-when", "coupon-use")
    assert "第0个问题" in (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")


def test_further_files_are_reported_apart_and_never_quoted(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = {"text": "我叫秘密", "intent": None, "faq": "cancel-how", "sentiment": "neutral", "id": "我的编号"}
    rows = [secret | {"sure": True}, secret | {"sure": False}, secret | {"sure": False}]
    (tmp_path / "traffic").mkdir()
    path = write_rows(tmp_path / "traffic" / "real.jsonl", rows)

    assert command(pack, tmp_path / "out", extra=[path]) == 0

    suites = report(tmp_path / "out")["suites"]
    assert suites["traffic/real.jsonl"]["rows"] == 3
    assert suites["traffic/real.jsonl (sure)"]["rows"] == 1
    assert suites["traffic/real.jsonl"]["wrong_matches"][0]["place"] == "traffic/real.jsonl:1"
    written = "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "out").iterdir())
    assert "秘密" not in written + "".join(capsys.readouterr())
    assert str(tmp_path) not in written


def test_two_further_files_of_one_name_are_refused(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_rows(tmp_path / "real.jsonl", ROWS[:1])

    assert command(pack, tmp_path / "out", extra=[path, path]) == 2
    assert "named twice" in capsys.readouterr().err


def test_a_missing_bundle_is_one_message(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def opener(bundle: Path, *, pack: Path | None = None) -> FakeEngine:
        raise BundleError(f"{bundle}: there is no bundle; build one")

    code = run(["--pack", str(pack), "--bundle", "nowhere", "--out", str(tmp_path / "out")], opener=opener)

    assert code == 2
    assert capsys.readouterr().err == "evaluation could not run: nowhere: there is no bundle; build one\n"
    assert not (tmp_path / "out").exists()


def test_a_missing_pack_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "nowhere", tmp_path / "out") == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_pack_with_unknown_labels_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": [ROWS[0] | {"faq": "ship-how"}]})

    assert command(pack, tmp_path / "out") == 2
    assert "ship-how" in capsys.readouterr().err


@pytest.mark.parametrize("exams", [{}, {"multilingual.jsonl": FOREIGN}, {"test-1.jsonl": []}])
def test_a_pack_without_test_rows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exams: dict[str, list[dict[str, object]]]
) -> None:
    pack = write_pack(tmp_path / "pack", exams)

    assert command(pack, tmp_path / "out") == 2
    assert "test" in capsys.readouterr().err


def test_a_missing_further_file_is_one_message(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(pack, tmp_path / "out", extra=[tmp_path / "nowhere.jsonl"]) == 2
    assert "nowhere.jsonl: cannot be read" in capsys.readouterr().err


def test_gates_that_are_not_understood_are_one_message(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = tmp_path / "gates.yaml"
    gates.write_text("gates: [{suite: test, metric: speed, at_least: 1}]", encoding="utf-8")

    assert run(["--pack", str(pack)], opener=FakeOpener(FakeEngine()), gates=gates) == 2
    assert "unknown metric 'speed'" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_whole_leaves_nothing(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.write_text("a file stands where the folder should be", encoding="utf-8")

    assert command(pack, out) == 2
    assert str(out) in capsys.readouterr().err


def test_the_page_defines_every_metric_it_shows(pack: Path, tmp_path: Path) -> None:
    command(pack, tmp_path / "out")

    page = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    for name in report(tmp_path / "out")["suites"]["test"]["measures"]:
        assert page.count(f"`{name}`: ") == 1
    assert "surest wrong matches" not in page  # nothing was wrong
