"""Whatever is posted, the server stands and answers with a status of the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving_kit import Site, open_site

PATHS = ["/v1/classify", "/v1/classify/batch", "/v1/answer", "/v1/answer/batch"]
NAMES = ["text", "language", "top_k", "items", "channel", "customer", "id", "tier", "context", "dry_run"]
# Surrogates included: a JSON document can name them by escapes.
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
KEYS = st.sampled_from(NAMES) | TEXTS
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(["web", "vip", "zh"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@pytest.fixture(name="site", scope="module")
def fixture_site() -> Iterator[Site]:
    with open_site() as site:
        yield site


def statuses(site: Site, path: str, content: bytes) -> list[int]:
    response = site.client.post(path, content=content, headers={"content-type": "application/json"})
    body: Any = response.json()
    return [response.status_code, *(result["status"] for result in body.get("results", []))]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_random_json_never_breaks_the_server(site: Site, path: str, value: object) -> None:
    assert set(statuses(site, path, json.dumps(value).encode())) <= {200, 400, 422}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), fields=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5))
def test_a_random_request_never_breaks_the_server(site: Site, path: str, fields: dict[str, object]) -> None:
    body = {"text": "x", **fields}
    content = {"items": [body, body]} if path.endswith("batch") else body
    assert set(statuses(site, path, json.dumps(content).encode())) <= {200, 400, 422}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), content=st.binary(max_size=60))
def test_random_bytes_never_break_the_server(site: Site, path: str, content: bytes) -> None:
    assert set(statuses(site, path, content)) <= {400, 422}
