"""Nothing is served to whom it was not granted: every call of the contract, every other path, and every protocol."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import pytest

from serving.app import openapi_document
from serving.auth import OPEN_PATHS
from tests.serving_kit import Site, bearer, key_for, open_site
from tests.token_kit import Issuer, token
from yingda.access.scopes import Scope

KEYS = {scope: key_for(*(each for each in Scope if each is not scope)) for scope in Scope}
"""For each scope a key that has all others."""

ALL = key_for(*Scope)
VALUES = {"kind": "faq", "step": "publish"}


def calls() -> Iterator[tuple[str, str, list[str] | None]]:
    """Method, a path, and the scopes it asks for (None: open), of every call."""
    for template, item in openapi_document()["paths"].items():
        path = template
        for name in ("kind", "step", "id", "conversation_id", "answer_id"):
            path = path.replace("{" + name + "}", VALUES.get(name, "x"))
        assert "{" not in path
        for method, operation in item.items():
            yield method.upper(), path, operation["security"][0]["bearer"] if "security" in operation else None


CALLS = list(calls())
GUARDED = [(method, path, scopes) for method, path, scopes in CALLS if path not in OPEN_PATHS]


@pytest.fixture(name="site", scope="module")
def fixture_site() -> Iterator[Site]:
    issuer = Issuer()
    with open_site(keys=[ALL, *KEYS.values()], tokens=issuer.verifier(io.StringIO())) as site:
        yield site


def test_every_call_is_open_on_purpose_or_asks_for_one_scope() -> None:
    assert len(GUARDED) > 25
    assert {path for _, path, scopes in CALLS if scopes is None} <= OPEN_PATHS
    assert all(scopes is not None and len(scopes) == 1 and scopes[0] in list(Scope) for _, _, scopes in GUARDED)


@pytest.mark.parametrize(("method", "path", "scopes"), GUARDED, ids=lambda value: str(value))
def test_a_call_is_refused_without_a_key_and_without_its_scope(site: Site, method: str, path: str, scopes: list[str]) -> None:
    site.engine.calls.clear()
    nobody = site.client.request(method, path, json={})
    wrong = site.client.request(method, path, json={}, headers={"authorization": "Bearer yd_wrong"})
    lacking = site.client.request(method, path, json={}, headers=bearer(KEYS[Scope(scopes[0])]))
    enough = site.client.request(method, path, json={}, headers=bearer(ALL))

    assert (nobody.status_code, wrong.status_code) == (401, 401)
    assert (lacking.status_code, lacking.json()["code"]) == (403, "missing_scope")
    assert f'error="insufficient_scope", scope="{scopes[0]}"' in lacking.headers["www-authenticate"]
    assert enough.status_code not in (401, 403)
    assert enough.status_code < 500 or enough.status_code == 503
    assert site.engine.calls == []


@pytest.mark.parametrize(("method", "path", "scopes"), GUARDED, ids=lambda value: str(value))
def test_a_token_is_held_to_the_same_scopes(site: Site, method: str, path: str, scopes: list[str]) -> None:
    others = " ".join(each for each in Scope if each not in scopes)
    lacking = site.client.request(
        method, path, json={}, headers={"authorization": f"Bearer {token(exp=2e9, iat=0, scope=others).decode()}"}
    )
    enough = site.client.request(
        method, path, json={}, headers={"authorization": f"Bearer {token(exp=2e9, iat=0, scope=scopes[0]).decode()}"}
    )
    assert lacking.status_code == 403
    assert enough.status_code not in (401, 403)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/redoc", "/v1", "/livez/", "//livez", "/livez/../metrics", "/LIVEZ", "/readyz%00", "/openapi.json/x"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "PROPFIND"])
def test_paths_that_are_no_call_are_refused_too(site: Site, method: str, path: str) -> None:
    assert site.client.request(method, path).status_code == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_what_is_open_is_open_whatever_key_is_sent(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 200
    assert site.client.get(path, headers={"authorization": "Bearer wrong"}).status_code == 200


def test_no_other_protocol_gets_past(site: Site) -> None:
    sent: list[dict[str, Any]] = []

    async def connect() -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        await site.app({"type": "websocket", "path": "/v1/answer", "headers": [], "query_string": b"", "subprotocols": []}, receive, send)

    asyncio.run(connect())
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
