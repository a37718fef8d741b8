"""Requests that fuzzing found to be answered wrongly once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.body import MAX_DEPTH
from tests.knowledge_site import ANY, add, code, open_shop_site
from tests.serving_kit import Site


@pytest.fixture(name="site", scope="module")
def fixture_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_shop_site(Path(tmp_path_factory.mktemp("store"))) as site:
        yield site


@pytest.mark.parametrize("payload", [{}, {"a": 1}, {"term": "退"}, {"intents": ["ORDER_CANCEL"]}, {"term": None, "intents": None}])
def test_a_keyword_that_lacks_its_fields_is_refused_and_names_them(site: Site, payload: dict[str, Any]) -> None:
    response = site.client.post("/v1/knowledge/keyword", json={"id": "x", "payload": payload})

    assert code(response) == (422, "refused")
    assert response.json()["errors"]


@pytest.mark.parametrize("kind", ["faq", "keyword", "policy", "rule", "template"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_is_nested_deeper_than_anything_that_makes_sense_is_refused_whoever_would_read_it(
    site: Site, kind: str, opening: str, closing: str
) -> None:
    for depth in (MAX_DEPTH - 3, MAX_DEPTH, 300, 980, 10_000):
        body = f'{{"id":"x","payload":{{"a":{opening * depth}1{closing * depth}}}}}'
        response = site.client.post(f"/v1/knowledge/{kind}", content=body, headers={"content-type": "application/json"})
        assert code(response) == ((422, "refused") if depth < MAX_DEPTH - 2 else (400, "json_too_deep"))


@pytest.mark.parametrize("name", ["effective_from", "effective_until"])
@pytest.mark.parametrize(
    "time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1", "-1", "1e3", "", "2027-01-01T00:00:00", 1, True, [1]]
)
def test_a_time_that_is_none_or_that_no_store_can_hold_is_a_mistake_of_the_request(site: Site, name: str, time: object) -> None:
    response = add(site, change={name: time})

    assert code(response) == (422, "validation_failed")
    assert [error["pointer"] for error in response.json()["errors"]] == [f"/change/{name}"]


def test_the_last_moment_there_is_may_be_named(site: Site) -> None:
    response = add(site, "late", change={"effective_until": "9999-12-31T23:59:59Z"})

    assert response.status_code == 200
    assert response.json()["version"]["effective_until"] == "9999-12-31T23:59:59Z"
    assert site.client.delete("/v1/faq/late", headers=ANY).status_code == 200
