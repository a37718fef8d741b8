"""Two processes on one port: what one loses the other serves, and all that is asked of them ends as asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.bundle_kit import restamped, switch
from tests.fakes_core import write_tiny_bundle

ROOT = Path(__file__).parents[2]
QUESTION = "什么时候发货"
PATIENCE_S = 120
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a port is shared among processes on POSIX alone")


class Fleet:
    """A running `python -m serving` with two workers; ``event`` waits for lines of its log."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        own = {"YINGDA_WORKERS": "2", "YINGDA_PORT": "0", "YINGDA_BUNDLE": str(bundle), "YINGDA_STORE": f"sqlite:///{folder / 'store.db'}"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving"],
            cwd=ROOT,
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.lines = Queue[dict[str, Any]]()
        self.pids: dict[int, int] = {}
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("listening on http://"), said
        self.address = urlsplit(said.removeprefix("listening on ").strip())
        for _ in range(2):
            self.event("worker_ready")

    def event(self, name: str) -> dict[str, Any]:
        """The next line of the log with that event; those before it are passed by."""
        while True:
            line = self.lines.get(timeout=PATIENCE_S)
            if name == "worker_ready" == line["event"]:
                self.pids[line["number"]] = line["pid"]
            if line["event"] == name:
                return line

    def connect(self) -> http.client.HTTPConnection:
        assert self.address.hostname is not None
        return http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=PATIENCE_S)

    def get(self, path: str) -> str:
        return self._asked("GET", path, None, {})

    def sent(self, method: str, path: str, body: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._asked(method, path, json.dumps(body), {"content-type": "application/json", **headers}))
        return said

    def only(self, number: int) -> dict[str, Any]:
        """What the worker of that number says of itself."""
        with self.alone(number):
            ready: dict[str, Any] = json.loads(self.get("/readyz"))
            return ready

    def told_by(self, number: int) -> str:
        """What the worker of that number replies to QUESTION; it is not stored, for a worker that is held may hold the store."""
        with self.alone(number):
            return str(self.sent("POST", "/v1/answer", {"text": QUESTION, "dry_run": True})["reply"]["text"])

    @contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """All workers but one are held."""
        others = [pid for each, pid in self.pids.items() if each != number]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def counted(self) -> int:
        """Answers that all workers counted, as any of them tells."""
        lines = self.get("/metrics").splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("yingda_outcomes_total{"))

    def _asked(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> str:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status == 200, text
            return text
        finally:
            connection.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(json.loads(line) if line.startswith("{") else {"event": line})


class Sender(Thread):
    """A customer who writes without a pause, over a connection that is kept as long as the server keeps it."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(daemon=True)
        self.fleet, self.stop, self.answered, self.lost = fleet, Event(), 0, 0
        self.told: set[str] = set()

    def run(self) -> None:
        connection = self.fleet.connect()
        while not self.stop.is_set():
            try:
                connection.request("POST", "/v1/answer", json.dumps({"text": QUESTION}), {"content-type": "application/json"})
                response = connection.getresponse()
                body = response.read()
                good = response.status == 200
                if good:
                    self.told.add(json.loads(body)["reply"]["text"])
            except (OSError, http.client.HTTPException):
                connection.close()
                good = False
            self.answered += good
            self.lost += not good
        connection.close()


@contextmanager
def running(bundle: Path, folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(bundle, folder)
    with fleet.process:
        try:
            yield fleet
            fleet.process.terminate()
            assert fleet.process.wait(timeout=PATIENCE_S) == 0
        finally:
            fleet.process.kill()
            fleet.reader.join()


@contextmanager
def senders(fleet: Fleet, count: int) -> Iterator[list[Sender]]:
    threads = [Sender(fleet) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < end, "it never came"


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_two_processes_serve_the_shipped_bundle_and_outlive_the_death_of_one(tmp_path: Path) -> None:
    with running(ROOT / "models" / "current", tmp_path) as fleet:
        assert [fleet.only(number)["status"] for number in (1, 2)] == ["ready", "ready"]
        with senders(fleet, 3) as threads:
            killed = fleet.pids[1]
            os.kill(killed, signal.SIGKILL)
            died, again = fleet.event("worker_died"), fleet.event("worker_ready")
        answered = sum(thread.answered for thread in threads)

        assert (died["pid"], died["exit"], died["was_ready"], again["number"]) == (killed, -signal.SIGKILL, True, 1)
        assert all(thread.lost <= 1 for thread in threads), "more was lost than what was in flight"
        assert fleet.only(1)["status"] == "ready"
        assert answered <= fleet.counted() <= answered + len(threads)
        pids = list(fleet.pids.values())

    assert all(is_gone(pid) for pid in pids)


def test_workers_are_replaced_and_bundles_swapped_without_a_lost_request(tmp_path: Path) -> None:
    link = tmp_path / "live"
    switch(link, write_tiny_bundle(tmp_path / "1.0"))
    with running(link, tmp_path) as fleet, senders(fleet, 3) as threads:
        switch(link, restamped(tmp_path / "1.0", tmp_path / "2.0", "2.0"))
        swapped = {fleet.event("bundle_swapped")["worker"] for _ in range(2)}
        versions = {fleet.only(number)["bundle"]["version"] for number in (1, 2)}
        former = dict(fleet.pids)
        fleet.process.send_signal(signal.SIGHUP)
        replaced = {fleet.event("worker_ready")["number"] for _ in range(2)}
        told = [line for line in fleet.get("/metrics").splitlines() if line.startswith("yingda_model_info{") and line.endswith(" 1.0")]

    assert (swapped, versions, replaced) == ({1, 2}, {"2.0"}, {1, 2})
    assert set(former.values()).isdisjoint(fleet.pids.values())
    assert len(told) == 1
    assert all(thread.answered for thread in threads)
    # the last request of each may meet the end of the service itself, which comes after the senders stopped
    assert [thread.lost for thread in threads] == [0, 0, 0]


def test_what_is_published_is_told_by_every_worker_without_a_restart_or_a_lost_request(tmp_path: Path) -> None:
    versions = [f"第{number}版：明天发出。" for number in range(1, 4)]
    entry = {"intent": "ORDER_SHIP_TIME", "question": {"zh": QUESTION}, "similar": {"zh": ["多久发"]}}
    with running(write_tiny_bundle(tmp_path / "bundle"), tmp_path) as fleet, senders(fleet, 3) as threads:
        before = dict(fleet.pids)
        for version in versions:
            fleet.sent("PUT", "/v1/faq/ship-when", {**entry, "answer": {"zh": version}}, **{"if-match": "*"})
            for number in (1, 2):
                wait_until(lambda number=number, version=version: version in fleet.told_by(number))  # type: ignore[misc]
        wait_until(lambda: all(any(versions[-1] in text for text in list(thread.told)) for thread in threads))

    assert fleet.pids == before
    assert [thread.lost for thread in threads] == [0, 0, 0]
    known = ["48 小时内发出", *versions]
    assert all(sum(version in text for version in known) == 1 for thread in threads for text in thread.told)


def test_a_bundle_that_cannot_be_opened_is_said_once_and_nothing_is_started(tmp_path: Path) -> None:
    own = {"YINGDA_WORKERS": "2", "YINGDA_PORT": "0", "YINGDA_BUNDLE": str(tmp_path), "YINGDA_STORE": f"sqlite:///{tmp_path / 'store.db'}"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}

    done = subprocess.run(
        [sys.executable, "-m", "serving"], cwd=ROOT, env={**kept, **own}, capture_output=True, encoding="utf-8", check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path}/manifest.json: missing")
    assert len(done.stderr.splitlines()) == 1
