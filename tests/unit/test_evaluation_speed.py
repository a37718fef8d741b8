"""What share of the bare encoder's speed an engine keeps, by a clock that goes when it is told to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from evaluation.command import run
from evaluation.errors import EvaluationError
from evaluation.gates import Gate, Side, Verdict, check, read_gates
from evaluation.speed import METRICS, REPEATS, examine_speed, workload
from tests.fakes_evaluation import FakeEngine, FakeOpener, exam, knows, make_row, write_pack
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer
from yingda.domain.message import Message

ROWS = [make_row(f"第{number}单", place=f"t:{number}") for number in range(200)]


@dataclass
class FakeClock:
    """Seconds that pass only by ``spend``; ``calls`` lists who was asked what."""

    now: float = 0.0
    calls: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def spend(self, who: str, text: str, milliseconds: float) -> None:
        self.calls.append((who, text))
        self.now += milliseconds / 1000


@dataclass
class TimedEngine(FakeEngine):
    """Takes ``costs`` milliseconds for a text, else ``usual``."""

    clock: FakeClock = field(default_factory=FakeClock)
    costs: Mapping[str, float] = field(default_factory=dict)
    usual: float = 4.0

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        for message in messages:
            self.clock.spend("engine", message.text, self.costs.get(message.text, self.usual))
        return super().answer_many(messages)


def measured(engine: TimedEngine, *, encoder_ms: float = 3.0, rows: Any = ROWS) -> Any:
    def loop(text: str) -> None:
        engine.clock.spend("encoder", text, encoder_ms)

    return examine_speed(engine, loop, rows, tick=lambda: None, clock=engine.clock)


def test_shares_are_the_encoders_time_over_the_engines() -> None:
    slow = dict.fromkeys(("第7单", "第8单", "第9单"), 12.0)
    found = measured(TimedEngine(costs=slow))

    assert found.measures["p99_share"].value == pytest.approx(3 / 12)
    assert found.measures["throughput_share"].value == pytest.approx(600 / (197 * 4 + 3 * 12))
    assert found.measures["p99_share"].n == 200
    assert list(found.measures) == list(METRICS)


def test_an_engine_quicker_than_its_encoder_keeps_all_of_it() -> None:
    found = measured(TimedEngine(usual=2.0))

    assert [measure.value for measure in found.measures.values()] == [1.0, 1.0]


def test_a_hiccup_in_one_repeat_does_not_count() -> None:
    clock = FakeClock()

    class Hiccup(TimedEngine):
        def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
            if len(clock.calls) > 2 * len(ROWS) * (REPEATS - 1):
                clock.spend("machine", "", 90.0)
            return super().answer_many(messages)

    found = measured(Hiccup(clock=clock))

    assert found.measures["p99_share"].value == pytest.approx(3 / 4)
    assert found.facts["repeats"][-1]["p99_share"] < 0.1
    assert len(found.facts["repeats"]) == REPEATS


def test_engine_and_encoder_take_turns_on_every_message() -> None:
    engine = TimedEngine()
    measured(engine, rows=ROWS[:2])

    warm_up, order = engine.clock.calls[:4], [who for who, _ in engine.clock.calls[4:]]
    assert {who for who, _ in warm_up} == {"engine", "encoder"}
    assert order[:8] == ["engine", "encoder", "encoder", "engine", "encoder", "engine", "engine", "encoder"]
    assert len(order) == 4 * REPEATS


def test_work_is_foretold_and_no_more_messages_are_asked_than_needed() -> None:
    rows, ticks = ROWS * 3, []
    engine = TimedEngine()

    examine_speed(engine, lambda _: None, rows, tick=lambda: ticks.append(1), clock=engine.clock)

    assert len(ticks) == workload(rows, lambda _: None) == 200 * REPEATS
    assert workload(rows, None) == 0


def test_without_a_bare_encoder_the_gate_is_undecided_and_says_why() -> None:
    gate = Gate("speed", "p99_share", Side.AT_LEAST, 0.5, measured=True)
    found = examine_speed(FakeEngine(), None, ROWS, tick=lambda: None)

    (result,) = check([gate], [], [found])

    assert (result.verdict, result.detail) == (
        Verdict.UNDECIDED,
        "no bare encoder was opened beside the engine, so nothing could be compared",
    )
    assert check([replace(gate, optional=True)], [], [found])[0].verdict is Verdict.SKIPPED


def test_the_gate_counts_and_its_figure_stands_in_the_run_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = exam(100)
    pack = write_pack(tmp_path / "pack", {"test-1.jsonl": rows})
    gates = tmp_path / "gates.yaml"
    # no engine that does more than its encoder keeps all of its throughput, and none keeps nothing
    gates.write_text(json.dumps({"gates": [{"suite": "speed", "metric": "throughput_share", "at_most": 0.0, "measured": True}]}), "utf-8")

    code = run(
        ["--pack", str(pack), "--bundle", str(tmp_path), "--out", str(tmp_path / "out")],
        opener=FakeOpener(knows(rows)),
        gates=gates,
        draw=lambda _: {},
        loop_opener=lambda _: lambda text: sum(map(ord, text)),
    )

    report = json.loads((tmp_path / "out/evaluation.json").read_text("utf-8"))
    assert code == 1
    assert report["gates"][0]["detail"] == "measured in this run, see run.speed"
    assert "speed" not in report["examinations"]
    assert set(report["run"]["speed"]["measures"]) == set(METRICS)
    assert "failed    speed: throughput_share at most 0: 0." in capsys.readouterr().out
    assert "## Speed" in (tmp_path / "out/evaluation.md").read_text("utf-8")


def test_a_measured_gate_says_so(tmp_path: Path) -> None:
    path = tmp_path / "gates.yaml"
    path.write_text("gates: [{suite: speed, metric: p99_share, at_least: 0.5, measured: true}]", "utf-8")

    assert read_gates(path) == (Gate("speed", "p99_share", Side.AT_LEAST, 0.5, measured=True),)
    path.write_text("gates: [{suite: speed, metric: p99_share, at_least: 0.5}]", "utf-8")
    with pytest.raises(EvaluationError, match="measured: true"):
        read_gates(path)
