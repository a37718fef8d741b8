"""R9: slow, idle and half-sent connections in great number beside honest clients."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence

from tests.harness.chaos.crowd import HALF, IDLE, SLOW_BODY, SLOW_HEAD, Crowd, Kind, crowd_of
from tests.harness.chaos.findings import Finding, SkippedError, at_least, exactly
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.sides import Honest
from tests.harness.chaos.site import PATIENT

_SLOW, _HALF, _IDLE = 200, 1000, 10_000
_SPARE_FILES = 500


def slow_clients(ground: Ground) -> Finding:
    """200 slow heads, 200 slow bodies, 200 idle and 1,000 half-sent requests, and room for all of them."""
    members = crowd_of((_SLOW, SLOW_HEAD), (_SLOW, SLOW_BODY), (_SLOW, IDLE), (_HALF, HALF))
    return _finding("slow clients", ground, members, {"max_connections": "12000"})


def too_many_clients(ground: Ground) -> Finding:
    """The same, and room for 1,000 as shipped: the server ends those that ask for nothing, and they come again a second later."""
    members = crowd_of((_SLOW, SLOW_HEAD), (_SLOW, SLOW_BODY), (_SLOW, IDLE), (_HALF, HALF))
    return _finding("more clients than there is room for", ground, members, {})


def many_connections(ground: Ground) -> Finding:
    """10,000 idle connections, or as many as files may be open."""
    many = min(_IDLE, _files() - _SPARE_FILES)
    idle = {"max_connections": "12000", "header_timeout_s": "600"}
    return _finding(f"{many:,} idle connections", ground, [IDLE] * many, idle)


def _finding(name: str, ground: Ground, members: Sequence[Kind], settings: Mapping[str, str]) -> Finding:
    honest, most = Honest(ground.load(), ground.fresh), _files() - _SPARE_FILES
    if len(members) > most:
        raise SkippedError(f"{len(members)} connections need more open files than are allowed; raise `ulimit -n`")
    with ground.site(settings={**PATIENT, **settings}) as site, site.running() as serving:
        crowd = Crowd(site.port, members)
        sides = honest.compare(serving, ground.repeats, lambda: crowd)
        alive, ready = serving.alive, serving.ready().status
        memory = serving.pss_mib()
    room = int(settings.get("max_connections", 1000))
    checks = [
        at_least("connections held at once", crowd.most, 0.9 * min(len(members), room)),
        exactly("the server lived on", alive, True),
        exactly("/readyz afterwards", ready, 200),
        *sides.checks(),
    ]
    figures = {"clients beside the honest ones": len(members), "connections ended by the server": crowd.ended, "memory MiB": round(memory)}
    return Finding(name, "R9", checks, {**figures, **sides.figures()})


def _files() -> int:
    """Files that may be open; from now on as many as are allowed, here and in servers started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
