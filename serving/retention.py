"""The daily retention job of a server that keeps conversations in a database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from structlog.typing import FilteringBoundLogger

from serving.settings import Settings
from yingda.privacy.places import Place
from yingda.privacy.retention import LastRun, RetentionJob
from yingda.privacy.stored import StoredData
from yingda.store.base import open_store


def open_retention(
    settings: Settings, log: FilteringBoundLogger, clock: Callable[[], datetime], *, others: tuple[Place, ...] = ()
) -> RetentionJob | None:
    """The job over the store of ``settings`` and ``others``; None where the store forgets by itself."""
    if settings.store == "memory":
        return None

    def tell(run: LastRun) -> None:
        if run.error:
            log.error("retention_failed", detail=run.error)
        else:
            log.info("retention", deleted=[count for counts in (run.report or {}).get("deleted", {}).values() for count in counts.items()])

    return RetentionJob((StoredData(open_store(settings.store)), *others), clock=clock, days=settings.retention_days, tell=tell)
