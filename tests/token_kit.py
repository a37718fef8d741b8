"""An issuer of tokens for tests: keys of every kind, its published key set, and tokens with any claim bent."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from serving.logs import open_log
from serving.tokens import TokenVerifier

ISSUER, AUDIENCE = "https://id.example", "https://yingda.example"
NOW = 1_800_000_000.0
KINDS = {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed", "Ed25519": "ed", "HS256": "oct", "PS256": "rsa", "ES384": "ec384"}


@cache
def key_of(name: str) -> Any:
    """The issuer's key of that name; each is made once."""
    made: dict[str, Any] = {
        "rsa": lambda: RSAKey.generate_key(2048),
        "ec": lambda: ECKey.generate_key("P-256"),
        "ec384": lambda: ECKey.generate_key("P-384"),
        "ed": lambda: OKPKey.generate_key("Ed25519"),
        "oct": lambda: OctKey.generate_key(256),
        "stranger": lambda: RSAKey.generate_key(2048),
    }
    return made[name]()


def key_set(*names: str, **changes: Any) -> bytes:
    """The JWK set with the public parts of those keys, their names as ids."""
    return json.dumps({"keys": [{**key_of(name).as_dict(private=False), "kid": name, **changes} for name in names]}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; None takes a claim away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop-backend", "iat": NOW, "exp": NOW + 300, "scope": "answer classify"}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(algorithm: str = "RS256", *, key: str | None = None, kid: str | None = "", typ: str | None = "at+jwt", **changes: Any) -> bytes:
    """A signed token; ``changes`` bend its claims, ``header`` among them adds to its header."""
    header = {"alg": algorithm, "kid": KINDS[algorithm] if kid == "" else kid, "typ": typ, **changes.pop("header", {})}
    parts = [{name: value for name, value in header.items() if value is not None}, claims(**changes)]
    signing = b".".join(_encoded(json.dumps(part).encode()) for part in parts)
    # by the algorithm itself: the library would not sign what an attacker does
    return signing + b"." + _encoded(JWSRegistry.algorithms[algorithm].sign(signing, key_of(key or KINDS[algorithm])))


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


@dataclass
class Issuer:
    """What the verifier under test asks: a key set that a test replaces, or an error; every read is counted."""

    content: bytes | Exception = field(default_factory=lambda: key_set("rsa", "ec", "ed"))
    reads: int = 0
    now: float = NOW
    ticks: float = 0.0

    def fetch(self) -> bytes:
        """The key set as it is published now."""
        self.reads += 1
        if isinstance(self.content, Exception):
            raise self.content
        return self.content

    def verifier(self, stream: Any) -> TokenVerifier:
        """A verifier that trusts this issuer and its clocks."""
        return TokenVerifier(
            issuer=ISSUER,
            audience=AUDIENCE,
            fetch=self.fetch,
            log=open_log(stream),
            clock=lambda: self.now,
            ticks=lambda: self.ticks,
        )
