"""Originals over HTTP: for those alone who carry the scope, put on record first, and whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from starlette.testclient import TestClient

from serving.app import create_app
from serving.errors import ProblemError
from serving.keys import KeyRing
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes import FakeEngine
from tests.privacy_kit import a_vault
from tests.serving_kit import bearer, key_for
from yingda.store.memory import Memory, VolatileMemory
from yingda.store.vault import Vault

TEXT = "我的电话13800138000，快递三天没动了"
BODY = {"text": TEXT, "conversation_id": "c-1", "message_id": "m-1", "customer": {"id": "u-4200"}}


class Record:
    """Keeps what was put on record; refuses when ``full``."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.full = False

    async def __call__(self, request: Request, action: str, target: str) -> None:
        if self.full:
            raise ProblemError(503, "store_unreachable", "the record cannot be written now")
        self.entries.append((action, target))


@contextmanager
def shop(*scopes: str, vault: Vault | None, memory: Memory | None = None, record: Record | None = None) -> Iterator[TestClient]:
    key = key_for(*scopes)
    app = create_app(
        Settings(),
        FakeEngine(),
        keys=KeyRing([key.record]),
        log=open_log(io.StringIO()),
        memory=memory or VolatileMemory(),
        vault=vault,
        record_unmask=record or Record(),
    )
    with TestClient(app, headers=bearer(key)) as client:
        yield client


def test_without_the_wish_nothing_is_unmasked() -> None:
    with shop("answer", "data:unmask", vault=a_vault()) as client:
        client.post("/v1/answer", json=BODY)
        found = client.get("/v1/conversations/c-1")

    assert found.json()["turns"][0]["original"] is None and "13800138000" not in found.text


def test_with_the_scope_originals_are_told_and_the_reading_is_on_record() -> None:
    record = Record()
    with shop("answer", "data:unmask", vault=a_vault(), record=record) as client:
        client.post("/v1/answer", json=BODY)
        (turn,) = client.get("/v1/conversations/c-1?unmask=true").json()["turns"]

    assert turn["original"] == {"text": TEXT, "customer": "u-4200"}
    assert turn["text"] == "我的电话〔手机号〕，快递三天没动了"
    ((action, target),) = record.entries
    assert action == "conversation.unmask" and "c-1" not in target


def test_without_the_scope_it_is_refused_before_anything_is_read() -> None:
    record = Record()
    with shop("answer", vault=a_vault(), record=record) as client:
        client.post("/v1/answer", json=BODY)
        refused = client.get("/v1/conversations/c-1?unmask=true")
        told = client.app.state.service.metrics.exposition()  # type: ignore[attr-defined]

    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
    assert "leave unmask out" in refused.json()["detail"]
    assert "data:unmask" in refused.headers["www-authenticate"] and record.entries == []
    assert b'yingda_key_refusals_total{reason="scope"} 1.0' in told


def test_what_cannot_be_put_on_record_is_not_told() -> None:
    record = Record()
    with shop("answer", "data:unmask", vault=a_vault(), record=record) as client:
        client.post("/v1/answer", json=BODY)
        record.full = True
        refused = client.get("/v1/conversations/c-1?unmask=true")

    assert refused.status_code == 503 and "13800138000" not in refused.text


def test_without_a_vault_there_are_no_originals() -> None:
    with shop("answer", "data:unmask", vault=None) as client:
        client.post("/v1/answer", json=BODY)
        refused = client.get("/v1/conversations/c-1?unmask=true")

    assert (refused.status_code, refused.json()["code"]) == (409, "no_vault")


def test_turns_from_before_the_vault_have_no_original() -> None:
    memory = VolatileMemory()
    with shop("answer", vault=None, memory=memory) as client:
        client.post("/v1/answer", json=BODY)
    with shop("answer", "data:unmask", vault=a_vault(), memory=memory) as client:
        client.post("/v1/answer", json={**BODY, "message_id": "m-2"})
        turns = client.get("/v1/conversations/c-1?unmask=true").json()["turns"]

    assert [turn["original"] and turn["original"]["text"] for turn in turns] == [None, TEXT]


def test_an_original_that_cannot_be_read_is_an_error_that_tells_nothing() -> None:
    memory = VolatileMemory()
    for number, vault in enumerate((a_vault("k1"), a_vault("k2"))):
        with shop("answer", "data:unmask", vault=vault, memory=memory) as client:
            client.post("/v1/answer", json={**BODY, "message_id": f"m-{number}"})
            last = client.get("/v1/conversations/c-1?unmask=true")

    assert (last.status_code, last.json()["code"]) == (500, "original_unreadable")
    assert "13800138000" not in last.text and "put that key back" in last.json()["detail"]
