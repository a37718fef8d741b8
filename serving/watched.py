"""What the metrics look at when they are asked: the store, what the engine remembers, and the knowledge in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from serving.live import Desk, Health
from serving.metrics import Metrics
from yingda.cache import CacheInfo
from yingda.store.health import StoreHealth
from yingda.store.memory import Memory


@runtime_checkable
class Remembering(Protocol):
    """An engine that keeps what it made of a text."""

    def cache_info(self) -> CacheInfo:
        """How often a text was known already, since the engine was made."""


def watch_store(metrics: Metrics, memory: Memory) -> None:
    """Show how the store fares; nothing where the memory has nothing to fall back on."""
    if memory.health() is None:
        return

    def of(value: Callable[[StoreHealth], float]) -> Callable[[], float]:
        return lambda: value(memory.health() or StoreHealth())

    gauge, count = metrics.watch, metrics.watch_count
    gauge("yingda_store_down", "1 while the store is away.", of(lambda h: h.down_since is not None), of="livemax")
    gauge("yingda_store_waiting_records", "Records told to callers and not in the store yet.", of(lambda h: h.waiting), of="livesum")
    gauge("yingda_store_unsaved_records", "Those of them that end with the process.", of(lambda h: h.unsaved), of="livesum")
    # each process has a journal of its own: the one that is full first is what matters
    gauge("yingda_store_journal_bytes", "Bytes of the journal in use.", of(lambda h: h.journal_bytes), of="livemax")
    gauge("yingda_store_journal_limit_bytes", "Bytes that it may have.", of(lambda h: h.journal_limit), of="livemin")
    count("yingda_store_lost_records", "Turns told for which there was no room anywhere.", of(lambda h: h.lost))
    count("yingda_store_drained_records", "Records that reached the store through the journal.", of(lambda h: h.drained))
    count("yingda_store_moved_records", "Those of them whose conversation had gone on.", of(lambda h: h.moved))
    count("yingda_store_refused_records", "Records that the store will never take, set aside.", of(lambda h: h.refused))
    count("yingda_store_damaged_places", "Places in journals that could not be read.", of(lambda h: h.damaged))


def watch_cache(metrics: Metrics, engine: Callable[[], object]) -> None:
    """Show what the engine in use remembers; nothing where engines remember nothing."""
    if not isinstance(engine(), Remembering):
        return

    def of(value: Callable[[CacheInfo], float]) -> Callable[[], float]:
        def read() -> float:
            used = engine()
            return value(used.cache_info()) if isinstance(used, Remembering) else 0.0

        return read

    metrics.watch_count("yingda_cache_hits", "Texts that the engine had read before.", of(lambda info: info.hits))
    metrics.watch_count("yingda_cache_misses", "Texts that it had not.", of(lambda info: info.misses))
    metrics.watch("yingda_cache_entries", "Texts that it remembers.", of(lambda info: info.entries), of="livesum")


def watch_desk(metrics: Metrics, desk: Desk) -> None:
    """Show which knowledge is in use and since when, and whether newer knowledge or another bundle is refused."""
    metrics.watch("yingda_bundle_failing", "1 while the bundle on the disk is refused.", lambda: _is_bundle_failing(desk), of="livemax")
    if desk.health() is None:
        return

    def of(value: Callable[[Health], float]) -> Callable[[], float]:
        def read() -> float:
            health = desk.health()
            return value(health) if health else 0.0

        return read

    # of several processes, the one that lags behind
    metrics.watch("yingda_knowledge_version", "Version of the knowledge in use.", of(lambda h: h.knowledge_version), of="livemin")
    since = "When the knowledge in use was built, in seconds since the epoch."
    metrics.watch("yingda_knowledge_built_timestamp_seconds", since, of(lambda h: h.built_at.timestamp()), of="livemin")
    failing = "1 while newer knowledge cannot be taken into use."
    metrics.watch("yingda_knowledge_failing", failing, of(lambda h: h.code is not None), of="livemax")


def _is_bundle_failing(desk: Desk) -> bool:
    return desk.bundle is not None and desk.bundle.failing is not None
