"""An issuer's published keys (RFC 7517): read from a URL or a file within limits, kept, and read again when they may have changed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from serving.settings import PREFIX, SettingsError
from yingda.domain.errors import YingdaError

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    Key = RSAKey | ECKey | OKPKey

TIMEOUT_S = 5.0
"""Seconds for each answer of the issuer's server; twice that for the whole."""

MAX_BYTES = 512 * 1024
_MIN_RSA_CHARS = 341
"""Base64url characters of a modulus of 2048 bits, the least that RFC 7518, section 3.3, allows."""

_PUBLIC = frozenset({"kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y"})
_ALGORITHMS = {"RSA": {"RS256"}, "P-256": {"ES256"}, "Ed25519": {"EdDSA", "Ed25519"}}
"""What may be signed with a key of each kind. Neither `none` nor a shared secret is among them, whatever a token says."""


class JwksError(YingdaError):
    """The keys cannot be had now, or are none."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public key, and the algorithms it may be used with."""

    key: Key
    algorithms: frozenset[str]


Keys = Mapping[str | None, PublishedKey]
Fetch = Callable[[], bytes]


def fetcher(source: str) -> Fetch:
    """What reads the key set at ``source``, an https URL or a file; raises SettingsError for any other URL."""
    if source.lower().startswith("https://"):
        return lambda: _download(source)
    if "://" in source:
        raise SettingsError(f"{PREFIX}OAUTH_JWKS must be an https URL or a file; correct it")
    return lambda: _read(Path(source))


def read_key_set(content: bytes) -> Keys:
    """The usable keys of a JWK set by their ids; raises JwksError where there is none.

    Keys for encryption, shared secrets, RSA below 2048 bits and unknown kinds are passed over, as RFC 7517, section 5, asks.
    """
    try:
        listed = json.loads(content)["keys"]
        found = [usable for each in listed if (usable := _usable(each))]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise JwksError("the key set cannot be read; it must be a JWK set (RFC 7517)") from None
    if not found:
        raise JwksError("the key set holds no key for RS256, ES256 or EdDSA")
    # The first of one id counts. A key without an id can be meant only where it is alone.
    named: dict[str | None, PublishedKey] = {kid: key for kid, key in reversed(found) if kid is not None}
    return named | {None: found[0][1]} if len(found) == 1 else named


def _usable(jwk: Any) -> tuple[str | None, PublishedKey] | None:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kinds: dict[Any, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    public = {name: value for name, value in jwk.items() if name in _PUBLIC} if isinstance(jwk, dict) else {}
    kind, kid = public.get("kty"), public.get("kid")
    allowed = _ALGORITHMS.get("RSA" if kind == "RSA" else str(public.get("crv")), set())
    allowed = allowed & {public["alg"]} if isinstance(public.get("alg"), str) else allowed
    too_short = kind == "RSA" and len(str(public.get("n", ""))) < _MIN_RSA_CHARS
    if not allowed or not isinstance(kind, str) or kind not in kinds or too_short or public.get("use", "sig") != "sig":
        return None
    try:
        key: Any = kinds[kind].import_key(public)
    except (JoseError, ValueError, TypeError):
        return None
    return kid if isinstance(kid, str) else None, PublishedKey(key, frozenset(allowed))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from where the operator said, or not at all."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _download(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": "application/jwk-set+json, application/json"})
    deadline = monotonic() + 2 * TIMEOUT_S
    content = bytearray()
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S) as response:
            while chunk := response.read1(65536):
                content += chunk
                if len(content) > MAX_BYTES or monotonic() > deadline:
                    raise JwksError("the issuer's key set is too long or comes too slowly")
    except (OSError, HTTPException, ValueError) as error:
        raise JwksError(f"the issuer's key set cannot be fetched ({type(error).__name__}); check {PREFIX}OAUTH_JWKS") from None
    return bytes(content)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JwksError(f"{path}: cannot be read ({error.strerror}); correct {PREFIX}OAUTH_JWKS") from None
    if len(content) > MAX_BYTES:
        raise JwksError(f"{path}: is longer than {MAX_BYTES} bytes; correct {PREFIX}OAUTH_JWKS")
    return content
