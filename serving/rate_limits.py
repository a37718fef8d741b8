"""How many requests a key may send, and how it is told: HTTP around the token buckets of ``serving.buckets``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.auth import OPEN_PATHS
from serving.buckets import Buckets, read_limits
from serving.context import context_of
from serving.errors import ProblemError, problem_response

if TYPE_CHECKING:
    from limits import RateLimitItem

_EXEMPT = OPEN_PATHS | {"/metrics"}


class RateLimits:
    """ASGI middleware: 429 for a key that sends more than it may; probes and metrics are never counted.

    A caller is a key, or an address where no keys are asked for. A request costs one, a batch too. Each process counts for
    itself: with several on one port, a key may send that many times as much. Headers are those of the IETF draft "RateLimit
    header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10).
    """

    def __init__(self, app: ASGIApp, limits: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        items = read_limits(limits)
        self._buckets = Buckets(items, clock)
        self._policy = ", ".join(f'"{_name(item)}";q={item.amount};w={item.get_expiry()}' for item in items)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _EXEMPT:
            return await self._app(scope, receive, send)
        verdict = self._buckets.spend(_caller(scope))
        told = {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"{_name(verdict.limit)}";r={verdict.remaining};t={verdict.full_in_s}',
        }
        if not verdict.passes:
            detail = f"more requests than {verdict.limit}; send more slowly"
            error = ProblemError(429, "rate_limited", detail, headers={**told, "Retry-After": str(verdict.retry_after_s)})
            return await problem_response(scope, error)(scope, receive, send)
        return await self._app(scope, receive, _telling(send, told))


def _telling(send: Send, told: Mapping[str, str]) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(told)
        await send(message)

    return tell


def _caller(scope: Scope) -> str:
    key = context_of(scope).key_id
    client: Any = scope.get("client")
    return f"key {key}" if key is not None else f"address {client[0] if client else ''}"


def _name(limit: RateLimitItem) -> str:
    return f"{limit.amount}-in-{limit.get_expiry()}s"
