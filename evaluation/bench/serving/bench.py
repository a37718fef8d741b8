"""The run: everything is prepared, then repeat by repeat each server takes its turn next to Yingda."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation.bench.serving.environments import Installed
from evaluation.bench.serving.kept import Kept
from evaluation.bench.serving.rounds import Ground, pair_round
from evaluation.bench.serving.server import Running, Server
from yingda.domain.errors import YingdaError

ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Result:
    """One server: ``rounds`` as JSON, one a repeat; ``reason`` says why there are none, or fewer."""

    server: Server
    installed: Installed | None
    rounds: Sequence[Mapping[str, Any]] = ()
    reason: str | None = None
    skipped: bool = False


@dataclass
class Bench:
    """``servers`` begins with Yingda, next to which every other one is measured; ``say`` is told what goes on."""

    servers: Sequence[Server]
    ground: Ground
    kept: Kept
    prepare: Callable[[Server], Installed]
    launch: Callable[[Server], Running]
    alone: Callable[[Running], dict[str, Any]]
    say: Callable[[str], None]
    _installed: dict[str, Installed] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)
    _rounds: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def run(self) -> list[Result]:
        """A result a server, in order: none is left out, whatever happens to it.

        Raises EvaluationError where Yingda itself cannot be measured.
        """
        ours, *peers = self.servers
        skipped = {server.name for server in peers if server.missing}
        self._prepare(ours)
        for peer in peers:
            self._attempt(peer, lambda peer=peer: self._prepare(peer))  # type: ignore[misc]
        for repeat in range(self.ground.plan.repeats):
            self._alone(ours, repeat)
            self._pairs(ours, [peer for peer in peers if peer.name not in self._reasons], repeat)
        return [self._result(server, skipped=server.name in skipped) for server in self.servers]

    def _result(self, server: Server, *, skipped: bool) -> Result:
        rounds = self._rounds.get(ALONE if server is self.servers[0] else server.name, [])
        return Result(server, self._installed.get(server.name), rounds, self._reasons.get(server.name), skipped)

    def _attempt(self, server: Server, work: Callable[[], None]) -> None:
        try:
            if server.missing:
                self._reasons[server.name] = server.missing
            else:
                work()
        except Exception as error:  # a peer's own fault, whatever it is, is a line of the report
            self._reasons[server.name] = one_line(error)
            self.say(f"{server.name}: {self._reasons[server.name]}")

    def _prepare(self, server: Server) -> None:
        self.say(f"{server.name}: prepares")
        self._installed[server.name] = self.prepare(server)

    def _alone(self, ours: Server, repeat: int) -> None:
        found = self.kept.read(ALONE, repeat, _about(ours))
        if found is None:
            self.say(f"{ours.name}: alone, repeat {repeat + 1}")
            running = self.launch(ours)
            try:
                found = self.alone(running)
            finally:
                running.stop()
            self.kept.write(ALONE, repeat, _about(ours), found)
        self._rounds.setdefault(ALONE, []).append(found)

    def _pairs(self, ours: Server, peers: Sequence[Server], repeat: int) -> None:
        waiting = []
        for peer in peers:
            found = self.kept.read(peer.name, repeat, _about(peer))
            if found is None:
                waiting.append(peer)
            else:
                self._rounds.setdefault(peer.name, []).append(found)
        if waiting:
            running = self.launch(ours)
            try:
                for peer in waiting:
                    self._attempt(peer, lambda peer=peer: self._pair(running, peer, repeat))  # type: ignore[misc]
            finally:
                running.stop()

    def _pair(self, ours: Running, peer: Server, repeat: int) -> None:
        self.say(f"{peer.name}: repeat {repeat + 1}")
        with ours.halted():
            running = self.launch(peer)
        try:
            found = pair_round(self.ground, ours, running, ours_first=repeat % 2 == 0)
        finally:
            running.stop()
        self.kept.write(peer.name, repeat, _about(peer), found)
        self._rounds.setdefault(peer.name, []).append(found)


def one_line(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, YingdaError):
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _about(server: Server) -> str:
    fields = asdict(server)
    return repr(sorted((name, fields[name]) for name in ("name", "note", "command", "path", "venv")))
