"""Processes that share a port: kept alive, replaced one by one, given up only when none can start, and always ended."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from serving.processes import Pace, Supervisor, Worker, prepare, spawn
from serving.settings import Settings, SettingsError, check_processes

SERVES = """
import os, signal, socket, sys
channel = socket.socket(fileno=int(sys.argv[sys.argv.index("--channel") + 1]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
channel.sendall(b"ready\\n")
channel.recv(1)
"""
DEAF = SERVES.replace("lambda *_: os._exit(0)", "signal.SIG_IGN")
"""A worker that does not end when told."""

QUICK = Pace(restart_s=0.001)


class Fleet:
    """A supervisor over workers that run ``program``; ``on`` reacts to what it logs, and so moves a test on."""

    def __init__(self, listener: socket.socket, folder: Path, *, program: str = SERVES, count: int = 2, pace: Pace = QUICK) -> None:
        self.reading, self.writing = socket.socketpair()
        self.program, self.listener, self.folder = program, listener, folder
        self.events = list[tuple[str, dict[str, Any]]]()
        self.on: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.workers, self.ended, self.announced, self.closed = list[Worker](), list[int](), 0, 0
        self.supervisor = Supervisor(
            self._start,
            count,
            signals=self.reading,
            log=self,  # type: ignore[arg-type]
            pace=pace,
            on_ready=self._ready,
            on_end=self.ended.append,
            on_stop=self._close,
        )

    def run(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        with self.reading, self.writing:
            self.supervisor.run()

    def send(self, number: signal.Signals) -> None:
        self.writing.send(bytes([number]))

    def stop(self, *_: Any) -> None:
        self.send(signal.SIGTERM)

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def info(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))
        if event in self.on:
            self.on[event](facts)

    error = warning = info

    def _start(self, number: int) -> Worker:
        worker = spawn(self.listener, self.folder, number, command=[sys.executable, "-ISc", self.program])
        self.workers.append(worker)
        return worker

    def _close(self) -> None:
        self.closed += 1

    def _ready(self) -> None:
        assert not self.closed, "nobody is let in any more"
        self.announced += 1
        self._on_ready()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    with socket.socket() as listener:
        fleets = list[Fleet]()

        def make(**options: Any) -> Fleet:
            fleets.append(Fleet(listener, tmp_path, **options))
            return fleets[-1]

        yield make
        for each in fleets:
            assert all(worker.process.returncode is not None for worker in each.workers), "a worker was left behind"
            assert sorted(each.ended) == sorted(worker.process.pid for worker in each.workers)


def test_readiness_is_told_once_all_serve_and_a_signal_ends_them(fleet: Callable[..., Fleet]) -> None:
    one = fleet(count=3)
    one.run(one.stop)

    assert (one.announced, one.closed) == (1, 1)
    assert one.names() == ["worker_ready"] * 3
    assert [worker.process.returncode for worker in one.workers] == [0, 0, 0]


def test_a_killed_worker_is_started_anew_and_readiness_is_not_told_again(fleet: Callable[..., Fleet]) -> None:
    one = fleet()

    def kill() -> None:
        one.on["worker_ready"] = one.stop
        one.workers[0].process.kill()

    one.run(kill)

    assert one.announced == 1
    assert one.names() == ["worker_ready", "worker_ready", "worker_died", "worker_ready"]
    died, again = one.events[2][1], one.events[3][1]
    assert (died["exit"], died["was_ready"], died["number"]) == (-signal.SIGKILL, True, again["number"])


def test_a_configuration_error_at_the_start_is_given_up_at_once(fleet: Callable[..., Fleet]) -> None:
    one = fleet(program="raise SystemExit(2)", count=1)

    with pytest.raises(SettingsError, match="cannot start as configured; see its message above"):
        one.run(one.stop)
    assert (one.announced, len(one.workers)) == (0, 1)


def test_workers_that_die_before_they_are_ready_are_given_up_after_some_tries(fleet: Callable[..., Fleet]) -> None:
    one = fleet(program="import os; os._exit(7)", count=1)

    with pytest.raises(SettingsError, match=rf"{QUICK.tries} workers in a row ended before they were ready \(exit 7\)"):
        one.run(one.stop)
    assert len(one.workers) == QUICK.tries


def test_while_one_serves_another_is_tried_for_ever(fleet: Callable[..., Fleet]) -> None:
    one = fleet()

    def die_often(_facts: dict[str, Any]) -> None:
        if len(one.workers) > QUICK.tries + 3:
            one.stop()

    def break_it() -> None:
        one.program = "import os; os._exit(2)"
        one.on["worker_died"] = die_often
        one.workers[0].process.kill()

    one.run(break_it)

    assert one.names().count("worker_died") > QUICK.tries + 1


def test_workers_are_replaced_one_by_one_and_never_fewer(fleet: Callable[..., Fleet]) -> None:
    one = fleet()
    alive = list[int]()

    def count(_facts: dict[str, Any]) -> None:
        alive.append(sum(worker.process.poll() is None for worker in one.workers))
        if len(one.workers) == 4 and one.workers[3].process.pid == _facts["pid"]:
            one.stop()

    def replace_all() -> None:
        one.on["worker_ready"] = count
        one.send(signal.SIGHUP)

    one.run(replace_all)

    assert alive == [3, 3]
    assert [worker.number for worker in one.workers] == [1, 2, 1, 2]
    assert [worker.process.returncode for worker in one.workers] == [0] * 4
    assert one.announced == 1


def test_a_replacement_that_cannot_start_leaves_the_others_as_they_were(fleet: Callable[..., Fleet]) -> None:
    one = fleet()

    def replace_all() -> None:
        one.program = "raise SystemExit(2)"
        one.on["replacement_failed"] = one.stop
        one.send(signal.SIGHUP)

    one.run(replace_all)

    assert one.names()[2:] == ["replacement_failed"]
    assert len(one.workers) == 3


def test_a_worker_that_dies_while_its_replacement_starts_is_followed_by_that_one(fleet: Callable[..., Fleet]) -> None:
    one = fleet(count=1)

    def replace_all() -> None:
        one.program = SERVES.replace("channel.sendall", "channel.recv(1) and channel.sendall")
        one.on["worker_died"] = lambda _facts: one.workers[1].channel.sendall(b"g")
        one.on["worker_ready"] = one.stop
        one.send(signal.SIGHUP)
        one.supervisor._step()
        one.workers[0].process.kill()

    one.run(replace_all)

    assert one.names() == ["worker_ready", "worker_died", "worker_ready"]
    assert len(one.workers) == 2


def test_a_second_request_to_replace_waits_for_nothing(fleet: Callable[..., Fleet]) -> None:
    one = fleet(count=1)
    one.on["restart_ignored"] = one.stop

    def twice() -> None:
        one.send(signal.SIGHUP)
        one.send(signal.SIGHUP)

    one.run(twice)

    assert "restart_ignored" in one.names()


def test_a_worker_that_does_not_end_is_killed(fleet: Callable[..., Fleet]) -> None:
    one = fleet(program=DEAF, count=1, pace=Pace(patience_s=0, stop_s=0.05))
    one.run(one.stop)

    assert one.names() == ["worker_ready", "worker_killed"]
    assert one.workers[0].process.returncode == -signal.SIGKILL


def test_asked_twice_at_a_terminal_nobody_is_waited_for(fleet: Callable[..., Fleet]) -> None:
    one = fleet(program=DEAF)

    def interrupt_twice() -> None:
        one.send(signal.SIGINT)
        one.send(signal.SIGINT)

    one.run(interrupt_twice)

    assert [worker.process.returncode for worker in one.workers] == [-signal.SIGKILL] * 2


def test_a_worker_that_is_never_ready_is_killed(fleet: Callable[..., Fleet]) -> None:
    one = fleet(program=DEAF.replace('channel.sendall(b"ready\\n")', ""), count=1, pace=Pace(start_s=0))
    one.on["worker_killed"] = one.stop
    one.run(one.stop)

    assert one.names()[0] == "worker_killed"
    assert one.announced == 0


def test_a_worker_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    with socket.socket() as listener:
        worker = spawn(listener, tmp_path, 1, command=[sys.executable, "-ISc", SERVES])
    assert worker.channel.recv(16)

    worker.channel.close()

    assert worker.process.wait(timeout=30) == 0


def test_workers_count_into_a_folder_they_share_and_pass_by_signals_of_a_terminal(tmp_path: Path) -> None:
    code = "import os, sys; sys.exit(0 if os.environ['PROMETHEUS_MULTIPROC_DIR'] == sys.argv[1] and os.getpgrp() == os.getpid() else 1)"
    with socket.socket() as listener:
        worker = spawn(listener, tmp_path, 1, command=[sys.executable, "-ISc", code, str(tmp_path)])
    with worker.channel:
        assert worker.process.wait(timeout=30) == 0


def test_what_preparation_says_is_the_error() -> None:
    failing = partial(prepare, [sys.executable, "-ISc", "import sys; sys.exit(sys.stderr.write('error: the disk is full\\n') and 2)"])

    with pytest.raises(SettingsError, match=r"^the disk is full$"):
        failing()
    with pytest.raises(SettingsError, match=r"could not be prepared \(exit code 3\)"):
        prepare([sys.executable, "-ISc", "raise SystemExit(3)"])
    prepare([sys.executable, "-ISc", ""])


def test_several_processes_need_a_store_that_they_share() -> None:
    check_processes(Settings(workers=1, store="memory"))
    check_processes(Settings(workers=2))
    with pytest.raises(SettingsError, match="needs a store that the processes share"):
        check_processes(Settings(workers=2, store="memory"))
