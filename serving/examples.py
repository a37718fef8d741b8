"""Examples of the OpenAPI document: what is sent to the engine's calls, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from serving.errors import EXAMPLE

Examples = dict[str, Any]

TEXT = "快递三天没动了"

CLASSIFICATION: Examples = {
    "language": {"code": "zh", "confidence": 1.0},
    "intent": {"code": "ORDER_LOGISTICS", "name": "物流查询", "category": "ORDER", "confidence": 0.98},
    "decision": "accept",
    "ranking": [
        {"code": "ORDER_LOGISTICS", "confidence": 0.98},
        {"code": "COMPLAINT_DELAY", "confidence": 0.01},
        {"code": "ORDER_DELIVERY_ISSUE", "confidence": 0.0},
    ],
    "sentiment": {
        "label": "negative",
        "confidence": 0.7,
        "scores": {"positive": 0.01, "neutral": 0.27, "negative": 0.7, "angry": 0.02},
    },
    "priority": "medium",
    "keywords": [{"text": "快递", "intent": "ORDER_LOGISTICS"}],
    "entities": [],
    "model": {"version": "2026.11.4", "sha256": "0" * 64},
    "timing_ms": {"total": 6.1, "tokenize": 0.1, "encode": 5.5, "decide": 0.5},
}

ANSWER: Examples = {
    "outcome": "answered",
    "reply": {
        "text": "您好，这里是云杉优选。\n跨省运输中转信息可能更新得慢，发货后一般 2–5 天送达。\n想找真人客服，回复“人工”就行。",
        "parts": {
            "greeting": "您好，这里是云杉优选。",
            "confirm": "",
            "solution": "跨省运输中转信息可能更新得慢，发货后一般 2–5 天送达。",
            "next": "想找真人客服，回复“人工”就行。",
            "closing": "",
        },
        "template": {"id": "default", "version": "1.1"},
        "language": "zh",
        "subject": None,
        "segments": [],
        "blocked": [],
    },
    "faq": {"id": "logistics-stuck", "question": "物流好几天没更新怎么办", "confidence": 0.98},
    "candidates": [
        {"id": "logistics-stuck", "confidence": 0.98, "similarity": 0.91},
        {"id": "logistics-where", "confidence": 0.01, "similarity": 0.62},
    ],
    "classification": CLASSIFICATION,
    "missing": ["order_no", "tracking_no"],
    "handoff": {
        "required": False,
        "reasons": [],
        "skill": None,
        "priority": "medium",
        "notify": [],
        "tags": [],
        "released": True,
    },
    "second_response": False,
    "rollout": {"arm": "automated", "release": "2026.11.4", "send": True, "revision": None},
    "explanation": [{"step": "match", "detail": "logistics-stuck 0.98 >= 0.90"}, {"step": "rule", "id": "vip-stuck", "fired": True}],
    "answer_id": "01JD0Z5T9V8M3K7Q2W4X6Y1ABC",
    "stored": True,
    "timing_ms": {"total": 6.1},
}

CLASSIFY_REQUESTS: Examples = {
    "plain": {"summary": "Text alone", "value": {"text": TEXT}},
    "full": {"summary": "In English, with five intents", "value": {"text": "Where is my parcel?", "language": "en", "top_k": 5}},
}

ANSWER_REQUESTS: Examples = {
    "plain": {"summary": "Text alone", "value": {"text": TEXT}},
    "full": {
        "summary": "Everything the caller knows",
        "value": {
            "text": TEXT,
            "conversation_id": "c-1001",
            "message_id": "m-1",
            "channel": "wechat",
            "customer": {"id": "u-42", "name": "王小明", "gender": "male", "tier": "vip"},
            "context": {"订单号": "DD20260001"},
        },
    },
    "dry-run": {"summary": "Decide and tell, store nothing", "value": {"text": TEXT, "dry_run": True}},
}

BATCH_REQUESTS: Examples = {
    "two": {"summary": "Two messages", "value": {"items": [{"text": TEXT}, {"text": "什么时候发货"}]}},
}

_REFUSED: Examples = {
    "status": 422,
    "problem": {**EXAMPLE, "errors": [{**error, "pointer": f"/items/1{error['pointer']}"} for error in EXAMPLE["errors"]]},
}


def _in_batch(result: Examples) -> Examples:
    return {"results": [{"status": 200, "result": result}, _REFUSED]}


_TOLD: Mapping[str, tuple[str, Examples]] = MappingProxyType(
    {
        "/v1/classify": ("A complaint about a parcel", CLASSIFICATION),
        "/v1/classify/batch": ("The first message is good, the second blank", _in_batch(CLASSIFICATION)),
        "/v1/answer": ("An entry answers, and the reply asks for the order", ANSWER),
        "/v1/answer/batch": ("The first message is good, the second blank", _in_batch(ANSWER)),
    }
)


def show_responses(document: dict[str, Any]) -> None:
    """Put an example of each response into an OpenAPI ``document``, nulls included, which FastAPI would leave out."""
    for path, (summary, value) in _TOLD.items():
        content = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
        content["examples"] = {"usual": {"summary": summary, "value": value}}
