"""Load from k9 (package ``k9-load``), a load generator with k6's executors: open loop at a rate, or closed for saturation.

Open loop: requests start when they are due, whether earlier ones were answered or not, and latency counts from then, so that a
server that stalls cannot hide it (coordinated omission; G. Tene, "How NOT to Measure Latency", 2013). Closed loop only ever finds
the rate at which a server is saturated.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from evaluation.bench.serving.processes import pinned
from evaluation.errors import EvaluationError

_OK = 200
_GRACE_S = 20
_MOST_CONNECTIONS = 4000
_SETTLING_S, _MOST_SETTLING = 1.0, 0.25
"""Beginning of a load that does not count for goodput: connections are made and the queue fills; at most a share of the load."""


@dataclass(frozen=True, slots=True)
class Offer:
    """``rate`` requests a second for ``seconds``; without a rate, ``connections`` that ask again once they are answered."""

    seconds: float
    rate: float | None = None
    connections: int = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the requests.

    ``replies_ms`` of status 200 and ``refusals_ms`` by other status count from sending; ``due_ms`` of all requests from when they
    were due. ``lost`` were not sent, not answered in time, or broken off. ``begun`` is when the first request was sent and
    ``answered_at`` when replies of status 200 were there, in seconds since the epoch.
    """

    seconds: float
    replies_ms: Sequence[float]
    refusals_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    due_ms: Sequence[float] = ()
    lost: int = 0
    begun: float = 0.0
    answered_at: Sequence[float] = ()

    def goodput(self, others: Sequence[float] = ()) -> float:
        """Replies a second from when the load has settled until nothing more is offered; ``others`` were answered beside them."""
        since = self.begun + min(_SETTLING_S, _MOST_SETTLING * self.seconds)
        until = self.begun + self.seconds
        return sum(since <= at < until for at in (*self.answered_at, *others)) / (until - since)

    @property
    def errors(self) -> int:
        """Requests without a reply."""
        return self.lost + sum(len(found) for found in self.refusals_ms.values())


@dataclass(frozen=True)
class Generator:
    """The k9 program, the cores it may use, and a folder for its files."""

    program: Path
    cores: frozenset[int]
    folder: Path

    def offer(self, offer: Offer, url: str, bodies: Sequence[str]) -> Outcome:
        """Post ``bodies`` in turn, from the start again where they are too few; raises EvaluationError where k9 fails."""
        folder = self.folder / str(os.getpid())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bodies.json").write_text(json.dumps([{"body": body} for body in bodies], ensure_ascii=False), encoding="utf-8")
        (folder / "plan.json").write_text(json.dumps(plan_of(offer, url, folder / "bodies.json")), encoding="utf-8")
        samples = folder / "samples.jsonl"
        samples.unlink(missing_ok=True)
        options = [
            "--quiet",
            "--no-color",
            "--no-summary",
            "--discard-response-bodies",
            "--system-tags",
            "status",
            "--out",
            f"json={samples}",
        ]
        with pinned(self.cores):
            done = subprocess.run(
                [str(self.program), "run", *options, str(folder / "plan.json")],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "NO_COLOR": "1"},
            )
        if not samples.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise EvaluationError(f"the load generator failed: {last}")
        with samples.open(encoding="utf-8") as lines:
            return read_samples(lines, offer)


def plan_of(offer: Offer, url: str, bodies: Path) -> dict[str, Any]:
    """The plan as k9 reads it."""
    duration, grace = f"{round(1000 * offer.seconds)}ms", f"{_GRACE_S}s"
    scenario: dict[str, Any] = {"executor": "constant-vus", "vus": offer.connections, "duration": duration, "gracefulStop": grace}
    if offer.rate is not None:
        at_once = max(offer.connections, min(_MOST_CONNECTIONS // 4, round(offer.rate)))
        scenario = {
            "executor": "constant-arrival-rate",
            "rate": max(1, round(offer.rate * 60)),
            "timeUnit": "1m",
            "duration": duration,
            "preAllocatedVUs": at_once,
            "maxVUs": _MOST_CONNECTIONS,
            "gracefulStop": grace,
        }
    request = {"method": "POST", "url": url, "headers": {"content-type": "application/json"}, "body": "{{ messages.body }}"}
    return {
        "options": {"scenarios": {"load": scenario}},
        "flows": {"default": [{"request": request}]},
        "feeders": {"messages": {"file": str(bodies), "mode": "sequential"}},
    }


def read_samples(lines: Iterable[str], offer: Offer) -> Outcome:
    """k9's samples, a line of JSON a figure of a request, as an outcome."""
    replies: list[float] = []
    answered: list[float] = []
    due: list[float] = []
    refusals: dict[str, list[float]] = {}
    lost, begun = 0, float("inf")
    for point in map(json.loads, lines):
        if point["type"] != "Point":
            continue
        name, value = point["metric"], float(point["data"]["value"])
        if name == "http_req_duration":
            status, at = point["data"]["tags"].get("status", ""), datetime.fromisoformat(point["data"]["time"]).timestamp()
            begun = min(begun, at - value / 1000)
            if status == str(_OK):
                replies.append(value)
                answered.append(at)
            elif status in ("", "0"):
                lost += 1
            else:
                refusals.setdefault(status, []).append(value)
        elif name == "iteration_duration_corrected":
            due.append(value)
        elif name == "dropped_iterations":
            lost += round(value)
    return Outcome(offer.seconds, replies, refusals, due, lost, begun if begun < float("inf") else 0.0, answered)
