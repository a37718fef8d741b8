"""An app that shows everything it can: a store with a journal, knowledge that is followed, and an engine that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.live import Desk
from tests.fakes import FakeEngine, fake_knowledge
from tests.lasting_kit import Shop
from tests.serving_kit import Site, open_site
from yingda.cache import CacheInfo
from yingda.domain.records import Signed
from yingda.live import Health
from yingda.pack.exchange.kinds import records_of
from yingda.store.knowledge.fixed import FixedRecords

BUILT = datetime(2026, 11, 11, 4, tzinfo=UTC)


class RememberingEngine(FakeEngine):
    """A fake that says of its cache what a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.info = CacheInfo(hits=0, misses=0, entries=0, size=10)

    def cache_info(self) -> CacheInfo:
        return self.info


class Following:
    """An engine and a health that a test puts in the place of others."""

    def __init__(self) -> None:
        self.engine = RememberingEngine()
        self.now = Health(3, BUILT, None, None, None, None)

    def health(self) -> Health:
        return self.now

    def fail(self, code: str | None) -> None:
        self.now = replace(self.now, error=code, failing_since=BUILT if code else None, code=code)

    def start(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Watched:
    """The app, the engine in use, and the store that can be made to fail."""

    site: Site
    following: Following
    shop: Shop

    def samples(self) -> dict[str, float]:
        """Every sample by its name and labels, as ``name{label="value"}``."""
        families = text_string_to_metric_families(self.site.metrics())
        found = [sample for family in families for sample in family.samples]
        return {name + _labels(labels): value for name, labels, value, *_ in found}


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}" if labels else ""


@contextmanager
def watched_site(folder: Path, **site: Any) -> Iterator[Watched]:
    """A Watched app, whose store is an SQLite file in ``folder``."""
    following = Following()
    records = FixedRecords(records_of(fake_knowledge()), Signed("pack"), at=BUILT)
    desk = Desk(records, clock=lambda: datetime.now(UTC), live=following)
    with closing(Shop(folder)) as shop:
        memory = shop.process()
        with closing(memory), open_site(desk=desk, memory=memory, **site) as opened:
            yield Watched(opened, following, shop)
