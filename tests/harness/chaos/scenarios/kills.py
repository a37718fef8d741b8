"""R3: the server is killed with SIGKILL again and again while clients write; what it acknowledged is in the database, once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median

from tests.harness.chaos.client import rest
from tests.harness.chaos.findings import Finding, at_most, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.postgres import cluster
from tests.harness.chaos.site import PATIENT, Serving, Site
from tests.harness.chaos.writers import Writers

_READY_S = 3.0
_WRITERS = 6
_MOST_REPLIES = 60
_PATIENCE_S = 60.0


def kills_sqlite(ground: Ground) -> Finding:
    """On SQLite."""
    with ground.site(settings=PATIENT) as site:
        return _finding("kill -9, SQLite", ground, site, ground.kills)


def kills_postgres(ground: Ground) -> Finding:
    """On PostgreSQL, a quarter as often."""
    with (
        cluster(ground.folder) as server,
        ground.site(store=server.url, settings={**PATIENT, "journal": str(server.beside / "journal")}) as site,
    ):
        return _finding("kill -9, PostgreSQL", ground, site, max(1, ground.kills // 4))


def _finding(name: str, ground: Ground, site: Site, kills: int) -> Finding:
    ledger = Ledger()
    ready = kill_again_and_again(site, ground.fresh.take(500), ledger, kills, seed=ground.seed)
    found = audit(site.store, ledger)
    slowest = max(ready)
    figures = {
        "kills": kills,
        "turns acknowledged": len(ledger.turns),
        "feedback acknowledged": len(ledger.feedback),
        "requests that a kill broke off": sum(ledger.troubles.values()),
        "turns stored": found.turns,
        "ready after restart, median s": round(median(ready), 2),
        "ready after restart, slowest s": round(slowest, 2),
    }
    others = sum(count for status, count in ledger.troubles.items() if status != 0)
    checks = [*found.checks(ledger), none("replies other than 200", others), at_most("ready after restart, s", slowest, _READY_S)]
    return Finding(name, "R3", checks, figures)


def kill_again_and_again(site: Site, texts: Sequence[str], ledger: Ledger, kills: int, *, seed: int) -> list[float]:
    """Seconds to ready after each kill; the server has ended and all clients were answered when this returns."""
    choose, ready = random.Random(seed), list[float]()
    serving: Serving = site.start()
    try:
        with Writers(site.port, texts, ledger, count=_WRITERS):
            for _ in range(kills):
                ledger.more(choose.randrange(1, _MOST_REPLIES), seconds=_PATIENCE_S)
                rest(choose.random() * 0.02)
                serving.kill()
                serving = site.start()
                ready.append(serving.ready_s)
            ledger.more(_MOST_REPLIES, seconds=_PATIENCE_S)
    finally:
        serving.stop()
    return ready
