"""The run over fake peers: order, failures, what is kept."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.peers.peer import Lessons, Prediction
from evaluation.peers.results import PeerResult, State, Store
from evaluation.peers.run import Run, one_line, steps
from evaluation.peers.timing import Plan
from tests.fakes_peers import FakePeer, small_exam
from yingda.domain.errors import MaterialError

PLAN = Plan(messages=2, passes=3, seed=1)
EXAM_SHA = {"test-1.jsonl": "e" * 64}


def run(
    root: Path, peers: Sequence[FakePeer], *, lessons: Lessons | None = None, exam: dict[str, str] | None = None, code: str = "c"
) -> list[PeerResult]:
    own, suites = small_exam(root / "pack")
    store = Store(root / "out", lessons or own, exam or EXAM_SHA, code)
    return Run(store, suites, PLAN, say=lambda _: None, tick=lambda: None).measure(peers)


def test_a_peer_is_measured_with_the_metrics_of_the_evaluation(tmp_path: Path) -> None:
    (found,) = run(tmp_path, [FakePeer()])

    assert found.state is State.MEASURED
    assert found.scores is not None
    measures = found.scores["test"]
    assert {name: (measure.value, measure.n) for name, measure in measures.items()} == {
        "faq_top1": (1.0, 2),
        "intent_accuracy": (1.0, 3),
        "coverage_at_95": (1.0, 2),
    }
    assert (found.version, found.installed_mb, found.reason) == ("1.0", 12.0, None)


def test_peers_are_timed_by_turns_one_message_at_a_time(tmp_path: Path) -> None:
    diary: list[str] = []
    run(tmp_path, [FakePeer("a", diary=diary), FakePeer("b", diary=diary)])

    a, b = ["a answers 1"] * 2, ["b answers 1"] * 2
    first, second = [*a, *b], [*b, *a]  # who begins changes from pass to pass; the first one warms up
    assert diary == ["a learns", "a answers 3", "b learns", "b answers 3", *first, *second, *first, *second]


def test_the_cost_is_cpu_time_a_message_without_the_warm_up(tmp_path: Path) -> None:
    cheap, dear = run(tmp_path, [FakePeer("a", cost_s=0.001), FakePeer("b", cost_s=0.004)])

    assert cheap.cost is not None and dear.cost is not None
    assert cheap.cost.passes_ms == pytest.approx((1.0, 1.0, 1.0))
    assert (dear.cost.low_ms, dear.cost.median_ms, dear.cost.high_ms) == pytest.approx((4.0, 4.0, 4.0))


def test_a_peer_that_cannot_run_is_skipped_with_its_reason(tmp_path: Path) -> None:
    skipped, measured = run(tmp_path, [FakePeer("a", missing="name a Python"), FakePeer("b")])

    assert (skipped.state, skipped.reason, skipped.scores, skipped.cost) == (State.SKIPPED, "name a Python", None, None)
    assert measured.cost is not None


@pytest.mark.parametrize("place", ["fit", "answer"])
def test_a_peer_that_breaks_is_reported_and_stops_nobody_else(tmp_path: Path, place: str) -> None:
    broken, measured = run(tmp_path, [FakePeer("a", fails_at=place), FakePeer("b")])

    assert broken.state is State.FAILED
    assert broken.reason is not None and broken.reason.startswith("ValueError at fakes_peers.py:")
    assert measured.state is State.MEASURED and measured.cost is not None


def test_a_peer_that_breaks_while_timed_keeps_its_accuracy_and_says_why_it_has_no_cost(tmp_path: Path) -> None:
    broken, measured = run(tmp_path, [FakePeer("a", fails_at="timing"), FakePeer("b")])

    assert broken.scores is not None and broken.cost is None
    assert broken.reason is not None and broken.reason.startswith("not timed: ValueError")
    assert measured.cost is not None and len(measured.cost.passes_ms) == PLAN.passes


def test_reasons_hold_no_message_of_a_customer() -> None:
    try:
        raise ValueError("你会唱歌吗")
    except ValueError as error:
        assert one_line(error).startswith("ValueError at test_peers_run.py:")
    assert one_line(MaterialError("models/base: is missing; make it\nmore")) == "models/base: is missing; make it"
    assert one_line(ModuleNotFoundError("No module named 'setfit'")) == "No module named 'setfit'"


def test_a_second_run_asks_nobody_again(tmp_path: Path) -> None:
    first = run(tmp_path, [FakePeer("a"), FakePeer("b")])
    again = [FakePeer("a"), FakePeer("b")]

    assert run(tmp_path, again) == first
    assert [peer.diary for peer in again] == [[], []]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    stopped = FakePeer("b", fails_at="fit", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, [FakePeer("a"), stopped])
    assert stopped.closed

    known, new = FakePeer("a"), FakePeer("b")
    run(tmp_path, [known, new])

    assert "a answers 3" not in known.diary
    assert "b answers 3" in new.diary


def test_another_version_note_material_exam_or_program_makes_a_kept_result_void(tmp_path: Path) -> None:
    run(tmp_path, [FakePeer()])
    lessons, _ = small_exam(tmp_path / "pack")

    for peer, changes in (
        (FakePeer(release="2.0"), {}),
        (FakePeer(note="other"), {}),
        (FakePeer(), {"lessons": replace(lessons, digest="0" * 64)}),
        (FakePeer(), {"exam": {"test-1.jsonl": "f" * 64}}),
        (FakePeer(), {"code": "d"}),
    ):
        run(tmp_path, [peer], **changes)
        assert "fake answers 3" in peer.diary


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    run(tmp_path, [FakePeer(fails_at="fit")])

    (found,) = run(tmp_path, [FakePeer()])

    assert found.state is State.MEASURED


def test_collections_of_the_shared_heap_are_nobodys_cost(tmp_path: Path) -> None:
    frozen, before = list[int](), gc.get_freeze_count()

    class Watching(FakePeer):
        def answer(self, texts: Sequence[str]) -> list[Prediction]:
            frozen.append(gc.get_freeze_count())
            return super().answer(texts)

    run(tmp_path, [Watching()])

    assert frozen[0] == before and all(count > before for count in frozen[1:]), "set aside while peers are timed, and then alone"
    assert gc.get_freeze_count() <= before


def test_every_peer_is_closed(tmp_path: Path) -> None:
    peers = [FakePeer("a"), FakePeer("b", fails_at="fit"), FakePeer("c", missing="gone")]
    run(tmp_path, peers)

    assert all(peer.closed for peer in peers)


def test_steps_are_the_ticks_of_a_whole_run(tmp_path: Path) -> None:
    lessons, suites = small_exam(tmp_path / "pack")
    ticks: list[None] = []
    peers = [FakePeer("a"), FakePeer("b")]
    Run(Store(tmp_path / "out", lessons, EXAM_SHA), suites, PLAN, say=lambda _: None, tick=lambda: ticks.append(None)).measure(peers)

    assert len(ticks) == steps(peers, suites, PLAN)
