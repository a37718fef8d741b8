"""R9: slow, idle and half-sent connections in great number beside honest clients."""

from __future__ import annotations

import resource

from tests.harness.chaos.crowd import HALF, IDLE, SLOW_BODY, SLOW_HEAD, Crowd, crowd_of
from tests.harness.chaos.findings import Finding, at_least, exactly
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.sides import Honest

_SLOW, _HALF = 200, 1000
_SPARE_FILES = 200


def slow_clients(ground: Ground) -> Finding:
    """200 slow heads, 200 slow bodies, 200 idle and 1,000 half-sent requests, with the settings as shipped."""
    honest = Honest(ground.load(), ground.fresh)
    most = _files() - _SPARE_FILES
    half = min(_HALF, max(0, most - 3 * _SLOW))
    members = crowd_of((_SLOW, SLOW_HEAD), (_SLOW, SLOW_BODY), (_SLOW, IDLE), (half, HALF))
    with ground.site() as site, site.running() as serving:
        crowd = Crowd(site.port, members)
        sides = honest.compare(serving, ground.repeats, lambda: crowd)
        alive, ready = serving.alive, serving.ready().status
        memory = serving.pss_mib()
    checks = [
        at_least("connections held at once", crowd.most, min(len(members), 900)),
        exactly("the server lived on", alive, True),
        exactly("/readyz afterwards", ready, 200),
        *sides.checks(),
    ]
    figures = {
        "slow, idle and half-sent clients": len(members),
        "connections ended by the server": crowd.ended,
        "memory MiB": round(memory),
    }
    return Finding("slow clients", "R9", checks, {**figures, **sides.figures()})


def _files() -> int:
    """Files that may be open; as many as are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
