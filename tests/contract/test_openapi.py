"""The published contract. After a wished-for change: ``python -m serving openapi > tests/contract/openapi.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.app import openapi_document
from tests.serving_kit import open_site

GOLDEN = Path(__file__).with_name("openapi.json")
BODY_PROBLEMS = {"400", "401", "403", "413", "415", "422", "500", "503"}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in openapi_document()["paths"].items():
        for operation in item.values():
            yield path, operation


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def test_the_contract_is_the_golden_one() -> None:
    assert openapi_document() == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_a_server_publishes_the_contract() -> None:
    with open_site() as site:
        assert site.client.get("/openapi.json").json() == openapi_document()


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known
    assert document["openapi"].startswith("3.1")


def test_every_operation_is_named_described_and_tagged() -> None:
    found = list(operations())
    assert len({operation["operationId"] for _, operation in found}) == len(found)
    assert all(operation["summary"] and operation["description"] and operation["tags"] for _, operation in found)


def test_every_call_with_a_body_names_its_problems_and_its_scope() -> None:
    for _, operation in operations():
        if "requestBody" in operation:
            assert (
                {"200", *BODY_PROBLEMS}
                <= set(operation["responses"])
                <= {"200", *BODY_PROBLEMS, "404", "408", "409", "412", "428", "429", "504"}
            )
            assert all("application/problem+json" in operation["responses"][s]["content"] for s in BODY_PROBLEMS)
            assert operation["security"][0]["bearer"]


def test_only_probes_go_without_security() -> None:
    assert {path for path, operation in operations() if "security" not in operation} == {"/livez", "/readyz"}
