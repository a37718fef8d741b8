"""CPU time a message, measured by turns: whatever the machine does meanwhile, it does to all peers alike."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from evaluation.peers.peer import Peer

_WARM_UP = 5
"""Messages answered before the clock is read, so that nobody is charged for what loads on first use."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds a message, all threads together, one figure a pass."""

    passes_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Median over passes."""
        return statistics.median(self.passes_ms)

    @property
    def low_ms(self) -> float:
        """Cheapest pass."""
        return min(self.passes_ms)

    @property
    def high_ms(self) -> float:
        """Dearest pass."""
        return max(self.passes_ms)


@dataclass(frozen=True, slots=True)
class Plan:
    """``passes`` times over the same ``messages`` texts, drawn with ``seed``."""

    messages: int = 200
    passes: int = 5
    seed: int = 1

    def draw(self, texts: Sequence[str]) -> list[str]:
        """The texts to answer, all where there are no more."""
        return random.Random(self.seed).sample(list(texts), min(self.messages, len(texts)))


def time_peers(
    peers: Sequence[Peer], texts: Sequence[str], *, passes: int, reason: Callable[[Exception], str], tick: Callable[[], None]
) -> tuple[Mapping[str, Cost], Mapping[str, str]]:
    """Costs, and by name why a peer has none: pass by pass each peer in turn answers every text (at least one) alone.

    Who begins changes from pass to pass, so that nobody always comes after the same one. A peer that fails is left out of the
    passes after. ``tick`` is called after each peer's pass, outside its time.
    """
    spent: dict[str, list[float]] = {peer.name: [] for peer in peers}
    failed: dict[str, str] = {}
    with _one_thread(), _nobodys_garbage():
        for number in range(passes + 1):  # the first is the warm-up
            part = texts if number else texts[:_WARM_UP]
            first = number % len(peers) if peers else 0
            for peer in (*peers[first:], *peers[:first]):
                if peer.name not in failed:
                    try:
                        spent[peer.name].append(_pass(peer, part))
                    except Exception as error:  # a peer's own fault, whatever it is, is a line of the report
                        failed[peer.name] = reason(error)
                tick()
    return {name: Cost(tuple(passes_ms[1:])) for name, passes_ms in spent.items() if name not in failed}, failed


def _pass(peer: Peer, texts: Sequence[str]) -> float:
    start = peer.cpu_s()
    for text in texts:
        peer.answer([text])
    return 1000 * (peer.cpu_s() - start) / len(texts)


@contextmanager
def _nobodys_garbage() -> Iterator[None]:
    """Peers inside this process share its heap: what they learnt is set aside, or each collection would look through it all again,
    at the cost of whoever happens to answer."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _one_thread() -> AbstractContextManager[object]:
    """Limits the thread pools of linear algebra: a pool that waits for work burns CPU time in another peer's turn."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return nullcontext()
    limits: AbstractContextManager[object] = importlib.import_module("threadpoolctl").threadpool_limits(1)
    return limits
