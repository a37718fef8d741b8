"""The run of the bench and its page: nobody is left out, nothing is measured twice, and figures keep to their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from evaluation.bench.serving.bench import Bench, Result
from evaluation.bench.serving.environments import Installed, Venv
from evaluation.bench.serving.kept import Kept
from evaluation.bench.serving.load import Generator, Offer, Outcome
from evaluation.bench.serving.page import figure, number, to_markdown
from evaluation.bench.serving.plots import draw
from evaluation.bench.serving.rounds import QUICK, Ground, Plan
from evaluation.bench.serving.server import Running, Server
from evaluation.bench.serving.summary import summarise
from evaluation.bench.serving.targets import judge
from evaluation.bench.serving.traffic import Fresh
from evaluation.errors import EvaluationError

PLAN = replace(QUICK, warm_s=0.1, saturate_s=0.1, load_s=0.1, factors=(10,))
RUN = {
    "commit": "abc",
    "python": "3.11",
    "machine": {"cores": 2, "processor": "x", "flags": ["avx2"]},
    "plan": {"repeats": 2},
    "quick": True,
}
NUMBERS = {"replies_s": 100.0, "cpu_ms": 4.0, "errors": 0, "reused": False}
LOAD = {"rate": 10.0, "due_ms": [3.0, 4.0], "errors": 0}
ALONE = {
    "cold_start_s": 1.0,
    "pss_mib": 200.0,
    "idle": LOAD,
    "repeated": LOAD,
    "saturated": NUMBERS,
    "mixed": {**NUMBERS, "cpu_ms": 1.0},
    "cache": {"compared": 50, "wrong": 0},
    "loops": {"encoder": 3.0, "engine": 3.9},
    "overloads": {
        "10": {
            "rate": 1000.0,
            "goodput": 95.0,
            "peak": 100.0,
            "refusals": {"503": 40},
            "refusals_ms": [1.0, 2.0],
            "lost": 0,
            "probed_refusals": 5,
            "without_retry_after": 0,
            "recovery_s": 0.5,
        }
    },
}


def server(name: str, **fields: Any) -> Server:
    return Server(name, f"{name} for a test", Venv(name, ()), ("true",), packages=("thing",), **fields)


@dataclass
class FakeRunning:
    """Uses 4 ms of CPU a reply when it is Yingda, else 8."""

    server: Server
    offered: list[str]
    url: str = "http://127.0.0.1:1/answer"
    cold_start_s: float = 2.0
    stopped: bool = False

    def cpu_s(self) -> float:
        return (0.004 if self.server.name == "yingda" else 0.008) * 10 * len(self.offered)

    def pss_mib(self) -> float:
        return 100.0

    @contextmanager
    def halted(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.stopped = True


@dataclass(frozen=True)
class FakeGenerator:
    """Ten replies to whatever is offered."""

    offered: list[str] = field(default_factory=list)

    def offer(self, offer: Offer, url: str, _bodies: Any) -> Outcome:
        self.offered.append(url)
        return Outcome(offer.seconds, [1.0] * 10, {}, [2.0] * 10, 0)


@dataclass
class Bed:
    """A bench on fakes that counts what it starts."""

    folder: Path
    started: list[FakeRunning] = field(default_factory=list)

    def bench(self, *peers: Server, launch: Callable[[Server], Running] | None = None) -> Bench:
        generator = FakeGenerator()

        def start(server: Server) -> Running:
            self.started.append(FakeRunning(server, generator.offered))
            return cast(Running, self.started[-1])

        ground = Ground(cast(Generator, generator), Fresh(["快递三天没动了", "我想退货但是找不到入口"], seed=1), PLAN)
        installed = Installed(("thing==1.0",), 10.0)
        kept = Kept(self.folder, {"plan": "p"})
        return Bench([server("yingda"), *peers], ground, kept, lambda _: installed, launch or start, lambda _: ALONE, lambda _: None)


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def page_of(results: list[Result]) -> str:
    return to_markdown({**summarise(results, PLAN), "run": RUN}, pictures=["serving-replies.svg"])


def test_every_server_is_measured_next_to_yingda_and_stopped(bed: Bed) -> None:
    ours, peer = bed.bench(server("slow")).run()
    assert len(ours.rounds) == len(peer.rounds) == PLAN.repeats
    assert set(peer.rounds[0]) == {"ours", "peer"}
    assert all(running.stopped for running in bed.started)


def test_what_was_measured_is_not_measured_again(bed: Bed) -> None:
    first = bed.bench(server("slow")).run()
    before = len(bed.started)
    again = bed.bench(server("slow")).run()
    assert len(bed.started) == before
    assert [len(result.rounds) for result in again] == [len(result.rounds) for result in first]


def test_a_peer_that_fails_is_told_and_holds_nobody_up(bed: Bed) -> None:
    bench = bed.bench(server("broken"), server("slow"))
    launch = bench.launch

    def failing(server: Server) -> Running:
        if server.name == "broken":
            raise EvaluationError("ended with 3 before it was ready: no model")
        return launch(server)

    bench.launch = failing
    results = bench.run()
    assert [len(result.rounds) for result in results] == [2, 0, 2]
    assert "| failed: ended with 3 before it was ready: no model |" in page_of(results)


def test_a_peer_that_cannot_run_here_is_skipped_with_the_reason(bed: Bed) -> None:
    results = bed.bench(server("absent", missing="no Python 3.10")).run()
    assert results[1].skipped
    assert "| skipped: no Python 3.10 |" in page_of(results)


def test_an_unexpected_error_is_named_by_kind_and_place(bed: Bed) -> None:
    bench = bed.bench(server("odd"))
    launch = bench.launch

    def failing(server: Server) -> Running:
        others: dict[str, Running] = {}
        return launch(server) if server.name == "yingda" else others[server.name]

    bench.launch = failing
    reason = bench.run()[1].reason
    assert reason is not None
    assert reason.startswith("KeyError at test_bench_serving_run.py:")


def test_where_yingda_cannot_be_measured_the_bench_ends(bed: Bed) -> None:
    def failing(_server: Server) -> Running:
        raise EvaluationError("no reply")

    with pytest.raises(EvaluationError, match="no reply"):
        bed.bench(server("slow"), launch=failing).run()


def test_a_ratio_is_of_yingda_to_the_peer(bed: Bed) -> None:
    found = summarise(
        [Result(server("yingda"), None, [ALONE] * 2), Result(server("onnx-same"), None, [pair(ours_ms=4.0, peer_ms=8.0)] * 2)], PLAN
    )
    assert found["servers"][0]["replies_per_cpu_ratio"]["low"] == 2.0
    assert found["servers"][0]["loads"]["0.7"]["p99_ratio"]["value"] == 1.0
    assert found["yingda"]["replies_per_cpu_s"]["value"] == 250.0
    assert found["yingda"]["loops"]["http_cpu_us"]["value"] == pytest.approx(100.0)  # a difference of two floats


def pair(*, ours_ms: float, peer_ms: float) -> dict[str, Any]:
    def side(cpu_ms: float) -> dict[str, Any]:
        return {"saturated": {**NUMBERS, "cpu_ms": cpu_ms}, "loads": {"0.7": LOAD}, "cold_start_s": 2.0, "pss_mib": 300.0}

    return {"ours": side(ours_ms), "peer": side(peer_ms)}


def test_a_target_is_kept_by_the_worse_end_of_the_interval() -> None:
    rounds = [pair(ours_ms=4.0, peer_ms=cost) for cost in (4.4, 8.8)]
    found = summarise([Result(server("yingda"), None, [ALONE] * 2), Result(server("onnx-same"), None, rounds)], PLAN)
    same = next(reached for reached in judge(found) if "identical weights" in reached.target.what)
    assert same.value == pytest.approx(1.65)  # rounded to four digits
    assert same.met is False


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    verdicts = {reached.target.what: reached.met for reached in judge(summarise([Result(server("yingda"), None, [ALONE])], PLAN))}
    assert verdicts["memory (PSS), to Rasa 3.6"] is None
    assert verdicts["fresh replies a CPU second, shipped bundle"] is True
    assert verdicts["wrong cached replies"] is True
    assert verdicts["goodput at 2×, share of peak"] is None
    assert verdicts["goodput at 10×, share of peak"] is True


def test_pictures_show_the_same_figures() -> None:
    results = [Result(server("yingda"), None, [ALONE]), Result(server("slow"), None, [pair(ours_ms=4.0, peer_ms=8.0)])]
    drawn = draw(summarise(results, PLAN))
    assert set(drawn) == {"serving-replies.svg", "serving-latency.svg", "serving-overload.svg"}
    assert draw(summarise([Result(server("yingda"), None)], PLAN)) == {}


def test_numbers_are_short() -> None:
    assert [number(value) for value in (0.12345, 12.345, 1234.5)] == ["0.123", "12.3", "1234"]
    assert figure({"value": 1.0, "low": 0.5, "high": 2.0}) == "1 [0.5, 2]"
    assert figure(None) == "–"


def test_a_quick_run_says_so() -> None:
    assert Plan().repeats > PLAN.repeats
    assert "A quick run" in page_of([Result(server("yingda"), None, [ALONE])])
