"""OAuth 2.0 access tokens of the client-credentials grant: JWTs, verified by the keys that their issuer publishes.

The checks are those of RFC 9068, section 4 (JWT access tokens), RFC 8725 (best practices) and RFC 6750 (bearer tokens). `typ`
may be `at+jwt`, `JWT` or absent: many issuers do not write the first yet, and the audience keeps other tokens out.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from structlog.typing import FilteringBoundLogger

from serving.errors import ProblemError
from serving.jwks import Fetch, JwksError, Keys, PublishedKey, fetcher, read_key_set
from serving.settings import PREFIX, Settings, SettingsError
from yingda.access.scopes import Scope

LEEWAY_S = 30
"""Seconds by which the clocks of issuer and server may differ."""

REFRESH_S = 600
"""Seconds after which the keys are read again though nothing asks for it: a key that was taken back must go."""

INTERVAL_S = 30
"""Least seconds between two reads that unknown key ids ask for; one who invents ids cannot make the server read more often."""

MAX_TOKEN_BYTES = 8192
_CACHED = 4096
_FIRST_KEYS_S = 5
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,56}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the id that logs show, and what they may do."""

    key_id: str
    scopes: frozenset[Scope]


class TokenError(Exception):
    """A token opens nothing; the message says why in words of ours."""


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    expires: float
    keys: int


class TokenVerifier:
    """Verifies tokens for one issuer and one audience; use it from one event loop.

    Keys are read in a thread and never while the event loop waits. A verified token is remembered by its hash until it
    expires, the keys change, or too many came after it.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        fetch: Fetch,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._audience, self._fetch, self._log = issuer, audience, fetch, log
        self._clock, self._ticks = clock, ticks
        self._keys: Keys = {}
        self._version, self._content, self._read_at = 0, b"", -math.inf
        self._reading: asyncio.Task[None] | None = None
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="jwks")

    async def verify(self, token: bytes) -> Caller:
        """The caller that ``token`` names; raises TokenError, or a 503 ProblemError while no key could be read yet."""
        if self._ticks() - self._read_at > REFRESH_S and self._keys:
            self._read_soon()  # nobody waits: the keys at hand are good enough until then
        digest = hashlib.sha256(token).digest()
        known = self._verified.get(digest)
        if known and known.keys == self._version and self._clock() < known.expires + LEEWAY_S:
            self._verified.move_to_end(digest)
            return known.caller
        header = _header(token)
        claims = _signed_claims(token, await self._key(header), header["alg"])
        caller = self._check(claims)
        self._remember(digest, _Verified(caller, claims["exp"], self._version))
        return caller

    def read_keys(self) -> None:
        """Read the keys now, blocking; raises JwksError and keeps those at hand."""
        self._read_at = self._ticks()
        content = self._fetch()
        if content != self._content:
            self._keys, self._content, self._version = read_key_set(content), content, self._version + 1

    def start(self) -> None:
        """Nothing to do: keys are read when they are asked for."""

    def close(self) -> None:
        """Read no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _key(self, header: Mapping[str, Any]) -> PublishedKey:
        kid = header.get("kid")
        interval = INTERVAL_S if self._keys else _FIRST_KEYS_S
        if kid not in self._keys and (self._reading or self._ticks() - self._read_at >= interval):
            await asyncio.shield(self._read_soon())  # one who gives up does not stop the others' read
        if not self._keys:
            detail = "the issuer's keys cannot be read now, so no token can be verified; try again later"
            raise ProblemError(503, "tokens_unavailable", detail, headers={"Retry-After": str(_FIRST_KEYS_S)})
        found = self._keys.get(kid)
        if found is None:
            raise TokenError("the token is signed with a key that its issuer does not publish")
        if header["alg"] not in found.algorithms:
            raise TokenError("the token is signed in a way that its key is not for")
        return found

    def _read_soon(self) -> asyncio.Task[None]:
        """The read that is going on, else a new one."""
        if self._reading is None:
            self._read_at = self._ticks()
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self.read_keys)
        except JwksError as error:
            self._log.error("token_keys_stay", detail=str(error), keys=len(self._keys))
        finally:
            self._reading = None

    def _check(self, claims: Mapping[str, Any]) -> Caller:
        now, exp = self._clock(), claims.get("exp", math.nan)
        if not _is_time(exp) or any(name in claims and not _is_time(claims[name]) for name in ("nbf", "iat")):
            raise TokenError("the token has no expiry, or its times are no numbers")
        if exp + LEEWAY_S <= now:
            raise TokenError("the token has expired; ask for a fresh one")
        if any(claims.get(name, now) > now + LEEWAY_S for name in ("nbf", "iat")):
            raise TokenError("the token is not valid yet; check the clocks")
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise TokenError("the token is of another issuer")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenError("the token is for another audience")
        if "cnf" in claims:  # RFC 7800: worth nothing without a proof that is not asked for here
            raise TokenError("the token is bound to a key and cannot be used as a bearer token")
        return Caller(_name(claims), _scopes(claims.get("scope")))

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        self._verified[digest] = verified
        while len(self._verified) > _CACHED:
            self._verified.popitem(last=False)


def open_tokens(settings: Settings, log: FilteringBoundLogger) -> TokenVerifier | None:
    """The verifier that ``settings`` ask for, None without OAuth; raises SettingsError when it cannot work.

    An issuer that does not answer now is no reason not to start: its keys are read with the first token.
    """
    if settings.oauth_issuer is None or settings.oauth_audience is None or settings.oauth_jwks is None:
        return None
    fetch = fetcher(settings.oauth_jwks)
    try:
        import joserfc  # noqa: F401 says at start what the first token would say
    except ModuleNotFoundError:
        raise SettingsError(f"{PREFIX}OAUTH_ISSUER needs a library that is not installed; run `pip install 'yingda[oauth]'`") from None
    verifier = TokenVerifier(issuer=settings.oauth_issuer, audience=settings.oauth_audience, fetch=fetch, log=log)
    try:
        verifier.read_keys()
    except JwksError as error:
        if "://" not in settings.oauth_jwks:
            raise SettingsError(str(error)) from None
        log.error("token_keys_stay", detail=str(error), keys=0)
    return verifier


def is_token(credentials: bytes) -> bool:
    """Whether ``credentials`` have the form of a JWT: three parts between dots; an API key has no dot."""
    return credentials.count(b".") == 2


def _header(token: bytes) -> dict[str, Any]:
    """The header of ``token``, nothing of which is trusted but as a question which key to try."""
    header: Any = None
    if len(token) <= MAX_TOKEN_BYTES and _TOKEN.fullmatch(token):
        part = token.partition(b".")[0]
        try:
            header = json.loads(urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            header = None
    if not isinstance(header, dict) or not isinstance(header.get("kid"), str | None) or not isinstance(header.get("alg"), str):
        raise TokenError("the token cannot be read")
    if "crit" in header or "b64" in header or str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise TokenError("the token is of a kind that is no access token")
    return header


def _signed_claims(token: bytes, key: PublishedKey, algorithm: str) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        return dict(jwt.decode(token, key.key, registry=_registry(algorithm)).claims)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenError("the token's signature is not right") from None


@cache
def _registry(algorithm: str) -> Any:
    """What the library checks a token by: the one algorithm that its key allows, without advice for who issues tokens.

    Header parameters that mean nothing here may be there (RFC 7515, section 4).
    """
    from joserfc.errors import UnsupportedAlgorithmError
    from joserfc.jws import JWSRegistry

    class Registry(JWSRegistry):
        max_header_length = 2048

        def get_alg(self, name: str) -> Any:
            if name != algorithm:
                raise UnsupportedAlgorithmError("another algorithm than its key is for")
            return self.algorithms[name]

    return Registry(strict_check_header=False)


def _is_time(value: Any) -> bool:
    """NumericDate of RFC 7519: JSON as Python reads it knows infinities, which would never expire."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _name(claims: Mapping[str, Any]) -> str:
    """The subject as logs show it; never equal to the id of an API key, which has no colon."""
    subject = claims.get("sub") or claims.get("client_id")
    if not isinstance(subject, str):
        raise TokenError("the token names no subject")
    if _NAME.fullmatch(subject):
        return f"oauth:{subject}"
    return f"oauth:sha256-{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _scopes(claim: Any) -> frozenset[Scope]:
    """The scopes that exist here; others are another service's."""
    names = claim.split(" ") if isinstance(claim, str) else []
    return frozenset(Scope(name) for name in names if name in Scope.__members__.values())
