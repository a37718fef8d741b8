"""What became of each peer, and the folder that keeps it, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Any

from evaluation.metrics import Measure
from evaluation.peers.peer import Lessons, Peer
from evaluation.peers.scores import Scores
from evaluation.peers.timing import Cost
from evaluation.report import write_whole


class State(StrEnum):
    """Measured, not runnable here, or broken on the way."""

    MEASURED = "measured"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PeerResult:
    """One peer's line of the table; ``reason`` says why it was skipped, failed, or could not be timed.

    ``learnt`` counts the rows that it learnt from; None where it did not run, or was made before.
    """

    name: str
    note: str
    state: State
    version: str | None = None
    installed_mb: float | None = None
    scores: Scores | None = None
    cost: Cost | None = None
    reason: str | None = None
    learnt: int | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """Results and working folders below ``root``; ``exam`` maps each test file to its SHA-256, ``code`` tells programs apart.

    Results are kept under a key of all they depend on, so that nothing stale is ever taken up. What a peer has learnt is kept
    for the same rows, version and note: an adapter that learns otherwise changes its note.
    """

    root: Path
    lessons: Lessons
    exam: Mapping[str, str]
    code: str = ""

    def folder(self, peer: Peer) -> Path:
        """The peer's own folder for these lessons; it is there after the call."""
        path = self.root / "work" / f"{peer.name}-{self._learnt(peer)[:12]}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def read(self, peer: Peer) -> PeerResult | None:
        """The accuracy kept of an earlier run, or None."""
        kept = self._kept(self.root / "kept" / f"{peer.name}.json", self._examined(peer))
        if kept is None:
            return None
        scores = {suite: {name: Measure(**value) for name, value in found.items()} for suite, found in kept["scores"].items()}
        return PeerResult(peer.name, peer.note, State.MEASURED, kept["version"], kept["installed_mb"], scores)

    def write(self, peer: Peer, result: PeerResult) -> None:
        """Keep the accuracy of ``peer``."""
        scores = {suite: {name: asdict(value) for name, value in found.items()} for suite, found in (result.scores or {}).items()}
        fields = {"version": result.version, "installed_mb": result.installed_mb, "scores": scores}
        self._keep(f"{peer.name}.json", self._examined(peer), fields)

    def read_costs(self, peers: Sequence[Peer], setting: str) -> dict[str, Cost] | None:
        """Costs that an earlier run measured of exactly these peers together, or None."""
        kept = self._kept(self.root / "kept" / "timing.json", self._timed(peers, setting))
        return None if kept is None else {name: Cost(tuple(passes)) for name, passes in kept["passes_ms"].items()}

    def write_costs(self, peers: Sequence[Peer], setting: str, costs: Mapping[str, Cost]) -> None:
        """Keep the costs of ``peers``, measured in one go."""
        self._keep("timing.json", self._timed(peers, setting), {"passes_ms": {name: cost.passes_ms for name, cost in costs.items()}})

    def _kept(self, path: Path, key: str) -> dict[str, Any] | None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # nothing kept, or nothing readable: it is measured again
        return found if isinstance(found, dict) and found.get("key") == key else None

    def _keep(self, name: str, key: str, fields: Mapping[str, object]) -> None:
        write_whole(self.root / "kept", {name: json.dumps({"key": key, **fields}, ensure_ascii=False, indent=1) + "\n"})

    def _learnt(self, peer: Peer) -> str:
        return _digest([peer.name, peer.note, peer.version(), self.lessons.digest])

    def _examined(self, peer: Peer) -> str:
        return _digest([self._learnt(peer), dict(self.exam), self.code])

    def _timed(self, peers: Sequence[Peer], setting: str) -> str:
        return _digest([setting, [self._examined(peer) for peer in peers]])


def _digest(tree: object) -> str:
    return sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()
