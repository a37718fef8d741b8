"""R10: hostile bodies against every route that takes one, and honest clients beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from statistics import median

from serving.app import openapi_document
from tests.harness.chaos.bodies import Hostile, hostile_requests
from tests.harness.chaos.client import Client
from tests.harness.chaos.findings import Check, Finding, SkippedError, Value, at_least, at_most, exactly, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.sides import Honest
from tests.harness.chaos.site import ANSWER, PATIENT, Serving
from tests.harness.chaos.wire import GONE, HANG, Attack, Route, Sent, routes_of, send

_AT_ONCE = 3
_LIMIT_S, _SLOW_LIMIT_S = 30.0, 40.0
_LEAST, _REFUSAL_MS, _LARGE = 300, 20.0, 1 << 20
_RATE = 25.0


def hostile_bodies(ground: Ground) -> Finding:
    """Each body to each route; then some of them a second beside honest clients."""
    cases = hostile_requests()
    with ground.site(settings=PATIENT) as site, site.running() as serving:
        routes = routes_of(openapi_document(), _entry(serving))
        before = serving.pss_mib()
        quick = _all(serving, routes, [case for case in cases if not case.slow], threads=_AT_ONCE, limit_s=_LIMIT_S)
        slow = [case for case in cases if case.slow]
        waiting = _all(serving, routes, slow, threads=len(slow) * len(routes), limit_s=_SLOW_LIMIT_S)
        after = serving.pss_mib()
        beside, figures = _beside(ground, serving, routes, [case for case in cases if not case.slow])
        answered = Client(site.port).post(ANSWER, {"text": "什么时候发货"}).status
    refused = sorted(each.ms for each in quick if 400 <= each.status < 500 and len(each.case.payload) < _LARGE)
    checks = [
        at_least("hostile requests a route", len(cases), _LEAST),
        *_sound(quick, "answers"),
        *_sound(waiting, "answers to slow ones"),
        exactly("an honest message afterwards", answered, 200),
        at_most("refusal of bodies below 1 MiB, median ms", median(refused), _REFUSAL_MS),
        *beside,
    ]
    statuses = Counter(each.status for each in (*quick, *waiting))
    told: dict[str, Value] = {
        "routes": len(routes),
        "requests": len(quick) + len(waiting),
        "statuses": ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()) if status > 0),
        "ended without an answer": statuses[GONE],
        "refusal, 99th percentile ms": round(refused[99 * (len(refused) - 1) // 100], 1),
        "slow ones ended after, most s": round(max(each.ms for each in waiting) / 1000, 1),
        "memory before and after, MiB": f"{before:.0f}, {after:.0f}",
    }
    return Finding("hostile bodies", "R10", checks, {**told, **figures})


def _all(serving: Serving, routes: Sequence[Route], cases: Sequence[Hostile], *, threads: int, limit_s: float) -> list[Sent]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda pair: send(serving.port, *pair, limit_s=limit_s), product(routes, cases)))


def _sound(sent: Sequence[Sent], what: str) -> list[Check]:
    broken = sorted({f"{each.case.name} to {each.route[1]}: {each.status}" for each in sent if each.status >= 500})
    hung = sorted({f"{each.case.name} to {each.route[1]}" for each in sent if each.status == HANG})
    return [_named(f"{what} of 5xx", broken), _named(f"{what} that never came", hung)]


def _named(name: str, found: Sequence[str]) -> Check:
    """None may be; the first few are named."""
    return none(name, 0) if not found else Check(name, "0", f"{len(found)}: {'; '.join(found[:5])}", False)


def _beside(ground: Ground, serving: Serving, routes: Sequence[Route], cases: Sequence[Hostile]) -> tuple[list[Check], dict[str, Value]]:
    """Honest clients with and without hostile ones; no checks where there is no load generator."""
    try:
        honest = Honest(ground.load(), ground.fresh)
    except SkippedError:
        return [], {"honest clients": "not measured, no load generator"}
    attack = Attack(serving.port, routes, cases, rate=_RATE, limit_s=_LIMIT_S)
    sides = honest.compare(serving, ground.repeats, lambda: attack)
    broken = sum(each.status >= 500 or each.status == HANG for each in attack.sent)
    checks = [none("5xx and hangs beside honest clients", broken), *sides.checks()]
    return checks, {"hostile requests beside honest ones": len(attack.sent), **sides.figures()}


def _entry(serving: Serving) -> str:
    client = Client(serving.port)
    told = client.get("/v1/faq?limit=1")
    client.close()
    return str(told.body["items"][0]["id"])
