"""What was worked out before, kept for the next time: bounded, the least recently used goes first, shared by threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from os import urandom
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")

_DIGEST = 16
"""Bytes of a digest: among 10,000 texts two meet with a probability below 1e-30."""


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """How often something was there (``hits``) or not (``misses``), how many ``entries`` are kept, and how many may be (``size``)."""

    hits: int
    misses: int
    entries: int
    size: int


class Cache(Generic[V]):
    """Up to ``size`` values by key; with a size of 0 nothing is kept."""

    def __init__(self, size: int) -> None:
        self._size, self._hits, self._misses = size, 0, 0
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    @property
    def is_off(self) -> bool:
        """True where nothing is ever kept."""
        return self._size == 0

    def clear(self) -> None:
        """Forget every value; what was counted stays."""
        with self._lock:
            self._kept.clear()

    def get(self, key: Hashable) -> V | None:
        """The value of one key, None where there is none."""
        with self._lock:
            value = self._kept.get(key)
            if value is None:
                self._misses += 1
            else:
                self._hits += 1
                self._kept.move_to_end(key)
        return value

    def find(self, keys: Sequence[Hashable]) -> list[V | None]:
        """The value of each key, None where there is none."""
        return [self.get(key) for key in keys]

    def keep(self, values: Mapping[Hashable, V]) -> None:
        """Remember ``values``; what was used longest ago goes where there are too many."""
        if self.is_off:
            return
        with self._lock:
            for key, value in values.items():
                self._kept[key] = value
                self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def info(self) -> CacheInfo:
        """The counts so far."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, len(self._kept), self._size)


class Digests:
    """Stands for texts by keyed digests (BLAKE2b, RFC 7693), so that no text is kept.

    The key is drawn anew each time: digests of one process tell nothing to whoever sees them in another.
    """

    def __init__(self) -> None:
        self._key = urandom(_DIGEST)

    def of(self, text: str) -> bytes:
        """The digest of ``text``."""
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, key=self._key).digest()
