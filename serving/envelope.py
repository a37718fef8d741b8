"""The outermost middleware: ids, the access line, metrics, HEAD, and a problem for what nobody expected."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from serving.context import RequestContext, attach
from serving.errors import internal_problem, problem_response
from serving.identifiers import honoured, request_id, trace_id
from serving.logs import frames
from serving.metrics import Metrics, method_label
from serving.trace import current
from serving.tracing import RequestTrace, Tracing

_UNMATCHED = "unmatched"
_REQUEST_ID = b"x-request-id"
# What an access line says when the client left, or the shutdown timeout passed, before any response.
_NO_RESPONSE = 499
_NO_RESPONSE_CODE = "no_response"


class Envelope:
    """ASGI middleware around every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: FilteringBoundLogger, tracing: Tracing | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and account for it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        traceparent = honoured(_header(scope, b"traceparent"))
        context = RequestContext(request_id(_header(scope, _REQUEST_ID)), trace_id(traceparent))
        trace = self._tracing.begin(scope["method"], traceparent) if self._tracing else None
        before = current.set(trace) if trace else None
        context.trace_id = trace.trace_id if trace else context.trace_id
        # Routes know GET only; the answer to HEAD is the same without its body.
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else dict(scope)
        attach(inner, context)
        exchange = _Exchange(send, request_id=context.request_id, is_head=scope["method"] == "HEAD")
        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self._serve(inner, receive, exchange, context)
        finally:
            self._metrics.in_flight.dec()
            if before is not None:
                current.reset(before)
            self._record(scope["method"], inner, exchange.status, time.perf_counter() - started, context, trace)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange, context: RequestContext) -> None:
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as error:
            self._log.error("unexpected_error", request_id=context.request_id, error=type(error).__name__, frames=frames(error))
            if exchange.status is None:
                await problem_response(scope, internal_problem())(scope, receive, exchange.send)

    def _record(
        self, method: str, scope: Scope, status: int | None, seconds: float, context: RequestContext, trace: RequestTrace | None
    ) -> None:
        # The template, not the path: a path may hold anything, and each one would be a new time series.
        route = getattr(scope.get("route"), "path", None)
        if status is None:
            status, context.code = _NO_RESPONSE, context.code or _NO_RESPONSE_CODE
        self._metrics.count_request(method=method, route=route or _UNMATCHED, status=status, seconds=seconds)
        if context.code is not None:
            self._metrics.count_problem(context.code)
        if trace is not None:
            trace.end(route=route, status=status, code=context.code)
        self._log.info(
            "request",
            request_id=context.request_id,
            trace_id=context.trace_id,
            key_id=context.key_id,
            method=method_label(method),
            route=route or _UNMATCHED,
            status=status,
            ms=round(seconds * 1000, 3),
            **({"code": context.code} if context.code is not None else {}),
        )


def _header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name."""
    for each, value in scope["headers"]:
        if each == name:
            return str(value, "latin-1")
    return None


class _Exchange:
    """Watches a response go out, names it, and drops the body of the answer to HEAD."""

    def __init__(self, send: Send, *, request_id: str, is_head: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._is_head = is_head
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Pass ``message`` on to the client."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [header for header in message.get("headers", ()) if header[0] != _REQUEST_ID]
            message = {**message, "headers": [*headers, (_REQUEST_ID, self._request_id.encode())]}
        elif self._is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)
