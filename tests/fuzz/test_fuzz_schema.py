"""Requests made from the OpenAPI document are answered as it declares; `make fuzz` makes thousands, this a few of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.app import openapi_document
from tests.fuzz.schema import run, service


@pytest.fixture(name="client", scope="module")
def fixture_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with service(Path(tmp_path_factory.mktemp("store"))) as client:
        yield client


def test_every_operation_answers_as_it_declares(client: TestClient) -> None:
    tally = run(client, 200)

    assert tally.failures == {}
    labels = {key.rpartition(" ")[0] for key in tally.requests}
    assert len(labels) == sum(len(item) for item in openapi_document()["paths"].values())


def test_an_answer_that_is_not_declared_is_found(client: TestClient) -> None:
    document = openapi_document()
    operation = document["paths"]["/v1/classify"]["post"]
    del operation["responses"]["422"]

    assert run(client, 60, only="/v1/classify", document=document).failures
