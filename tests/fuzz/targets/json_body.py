"""Bodies of requests: the strict reader knows its errors, and the fast readers understand what they take as the schemas do."""

from __future__ import annotations

import json

from pydantic import ValidationError

from serving.body import parse_json
from serving.calls import AnswerCall, ClassifyCall
from serving.errors import ProblemError
from serving.hot_requests import read_answer, read_classify
from serving.request_schemas import AnswerRequest, ClassifyRequest

SEEDS = [
    '{"text":"快递三天没动了","top_k":5,"language":"zh-CN"}'.encode(),
    (
        '{"text":"快递","conversation_id":"c-1","message_id":"m","channel":"wechat","language":null,"customer":{"id":"u","name":"王",'
        '"gender":"female","tier":"vip"},"context":{"订单号":"a:b"},"dry_run":true}'
    ).encode(),
    b'{"text":"\\u5feb\\ud83d\\ude00","context":{"\\u003a":":"},"text":1}',
    b'{"text":1e999,"top_k":123456789012345678901,"a":[[[{"b":NaN}]]],"\\u0000":"\\ud800"}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"[" * 300,
]
WORDS = ["text", "top_k", "language", "conversation_id", "message_id", "channel", "customer", "context", "dry_run", "\\u0000", "\\ud83d"]
MOST_BYTES = 4096


def check(data: bytes) -> None:
    """Raise what must not be."""
    slow, slowly_ranked = _answer(data), _classify(data)
    fast, ranked = read_answer(data), read_classify(data)
    assert fast is None or fast == slow
    assert fast is None or slow is None or list(fast.message.context) == list(slow.message.context)
    assert ranked is None or ranked == slowly_ranked
    _check_reading(data)


def _check_reading(data: bytes) -> None:
    """What the strict reader takes, any reader takes, and understands it so."""
    try:
        found = parse_json(data)
    except ProblemError as error:
        assert error.status_code in (400, 422)
        return
    assert found == json.loads(data.decode())


def _answer(data: bytes) -> AnswerCall | None:
    try:
        return AnswerRequest.model_validate(parse_json(data)).call()
    except (ProblemError, ValidationError):
        return None


def _classify(data: bytes) -> ClassifyCall | None:
    try:
        return ClassifyRequest.model_validate(parse_json(data)).call()
    except (ProblemError, ValidationError):
        return None
