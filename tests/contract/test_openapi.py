"""The published contract. After a wished-for change: ``python -m serving openapi > tests/contract/openapi.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from serving import examples
from serving.admission import MOST_MS
from serving.app import openapi_document
from serving.contract import BODY, GUARDED
from serving.errors import PROBLEM_JSON
from serving.request_schemas import AnswerBatchRequest, AnswerRequest, ClassifyBatchRequest, ClassifyRequest
from serving.response_schemas import AnswerBatchResponse, AnswerResponse, ClassifyBatchResponse, ClassifyResponse
from tests.serving_kit import open_site
from yingda.pack import read_knowledge

GOLDEN = Path(__file__).with_name("openapi.json")
PACK = Path(__file__).parents[2] / "data" / "packs" / "retail"
DOCUMENT: dict[str, Any] = openapi_document()
OPERATIONS = [(f"{method.upper()} {path}", operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()]
OF_ENGINE = {"POST /v1/classify", "POST /v1/classify/batch", "POST /v1/answer", "POST /v1/answer/batch"}
SHOWN: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "POST /v1/classify": (ClassifyRequest, ClassifyResponse),
    "POST /v1/classify/batch": (ClassifyBatchRequest, ClassifyBatchResponse),
    "POST /v1/answer": (AnswerRequest, AnswerResponse),
    "POST /v1/answer/batch": (AnswerBatchRequest, AnswerBatchResponse),
}
every_operation = pytest.mark.parametrize("operation", [one for _, one in OPERATIONS], ids=[name for name, _ in OPERATIONS])


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def statuses(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"]}


def examples_of(node: dict[str, Any]) -> list[Any]:
    return [example["value"] for example in node["content"]["application/json"]["examples"].values()]


def test_the_contract_is_the_golden_one() -> None:
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == DOCUMENT


def test_a_server_publishes_the_contract() -> None:
    with open_site() as site:
        assert site.client.get("/openapi.json").json() == DOCUMENT


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert set(references(DOCUMENT)) == known
    assert DOCUMENT["openapi"].startswith("3.1")


def test_operations_have_names_of_their_own() -> None:
    assert len({operation["operationId"] for _, operation in OPERATIONS}) == len(OPERATIONS)


@every_operation
def test_an_operation_is_described_and_tagged(operation: dict[str, Any]) -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert operation["summary"] and operation["description"]
    assert len(operation["tags"]) == 1 and set(operation["tags"]) <= described


def test_every_tag_that_is_described_has_operations() -> None:
    assert {tag["name"] for tag in DOCUMENT["tags"]} == {tag for _, operation in OPERATIONS for tag in operation["tags"]}


@every_operation
def test_an_operation_names_the_problems_it_can_answer(operation: dict[str, Any]) -> None:
    reads_body, is_guarded = "requestBody" in operation, "security" in operation
    is_metrics = operation["operationId"] == "metrics"  # which no limit of requests holds
    # what is imported is a file, which need not be JSON
    reads_json = reads_body and "application/json" in operation["requestBody"]["content"]
    assert not is_guarded or {*GUARDED} - ({429} if is_metrics else set()) <= statuses(operation)
    assert not reads_body or {*BODY} - (set() if reads_json else {400}) <= statuses(operation)
    assert reads_body or not {408, 413, 415} & statuses(operation)
    assert (504 in statuses(operation)) is any(each["name"] == "x-deadline-ms" for each in operation.get("parameters", ()))


@every_operation
def test_an_error_is_a_problem_that_says_when_to_come_again(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        assert response["description"]
        if int(status) >= 400:
            assert response["content"] == {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        named = {"401": "WWW-Authenticate", "403": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}.get(status)
        assert named is None or named in response["headers"]


def test_only_probes_go_without_security() -> None:
    assert {name for name, operation in OPERATIONS if "security" not in operation} == {"GET /livez", "GET /readyz"}


@every_operation
def test_a_guarded_operation_names_its_scheme_and_one_scope(operation: dict[str, Any]) -> None:
    if "security" in operation:
        (asked,) = operation["security"]
        assert asked.keys() == DOCUMENT["components"]["securitySchemes"].keys()
        assert [len(scopes) for scopes in asked.values()] == [1]


def test_the_scheme_says_where_keys_and_tokens_come_from() -> None:
    ((name, scheme),) = DOCUMENT["components"]["securitySchemes"].items()
    assert (name, scheme["type"], scheme["scheme"]) == ("bearer", "http", "bearer")
    assert "yingda keys create" in scheme["description"] and "OAuth 2.0" in scheme["description"]


def test_calls_that_wait_for_the_engine_take_a_deadline() -> None:
    takers = {name: each for name, operation in OPERATIONS for each in operation.get("parameters", ()) if each["name"] == "x-deadline-ms"}
    assert takers.keys() == OF_ENGINE
    assert all((each["in"], each["schema"]["maximum"]) == ("header", MOST_MS) for each in takers.values())


def test_states_of_records_are_told_with_their_etag() -> None:
    with_etag = {name for name, operation in OPERATIONS if "ETag" in operation["responses"]["200"].get("headers", {})}
    takers = {name for name, operation in OPERATIONS if 412 in statuses(operation)}
    assert takers < with_etag
    assert {name.partition(" ")[0] for name in with_etag - takers} == {"GET", "POST"}


@pytest.mark.parametrize("name", SHOWN)
def test_examples_are_what_the_schemas_say(name: str) -> None:
    operation = dict(OPERATIONS)[name]
    request, response = SHOWN[name]
    sent, told = examples_of(operation["requestBody"]), examples_of(operation["responses"]["200"])
    assert sent and told
    for example in sent:
        request.model_validate_json(json.dumps(example))
    for example in told:
        # nothing is left out, and nothing made up
        assert response.model_validate(example).model_dump(mode="json") == example


def test_examples_name_what_the_shop_has() -> None:
    knowledge = read_knowledge(PACK)
    ranking = [each["code"] for each in examples.CLASSIFICATION["ranking"]]
    assert {examples.CLASSIFICATION["intent"]["code"], *ranking} <= knowledge.taxonomy.intents.keys()
    assert {examples.ANSWER["faq"]["id"], *(each["id"] for each in examples.ANSWER["candidates"])} <= knowledge.faq.keys()
    assert examples.ANSWER["reply"]["text"] == "\n".join(part for part in examples.ANSWER["reply"]["parts"].values() if part)


def test_an_example_is_answered_as_a_request() -> None:
    with open_site() as site:
        for name in SHOWN:
            for example in examples_of(dict(OPERATIONS)[name]["requestBody"]):
                assert site.client.post(name.partition(" ")[2], json=example).status_code == 200
