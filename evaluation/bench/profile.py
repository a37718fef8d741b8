"""Where the processor time of a reply goes: ``python -m evaluation.bench.profile --out DIR``.

The service as `python -m serving` starts it, its store on the disk, with a stopwatch in each stage (``evaluation/bench/timed/serve.py``),
answers messages that it never saw, one message again and again, and turns messages away while its engine is busy. Requests come over
sixteen connections, a reply each before the next. All figures are processor time of the server: waiting, and what else the machine
does, count for nothing. The same is measured without stopwatches, so that what those cost is seen.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evaluation.bench.serving.machine import read_machine
from evaluation.bench.serving.traffic import Fresh, read_texts
from evaluation.errors import EvaluationError
from evaluation.provenance import read_environment

ROOT = Path(__file__).parents[2]
TIMED = Path(__file__).with_name("timed") / "serve.py"
MESSAGES, CONNECTIONS, WARM_UP = 2_000, 16, 64
FRESH, REPEATED, REFUSED = "fresh", "repeated", "refused"
PACKAGES = ("fastapi", "uvicorn", "uvloop", "msgspec", "onnxruntime", "sqlalchemy", "yingda")
_PATIENCE_S = 120.0
_OK, _UNAVAILABLE = 200, 503


@dataclass(frozen=True)
class Stage:
    """A stage's processor time a request in microseconds, what its stopwatches cost taken off, and calls a request."""

    name: str
    us: float
    calls: float


@dataclass(frozen=True)
class Profile:
    """One kind of request: the whole without stopwatches and with them, and what the stages do not hold of the latter."""

    kind: str
    requests: int
    plain_us: float
    timed_us: float
    rest_us: float
    stages: Sequence[Stage]


# ---- the server and its client ----


class Timed:
    """A server with stopwatches, or a ``plain`` one without."""

    def __init__(self, bundle: Path, folder: Path, *, plain: bool, settings: Mapping[str, str]) -> None:
        own = {"YINGDA_PORT": "0", "YINGDA_BUNDLE": str(bundle.resolve()), "YINGDA_STORE": f"sqlite:///{folder}/store.db", **settings}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("YINGDA_")}
        command = [sys.executable, str(TIMED), *(["--plain"] if plain else [])]
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        line = self._line()
        if not line.startswith("listening on "):
            self.close()
            last = (folder / "log").read_text("utf-8", "replace").splitlines()[-1:]
            raise EvaluationError(f"the server did not start: {''.join(last)[:200]}")
        self.port = int(line.rsplit(":", 1)[1])

    def count(self) -> dict[str, Any]:
        """Processor time so far, of the whole and by stage."""
        self.tell("count")
        found: dict[str, Any] = json.loads(self._line())
        return found

    def tell(self, word: str) -> None:
        """See ``timed/serve.py``."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate(timeout=_PATIENCE_S)
        self._log.close()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()


class Connection:
    """An HTTP/1.1 connection that stays open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S)
        self._stream = self._socket.makefile("rb")

    def send(self, body: bytes, *, method: str = "POST", path: str = "/v1/answer") -> None:
        """Ask, and do not wait for the answer."""
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)

    def read(self) -> tuple[int, bytes]:
        """Status and body of the answer."""
        status = int(self._stream.readline().split()[1])
        length = 0
        while line := self._stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return status, self._stream.read(length)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()


def ask(connections: Sequence[Connection], texts: Sequence[str]) -> Counter[int]:
    """Ask for a reply to each of ``texts``, one a connection at a time; how often which status came."""
    found = Counter[int]()
    for start in range(0, len(texts), len(connections)):
        wave = texts[start : start + len(connections)]
        for connection, text in zip(connections, wave, strict=False):
            connection.send(body_of(text))
        found.update(connection.read()[0] for connection in connections[: len(wave)])
    return found


def body_of(text: str) -> bytes:
    """The body of a request."""
    return json.dumps({"text": text}, ensure_ascii=False).encode()


# ---- measuring ----


@contextmanager
def running(bundle: Path, *, plain: bool, settings: Mapping[str, str]) -> Iterator[tuple[Timed, list[Connection]]]:
    """A server and connections to it."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        server = Timed(bundle, Path(folder), plain=plain, settings=settings)
        stack.callback(server.close)
        yield server, [stack.enter_context(closing(Connection(server.port))) for _ in range(CONNECTIONS)]


def measure(bundle: Path, texts: Mapping[str, Sequence[str]], warm: Sequence[str], *, plain: bool) -> dict[str, dict[str, Any]]:
    """By kind of request, the difference of two counts; raises EvaluationError where a status is not what it should be."""
    found = {}
    # as long a wait as may be: nobody is turned away, given up or hung up on because the machine is busy
    patient = {"YINGDA_MAX_WAIT_MS": "600000", "YINGDA_KEEP_ALIVE_S": "3600", "YINGDA_HEADER_TIMEOUT_S": "600"}
    with running(bundle, plain=plain, settings=patient) as (server, connections):
        for kind in (FRESH, REPEATED):
            ask(connections, [*warm, *texts[kind][:1]])
            found[kind] = _counted(server, connections, texts[kind], _OK)
    with running(bundle, plain=plain, settings={**patient, "YINGDA_MAX_QUEUE": "1"}) as (server, connections):
        ask(connections[:1], warm[:1])
        with filled(server):
            ask(connections, warm)
            found[REFUSED] = _counted(server, connections, texts[REFUSED], _UNAVAILABLE)
    return found


@contextmanager
def filled(server: Timed) -> Iterator[None]:
    """Meanwhile one message is being decided and another waits, which is all that the queue takes."""
    with ExitStack() as stack:
        first, second, watching = (stack.enter_context(closing(Connection(server.port))) for _ in range(3))
        server.tell("hold")
        try:
            first.send(body_of("等一等"))
            while _metric(watching, "yingda_http_requests_in_flight ") < 2:  # it and this question
                pass
            while _metric(watching, "yingda_queue_messages ") > 0:
                pass
            second.send(body_of("再等等"))
            while _metric(watching, "yingda_queue_messages ") < 1:
                pass
            yield
        finally:
            server.tell("release")
        first.read(), second.read()


def _metric(connection: Connection, name: str) -> float:
    connection.send(b"", method="GET", path="/metrics")
    lines = connection.read()[1].decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


def _counted(server: Timed, connections: Sequence[Connection], texts: Sequence[str], status: int) -> dict[str, Any]:
    before = server.count()
    statuses = ask(connections, texts)
    after = server.count()
    if set(statuses) != {status}:
        raise EvaluationError(f"replies had the statuses {dict(statuses)} where all should have {status}; run it again, alone")
    stages = {
        name: [late - early for late, early in zip(numbers, before["stages"].get(name, (0, 0, 0)), strict=True)]
        for name, numbers in after["stages"].items()
    }
    return {**after, "requests": len(texts), "cpu_ns": after["cpu_ns"] - before["cpu_ns"], "stages": stages}


def profile_of(kind: str, timed: Mapping[str, Any], plain: Mapping[str, Any]) -> Profile:
    """Microseconds a request, from the counts with stopwatches and without."""
    requests, (own, around) = timed["requests"], timed["watching_ns"]
    stages = []
    for name, (spent, calls, inner) in timed["stages"].items():
        us = max(0.0, spent - calls * own - inner * around) / requests / 1000
        if calls:
            stages.append(Stage(name, round(us, 1), round(calls / requests, 2)))
    stages.sort(key=lambda stage: -stage.us)
    plain_us, timed_us = plain["cpu_ns"] / plain["requests"] / 1000, timed["cpu_ns"] / requests / 1000
    rest = timed_us - sum(stage.us for stage in stages)  # of the same run: two of them differ by more than a small stage
    return Profile(kind, requests, round(plain_us, 1), round(timed_us, 1), round(rest, 1), stages)


# ---- telling ----


def report(profiles: Sequence[Profile], facts: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    machine, versions = facts["machine"], ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    by_name = [{stage.name: stage for stage in profile.stages} for profile in profiles]
    names = sorted({name for known in by_name for name in known}, key=lambda name: -sum(k[name].us for k in by_name if name in k))
    lines = [
        "# Where the time of a reply goes",
        "",
        f"`python -m evaluation.bench.profile`; commit {facts['commit'] or 'unknown'}.",
        f"{machine['processor']}, {machine['cores']} cores; {versions}.",
        "Microseconds of the server's processor time a request, and the share of the whole. See docs/performance.md.",
        "",
        f"| stage | {' | '.join(profile.kind for profile in profiles)} |",
        f"|---|{'--:|' * len(profiles)}",
    ]
    for name in names:
        cells = [f"{k[name].us:g} ({_share(k[name].us, p)})" if name in k else "–" for k, p in zip(by_name, profiles, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rests = " | ".join(f"{p.rest_us:g} ({_share(p.rest_us, p)})" for p in profiles)
    lines.append(f"| rest: event loop, changes of threads, collector, stopwatches | {rests} |")
    lines.append(f"| **whole** | {' | '.join(f'**{p.timed_us:g}**' for p in profiles)} |")
    lines.append(f"| whole without stopwatches | {' | '.join(f'{p.plain_us:g}' for p in profiles)} |")
    lines += ["", f"Requests a column: {', '.join(f'{p.requests:,}' for p in profiles)}."]
    if facts["gone"]:
        lines += ["", f"Not measured, for they are gone from the code, so that others hold their time: {', '.join(facts['gone'])}."]
    return "\n".join(lines) + "\n"


def _share(us: float, profile: Profile) -> str:
    return f"{100 * us / profile.timed_us:.0f} %" if profile.timed_us else "–"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write ``profile.json`` and ``profile.md``; 1 where a stage's code is gone, 2 where nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.profile", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/current"))
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="whose training messages are asked")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"of each kind ({MESSAGES})")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    try:
        fresh = Fresh(read_texts(args.pack), args.seed)
        warm, hot = fresh.take(min(WARM_UP, args.messages)), fresh.take(1)
        counts = {}
        for plain in (True, False):
            texts = {FRESH: fresh.take(args.messages), REPEATED: hot * args.messages, REFUSED: fresh.take(args.messages)}
            counts[plain] = measure(args.bundle, texts, warm, plain=plain)
    except (EvaluationError, OSError) as error:
        parser.exit(2, f"{error}\n")
    profiles = [profile_of(kind, counts[False][kind], counts[True][kind]) for kind in (FRESH, REPEATED, REFUSED)]
    environment = read_environment()
    facts = {
        "commit": environment.commit,
        "machine": read_machine(),
        "versions": {"Python": environment.python, **{name: version(name) for name in PACKAGES}},
        "gone": counts[False][FRESH]["gone"],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    told = {**facts, "profiles": [asdict(each) for each in profiles]}
    (args.out / "profile.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    (args.out / "profile.md").write_text(report(profiles, facts), "utf-8")
    sys.stdout.write(report(profiles, facts))
    return 1 if facts["gone"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
