"""A reply that would show personal data: another one is sent, and the counter of replies held back rises."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from serving.app import create_app
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import tiny_engine, tiny_knowledge

MOBILE, NAME = "13812345678", "王小红"
ASKED: dict[str, Any] = {"text": "什么时候发货", "conversation_id": "c-1"}


@pytest.fixture(name="client")
def fixture_client() -> Iterator[TestClient]:
    """The tiny shop, whose answer says the order's number back to the customer."""
    shop = tiny_knowledge()
    entry = replace(shop.faq["ship-when"], answer={"zh": "订单{订单号}明天发出。"}, ask=())
    engine = tiny_engine(replace(shop, faq={**shop.faq, "ship-when": entry}))
    with TestClient(create_app(Settings(), engine, log=open_log(io.StringIO()))) as client:
        yield client


def blocked(client: TestClient) -> dict[str, float]:
    """How many replies were held back, by kind."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples if sample.name == "yingda_replies_blocked_total")
    return {sample.labels["kind"]: sample.value for sample in samples}


def ask(client: TestClient, **fields: Any) -> Any:
    response = client.post("/v1/answer", json={**ASKED, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def test_a_reply_that_would_show_personal_data_is_held_back_and_counted(client: TestClient) -> None:
    sent = ask(client, message_id="1", context={"订单号": "DD2026"})
    assert sent["outcome"] == "answered" and "DD2026" in sent["reply"]["text"]
    assert (sent["reply"]["blocked"], blocked(client)) == ([], {})

    held = ask(client, message_id="2", context={"订单号": MOBILE})
    assert MOBILE not in str(held)
    assert (held["outcome"], held["reply"]["blocked"]) == ("no_answer", ["手机号"])
    assert "人工" in held["reply"]["text"]
    assert blocked(client) == {"手机号": 1}


def test_each_kind_is_counted_by_itself_and_a_message_sent_again_once(client: TestClient) -> None:
    both = {"context": {"订单号": f"{NAME} {MOBILE}"}, "customer": {"id": "u-1", "name": NAME}}
    first, again = (ask(client, message_id="1", **both) for _ in range(2))

    assert first["reply"]["blocked"] == ["姓名", "手机号"]
    assert again["reply"] == first["reply"]
    assert not any(private in str(first) for private in (NAME, MOBILE))
    assert blocked(client) == {"姓名": 1, "手机号": 1}

    ask(client, message_id="2", context={"订单号": MOBILE})
    assert blocked(client) == {"姓名": 1, "手机号": 2}
