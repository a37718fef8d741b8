"""How the store fares: what the service says of it when it is asked whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """The store and the journal that stands in for it; all counts but ``waiting``, ``unsaved`` and the bytes only ever grow.

    ``down_since``: since when the store is away, None while it answers; ``code``: what is wrong with it (``store_unreachable`` …).
    ``waiting``: records told to callers and not in the store yet; of these, ``unsaved`` are in no journal either and end with
    the process. ``journal_bytes`` of at most ``journal_limit`` are in use. ``lost``: turns that were answered and for which
    there was no room anywhere. ``drained``: records that reached the store through the journal; of these, ``moved`` found that
    their conversation had gone on without them. ``refused``: records that the store would never take, set aside in a file.
    ``damaged``: places in journals of processes that are gone that could not be read, with what stood there; the records around them
    were taken over.
    """

    down_since: datetime | None = None
    waiting: int = 0
    code: str | None = None
    unsaved: int = 0
    journal_bytes: int = 0
    journal_limit: int = 0
    lost: int = 0
    drained: int = 0
    moved: int = 0
    refused: int = 0
    damaged: int = 0
