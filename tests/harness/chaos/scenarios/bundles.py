"""R7: altered bundles are not loaded, and bundles change under load without a lost request."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bundle_kit import restamped
from tests.harness.chaos.client import until
from tests.harness.chaos.findings import Finding, exactly, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.site import BUNDLE, PATIENT, ROOT, Serving
from tests.harness.chaos.writers import Writers
from tests.harness.mutate_bundle import mutate

_SWAP_S = 30.0
_ROUNDS = 3


def altered_bundles(ground: Ground) -> Finding:
    """Put altered copies in the place of the bundle in use."""
    with TemporaryDirectory(dir=BUNDLE.parent) as folder:  # beside it, so that files can be shared
        verdict = mutate(BUNDLE, Path(folder), ground.mutations, ground.seed)
    refused = sum(verdict.refused.values())
    checks = [exactly("altered bundles refused", refused, ground.mutations), none("faults", len(verdict.faults))]
    return Finding("altered bundles", "R7", checks, {f"refused: {kind}": count for kind, count in sorted(verdict.refused.items())})


def swapped_bundles(ground: Ground) -> Finding:
    """``yingda bundle install`` and ``rollback`` while clients ask; and an altered bundle in between, which must not be taken."""
    ledger, swaps, taken = Ledger(), 0, 0
    with ground.site(settings=PATIENT) as site:
        bundles = [restamped(BUNDLE, site.folder / name, name) for name in ("chaos-a", "chaos-b")]
        live = site.folder / "models" / "live"
        _bundle("install", str(bundles[0]), live)
        site.settings = {**site.settings, "bundle": str(live)}
        with site.running() as serving:
            with Writers(site.port, ground.fresh.take(300), ledger, count=4, patient=False, pace_s=0.02):
                for _ in range(_ROUNDS):
                    for words, version in ((("install", str(bundles[1])), "chaos-b"), (("rollback",), "chaos-a")):
                        _bundle(*words, live)
                        swaps += 1
                        taken += _taken(serving, version)
            alive = serving.alive
        found = audit(site.store, ledger)
    checks = [
        exactly("changes of the bundle taken", taken, swaps),
        ledger.answered(),
        exactly("the server lived on", alive, True),
        *found.checks(ledger),
    ]
    return Finding(
        "bundles change under load",
        "R7",
        checks,
        {"changes": swaps, "replies": ledger.replies, "slowest reply ms": round(ledger.slowest_ms, 1)},
    )


def _taken(serving: Serving, version: str) -> bool:
    return until(lambda: version_of(serving) == version, seconds=_SWAP_S) is not None


def version_of(serving: Serving) -> str:
    """Version of the bundle in use."""
    told = serving.ready()
    return str(told.body["bundle"]["version"]) if told.status == 200 else ""


def _bundle(*words: str | Path) -> None:
    *what, live = words
    command: Sequence[str] = [sys.executable, "-m", "yingda", "bundle", *(str(word) for word in what), "--into", str(live)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
