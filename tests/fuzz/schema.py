"""Requests made from our own OpenAPI document, good and bad, to the whole service: what comes back is what it declares.

Schemathesis makes the requests (Hatfield-Dodds and Dygalo 2022, Deriving Semantics-Aware Fuzzers from Web API Schemas). About
half of them are given names of things that exist, so that they get further than "not found".
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from serving.app import create_app, openapi_document
from serving.live import Desk
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import tiny_engine, tiny_knowledge
from tests.knowledge_kit import embed_characters
from tests.knowledge_site import Still
from tests.store_kit import opened
from yingda.domain.records import KnowledgeSnapshot
from yingda.engine import Engine
from yingda.live import knowledge_of, open_shop
from yingda.store.conversations import SqlMemory

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HARD = ["\x00", "%ED%A0%80", "\U0010ffff", "a" * 300, "..", "%00", "💥", "\u202e", "'; --"]
"""Texts that have broken other services."""


@dataclass
class Tally:
    """How many requests were made, by operation and status, and which were answered otherwise than declared."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


@contextmanager
def service(folder: Path) -> Iterator[TestClient]:
    """A service with living knowledge, conversations in SQLite, and an engine that decides over fake models."""

    def build(snapshot: KnowledgeSnapshot) -> Engine:
        return tiny_engine(knowledge_of(tiny_knowledge(), snapshot))

    def clock() -> datetime:
        return datetime.now(UTC)

    with opened("sqlite", folder) as store:
        shop = open_shop(store, tiny_knowledge(), embed=embed_characters, build=build, clock=clock)
        desk = Desk(shop.records, clock=clock, live=Still(shop.live))  # type: ignore[arg-type]
        app = create_app(Settings(), shop.live.engine, log=open_log(io.StringIO()), memory=SqlMemory(store), desk=desk)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def names(client: TestClient) -> dict[str, list[str]]:
    """Things that exist, by the parameter that names them."""
    body = {"text": "怎么取消订单", "conversation_id": "c-1", "message_id": "m-1"}
    answer = client.post("/v1/answer", json=body).json()
    client.post("/v1/answer", json={"text": "转人工", "conversation_id": "c-2"})
    entries = [entry["id"] for entry in client.get("/v1/faq").json()["items"]]
    return {
        "conversation_id": ["c-1", "c-2", *HARD],
        "answer_id": [answer["answer_id"], *HARD],
        "id": [*entries, "default", *HARD],
        "before": ["1", "2"],
        "after": ["1"],
        "if-match": ["*", '"x"'],
    }


def run(client: TestClient, cases: int, *, number: int = 0, only: str = "", document: dict[str, Any] | None = None) -> Tally:
    """Make about ``cases`` requests to the operations whose label holds ``only``, the same for each ``number``."""
    schema = schemathesis.openapi.from_dict(document or openapi_document())
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    operations = [one for one in found if only in one.label]
    share = max(1, cases // (2 * len(operations)))
    tally, known = Tally(), names(client)
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _fuzz(client, operation, mode, share, known, tally, number)
    return tally


def _fuzz(client: TestClient, operation: Any, mode: GenerationMode, share: int, known: Any, tally: Tally, number: int) -> None:
    @seed(number)
    @settings(max_examples=share, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def test(case: Case[Any], data: st.DataObject) -> None:
        _name(case, known, data)
        request = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
        headers: Any = dict(request.headers)
        content: Any = request.body
        response = client.request(str(request.method), str(request.url), headers=headers, content=content)
        tally.requests[f"{operation.label} {response.status_code}"] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except (FailureGroup, Failure) as error:
            _note(tally, operation.label, response, error, request)

    with suppress(Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
        test()


def _name(case: Case[Any], known: dict[str, list[str]], data: st.DataObject) -> None:
    """Let about half of the parameters name what exists."""
    for place in (case.path_parameters, case.query, case.headers):
        for name in list(place or ()):
            if name.lower() in known and data.draw(st.booleans()):
                place[name] = data.draw(st.sampled_from(known[name.lower()]))


def _note(tally: Tally, label: str, response: Any, error: BaseException, request: requests.PreparedRequest) -> None:
    for part in getattr(error, "exceptions", [error]):
        sent = f"{request.method} {request.url} {dict(request.headers)} {request.body!r:.600}"
        told = f"{sent} -> {response.text[:300]} {str(part)[:300]}"
        tally.failures.setdefault(f"{label} {response.status_code} {type(part).__name__}", told)
