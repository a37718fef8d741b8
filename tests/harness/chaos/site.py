"""The real server, as a service manager runs it: ``python -m serving`` with the shipped bundle, on a port and in a folder of its own."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.bench.serving import processes
from evaluation.bench.serving.environments import Venv
from evaluation.bench.serving.server import Running, Server
from tests.harness.chaos.client import Client, Told

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "models" / "current"
ANSWER, FEEDBACK = "/v1/answer", "/v1/feedback"
PATIENT = {"max_wait_ms": "20000"}
"""For scenarios that are not about load: a machine that is busy with other things makes nobody wait in vain."""
_READY_S, _STOP_S = 120, 45


class NoServerError(Exception):
    """The server did not start; the message has no path and no customer's text."""


@dataclass
class Serving:
    """A server that runs; ``ready_s`` from its exec to its word that it listens."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    ready_s: float

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """Ask it to end; its exit code. One that does not is killed."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._end()

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self.process.poll() is None

    def ready(self) -> Told:
        """What /readyz says."""
        client = Client(self.port)
        try:
            return client.get("/readyz")
        finally:
            client.close()

    def running(self) -> Running:
        """The same, as the bench knows servers."""
        server = Server("yingda", "", Venv("own", (), ready=Path(sys.executable)), (), path=ANSWER)
        return Running(server, self.process, self.port, self.ready_s)

    def pss_mib(self) -> float:
        """Its memory."""
        return processes.pss_mib(self.process.pid)

    def _end(self) -> int:
        code = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        return code


@dataclass
class Site:
    """Where servers run, one after the other on the same port; ``store`` is a database URL, by default SQLite in ``folder``."""

    folder: Path
    cores: frozenset[int]
    store: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = 0

    def __post_init__(self) -> None:
        self.store = self.store or f"sqlite:///{self.folder / 'yingda.db'}"
        self.port = self.port or _free_port()

    def start(self) -> Serving:
        """Start and wait until it listens; raises NoServerError."""
        log = self.folder / "server.log"
        with log.open("ab") as lines, processes.pinned(self.cores):
            begun = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-m", "serving"],
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=lines,
                start_new_session=True,
            )
        assert process.stdout is not None
        said = process.stdout.readline() if select.select([process.stdout], [], [], _READY_S)[0] else b""
        if not said.startswith(b"listening on "):
            process.kill()
            process.wait()
            raise NoServerError(f"the server did not start (exit code {process.returncode}); see the log of the run")
        return Serving(process, self.port, log, time.monotonic() - begun)

    @contextmanager
    def running(self) -> Iterator[Serving]:
        """A server for a while; it is stopped in the end, whatever state it is in."""
        serving = self.start()
        try:
            yield serving
        finally:
            if serving.alive:
                serving.stop()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}
        own = {"bundle": str(BUNDLE), "port": str(self.port), "store": self.store, **self.settings}
        ours = {f"YINGDA_{name.upper()}": value for name, value in own.items()}
        return {**kept, "PYTHONPATH": str(ROOT), **ours, **self.environment}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
