"""Who may call what."""

from __future__ import annotations

import pytest

from tests.serving_kit import TEXT, bearer, key_for, open_site

CALLS = [
    ("POST", "/v1/classify", "classify"),
    ("POST", "/v1/classify/batch", "classify"),
    ("POST", "/v1/answer", "answer"),
    ("POST", "/v1/answer/batch", "answer"),
    ("GET", "/v1/intents", "knowledge:read"),
    ("GET", "/metrics", "ops"),
]
BODY = {"text": TEXT}
BATCH = {"items": [BODY]}
ALL = ("classify", "answer", "feedback", "knowledge:read", "knowledge:write", "ops", "data:unmask")


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_a_call_needs_exactly_its_scope(method: str, path: str, scope: str) -> None:
    enough, other = key_for(scope), key_for(*(each for each in ALL if each != scope))
    json = None if method == "GET" else BATCH if path.endswith("batch") else BODY
    with open_site(keys=[enough, other]) as site:
        allowed = site.client.request(method, path, json=json, headers=bearer(enough))
        refused = site.client.request(method, path, json=json, headers=bearer(other))

    assert allowed.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    assert scope in refused.json()["detail"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer yd_wrong", "Basic yd_wrong", "Bearer " + "x" * 9000])
@pytest.mark.parametrize("path", ["/v1/answer", "/metrics", "/nowhere"])
def test_without_a_known_key_nothing_is_served(header: str | None, path: str) -> None:
    with open_site(keys=[key_for("answer")]) as site:
        headers = {} if header is None else {"authorization": header}
        response = site.client.post(path, content=b"not even JSON", headers=headers)

        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.headers["x-request-id"] == response.json()["request_id"]
        assert site.engine.calls == []


def test_the_key_itself_is_neither_shown_nor_logged() -> None:
    key = key_for("classify")
    with open_site(keys=[key]) as site:
        response = site.client.post("/v1/answer", json=BODY, headers=bearer(key))
        assert key.key not in response.text + site.stream.getvalue()
        assert site.log[-1]["key_id"] == "test"


def test_two_authorization_headers_are_refused() -> None:
    key = key_for("answer")
    with open_site(keys=[key]) as site:
        headers = [("authorization", f"Bearer {key.key}")] * 2
        assert site.client.post("/v1/answer", json=BODY, headers=headers).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
def test_probes_and_the_contract_are_open(path: str) -> None:
    with open_site(keys=[key_for("answer")]) as site:
        assert site.client.get(path).status_code == 200


def test_without_keys_no_key_is_asked_for() -> None:
    with open_site() as site:
        assert site.client.post("/v1/answer", json=BODY).status_code == 200
