"""Follows the bundle on the disk: another one is verified, built and warmed up beside the one in use, then takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Thread

from structlog.typing import FilteringBoundLogger

from serving.lean import leave_behind
from serving.logs import frames
from yingda.domain.errors import BundleError, StoreError, YingdaError
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge

POLL_S = 0.25
"""Seconds between two looks. A change is taken up at the second look that sees it alike, so within half a second."""
RETRY_S, RETRY_MOST_S = 1.0, 60.0
"""Seconds before a bundle that was refused is opened again, doubling up to the second figure."""

_MANIFEST = "manifest.json"

Stamp = tuple[str, int, int, int, int]
"""Which bundle stands in a folder, as far as that can be told without reading it: real path and the manifest's inode, time and size."""


def stamp_of(folder: Path) -> Stamp | None:
    """The stamp of the bundle that ``folder`` leads to; None where there is none."""
    try:
        real = folder.resolve()
        facts = (real / _MANIFEST).stat()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links
        return None
    return str(real), facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


@dataclass(frozen=True, slots=True)
class BundleFailing:
    """Why the bundle on the disk is not the one in use, and since when.

    ``code``: ``bundle_refused``, ``bundle_not_opened``, or that of a store that fails.
    """

    code: str
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class _Refused:
    failing: BundleFailing
    stamp: Stamp | None
    retry_at: datetime
    delay_s: float


class BundleWatch:
    """Looks at a bundle folder, or a link to one, and puts another bundle in use; what is refused leaves the last good one.

    ``load`` opens, verifies, builds and warms up the bundle in a folder, puts it in use and returns its identity, or raises
    and has changed nothing. ``stamp`` is that of the bundle in use, taken before it was opened.
    """

    def __init__(
        self,
        folder: Path,
        load: Callable[[Path], ModelIdentity],
        *,
        identity: ModelIdentity,
        stamp: Stamp | None,
        clock: Callable[[], datetime],
        log: FilteringBoundLogger,
        give_back: Callable[[], None] = leave_behind,
    ) -> None:
        self._give_back, self._is_fresh = give_back, False
        self._folder, self._load, self._clock, self._log = folder, load, clock, log
        self._used, self._seen, self._identity = stamp, stamp, identity
        self._refused: _Refused | None = None
        self._listeners: list[Callable[[ModelIdentity], None]] = []
        self._stop, self._thread = Event(), Thread(target=self._follow, name="bundle", daemon=True)
        self._wait: Callable[[], bool] = partial(self._stop.wait, POLL_S)

    @property
    def failing(self) -> BundleFailing | None:
        """Why the bundle on the disk is not in use; None when it is."""
        refused = self._refused
        return refused.failing if refused else None

    def tell(self, listener: Callable[[ModelIdentity], None]) -> None:
        """Call ``listener`` with the identity of each bundle that comes into use from now on."""
        self._listeners.append(listener)

    def start(self, *, wait: Callable[[], bool] | None = None) -> None:
        """Follow on a thread of its own; ``wait`` passes the time between two looks and says True when it is time to end."""
        self._wait = wait or self._wait
        self._thread.start()

    def close(self) -> None:
        """End following, when a bundle that is being opened is in use or refused."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Look at the folder once; True when another bundle is in use now. Never raises."""
        if self._is_fresh:  # requests that were in flight have let go of the former engine since
            self._is_fresh = False
            self._give_back()
        stamp, former = stamp_of(self._folder), self._seen
        self._seen = stamp
        if stamp == self._used:
            self._refused = None
            return False
        if stamp != former or not self._due(stamp):
            return False  # it may still be on its way: one that is replaced in two steps is not there for a moment
        try:
            identity = self._load(Path(stamp[0]) if stamp else self._folder)
        except Exception as error:  # whatever is wrong with another bundle, the service goes on with the last good
            self._refuse(error, stamp)
            return False
        return self._take(identity, stamp)

    def _follow(self) -> None:
        while not self._wait():
            self.look()

    def _due(self, stamp: Stamp | None) -> bool:
        refused = self._refused
        return refused is None or refused.stamp != stamp or self._clock() >= refused.retry_at

    def _take(self, identity: ModelIdentity, stamp: Stamp | None) -> bool:
        former, self._identity = self._identity, identity
        self._used, self._refused, self._is_fresh = stamp, None, True
        if identity == former:
            return False
        self._log.info(
            "bundle_swapped", version=identity.version, sha256=identity.sha256, former_version=former.version, former_sha256=former.sha256
        )
        for listener in self._listeners:
            listener(identity)
        return True

    def _refuse(self, error: Exception, stamp: Stamp | None) -> None:
        before, now = self._refused, self._clock()
        again = before is not None and before.stamp == stamp
        delay = min(before.delay_s * 2, RETRY_MOST_S) if again and before else RETRY_S
        failing = BundleFailing(_code(error), _detail(error), before.failing.since if before else now)
        self._refused = _Refused(failing, stamp, now + timedelta(seconds=delay), delay)
        if before is None or (before.failing.code, before.failing.detail) != (failing.code, failing.detail):
            where = {} if isinstance(error, YingdaError) else {"frames": frames(error)}
            self._log.error("bundle_stays", version=self._identity.version, code=failing.code, detail=failing.detail, **where)


def _code(error: Exception) -> str:
    if isinstance(error, StoreError):
        return error.code
    return "bundle_refused" if isinstance(error, YingdaError) else "bundle_not_opened"


def _detail(error: Exception) -> str:
    # messages of foreign errors may quote texts; ours never do
    return str(error) if isinstance(error, YingdaError) else f"{type(error).__name__} while the bundle was opened"


def check_taxonomy(folder: Path, found: Knowledge, used: Knowledge) -> None:
    """Raise BundleError where a bundle knows other intents than the one in use: records in the store name them."""
    if differing := sorted(set(found.taxonomy.intents) ^ set(used.taxonomy.intents)):
        raise BundleError(f"{folder}: of another taxonomy ({', '.join(differing[:5])}); restart the service to take it into use")
