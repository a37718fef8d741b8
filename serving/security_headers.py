"""Headers that tell browsers to do nothing with a response; this is an API, and no page belongs to it.

As OWASP's REST Security Cheat Sheet recommends; HSTS is RFC 6797, and only where the operator says that callers come by TLS.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIXED = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_CACHE = (b"cache-control", b"no-store")
_HSTS = (b"strict-transport-security", b"max-age=31536000")


def security_headers(*, tls: bool = False) -> list[tuple[bytes, bytes]]:
    """The headers of a response that says nothing about caching; ``tls`` adds HSTS."""
    return [*_FIXED, *([_HSTS] if tls else []), _CACHE]


class SecurityHeaders:
    """ASGI middleware, outside of all others, so that no response goes without; ``tls`` adds HSTS."""

    def __init__(self, app: ASGIApp, *, tls: bool = False) -> None:
        self._app = app
        self._all = security_headers(tls=tls)
        self._fixed = self._all[:-1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; what a route says about caching stays."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                spoken = any(name.lower() == b"cache-control" for name, _ in headers)
                message = {**message, "headers": headers + (self._fixed if spoken else self._all)}
            await send(message)

        await self._app(scope, receive, sending)
