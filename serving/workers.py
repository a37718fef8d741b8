"""A few threads for the store, and a bounded queue in front of them; the engine has its own (``serving.lane``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.errors import ProblemError

Result = TypeVar("Result")

_RETRY_AFTER_S = 1


class Workers:
    """Runs blocking reads and writes off the event loop, ``threads`` at a time; use it from one event loop."""

    def __init__(self, *, threads: int, max_queue: int) -> None:
        self._max_queue = max_queue
        self._waiting = 0
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")

    @property
    def waiting(self) -> int:
        """Calls admitted whose work has not begun."""
        return self._waiting

    async def run(self, work: Callable[[], Result], *, size: int = 1) -> Result:
        """What ``work`` returns, which counts as ``size`` calls; raise a 503 ProblemError at once when too many wait."""
        self._admit(size)
        self._waiting += size
        try:
            await self._free.acquire()
        finally:
            self._waiting -= size
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._free.release()

    def close(self) -> None:
        """Let running work finish and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _admit(self, size: int) -> None:
        # An empty queue takes anything: what is longer than the queue would otherwise never be served.
        if self._waiting and self._waiting + size > self._max_queue:
            detail = f"{self._waiting} calls wait already; try again later"
            raise ProblemError(503, "overloaded", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})
