"""Who may call: a key or a token for every path that is not open, and the scope each route asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from serving.context import context_of
from serving.errors import ProblemError, problem_response
from serving.tokens import MAX_TOKEN_BYTES, Caller, TokenError, TokenVerifier, is_token
from yingda.access.keys import KeyRecord
from yingda.access.scopes import Scope

OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json"})
ANYBODY = "anonymous"
"""Who is refused where nobody knows who calls."""

_MAX_KEY_BYTES = 512
_REALM = 'Bearer realm="yingda"'
_REFUSED = {
    "unknown": "the key is not known; check it",
    "expired": "the key has expired; ask for another",
    "revoked": "the key was revoked; ask for another",
}

_bearer = HTTPBearer(
    scheme_name="bearer",
    auto_error=False,
    description=(
        "API key from `yingda keys create`, or a JWT access token of the OAuth 2.0 issuer that the server trusts. "
        "A server bound to loopback without either asks for none."
    ),
)

Refused = Callable[[str, str], None]
"""Told of each refusal: why, in a word, and whom."""


class KeySource(Protocol):
    """Where keys are looked up: a KeyRing, or one that follows its file."""

    def look_up(self, key: bytes) -> tuple[KeyRecord | None, str | None]:
        """The record of ``key`` (None: unknown), and why it opens nothing (None: it is good)."""


class KeyGate:
    """ASGI middleware: answers 401 before any work unless the path is open or the caller is known.

    Where neither ``keys`` nor ``tokens`` are given it lets everybody pass. ``refused`` is told of each refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeySource | None,
        *,
        tokens: TokenVerifier | None = None,
        refused: Refused = lambda _reason, _who: None,
    ) -> None:
        self._app, self._keys, self._tokens, self._refused = app, keys, tokens, refused
        self._open = keys is None and tokens is None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it."""
        if self._open or scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in OPEN_PATHS):
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # no route speaks anything else: nobody gets past by another protocol
            return await send({"type": "websocket.close", "code": 1008, "reason": ""})
        try:
            caller = await self._authenticate(scope)
        except ProblemError as error:
            return await problem_response(scope, error)(scope, receive, send)
        context = context_of(scope)
        context.key_id, context.scopes = caller.key_id, caller.scopes
        return await self._app(scope, receive, send)

    async def _authenticate(self, scope: AsgiScope) -> Caller:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        if not sent:
            self._refused("missing", ANYBODY)
            raise _unauthenticated("send `Authorization: Bearer <key>`", _REALM)
        scheme, _, credentials = sent[0].partition(b" ")
        credentials = credentials.strip()
        if len(sent) == 1 and scheme.lower() == b"bearer":
            if self._tokens and is_token(credentials) and len(credentials) <= MAX_TOKEN_BYTES:
                return await self._by_token(self._tokens, credentials)
            if self._keys and len(credentials) <= _MAX_KEY_BYTES:
                return self._by_key(self._keys, credentials)
        raise self._refuse("unknown", ANYBODY, _REFUSED["unknown"])

    def _by_key(self, keys: KeySource, key: bytes) -> Caller:
        record, refusal = keys.look_up(key)
        if record is None or refusal:
            reason = refusal or "unknown"
            raise self._refuse(reason, record.id if record else ANYBODY, _REFUSED[reason])
        return Caller(record.id, record.scopes)

    async def _by_token(self, tokens: TokenVerifier, token: bytes) -> Caller:
        try:
            return await tokens.verify(token)
        except TokenError as error:
            raise self._refuse("token", ANYBODY, str(error)) from None

    def _refuse(self, reason: str, who: str, detail: str) -> ProblemError:
        self._refused(reason, who)
        return _unauthenticated(detail, f'{_REALM}, error="invalid_token", error_description="{detail}"')


def needs(scope: Scope) -> Any:
    """A route dependency that answers 403 unless the caller carries ``scope``."""
    return Security(_authorise, scopes=[scope.value])


def demand(asgi_scope: AsgiScope, scope: str, *, remedy: str = "use a key that carries it") -> None:
    """Raise a 403 ProblemError, which is counted, unless the caller of the request carries ``scope``."""
    granted = context_of(asgi_scope).scopes
    if granted is None or scope in granted:
        return
    app = asgi_scope.get("app")
    refused: Refused | None = getattr(app.state, "refused", None) if app else None
    if refused:
        refused("scope", context_of(asgi_scope).key_id or ANYBODY)
    detail = f"the key lacks the scope {scope}; {remedy}"
    challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
    raise ProblemError(403, "missing_scope", detail, headers={"WWW-Authenticate": challenge})


async def _authorise(
    request: Request,
    security: SecurityScopes,
    _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    for scope in security.scopes:
        demand(request.scope, scope)


def _unauthenticated(detail: str, challenge: str) -> ProblemError:
    return ProblemError(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})
