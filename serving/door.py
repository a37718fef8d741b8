"""The door: while the queue takes nobody, requests for the engine are turned away before anything is read or looked up.

Refusing must cost next to nothing: of ten times the load, nine tenths are refused, on the cores that serve the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from serving.errors import PROBLEM_JSON, ProblemError, problem_of
from serving.identifiers import request_id
from serving.metrics import Metrics

_ENGINE_PATHS = frozenset({"/v1/classify", "/v1/classify/batch", "/v1/answer", "/v1/answer/batch"})
_QUIET_S = 1.0
"""Seconds between two lines of the log about requests turned away; each of them is counted."""


class Door:
    """ASGI middleware, outermost: 503 while ``refusal`` has one, whoever asks; nobody's key is looked at."""

    def __init__(
        self,
        app: ASGIApp,
        refusal: Callable[[], ProblemError | None],
        metrics: Metrics,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._refusal, self._metrics, self._log, self._clock = app, refusal, metrics, log, clock
        self._told_at, self._untold = -_QUIET_S, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or turn it away."""
        if scope["type"] != "http" or scope["path"] not in _ENGINE_PATHS or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        refusal = self._refusal()
        if refusal is None:
            return await self._app(scope, receive, send)
        self._account(scope["path"], refusal)
        await _refuse(refusal, scope, send)

    def _account(self, path: str, refusal: ProblemError) -> None:
        self._metrics.count_request(method="POST", route=path, status=refusal.status_code, seconds=0.0)
        self._metrics.count_problem(refusal.code)
        now, self._untold = self._clock(), self._untold + 1
        if now - self._told_at >= _QUIET_S:
            self._log.warning(refusal.code, refused=self._untold)
            self._told_at, self._untold = now, 0


async def _refuse(refusal: ProblemError, scope: Scope, send: Send) -> None:
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
    name = request_id(sent.decode("latin-1") if sent else None)
    body = problem_of(refusal, request_id=name).model_dump_json().encode()
    headers = [(name.lower().encode(), value.encode()) for name, value in (refusal.headers or {}).items()]
    headers += [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", name.encode()),
    ]
    await send({"type": "http.response.start", "status": refusal.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
