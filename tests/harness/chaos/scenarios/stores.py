"""R5: the store is locked, stopped, or loses its connections; replies go on, and the journal reaches the store exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.harness.chaos.client import rest, until
from tests.harness.chaos.findings import Finding, at_least, at_most, exactly, yes
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.outage import drained, locked, tells
from tests.harness.chaos.postgres import Cluster, cluster
from tests.harness.chaos.site import PATIENT, Site
from tests.harness.chaos.writers import Writers

_AWAY_S, _DRAIN_S, _PATIENCE_S = 6.0, 15.0, 20.0
_RECOVERY_S = 5.0
_CUTS = 20
# conversations side by side, and none at a pace that no customer types in: a journal writes one turn of each at a time
_CLIENTS, _PACE_S = 24, 0.3
Outage = Callable[[], AbstractContextManager[None]]


def sqlite_locked(ground: Ground) -> Finding:
    """Another process holds the lock; once more, and the server is killed meanwhile."""
    with ground.site(settings=PATIENT) as site:
        file = Path(site.store.removeprefix("sqlite:///"))
        journal = file.with_name(f"{file.name}.waiting")
        return _finding("SQLite locked", ground, site, journal, lambda: locked(file))


def postgres_stopped(ground: Ground) -> Finding:
    """The server of the database is stopped as by a crash, and started."""
    with cluster(ground.folder) as server:
        journal = server.beside / "journal"
        with ground.site(store=server.url, settings={**PATIENT, "journal": str(journal)}) as site:
            return _finding("PostgreSQL stopped", ground, site, journal, lambda: _stopped(server))


def postgres_cut(ground: Ground) -> Finding:
    """All connections are killed, several times a second."""
    ledger, ended = Ledger(), 0
    with cluster(ground.folder) as server:
        journal = server.beside / "journal"
        with ground.site(store=server.url, settings={**PATIENT, "journal": str(journal)}) as site:
            with site.running(), _writers(site, ground.fresh.take(300), ledger):
                until(lambda: len(ledger.turns) > 20, seconds=_PATIENCE_S)
                for _ in range(_CUTS):
                    ended += server.cut()
                    rest(0.3)
                settled = until(lambda: drained(journal), seconds=_DRAIN_S)
            found = audit(site.store, ledger)
    checks = [
        at_least("connections killed", ended, _CUTS),
        yes("journal empty again", settled is not None),
        ledger.answered(),
        *found.checks(ledger),
    ]
    return Finding("PostgreSQL loses its connections", "R5", checks, {"connections killed": ended, **_figures(ledger, found.turns)})


def _finding(name: str, ground: Ground, site: Site, journal: Path, outage: Outage) -> Finding:
    ledger, texts = Ledger(), ground.fresh.take(300)
    with site.running() as serving, _writers(site, texts, ledger):
        until(lambda: len(ledger.turns) > 20, seconds=_PATIENCE_S)
        with outage():
            before = ledger.replies
            rest(_AWAY_S)
            told, during, waited = tells(serving), ledger.replies - before, not drained(journal)
        settled = until(lambda: drained(journal), seconds=_DRAIN_S)
        silent = until(lambda: not tells(serving), seconds=_DRAIN_S)
    killed = _killed_meanwhile(site, texts, ledger, outage)
    with site.running():
        taken = until(lambda: drained(journal), seconds=_DRAIN_S)
    found = audit(site.store, ledger)
    checks = [
        at_least("replies while the store was away", during, 1),
        at_least("replies while it was away, before a kill -9", killed, 1),
        yes("the journal held turns meanwhile", waited),
        yes("/readyz told", told),
        at_most("journal empty after it was back, s", settled, _RECOVERY_S),
        yes("/readyz told that it was back", silent is not None),
        yes("journal of the killed server taken over", taken is not None),
        exactly("turns told not to be stored", len(ledger.unsaved), 0),
        ledger.answered(),
        *found.checks(ledger),
    ]
    return Finding(name, "R5", checks, {"replies while away": during, **_figures(ledger, found.turns)})


def _killed_meanwhile(site: Site, texts: Sequence[str], ledger: Ledger, outage: Outage) -> int:
    """Replies that a server gave while its store was away, and before it was killed."""
    serving = site.start()
    broken = Ledger()
    writers = Writers(site.port, texts, broken, count=_CLIENTS, name="k", patient=False, pace_s=_PACE_S)
    try:
        with writers:
            until(lambda: len(broken.turns) > 20, seconds=_PATIENCE_S)
            with outage():
                before = broken.replies
                rest(_AWAY_S / 2)
                during = broken.replies - before
                serving.kill()
    finally:
        if serving.alive:
            serving.stop()
    ledger.turns.update(broken.turns)
    ledger.feedback |= broken.feedback
    return during


@contextmanager
def _stopped(server: Cluster) -> Iterator[None]:
    server.stop()
    yield
    server.start()


def _writers(site: Site, texts: Sequence[str], ledger: Ledger) -> Writers:
    return Writers(site.port, texts, ledger, count=_CLIENTS, patient=False, pace_s=_PACE_S)


def _figures(ledger: Ledger, stored: int) -> dict[str, float]:
    return {"turns acknowledged": len(ledger.turns), "turns stored": stored, "slowest reply ms": round(ledger.slowest_ms, 1)}
