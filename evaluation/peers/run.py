"""The run: each peer learns and is examined, then all that can answer are timed by turns."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evaluation.material import Suite
from evaluation.peers.peer import Peer, Prediction
from evaluation.peers.results import PeerResult, State, Store
from evaluation.peers.scores import rows_of, score
from evaluation.peers.timing import Plan, time_peers
from yingda.domain.errors import YingdaError

_CHUNK = 32
"""Messages given to a peer at once when only its answers count."""


@dataclass
class Run:
    """``say`` is told what goes on, ``tick`` that a step was done."""

    store: Store
    suites: Sequence[Suite]
    plan: Plan
    say: Callable[[str], None]
    tick: Callable[[], None]
    _fitted: set[str] = field(default_factory=set)

    def measure(self, peers: Sequence[Peer]) -> list[PeerResult]:
        """One result a peer, in order: none is left out, whatever happens to it."""
        try:
            results = [self._examine(peer) for peer in peers]
            return self._with_costs(peers, results)
        finally:
            for peer in peers:
                peer.close()

    def _examine(self, peer: Peer) -> PeerResult:
        try:
            missing = peer.available()
            if missing is not None:
                self.say(f"{peer.name}: skipped")
                return PeerResult(peer.name, peer.note, State.SKIPPED, reason=missing)
            found = self.store.read(peer) or self._learn_and_answer(peer)
            return replace(found, learnt=peer.learns_from(self.store.lessons))
        except Exception as error:  # a peer's own fault, whatever it is, is a line of the report
            self.say(f"{peer.name}: failed")
            return PeerResult(peer.name, peer.note, State.FAILED, reason=one_line(error))

    def _learn_and_answer(self, peer: Peer) -> PeerResult:
        self._fit(peer)
        self.say(f"{peer.name}: answers")
        texts = [row.text for row in rows_of(self.suites)]
        said: list[Prediction] = []
        for start in range(0, len(texts), _CHUNK):
            said += peer.answer(texts[start : start + _CHUNK])
            self.tick()
        if len(said) != len(texts):
            raise YingdaError(f"{len(said)} answers to {len(texts)} messages; correct the adapter")
        found = PeerResult(peer.name, peer.note, State.MEASURED, peer.version(), peer.installed_mb(), score(self.suites, said))
        self.store.write(peer, found)
        return found

    def _fit(self, peer: Peer) -> None:
        if peer.name not in self._fitted:
            self.say(f"{peer.name}: learns")
            peer.fit(self.store.lessons, self.store.folder(peer))
            self._fitted.add(peer.name)

    def _with_costs(self, peers: Sequence[Peer], results: Sequence[PeerResult]) -> list[PeerResult]:
        measured = [peer for peer, result in zip(peers, results, strict=True) if result.state is State.MEASURED]
        texts = self.plan.draw([row.text for row in rows_of(self.suites)])
        costs = self.store.read_costs(measured, repr(self.plan))
        failed: dict[str, str] = {}
        if costs is None:
            ready = self._ready(measured, failed)
            self.say("timing by turns")
            found, broken = time_peers(ready, texts, passes=self.plan.passes, reason=one_line, tick=self.tick)
            costs, failed = dict(found), {**failed, **broken}
            if not failed:
                self.store.write_costs(measured, repr(self.plan), costs)
        return [
            replace(result, cost=costs.get(result.name), reason=_untimed(failed.get(result.name)) or result.reason) for result in results
        ]

    def _ready(self, peers: Sequence[Peer], failed: dict[str, str]) -> list[Peer]:
        """The peers that can answer; one whose accuracy was kept has to learn again first."""
        ready = []
        for peer in peers:
            try:
                self._fit(peer)
                ready.append(peer)
            except Exception as error:  # as above
                failed[peer.name] = one_line(error)
        return ready


def steps(peers: Sequence[Peer], suites: Sequence[Suite], plan: Plan) -> int:
    """Ticks of a run in which nothing was kept and no peer drops out."""
    chunks = -(-len(rows_of(suites)) // _CHUNK)
    return len(peers) * (chunks + plan.passes + 1)


def one_line(error: Exception) -> str:
    """What went wrong, without a customer's words: an unexpected error is named by kind and place, for its message may quote one."""
    if isinstance(error, YingdaError | ImportError):
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _untimed(reason: str | None) -> str | None:
    return None if reason is None else f"not timed: {reason}"
