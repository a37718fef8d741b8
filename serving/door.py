"""The door: while the queue takes nobody, requests for the engine are turned away before anything is read or looked up.

Refusing must cost next to nothing: of ten times the load, nine tenths are refused, on the cores that serve the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.errors import PROBLEM_JSON, ProblemError, problem_json
from serving.identifiers import request_id
from serving.metrics import Metrics

Header = tuple[bytes, bytes]

_ENGINE_PATHS = frozenset({"/v1/classify", "/v1/classify/batch", "/v1/answer", "/v1/answer/batch"})
_RAW_PATHS = {path.encode(): path for path in _ENGINE_PATHS}
_KIND = PROBLEM_JSON.encode()
_QUIET_S = 1.0
"""Seconds between two lines of the log about requests turned away; each of them is counted."""


class Doorkeeper:
    """Knows whether the queue takes anybody, and accounts for those who were turned away."""

    def __init__(
        self,
        refusal: Callable[[], ProblemError | None],
        metrics: Metrics,
        log: FilteringBoundLogger,
        *,
        fixed_headers: Sequence[Header] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``refusal`` is the 503 for whoever comes now; ``fixed_headers`` are those of every response of the app."""
        self._refusal, self._metrics, self._log, self._clock = refusal, metrics, log, clock
        self._fixed = _lines(fixed_headers)
        self._told_at, self._untold = -_QUIET_S, 0

    def refusal(self, path: str) -> ProblemError | None:
        """The 503 for a request to the engine that comes now, which is then counted; None while there is room."""
        refusal = self._refusal()
        if refusal is not None:
            self._account(path, refusal)
        return refusal

    def response(self, path: bytes, headers: Sequence[Header], default_headers: Sequence[Header] = ()) -> bytes | None:
        """The whole HTTP/1.1 response that turns a POST away, counted as above; None where it is let in, or is not for the engine.

        For the connection itself: a request that is refused here never becomes a task. ``default_headers`` are the server's.
        """
        name = _RAW_PATHS.get(path)
        refusal = None if name is None else self.refusal(name)
        if refusal is None:
            return None
        own, body = _parts(refusal, headers)
        return STATUS_LINE[refusal.status_code] + _lines(default_headers) + _lines(own) + self._fixed + b"\r\n" + body

    def _account(self, path: str, refusal: ProblemError) -> None:
        self._metrics.count_request(method="POST", route=path, status=refusal.status_code, seconds=0.0)
        self._metrics.count_problem(refusal.code)
        now, self._untold = self._clock(), self._untold + 1
        if now - self._told_at >= _QUIET_S:
            self._log.warning(refusal.code, refused=self._untold)
            self._told_at, self._untold = now, 0


class Door:
    """ASGI middleware, outermost: 503 while the ``keeper`` has one, whoever asks; nobody's key is looked at."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper) -> None:
        self._app, self._keeper = app, keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or turn it away."""
        if scope["type"] != "http" or scope["path"] not in _ENGINE_PATHS or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        refusal = self._keeper.refusal(scope["path"])
        if refusal is None:
            return await self._app(scope, receive, send)
        headers, body = _parts(refusal, scope["headers"])
        await send({"type": "http.response.start", "status": refusal.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _parts(refusal: ProblemError, asked: Sequence[Header]) -> tuple[list[Header], bytes]:
    """Headers and body of a refusal to a request with the headers ``asked``."""
    sent = next((value for name, value in asked if name == b"x-request-id"), None)
    name = request_id(sent.decode("latin-1") if sent else None)
    body = problem_json(refusal, request_id=name)
    headers = [(name.lower().encode(), value.encode()) for name, value in (refusal.headers or {}).items()]
    headers += [(b"content-type", _KIND), (b"content-length", b"%d" % len(body)), (b"x-request-id", name.encode())]
    return headers, body


def _lines(headers: Sequence[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
