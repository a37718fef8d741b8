"""What the calls answer when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.fakes import PERSON
from tests.serving_kit import TEXT, Site, open_site
from yingda.domain.message import Channel, Tier


@pytest.fixture(name="site")
def fixture_site() -> Iterator[Site]:
    with open_site() as site:
        yield site


def test_classify_answers_as_the_contract_says(site: Site) -> None:
    response = site.client.post("/v1/classify", json={"text": TEXT, "language": None, "top_k": 2})

    assert response.status_code == 200
    assert response.json() == {
        "language": {"code": "zh", "confidence": 0.99},
        "intent": {"code": "ORDER_LOGISTICS", "name": "物流查询", "category": "ORDER", "confidence": 0.97},
        "decision": "accept",
        "ranking": [
            {"code": "ORDER_LOGISTICS", "confidence": 0.97},
            {"code": "COMPLAINT_DELAY", "confidence": 0.02},
        ],
        "sentiment": {
            "label": "negative",
            "confidence": 0.81,
            "scores": {"positive": 0.01, "neutral": 0.16, "negative": 0.81, "angry": 0.02},
        },
        "priority": "medium",
        "keywords": [{"text": "快递", "intent": "ORDER_LOGISTICS"}],
        "entities": [{"type": "order_no", "text": "DD***0001", "start": 3, "end": 12}],
        "model": {"version": "2026.11.1", "sha256": "ab" * 32},
        "timing_ms": {"total": 3.1, "tokenize": 0.1, "encode": 2.4, "decide": 0.3},
    }


def test_answer_answers_as_the_contract_says(site: Site) -> None:
    body = site.client.post("/v1/answer", json={"text": TEXT}).json()

    assert body["outcome"] == "answered"
    assert body["reply"] == {
        "text": "您好，\n请稍等。\n祝您愉快。",
        "parts": {"greeting": "您好，", "confirm": "", "solution": "请稍等。", "next": "", "closing": "祝您愉快。"},
        "template": {"id": "default", "version": "1.0"},
        "language": "zh",
        "subject": None,
        "segments": [],
        "blocked": [],
    }
    assert body["faq"] == {"id": "logistics-stuck", "question": "物流几天没更新", "confidence": 0.96}
    assert body["candidates"] == [{"id": "logistics-stuck", "confidence": 0.96, "similarity": 0.91}]
    assert body["classification"]["intent"]["code"] == "ORDER_LOGISTICS"
    assert body["missing"] == ["order_no"]
    assert body["handoff"] == {
        "required": False,
        "reasons": [],
        "skill": None,
        "priority": "medium",
        "notify": [],
        "tags": [],
        "released": True,
    }
    assert body["second_response"] is False
    assert body["rollout"] == {"arm": "automated", "release": "2026.11.1", "send": True, "revision": None}
    assert body["explanation"] == [{"step": "match", "detail": "logistics-stuck 0.96"}]
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", body["answer_id"])
    assert body["timing_ms"] == {"total": 3.1}


def test_a_handoff_names_its_reason_and_sends_no_entry(site: Site) -> None:
    body = site.client.post("/v1/answer", json={"text": PERSON}).json()

    assert body["outcome"] == "handoff"
    assert body["faq"] is None
    assert body["handoff"]["reasons"] == ["requested"]


def test_the_message_reaches_the_engine_with_everything_the_caller_knows(site: Site) -> None:
    customer = {"id": "u-42", "name": "王小明", "gender": "male", "tier": "vip"}
    sent = {
        "text": " 快递三天没动了 ",
        "conversation_id": "c-1",
        "message_id": "m-1",
        "channel": "wechat",
        "language": "zh-CN",
        "customer": customer,
        "context": {"订单号": "DD20260001"},
        "dry_run": True,
    }

    assert site.client.post("/v1/answer", json=sent).status_code == 200

    [message] = site.engine.messages
    assert message.text == sent["text"]
    assert (message.conversation_id, message.message_id, message.language) == ("c-1", "m-1", "zh-CN")
    assert message.channel is Channel.WECHAT
    assert message.customer is not None
    assert (message.customer.id, message.customer.name, message.customer.tier) == ("u-42", "王小明", Tier.VIP)
    assert message.context == {"订单号": "DD20260001"}


@pytest.mark.parametrize(("language", "name"), [("en", "parcel tracking"), ("fr", "parcel tracking"), ("und", "物流查询")])
def test_names_come_in_the_language_of_the_message(site: Site, language: str, name: str) -> None:
    body = site.client.post("/v1/classify", json={"text": "x", "language": language}).json()
    assert body["intent"]["name"] == name


def test_the_question_comes_in_the_language_of_the_reply(site: Site) -> None:
    body = site.client.post("/v1/answer", json={"text": "my parcel is stuck"}).json()
    assert body["faq"]["question"] == "My parcel does not move"


@pytest.mark.parametrize("length", [1, 2000])
def test_the_longest_and_the_shortest_text_are_served(site: Site, length: int) -> None:
    text = "  " + "物" * length + "\n"
    assert site.client.post("/v1/classify", json={"text": text}).status_code == 200


def test_a_batch_answers_each_item_in_order_and_bad_ones_fail_alone(site: Site) -> None:
    items = [{"text": TEXT}, {"text": " "}, {"text": PERSON}, "no object", {"text": "x", "extra": 1}]

    body = site.client.post("/v1/answer/batch", json={"items": items}).json()

    assert [result["status"] for result in body["results"]] == [200, 422, 200, 422, 422]
    assert body["results"][0]["result"]["outcome"] == "answered"
    assert body["results"][2]["result"]["outcome"] == "handoff"
    problem = body["results"][1]["problem"]
    assert problem["code"] == "validation_failed"
    assert problem["errors"][0]["pointer"] == "/items/1/text"
    assert problem["errors"][0]["code"] == "text_blank"
    assert body["results"][3]["problem"]["errors"][0]["pointer"] == "/items/3"
    assert body["results"][4]["problem"]["errors"][0]["pointer"] == "/items/4/extra"
    assert [len(call) for call in site.engine.calls] == [2]


def test_a_batch_without_any_good_item_asks_the_engine_nothing(site: Site) -> None:
    response = site.client.post("/v1/classify/batch", json={"items": [{}, {"text": 3}]})

    assert response.status_code == 200
    assert [result["status"] for result in response.json()["results"]] == [422, 422]
    assert site.engine.calls == []


def test_items_of_a_batch_keep_their_own_top_k(site: Site) -> None:
    items = [{"text": "a", "top_k": 1}, {"text": "b"}, {"text": "c", "top_k": 1}]

    body = site.client.post("/v1/classify/batch", json={"items": items}).json()

    assert [len(result["result"]["ranking"]) for result in body["results"]] == [1, 3, 1]


def test_a_batch_answers_as_single_calls_do(site: Site) -> None:
    single = site.client.post("/v1/classify", json={"text": TEXT}).json()
    batch = site.client.post("/v1/classify/batch", json={"items": [{"text": TEXT}]}).json()
    assert batch["results"][0]["result"] == single


def test_a_batch_takes_256_items(site: Site) -> None:
    body = site.client.post("/v1/classify/batch", json={"items": [{"text": "x"}] * 256}).json()
    assert len(body["results"]) == 256


def test_answer_ids_rise(site: Site) -> None:
    body = site.client.post("/v1/answer/batch", json={"items": [{"text": "x"}] * 50}).json()
    ids = [result["result"]["answer_id"] for result in body["results"]]
    assert ids == sorted(set(ids))


def test_intents_give_the_taxonomy(site: Site) -> None:
    body = site.client.get("/v1/intents").json()

    assert body["version"] == 1
    assert [category["code"] for category in body["categories"]] == ["ORDER", "COMPLAINT"]
    assert [intent["code"] for intent in body["categories"][0]["intents"]] == ["ORDER_LOGISTICS", "ORDER_CANCEL"]
    assert body["categories"][0]["intents"][0]["names"] == {"zh": "物流查询", "en": "parcel tracking"}


def test_a_ready_server_names_its_bundle(site: Site) -> None:
    assert site.client.get("/livez").json() == {"status": "ok"}
    assert site.client.get("/readyz").json() == {
        "status": "ready",
        "bundle": {"version": "2026.11.1", "sha256": "ab" * 32},
        "bundle_failing": None,
        "knowledge": None,
        "store": None,
    }


@pytest.mark.parametrize("path", ["/livez", "/v1/intents", "/metrics"])
def test_head_answers_as_get_without_a_body(site: Site, path: str) -> None:
    response = site.client.head(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(("path", "method"), [("/v1/answer", "POST"), ("/v1/intents", "GET")])
def test_options_tell_the_method(site: Site, path: str, method: str) -> None:
    response = site.client.options(path)
    assert response.status_code == 204
    assert method in response.headers["allow"]


def test_chinese_is_sent_as_it_is_written(site: Site) -> None:
    assert "物流查询".encode() in site.client.post("/v1/classify", json={"text": TEXT}).content
