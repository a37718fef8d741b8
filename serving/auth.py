"""Who may call: a key for every path that is not open, and the scope each route asks for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from serving.context import context_of
from serving.errors import ProblemError, problem_response
from serving.keys import KeyRecord, KeyRing, Scope

OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json"})
_MAX_HEADER_BYTES = 512

_bearer = HTTPBearer(
    scheme_name="bearer",
    auto_error=False,
    description="API key from `python -m serving new-key`. A server bound to loopback without keys asks for none.",
)


class KeyGate:
    """ASGI middleware: answers 401 before any work unless the path is open or the key is known."""

    def __init__(self, app: ASGIApp, keys: KeyRing | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if scope["type"] != "http" or self._keys is None or scope["path"] in OPEN_PATHS:
            return await self._app(scope, receive, send)
        try:
            record = _authenticate(scope, self._keys)
        except ProblemError as error:
            return await problem_response(scope, error)(scope, receive, send)
        context = context_of(scope)
        context.key_id, context.scopes = record.id, frozenset(record.scopes)
        return await self._app(scope, receive, send)


def needs(scope: Scope) -> Any:
    """A route dependency that answers 403 unless the caller's key carries ``scope``."""
    return Security(_authorise, scopes=[scope.value])


async def _authorise(
    request: Request,
    security: SecurityScopes,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    granted = context_of(request.scope).scopes
    missing = [] if granted is None else [scope for scope in security.scopes if scope not in granted]
    if missing:
        detail = f"the key lacks the scope {missing[0]}; use a key that carries it"
        challenge = f'Bearer realm="yingda", error="insufficient_scope", scope="{missing[0]}"'
        raise ProblemError(403, "missing_scope", detail, headers={"WWW-Authenticate": challenge})


def _authenticate(scope: AsgiScope, keys: KeyRing) -> KeyRecord:
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if not sent:
        raise _unauthenticated("send `Authorization: Bearer <key>`", 'Bearer realm="yingda"')
    scheme, _, key = sent[0].partition(b" ")
    is_readable = len(sent) == 1 and scheme.lower() == b"bearer" and len(key) <= _MAX_HEADER_BYTES
    record = keys.find(key.strip()) if is_readable else None
    if record is None:
        raise _unauthenticated("the key is not known; check it", 'Bearer realm="yingda", error="invalid_token"')
    return record


def _unauthenticated(detail: str, challenge: str) -> ProblemError:
    return ProblemError(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})
