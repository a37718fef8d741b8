"""R4: the disk of store and journal is full; replies go on and say that they are not stored, and all is well once there is room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic_ns

from tests.harness.chaos.client import Client, rest, until
from tests.harness.chaos.findings import Finding, SkippedError, at_least, at_most, none, yes
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.outage import tells
from tests.harness.chaos.site import ANSWER, PATIENT, Serving
from tests.harness.chaos.writers import Writers

_MIB = 24
_FULL_S, _HELD_S, _BACK_S = 10.0, 4.0, 15.0
_RECOVERY_S = 5.0


def disk_full(ground: Ground) -> Finding:
    """Fill a small tmpfs, go on, make room."""
    ledger = Ledger()
    with ground.site(settings=PATIENT) as place, small_disk(place.folder / "disk") as disk:
        place.store = f"sqlite:///{disk / 'yingda.db'}"
        with place.running() as serving, Writers(place.port, ground.fresh.take(300), ledger, count=4, patient=False, pace_s=0.01):
            until(lambda: len(ledger.turns) > 50, seconds=_FULL_S)
            fill(disk / "ballast")
            full = until(lambda: len(ledger.unsaved) > 20, seconds=_FULL_S)
            before = ledger.replies
            rest(_HELD_S)
            told, during = tells(serving), ledger.replies - before
            (disk / "ballast").unlink()
            back = until(lambda: stores(serving), seconds=_BACK_S)
            rest(1.0)
            after = len(ledger.unsaved)
            rest(1.0)
            after = len(ledger.unsaved) - after
        found = audit(place.store, ledger)
    checks = [
        yes("replies said that they were not stored", full is not None),
        at_least("replies while the disk was full", during, 1),
        ledger.answered(),
        yes("/readyz told", told),
        at_most("stores again after there was room, s", back, _RECOVERY_S),
        none("not stored after that", after),
        *found.checks(ledger),
    ]
    figures = {
        "turns told to be stored": len(ledger.turns),
        "turns told not to be": len(ledger.unsaved),
        "turns stored in the end": found.turns,
    }
    return Finding("disk full", "R4", checks, {**figures, "slowest reply ms": round(ledger.slowest_ms, 1)})


def stores(serving: Serving) -> bool:
    """A message of its own is answered and stored."""
    client = Client(serving.port)
    told = client.post(ANSWER, {"text": "什么时候发货", "conversation_id": "c-probe", "message_id": f"m-{monotonic_ns()}"})
    client.close()
    return told.status == 200 and bool(told.body["stored"])


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few MiB; raises SkippedError where it may not be mounted."""
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_MIB}m", "tmpfs", str(folder)], capture_output=True, check=False)
    except FileNotFoundError:
        raise SkippedError("no mount program here") from None
    if mounted.returncode:
        raise SkippedError("mounting a tmpfs is refused; it needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def fill(path: Path) -> None:
    """Write to ``path`` until there is no room, in ever smaller pieces."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
