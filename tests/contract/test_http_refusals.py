"""Bad input: always a problem, never a 5xx, and never the customer's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving_kit import Site, call_raw, open_site

SECRET = "我的密码是hunter2"
JSON = {"content-type": "application/json"}
LIMIT = 256 * 1024


@pytest.fixture(name="site", scope="module")
def fixture_site() -> Iterator[Site]:
    with open_site() as site:
        yield site


def post(site: Site, body: bytes | str, path: str = "/v1/answer", headers: dict[str, str] | None = None) -> Any:
    content = body.encode() if isinstance(body, str) else body
    return site.client.post(path, content=content, headers=headers or JSON)


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"}
    assert body["status"] == status
    assert body["type"] == f"urn:yingda:problem:{code}"
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["instance"].endswith(body["request_id"])
    return True


FIELDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no text", {}, "/text", "missing"),
    ("null", {"text": None}, "/text", "string_type"),
    ("number", {"text": 12345678901}, "/text", "string_type"),
    ("empty", {"text": ""}, "/text", "text_blank"),
    ("blank", {"text": " \n\t　"}, "/text", "text_blank"),
    ("too long", {"text": SECRET + "长" * 2000}, "/text", "text_too_long"),
    ("NUL", {"text": SECRET + "\x00"}, "/text", "text_has_nul"),
    ("unknown field", {"text": SECRET, "txet": SECRET}, "/txet", "extra_forbidden"),
    ("unknown field of odd name", {"text": SECRET, SECRET: 1}, "", "extra_forbidden"),
    ("unknown field of long name", {"text": SECRET, "a" * 65: 1}, "", "extra_forbidden"),
    ("channel", {"text": SECRET, "channel": SECRET}, "/channel", "enum"),
    ("channel of another type", {"text": SECRET, "channel": 1}, "/channel", "enum"),
    ("language", {"text": SECRET, "language": SECRET}, "/language", "string_pattern_mismatch"),
    ("language with line end", {"text": SECRET, "language": "zh\n"}, "/language", "string_pattern_mismatch"),
    ("dry_run", {"text": SECRET, "dry_run": "true"}, "/dry_run", "bool_type"),
    ("long id", {"text": SECRET, "message_id": SECRET * 20}, "/message_id", "string_too_long"),
    ("empty id", {"text": SECRET, "conversation_id": ""}, "/conversation_id", "string_too_short"),
    ("NUL in id", {"text": SECRET, "conversation_id": "a\x00"}, "/conversation_id", "nul_character"),
    ("customer", {"text": SECRET, "customer": SECRET}, "/customer", "model_type"),
    ("customer id", {"text": SECRET, "customer": {"name": SECRET}}, "/customer/id", "missing"),
    ("customer tier", {"text": SECRET, "customer": {"id": "1", "tier": SECRET}}, "/customer/tier", "enum"),
    ("NUL in name", {"text": SECRET, "customer": {"id": "1", "name": "\x00"}}, "/customer/name", "nul_character"),
    ("context", {"text": SECRET, "context": [SECRET]}, "/context", "dict_type"),
    ("context value", {"text": SECRET, "context": {SECRET: 7}}, "/context", "string_type"),
    ("context long value", {"text": SECRET, "context": {"order": SECRET * 99}}, "/context/order", "string_too_long"),
    ("context long key", {"text": SECRET, "context": {SECRET * 9: "x"}}, "/context", "string_too_long"),
    ("context NUL", {"text": SECRET, "context": {"order": "a\x00"}}, "/context/order", "nul_character"),
    ("context size", {"text": SECRET, "context": {str(i): SECRET for i in range(33)}}, "/context", "too_long"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), [f[1:] for f in FIELDS], ids=[f[0] for f in FIELDS])
def test_a_bad_field_is_named_without_its_value(site: Site, body: dict[str, Any], pointer: str, code: str) -> None:
    response = post(site, json.dumps(body))

    assert is_problem(response, 422, "validation_failed")
    error = response.json()["errors"][0]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert SECRET not in response.text + site.stream.getvalue()


@pytest.mark.parametrize("top_k", [0, -1, 51, 2.0, 1.5, "3", True, None, 10**19])
def test_top_k_is_a_small_whole_number(site: Site, top_k: object) -> None:
    response = post(site, json.dumps({"text": SECRET, "top_k": top_k}), "/v1/classify")
    assert is_problem(response, 422, "validation_failed")
    assert response.json()["errors"][0]["pointer"] == "/top_k"


@pytest.mark.parametrize("field", ["text", "message_id", "conversation_id", "language"])
@pytest.mark.parametrize("surrogate", [r"\ud800", r"\uDFFF", r"\udc00\ud800"])
def test_a_lone_surrogate_is_refused_in_every_string(site: Site, field: str, surrogate: str) -> None:
    fields = {"text": SECRET, field: SECRET + "@"}
    response = post(site, json.dumps(fields).replace("@", surrogate))
    assert is_problem(response, 422, "validation_failed")
    assert response.json()["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.parametrize("body", [r'{"text":"x","customer":{"id":"\ud800"}}', r'{"text":"x","context":{"a":"\ud800"}}'])
def test_a_lone_surrogate_is_refused_inside_objects(site: Site, body: str) -> None:
    assert is_problem(post(site, body), 422, "validation_failed")


@pytest.mark.parametrize(("key", "code"), [(r"\ud800", "key_not_unicode"), (r"a\u0000", "key_has_nul"), (r"\udfff订单", "key_not_unicode")])
def test_a_key_of_broken_unicode_is_refused(site: Site, key: str, code: str) -> None:
    assert is_problem(post(site, '{"text":"x","context":{"@":"y"}}'.replace("@", key)), 422, code)
    assert is_problem(post(site, '{"text":"x","@":"y"}'.replace("@", key)), 422, code)


def test_a_surrogate_pair_is_a_character(site: Site) -> None:
    assert post(site, r'{"text":"\ud83d\ude00"}').status_code == 200


DEEP = 10_000
DOCUMENTS: list[tuple[str, bytes, int, str]] = [
    ("half", b'{"text": "hunter2', 400, "invalid_json"),
    ("not JSON", SECRET.encode(), 400, "invalid_json"),
    ("two documents", b'{"text":"x"}{"text":"y"}', 400, "invalid_json"),
    ("trailing comma", b'{"text":"x",}', 400, "invalid_json"),
    ("raw control character", b'{"text":"a\x00b"}', 400, "invalid_json"),
    ("byte order mark", b'\xef\xbb\xbf{"text":"x"}', 400, "invalid_json"),
    ("NaN", b'{"text":"x","top_k":NaN}', 400, "invalid_json"),
    ("Infinity", b'{"text":"x","top_k":-Infinity}', 400, "invalid_json"),
    ("Latin-1", '{"text":"é"}'.encode("latin-1"), 400, "invalid_encoding"),
    ("GBK", '{"text":"快递"}'.encode("gbk"), 400, "invalid_encoding"),
    ("UTF-16", '{"text":"x"}'.encode("utf-16"), 400, "invalid_encoding"),
    ("same key twice", b'{"text":"x","text":"y"}', 400, "duplicate_key"),
    ("same key twice below", b'{"text":"x","context":{"a":"1","a":"2"}}', 400, "duplicate_key"),
    ("100,000 digits", b'{"text":"x","top_k":' + b"9" * 100_000 + b"}", 400, "number_too_large"),
    ("100,000 digits and a fraction", b'{"top_k":' + b"9" * 100_000 + b".5}", 400, "number_too_large"),
    ("huge exponent", b'{"text":"x","top_k":1e999999}', 400, "number_too_large"),
    ("deep lists", b"[" * DEEP + b"]" * DEEP, 400, "json_too_deep"),
    ("deep open lists", b"[" * (LIMIT - 1), 400, "json_too_deep"),
    ("deep objects", b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400, "json_too_deep"),
    ("empty", b"", 422, "validation_failed"),
    ("null", b"null", 422, "validation_failed"),
    ("list", b'["hunter2"]', 422, "validation_failed"),
    ("string", b'"hunter2"', 422, "validation_failed"),
    ("nested unknown field", b'{"text":"x","a":' + b"[" * 40 + b"]" * 40 + b"}", 422, "validation_failed"),
]


@pytest.mark.parametrize(("body", "status", "code"), [d[1:] for d in DOCUMENTS], ids=[d[0] for d in DOCUMENTS])
@pytest.mark.parametrize("path", ["/v1/classify", "/v1/answer"])
def test_a_bad_document_is_refused(site: Site, path: str, body: bytes, status: int, code: str) -> None:
    response = post(site, body, path)
    assert is_problem(response, status, code)
    assert "hunter2" not in response.text + site.stream.getvalue()


ENVELOPES: list[Any] = [{}, {"items": []}, {"items": {}}, {"items": None}, {"items": [], "x": 1}, [], {"items": SECRET}]


@pytest.mark.parametrize("envelope", [*ENVELOPES, {"items": [{"text": SECRET}] * 257}])
@pytest.mark.parametrize("path", ["/v1/classify/batch", "/v1/answer/batch"])
def test_a_bad_envelope_fails_as_a_whole(site: Site, path: str, envelope: object) -> None:
    response = post(site, json.dumps(envelope), path)
    assert is_problem(response, 422, "validation_failed")
    assert SECRET not in response.text


def test_bad_items_are_named_without_their_values(site: Site) -> None:
    items = [{"text": SECRET, SECRET: 1}, {"text": SECRET + "\ud800"}, SECRET, {"text": 1, "language": SECRET}]
    response = post(site, json.dumps({"items": items}), "/v1/classify/batch")
    assert [result["status"] for result in response.json()["results"]] == [422] * 4
    assert SECRET not in response.text


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=gbk", "application/jsonl"],
)
def test_another_content_type_is_refused(site: Site, kind: str) -> None:
    assert is_problem(post(site, '{"text":"x"}', headers={"content-type": kind}), 415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_json_may_name_its_charset(site: Site, kind: str) -> None:
    assert post(site, '{"text":"x"}', headers={"content-type": kind}).status_code == 200


def test_a_compressed_body_is_refused(site: Site) -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    assert is_problem(post(site, b"\x1f\x8b", headers=headers), 415, "unsupported_content_encoding")


def padded(length: int) -> bytes:
    return b'{"text":"x"}'.ljust(length)


def test_a_body_of_256_kib_is_read_and_one_byte_more_is_not(site: Site) -> None:
    assert post(site, padded(LIMIT)).status_code == 200
    assert is_problem(post(site, padded(LIMIT + 1)), 413, "body_too_large")


def test_a_declared_length_is_refused_before_anything_is_read(site: Site) -> None:
    for length in (str(LIMIT + 1), "9" * 5000):
        response = call_raw(site.app, "/v1/answer", [b"{}"], headers={**JSON, "content-length": length})
        assert (response.status, response.chunks_read) == (413, 0)


def test_a_chunked_body_is_refused_while_it_arrives(site: Site) -> None:
    chunk = b" " * 65_536
    response = call_raw(site.app, "/v1/answer", [chunk] * 1000, headers=JSON)
    assert (response.status, response.chunks_read) == (413, 5)
    assert json.loads(response.body)["code"] == "body_too_large"


def test_a_body_longer_than_declared_is_refused(site: Site) -> None:
    headers = {**JSON, "content-length": "10"}
    assert call_raw(site.app, "/v1/answer", [b" " * LIMIT, b" "], headers=headers).status == 413


def test_a_body_in_pieces_is_read_whole(site: Site) -> None:
    pieces = [bytes([byte]) for byte in '{"text":"快递"}'.encode()]
    assert call_raw(site.app, "/v1/answer", pieces, headers=JSON).status == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/answer/", "/v1/" + "x" * 4000, "/docs", "/v1/hunter2"])
def test_an_unknown_path_is_a_problem_that_does_not_repeat_it(site: Site, path: str) -> None:
    response = site.client.get(path)
    assert is_problem(response, 404, "not_found")
    assert "hunter2" not in response.text + site.stream.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/answer", "POST"), ("HEAD", "/v1/answer", "POST"), ("POST", "/livez", "GET"), ("BREW", "/livez", "GET")],
)
def test_an_unknown_method_is_a_problem_that_names_the_known(site: Site, method: str, path: str, allowed: str) -> None:
    response = site.client.request(method, path)
    assert response.status_code == 405
    assert allowed in response.headers["allow"]
    assert method == "HEAD" or is_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize("sent", ["abc-1.2_3", "x" * 64])
def test_a_sane_request_id_is_kept(site: Site, sent: str) -> None:
    assert site.client.get("/livez", headers={"x-request-id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a/b", "hunter2;", "é".encode("latin-1")])
def test_any_other_request_id_is_replaced(site: Site, sent: str | bytes) -> None:
    made = site.client.get("/livez", headers=[(b"x-request-id", sent)] if isinstance(sent, bytes) else [("x-request-id", sent)])
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/v1/answer"])
def test_every_response_carries_a_request_id(site: Site, path: str) -> None:
    assert site.client.get(path).headers["x-request-id"]
