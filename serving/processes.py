"""Several processes that serve one port: started, watched, started anew when they die, replaced and stopped one by one.

The supervisor holds the listening socket and opens no model. Workers share the socket, so that connections that wait are
taken by whoever lives; each is a program of its own, for threads and a model runtime do not survive a fork.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory
from time import monotonic

from prometheus_client.multiprocess import mark_process_dead
from structlog.typing import FilteringBoundLogger

from serving.metrics import SHARED
from serving.settings import SettingsError

READY = b"ready\n"
"""What a worker sends once it serves."""

_CANNOT_START = 2
_WORKER = (sys.executable, "-m", "serving", "worker")
_PREPARE = (sys.executable, "-m", "serving.prepare")
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if os.name == "posix" else ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the supervisor waits for what; all in seconds but ``tries``.

    A worker must be ready after ``start_s``, and has ended ``stop_s`` after the ``patience_s`` in which it finishes requests.
    One that dies within ``lived_s`` is started anew after ``restart_s``, doubling up to ``restart_most_s``, any other at once.
    After ``tries`` in a row that died before they were ready, none other being ready, the supervisor gives up.
    """

    patience_s: float = 30.0
    stop_s: float = 5.0
    start_s: float = 120.0
    lived_s: float = 60.0
    restart_s: float = 0.25
    restart_most_s: float = 30.0
    tries: int = 5


@dataclass(slots=True, eq=False)
class Worker:
    """A process that serves or is about to, and our end of the channel over which it tells that it is ready."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    started: float
    is_ready: bool = False
    kill_at: float | None = None

    @property
    def is_stopping(self) -> bool:
        """True once it was told to end."""
        return self.kill_at is not None


def prepare(command: Sequence[str] = _PREPARE) -> None:
    """Bring the store to this version and seed it, in a process of its own, before any worker starts; raises SettingsError."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise SettingsError(said.removeprefix("error: ") or f"the store could not be prepared (exit code {done.returncode})")


def supervise(listener: socket.socket, count: int, *, log: FilteringBoundLogger, patience_s: float, on_ready: Callable[[], None]) -> None:
    """Serve with ``count`` processes until SIGTERM or SIGINT; SIGHUP replaces them one by one. Raises SettingsError."""
    # The first worker listens on it. From then on who connects waits even where all are dead, for the socket is open here too.
    with TemporaryDirectory(prefix="yingda-metrics-") as folder, _signals() as signals:
        start = partial(spawn, listener, Path(folder))
        ended = partial(mark_process_dead, path=folder)
        Supervisor(
            start,
            count,
            signals=signals,
            log=log,
            pace=Pace(patience_s),
            on_ready=on_ready,
            on_end=ended,
            on_stop=listener.close,  # nobody is to wait at a door that only this process holds open
        ).run()


def spawn(listener: socket.socket, folder: Path, number: int, *, command: Sequence[str] = _WORKER) -> Worker:
    """A worker on ``listener`` that counts into ``folder``, in a process group of its own: a terminal's signals pass it by."""
    ours, theirs = socket.socketpair()
    with theirs:
        files = listener.fileno(), theirs.fileno()
        process = subprocess.Popen(
            [*command, "--listener", str(files[0]), "--channel", str(files[1]), "--number", str(number)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, SHARED: str(folder)},
            pass_fds=files,
            process_group=0,
        )
    return Worker(number, process, ours, monotonic())


class Supervisor:
    """Keeps ``count`` workers alive. ``signals`` yields the numbers of signals, one byte each; all runs on one thread."""

    def __init__(
        self,
        start: Callable[[int], Worker],
        count: int,
        *,
        signals: socket.socket,
        log: FilteringBoundLogger,
        on_ready: Callable[[], None],
        pace: Pace = Pace(),
        on_end: Callable[[int], None] = lambda _: None,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._start_process, self._log, self._on_end, self._on_stop = start, log, on_end, on_stop
        self._pace, self._on_ready = pace, on_ready
        self._signals, self._events = signals, DefaultSelector()
        self._numbers = range(1, count + 1)
        self._serving: dict[int, Worker] = {}
        self._all: set[Worker] = set()
        self._restart_at: dict[int, float] = {}
        self._young_deaths = dict.fromkeys(self._numbers, 0)
        self._failures = 0
        self._announced = False
        self._stopping = False
        self._error: str | None = None
        self._to_replace: list[int] = []
        self._replacement: Worker | None = None

    def run(self) -> None:
        """Until told to stop and all have ended; raise SettingsError when the workers cannot become ready."""
        self._events.register(self._signals, EVENT_READ, None)
        with self._events:
            try:
                for number in self._numbers:
                    self._serving[number] = self._start(number)
                while self._all or self._restart_at:
                    self._step()
            finally:
                for worker in list(self._all):  # an error of our own must not leave them behind
                    worker.process.kill()
                    self._forget(worker)
        if self._error:
            raise SettingsError(self._error)

    # ---- what happens ----

    def _step(self) -> None:
        for key, _ in self._events.select(self._pause()):
            worker: Worker | None = key.data
            if worker is None:
                for number in self._signals.recv(64):
                    self._signalled(number)
            elif worker in self._all:
                self._heard(worker)
        self._pass_time()

    def _pause(self) -> float | None:
        """Seconds until something is due by itself."""
        due = [*self._restart_at.values()]
        due += [
            worker.kill_at if worker.kill_at is not None else worker.started + self._pace.start_s
            for worker in self._all
            if self._is_timed(worker)
        ]
        return max(0.0, min(due) - monotonic()) if due else None

    def _is_timed(self, worker: Worker) -> bool:
        return worker.is_stopping or not worker.is_ready

    def _pass_time(self) -> None:
        now = monotonic()
        for worker in self._all:
            limit = worker.kill_at if worker.kill_at is not None else worker.started + self._pace.start_s
            if self._is_timed(worker) and now >= limit:
                self._log.error("worker_killed", number=worker.number, pid=worker.process.pid, after_s=round(now - worker.started, 1))
                worker.kill_at = now + self._pace.stop_s
                worker.process.kill()
        for number in [number for number, at in self._restart_at.items() if now >= at]:
            del self._restart_at[number]
            self._serving[number] = self._start(number)

    def _signalled(self, number: int) -> None:
        if number == getattr(signal, "SIGHUP", None):
            self._replace_all()
        elif not self._stopping:
            self._stop_all()
        elif number == signal.SIGINT:  # asked twice at the terminal: now
            for worker in self._all:
                worker.process.kill()

    def _heard(self, worker: Worker) -> None:
        try:
            said = worker.channel.recv(64)
        except OSError:
            said = b""
        if said:
            self._ready(worker)
        else:
            self._ended(worker)

    def _ready(self, worker: Worker) -> None:
        worker.is_ready, self._failures = True, 0
        self._log.info("worker_ready", number=worker.number, pid=worker.process.pid, after_s=round(monotonic() - worker.started, 3))
        if worker is self._replacement:
            former, self._replacement = self._serving[worker.number], None
            self._serving[worker.number] = worker
            self._stop(former)
        elif not self._announced and len(self._serving) == len(self._numbers) and all(each.is_ready for each in self._serving.values()):
            self._announced = True
            self._on_ready()

    def _ended(self, worker: Worker) -> None:
        code = self._forget(worker)
        is_current = self._serving.get(worker.number) is worker
        if is_current:
            del self._serving[worker.number]
        if self._stopping:
            return
        if is_current:
            self._died(worker, code)
        elif worker is self._replacement:
            self._replacement, self._to_replace = None, []
            self._log.error("replacement_failed", number=worker.number, exit=code, detail="the others go on as they were")
        else:  # it was replaced
            self._replace_next()

    def _died(self, worker: Worker, code: int) -> None:
        self._log.error("worker_died", number=worker.number, pid=worker.process.pid, exit=code, was_ready=worker.is_ready)
        self._failures += not worker.is_ready
        nobody = not any(each.is_ready for each in self._serving.values())
        if not self._announced and code == _CANNOT_START:
            return self._give_up("a worker cannot start as configured; see its message above")
        if nobody and self._failures >= self._pace.tries:
            return self._give_up(f"{self._failures} workers in a row ended before they were ready (exit {code}); see the log above")
        if self._replacement and self._replacement.number == worker.number:
            self._serving[worker.number], self._replacement = self._replacement, None
            return self._replace_next()
        young = monotonic() - worker.started < self._pace.lived_s
        deaths = self._young_deaths[worker.number] = self._young_deaths[worker.number] + 1 if young else 0
        delay = min(self._pace.restart_s * 2.0 ** (deaths - 1), self._pace.restart_most_s) if deaths else 0.0
        self._restart_at[worker.number] = monotonic() + delay

    # ---- what is done ----

    def _start(self, number: int) -> Worker:
        worker = self._start_process(number)
        self._all.add(worker)
        self._events.register(worker.channel, EVENT_READ, worker)
        return worker

    def _stop(self, worker: Worker) -> None:
        worker.kill_at = monotonic() + self._pace.patience_s + self._pace.stop_s
        worker.process.terminate()

    def _forget(self, worker: Worker) -> int:
        """Let go of a worker whose channel has closed; returns its exit code, negative for a signal."""
        self._all.discard(worker)
        self._events.unregister(worker.channel)
        worker.channel.close()
        try:
            code = worker.process.wait(self._pace.stop_s)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            code = worker.process.wait()
        self._on_end(worker.process.pid)
        return code

    def _stop_all(self) -> None:
        self._stopping = True
        self._on_stop()
        self._restart_at, self._to_replace = {}, []
        for worker in self._all:
            self._stop(worker)

    def _give_up(self, error: str) -> None:
        self._error = error
        self._stop_all()

    def _replace_all(self) -> None:
        if self._stopping or not self._announced or self._replacement or self._to_replace:
            self._log.warning("restart_ignored", detail="the workers are being started or stopped; ask again later")
            return
        self._to_replace = list(self._numbers)
        self._replace_next()

    def _replace_next(self) -> None:
        """Start one that takes the place of another; it is stopped once the new one serves, so that capacity never shrinks."""
        while not self._stopping and self._to_replace:
            number = self._to_replace.pop(0)
            if number in self._serving:  # else it died, and the one that follows is new anyway
                self._replacement = self._start(number)
                return


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that yields a byte for each signal, which interrupts nothing."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        former = {number: signal.signal(number, lambda _number, _frame: None) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(writing.fileno())
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
