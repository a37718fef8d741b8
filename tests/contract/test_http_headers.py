"""Security headers on every response, and tokens and keys side by side as callers meet them."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx2
import pytest

from serving.jwks import JwksError
from tests.fakes import FakeEngine
from tests.serving_kit import TEXT, Site, bearer, key_for, open_site
from tests.token_kit import NOW, Issuer, token

KEY = key_for("answer", "classify", "ops")
BODY = {"text": TEXT}
EXPECTED = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
RESPONSES: dict[str, Callable[[Site], httpx2.Response]] = {
    "200": lambda site: site.client.post("/v1/answer", json=BODY, headers=bearer(KEY)),
    "200 contract": lambda site: site.client.get("/openapi.json"),
    "200 head": lambda site: site.client.head("/livez"),
    "204": lambda site: site.client.options("/v1/answer", headers=bearer(KEY)),
    "400": lambda site: site.client.post("/v1/answer", content=b"{", headers={"content-type": "application/json", **bearer(KEY)}),
    "401": lambda site: site.client.post("/v1/answer", json=BODY),
    "403": lambda site: site.client.get("/v1/intents", headers=bearer(KEY)),
    "404": lambda site: site.client.get("/nowhere", headers=bearer(KEY)),
    "405": lambda site: site.client.get("/v1/answer", headers=bearer(KEY)),
    "422": lambda site: site.client.post("/v1/answer", json={}, headers=bearer(KEY)),
    "metrics": lambda site: site.client.get("/metrics", headers=bearer(KEY)),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_every_response_carries_them(name: str) -> None:
    with open_site(keys=[KEY]) as site:
        response = RESPONSES[name](site)
    assert name.startswith(str(response.status_code)) or name == "metrics"
    assert {header: response.headers.get_list(header) for header in EXPECTED} == {header: [value] for header, value in EXPECTED.items()}
    assert "strict-transport-security" not in response.headers
    assert "server" not in response.headers


def test_so_does_an_unexpected_failure_which_says_nothing_of_its_cause() -> None:
    with open_site(engine=FakeEngine(), keys=[KEY]) as site:
        site.engine.failure = KeyError("hunter2")
        response = site.client.post("/v1/answer", json=BODY, headers=bearer(KEY))
    assert response.status_code == 500
    assert EXPECTED.items() <= dict(response.headers).items()
    assert "hunter2" not in response.text and "KeyError" not in response.text


def test_https_is_insisted_on_only_where_callers_come_by_it() -> None:
    with open_site(tls=True) as site:
        assert site.client.get("/livez").headers["strict-transport-security"] == "max-age=31536000"


def test_tokens_and_keys_are_taken_side_by_side_and_the_log_names_the_subject() -> None:
    issuer = Issuer()
    with open_site(keys=[KEY], tokens=issuer.verifier(io.StringIO())) as site:
        sent = token().decode()
        by_token = site.client.post("/v1/answer", json=BODY, headers={"authorization": f"bearer {sent}"})
        by_key = site.client.post("/v1/answer", json=BODY, headers=bearer(KEY))
        issuer.now = NOW + 3600
        late = site.client.post("/v1/answer", json=BODY, headers={"authorization": f"Bearer {sent}"})
        names = [line["key_id"] for line in site.log if line["event"] == "request"]
        assert sent not in site.stream.getvalue()
    assert (by_token.status_code, by_key.status_code, late.status_code) == (200, 200, 401)
    assert names == ["oauth:shop-backend", "test", None]
    assert late.headers["www-authenticate"] == (
        'Bearer realm="yingda", error="invalid_token", error_description="the token has expired; ask for a fresh one"'
    )


def test_with_tokens_alone_a_key_opens_nothing() -> None:
    with open_site(tokens=Issuer().verifier(io.StringIO())) as site:
        assert site.client.post("/v1/answer", json=BODY, headers=bearer(KEY)).status_code == 401
        assert site.client.post("/v1/answer", json=BODY).headers["www-authenticate"] == 'Bearer realm="yingda"'


def test_where_tokens_are_not_taken_one_is_an_unknown_key() -> None:
    with open_site(keys=[KEY]) as site:
        refused = site.client.post("/v1/answer", json=BODY, headers={"authorization": f"Bearer {token().decode()}"})
    assert (refused.status_code, refused.json()["detail"]) == (401, "the key is not known; check it")


def test_while_no_token_can_be_verified_callers_are_told_to_wait() -> None:
    issuer = Issuer(content=JwksError("away"))
    with open_site(keys=[KEY], tokens=issuer.verifier(io.StringIO())) as site:
        waiting = site.client.post("/v1/answer", json=BODY, headers={"authorization": f"Bearer {token().decode()}"})
        by_key = site.client.post("/v1/answer", json=BODY, headers=bearer(KEY))
    assert (waiting.status_code, waiting.json()["code"], waiting.headers["retry-after"]) == (503, "tokens_unavailable", "5")
    assert by_key.status_code == 200
