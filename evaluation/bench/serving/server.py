"""A server of the comparison: how it is prepared, started, asked, known to be ready, and stopped."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from evaluation.bench.serving import processes
from evaluation.bench.serving.environments import Venv
from evaluation.errors import EvaluationError

_OK = 200
_READY_S = 180
_STOP_S = 15
_POLL_S = 0.02
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)
_QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "RASA_TELEMETRY_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def text_body(text: str) -> dict[str, Any]:
    """The usual body."""
    return {"text": text}


@dataclass(frozen=True)
class Server:
    """``command`` gets the port; ``{python}`` and ``{work}`` in it and in ``steps`` (run once, before the first start) are replaced.

    ``missing`` says why it cannot run here. ``repeated``: it is compared on one message sent again and again.
    """

    name: str
    note: str
    venv: Venv
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    path: str = "/answer"
    body: Callable[[str], dict[str, Any]] = text_body
    steps: Sequence[Sequence[str]] = ()
    packages: Sequence[str] = ()
    missing: str | None = None
    repeated: bool = False

    def bodies(self, texts: Sequence[str]) -> list[str]:
        """Bodies of requests for ``texts``."""
        return [json.dumps(self.body(text), ensure_ascii=False) for text in texts]

    def filled(self, words: Sequence[str], work: Path, port: int = 0) -> list[str]:
        """``words`` with the places for interpreter, working folder and port filled in."""
        python = str(self.venv.python(work))
        return [word.replace("{python}", python).replace("{work}", str(work)).replace("{port}", str(port)) for word in words]

    def prepare(self, work: Path) -> None:
        """Run the steps once; raises EvaluationError with the last line of the one that failed."""
        for step in self.steps:
            done = work / "prepared" / f"{self.name}-{sha256(repr(step).encode()).hexdigest()[:12]}"
            if done.is_file():
                continue
            done.parent.mkdir(parents=True, exist_ok=True)
            ran = subprocess.run(
                self.filled(step, work), cwd=self.folder, env=self.environment(work, 0), capture_output=True, text=True, check=False
            )
            if ran.returncode:
                raise EvaluationError(f"preparing failed: {(ran.stderr.strip().splitlines() or ['no message'])[-1][:200]}")
            done.touch()

    def environment(self, work: Path, port: int) -> dict[str, str]:
        """Variables of the process: one thread for every library, nothing sent anywhere."""
        own = dict(zip(self.env, self.filled(list(self.env.values()), work, port), strict=True))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("YINGDA_", "BENCH_"))}
        return {**kept, **_ONE_THREAD, **_QUIET, "BENCH_PORT": str(port), **own}


@dataclass
class Running:
    """A server that runs; ``cold_start_s`` from its exec to the first reply with status 200."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    cold_start_s: float

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}{self.server.path}"

    def cpu_s(self) -> float:
        """CPU seconds so far, of all its processes."""
        return processes.cpu_s(self.process.pid)

    def pss_mib(self) -> float:
        """Memory of all its processes."""
        return processes.pss_mib(self.process.pid)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Nothing of it runs inside: another server has the machine to itself."""
        pids = processes.tree(self.process.pid)
        _signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pids, signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and end what did not."""
        pids = processes.tree(self.process.pid)
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_S)
        _signal([pid for pid in pids if pid == self.process.pid or processes.tree(pid)], signal.SIGKILL)
        self.process.wait()


def start(server: Server, work: Path, cores: frozenset[int], *, log: Path) -> Running:
    """Start ``server`` and wait for its first reply; raises EvaluationError when it ends or stays silent."""
    port = _free_port()
    (work / "stores").mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    command, environment = server.filled(server.command, work, port), server.environment(work, port)
    body = server.bodies(["你好，我的快递到哪里了"])[0]
    with log.open("wb") as out, processes.pinned(cores):
        begun = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=server.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(server, process, port, 0.0)
    try:
        while ask(port, server.path, body)[0] != _OK:
            if process.poll() is not None:
                raise EvaluationError(f"ended with {process.returncode} before it was ready: {_last_line(log)}")
            if time.monotonic() - begun > _READY_S:
                raise EvaluationError(f"gave no reply within {_READY_S} s: {_last_line(log)}")
            time.sleep(_POLL_S)
    except BaseException:
        running.stop()
        raise
    running.cold_start_s = time.monotonic() - begun
    return running


def ask(port: int, path: str, body: str, *, connection: http.client.HTTPConnection | None = None) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers (names in small letters) and body of one reply; status 0 where there was none."""
    link = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("POST", path, body.encode(), {"content-type": "application/json"})
        reply = link.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    except (OSError, http.client.HTTPException):
        link.close()
        return 0, {}, b""
    finally:
        if connection is None:
            link.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
    return lines[-1][:200] if lines else "no message"
