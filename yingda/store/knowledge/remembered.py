"""Vectors of wordings that were read already, shared by those who compare entries and those who build engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from yingda.store.knowledge.alike import Embed

_MANY = 64
"""Wordings from which two threads read them."""


class RememberedVectors:
    """An ``embed`` that asks the encoder for new texts alone.

    It forgets a text that was not asked for while ``most`` others were, or while two builds went by that call ``turn_over``.
    Threads may share it; the encoder is asked outside of the lock.
    """

    def __init__(self, embed: Embed, *, most: int | None = None) -> None:
        self._embed, self._most = embed, most
        self._before: dict[bytes, NDArray[np.float32]] = {}
        self._now: dict[bytes, NDArray[np.float32]] = {}
        self._lock = Lock()

    def follow(self, embed: Embed) -> None:
        """Ask another encoder from now on; vectors of two encoders cannot be compared, so all that is remembered is forgotten."""
        with self._lock:
            self._embed, self._before, self._now = embed, {}, {}

    def turn_over(self) -> None:
        """What is not asked for from now on may be forgotten at the next turn."""
        with self._lock:
            self._before, self._now = self._now, {}

    def before(self, embed: Embed) -> Embed:
        """``embed``, but for texts whose vectors by it are remembered here; what it reads is not remembered for that.

        Many texts are read on two threads, so ``embed`` must bear that.
        """

        def ask(texts: Sequence[str]) -> NDArray[np.float32]:
            keys = [_key(text) for text in texts]
            with self._lock:
                held = {key: found for key in keys if (found := self._now.get(key, self._before.get(key))) is not None}
                held = held if self._embed == embed else {}
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in held}
            if missing:
                held |= zip(missing, _by_two(embed, list(missing.values())), strict=True)
            return np.stack([held[key] for key in keys])

        return ask

    def has(self, texts: Iterable[str]) -> bool:
        """Whether all of ``texts`` are remembered."""
        keys = [_key(text) for text in texts]
        with self._lock:
            return all(key in self._now or key in self._before for key in keys)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings [N, D] of ``texts``."""
        keys = [_key(text) for text in texts]
        with self._lock:
            embed = self._embed
            found = {key: held for key in keys if (held := self._now.get(key, self._before.get(key))) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            found |= zip(missing, embed(list(missing.values())), strict=True)
        with self._lock:
            if embed is self._embed:
                self._now |= found
            full = self._most is not None and len(self._now) > self._most
        if full:
            self.turn_over()
        return np.stack([found[key] for key in keys])


def _by_two(embed: Embed, texts: Sequence[str]) -> NDArray[np.float32]:
    """``embed`` of many ``texts`` on two threads: a change is waited for, and the encoder runs on one core a call."""
    if len(texts) < _MANY:
        return embed(texts)
    middle = len(texts) // 2
    with ThreadPoolExecutor(1, thread_name_prefix="wordings") as helper:
        second = helper.submit(embed, texts[middle:])
        return np.concatenate((embed(texts[:middle]), second.result()))


def _key(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
