"""The door: while the queue takes nobody, requests for the engine are turned away before anything is read or looked up.

Refusing must cost next to nothing: of ten times the load, nine tenths are refused, on the cores that serve the rest.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from serving.errors import ProblemError
from serving.metrics import Metrics
from serving.plain import plain_post
from serving.refusals import Header, Refusals, name_of, parts

_ENGINE_PATHS = frozenset({"/v1/classify", "/v1/classify/batch", "/v1/answer", "/v1/answer/batch"})
_RAW_PATHS = {path.encode(): path for path in _ENGINE_PATHS}
_QUIET_S = 1.0
"""Seconds between two lines of the log about requests turned away; each of them is counted."""


class Doorkeeper:
    """Knows whether the queue takes anybody, and accounts for those who were turned away; for the event loop's thread alone."""

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
        self._refusals = Refusals(fixed_headers)
        self._told_at, self._untold = -_QUIET_S, 0
        self._turned_away = Counter[tuple[str, int, str]]()
        self._counted = Counter[tuple[str, int, str]]()
        metrics.gather(self._count)

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
        return None if refusal is None else self._refusals.written(refusal, name_of(_sent_id(headers)), default_headers)

    def at_sight(self, data: bytes, default_headers: Sequence[Header] = ()) -> bytes | None:
        """The same for a request as it came, where that shows; None says that ``data`` is to be read as always."""
        refusal = self._refusal()
        plain = None if refusal is None else plain_post(data)
        name = None if plain is None else _RAW_PATHS.get(plain.path)
        if refusal is None or plain is None or name is None:
            return None
        self._account(name, refusal)
        return self._refusals.written(refusal, name_of(plain.sent_id), default_headers)

    def _account(self, path: str, refusal: ProblemError) -> None:
        self._turned_away[path, refusal.status_code, refusal.code] += 1
        now, self._untold = self._clock(), self._untold + 1
        if now - self._told_at >= _QUIET_S:
            self._log.warning(refusal.code, refused=self._untold)
            self._told_at, self._untold = now, 0

    def _count(self) -> None:
        """Count who was turned away since the last time; one thread at a time, not the event loop's."""
        for kind, all_of_them in list(self._turned_away.items()):
            path, status, code = kind
            times, self._counted[kind] = all_of_them - self._counted[kind], all_of_them
            self._metrics.count_request(method="POST", route=path, status=status, seconds=0.0, times=times)
            self._metrics.count_problem(code, times=times)


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
        headers, body = parts(refusal, name_of(_sent_id(scope["headers"])))
        await send({"type": "http.response.start", "status": refusal.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _sent_id(headers: Sequence[Header]) -> bytes | None:
    """The first x-request-id."""
    return next((value for name, value in headers if name == b"x-request-id"), None)
