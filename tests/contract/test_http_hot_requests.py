"""The fast readers take a subset of what the schemas take, and understand it in the same way."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.body import parse_json
from serving.calls import AnswerCall, ClassifyCall
from serving.digest import digest_of
from serving.errors import ProblemError
from serving.hot_requests import read_answer, read_classify
from serving.request_schemas import AnswerRequest, ClassifyRequest
from yingda.domain.message import Channel, Customer, Message, Tier

# ---------------------------------------------------------------- what FastAPI's routes understand


def slowly_answer(body: bytes) -> AnswerCall | None:
    """As the route of /v1/answer reads it; None where it answers with a problem."""
    try:
        return AnswerRequest.model_validate(parse_json(body)).call()
    except (ProblemError, ValidationError):
        return None


def slowly_classify(body: bytes) -> ClassifyCall | None:
    """As the route of /v1/classify reads it; None where it answers with a problem."""
    try:
        return ClassifyRequest.model_validate(parse_json(body)).call()
    except (ProblemError, ValidationError):
        return None


def check(body: bytes) -> None:
    """Whatever is read fast is read the same slowly."""
    fast, slow = read_answer(body), slowly_answer(body)
    assert fast is None or fast == slow
    assert fast is None or slow is None or list(fast.message.context) == list(slow.message.context)
    ranked = read_classify(body)
    assert ranked is None or ranked == slowly_classify(body)


# ---------------------------------------------------------------- documents, good and bad

BLANKS = st.text(" \t\n\r", max_size=2)
CHARACTERS = st.sampled_from(['"', "\\", ":", "：", "\x00", "\x1f", "\x7f", "\ufeff", "\u2028", "a", "快", "😀", "\ud800", "\udc00"])
TEXTS = st.text(CHARACTERS | st.characters(codec=None, exclude_categories=()), max_size=8)
FIELDS = ["text", "language", "top_k", "conversation_id", "message_id", "channel", "customer", "context", "dry_run", "id", "name", "tier"]
WORDS = ["zh", "zh-CN", "zh\n", "web", "wechat", "vip", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 500, "x" * 501, "x" * 2001, " x "]
TEXTS_OR_WORDS = TEXTS | st.sampled_from(WORDS)
NUMBERS = ["0", "-0", "1", "50", "51", "3.0", "3e0", "03", "+3", "0x3", "1e999", "9" * 20, "9" * 21, "NaN", "-Infinity", "1_0"]


@st.composite
def strings(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS_OR_WORDS) -> str:
    """A string of a document; each character as it is, in its short escape or in its long one."""
    text, way = draw(texts), draw(st.sampled_from(["json", "json", "raw", "\\u{:04x}", "\\u{:04X}"]))
    return '"' + "".join(_written(char, way) for char in text) + '"'


def _written(char: str, way: str) -> str:
    if way == "raw":
        return char
    return json.dumps(char)[1:-1] if way == "json" or ord(char) > 0xFFFF else way.format(ord(char))


SCALARS = strings() | st.sampled_from([*NUMBERS, "true", "false", "null", "True", '"', ""])


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """An object, whose keys may come twice."""
    keys = strings(st.sampled_from(FIELDS)) | strings()
    pairs = draw(st.lists(st.tuples(BLANKS, keys, BLANKS, values, BLANKS), max_size=5))
    end = draw(st.sampled_from(["}", "}", "}", "}", ",}", "", "}}"]))
    return "{" + ",".join(f"{a}{key}{b}:{value}{c}" for a, key, b, value, c in pairs) + end


DOCUMENTS = objects(st.recursive(SCALARS, lambda inner: objects(inner) | inner.map(lambda one: f"[{one}]"), max_leaves=6))

ID = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
SHORT = st.none() | ID | st.just("")
GOOD = st.fixed_dictionaries(
    {"text": ID.filter(lambda text: text.strip() != "")},
    optional={
        "conversation_id": st.none() | ID,
        "message_id": st.none() | ID,
        "channel": st.sampled_from([channel.value for channel in Channel]),
        "language": st.none() | st.sampled_from(["zh", "zh-CN", "en", "yue-Hant-HK"]),
        "customer": st.none()
        | st.fixed_dictionaries({"id": ID}, optional={"name": SHORT, "gender": SHORT, "tier": st.sampled_from(list(Tier))}),
        "context": st.dictionaries(ID, SHORT.filter(lambda value: value is not None), max_size=4),
        "dry_run": st.booleans(),
    },
)


@settings(max_examples=600)
@given(DOCUMENTS)
def test_any_document_is_understood_alike_or_left_alone(document: str) -> None:
    check(document.encode("utf-8", "surrogatepass"))


@settings(max_examples=300)
@given(GOOD, st.data())
def test_a_good_request_with_something_put_into_it_is_understood_alike_or_left_alone(request: dict[str, Any], data: st.DataObject) -> None:
    body = json.dumps(request, ensure_ascii=data.draw(st.booleans())).encode()
    place = data.draw(st.integers(0, len(body)))
    inserted = data.draw(
        st.sampled_from([b'"text":"y",', b'"x":"y",', b",", b":", b'"', b"\\u003a", b"\\u0000", b"\x00", b"\\", b"\xff", b"\xed\xa0\x80"])
    )
    check(body[:place] + inserted + body[place + data.draw(st.integers(0, 2)) :])


@settings(max_examples=300)
@given(GOOD, st.booleans(), st.sampled_from([None, 1]))
def test_every_good_request_is_read_fast(request: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(request, ensure_ascii=ascii_only, indent=indent).encode()
    # escapes that nobody needs to write are looked at by the other reader
    if b"\\u003" not in body:
        assert read_answer(body) is not None
    check(body)


@settings(max_examples=100)
@given(st.fixed_dictionaries({"text": st.just("快递")}, optional={"top_k": st.integers(1, 50), "language": st.none() | st.just("zh")}))
def test_every_good_request_to_classify_is_read_fast(request: dict[str, Any]) -> None:
    body = json.dumps(request).encode()
    assert read_classify(body) == slowly_classify(body) is not None


TWICE = [
    '{"text":"a","text":"b"}',
    '{"text":"a","te\\u0078t":"b"}',
    '{"text":"a\\u003ab","text":"b"}',
    '{"text":"\\u003A","text":"a"}',
    '{"text":"b","message_id":null,"message_id":"m"}',
    '{"text":"b","customer":null,"customer":{"id":"1"}}',
    '{"text":"b","customer":{"id":"1","id":"2"}}',
    '{"text":"b","context":{"a":"1","a":"2"}}',
    '{"text":"b","context":{"a:":"1","a\\u003a":"2"}}',
    '{"text":"b","context":{"a":"1"},"context":{}}',
    '{"text":"b","dry_run":true,"dry_run":true}',
]
DOUBTFUL = [
    '{"text":"a\\u0000"}',
    '{"text":"a","message_id":"\\u0000"}',
    '{"text":"a","context":{"\\u0000":"x"}}',
    '{"text":"\\ud800"}',
    '{"text":"\\udc00\\ud800"}',
    '{"text":"a","context":{"\\udc00":"x"}}',
    '{"text":" \\u3000"}',
    '{"text":"a","language":"zh\\n"}',
    '{"text":"a","language":""}',
    '{"text":"a","channel":null}',
    '{"text":"a","context":null}',
    '{"text":"a","dry_run":null}',
    '{"text":"a","dry_run":1}',
    '{"text":"a","customer":{"id":""}}',
    '{"text":"a","customer":{"id":"1","tier":null}}',
    '{"text":"a","customer":[]}',
    '{"text":"a","txet":1}',
    '{"text":"a"} x',
    '\ufeff{"text":"a"}',
    "[]",
    "null",
    "",
]


@pytest.mark.parametrize("document", TWICE + DOUBTFUL)
def test_what_is_doubtful_is_left_alone(document: str) -> None:
    assert read_answer(document.encode()) is None
    assert slowly_answer(document.encode()) is None


@pytest.mark.parametrize("top_k", ["0", "51", "3.0", "3e0", "true", '"3"', "null", "9" * 30, "NaN", "1e999"])
def test_a_doubtful_number_is_left_alone(top_k: str) -> None:
    assert read_classify(f'{{"text":"a","top_k":{top_k}}}'.encode()) is None


@pytest.mark.parametrize("body", [b"\xff", b'{"text":"\xed\xa0\x80"}', '{"text":"é"}'.encode("latin-1"), '{"text":"x"}'.encode("utf-16")])
def test_another_encoding_is_left_alone(body: bytes) -> None:
    assert (read_answer(body), read_classify(body)) == (None, None)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"text":' * 100_000, b'{"a":' * 100_000, b'{"text":"x","top_k":' + b"9" * 100_000 + b"}"]
)
def test_depth_and_length_are_left_alone(body: bytes) -> None:
    assert (read_answer(body), read_classify(body)) == (None, None)


@pytest.mark.parametrize("count", [32, 33])
def test_a_limit_is_the_same_for_both(count: int) -> None:
    check(json.dumps({"text": "x", "context": {str(number): "v" * 500 for number in range(count)}}).encode())
    assert (read_answer(json.dumps({"text": "x", "context": {str(n): "" for n in range(count)}}).encode()) is not None) == (count == 32)


# ---------------------------------------------------------------- the digest


@settings(max_examples=300)
@given(GOOD)
@example({"text": '\x01\x08\x0c\x1f\x7f"\\/\u2028<', "customer": {"id": "1"}})
def test_the_digest_is_that_of_the_request_as_its_schema_writes_it(request: dict[str, Any]) -> None:
    model = AnswerRequest.model_validate(parse_json(json.dumps(request).encode()))
    assert model.call().digest == sha256(model.model_dump_json().encode()).hexdigest()


def test_the_digest_stays_as_it_is_between_releases() -> None:
    assert digest_of(Message("快递三天没动了")) == "4e26350aaa0e826f82e0a1cf20019dc85d3cb335de12f6d93673ae18f15899b2"
    customer = Customer("u-42", name="王小明", gender="male", tier=Tier.VIP)
    message = Message("快", Channel.WECHAT, "zh", "c-1001", "m-1", customer, {"订单号": "DD20260001"})
    assert digest_of(message, dry_run=True) == "4b8a0a99f4066cb01a052483aeb50c3806001a653dbc971bf7b57df24ec4bcc0"
