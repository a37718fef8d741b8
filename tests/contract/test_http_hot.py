"""The hot routes answer as FastAPI's routes do: same statuses, same bodies, same access lines, same metrics."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from serving.calls import AnswerCall, ClassifyCall, Ticket
from serving.context import RequestContext, attach
from serving.errors import ProblemError
from serving.hot import HotRoutes
from tests.fakes import PERSON, FakeEngine
from tests.serving_kit import TEXT, Site, bearer, call_raw, key_for, open_site
from yingda.domain.errors import MessageError, StoreError

PATHS = ["/v1/classify", "/v1/answer"]
JSON = {"content-type": "application/json"}
# FastAPI's route takes this header, which says nothing; the hot one leaves whoever sends it to FastAPI.
SLOWLY = {**JSON, "content-encoding": "identity"}
LIMIT = 256 * 1024
OWN = {"answer_id", "request_id", "instance"}
"""Fields that are another one for each request."""


@pytest.fixture(name="site", scope="module")
def fixture_site() -> Iterator[Site]:
    with open_site() as site:
        yield site


def comparable(response: Any) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body without what is another one for each request."""
    body = {name: value for name, value in response.json().items() if name not in OWN}
    return response.status_code, {name: value for name, value in response.headers.items() if name != "x-request-id"}, body


def alike(site: Site, path: str, body: bytes, **headers: str) -> int:
    """The status, after both ways to answer were found to tell the same."""
    fast, slow = (site.client.post(path, content=body, headers={**way, **headers}) for way in (JSON, SLOWLY))
    assert comparable(fast) == comparable(slow)
    return int(fast.status_code)


BODIES = [
    {"text": TEXT},
    {"text": PERSON, "language": None},
    {"text": "my parcel is stuck", "language": "en", "channel": "email"},
    {"text": TEXT, "customer": {"id": "u-42", "name": "王小明", "gender": "male", "tier": "vip"}, "context": {"订单号": "DD20260001"}},
    {"text": TEXT, "conversation_id": "both", "dry_run": True},
    {"text": TEXT, "top_k": 1},
    {"text": " "},
    {},
    {"text": TEXT, "customer": {"id": ""}},
    {"text": TEXT, "txet": 1},
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("path", PATHS)
def test_both_ways_tell_the_same(site: Site, path: str, body: dict[str, Any]) -> None:
    assert alike(site, path, json.dumps(body).encode()) in {200, 422}


JUNK = st.binary(max_size=20) | st.sampled_from(
    [b"{}", b'{"text":"x","text":"y"}', b'{"text":"\\u0000"}', b"\xef\xbb\xbf{}", b"[" * 9999, b""]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["zh", "web", "vip", TEXT])
NAMES = st.sampled_from(["text", "language", "top_k", "channel", "customer", "context", "dry_run", "conversation_id"])
REQUESTS = st.dictionaries(NAMES, VALUES | st.dictionaries(st.sampled_from(["id", "name", "tier", "x"]), VALUES, max_size=3), max_size=4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), body=JUNK | REQUESTS.map(lambda fields: json.dumps({"text": "x", **fields}).encode()))
def test_both_ways_tell_the_same_of_anything(site: Site, path: str, body: bytes) -> None:
    assert alike(site, path, body) in {200, 400, 422}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("length", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (3 * LIMIT, 413)])
def test_both_ways_have_the_same_limit(site: Site, path: str, length: int, status: int) -> None:
    assert alike(site, path, b'{"text":"x"}'.ljust(length)) == status


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1, 5, 4096])
def test_a_body_in_pieces_is_read_alike(site: Site, path: str, size: int) -> None:
    for body in ('{"text":"快递三天没动了"}'.encode(), b'{"text":"a","text":"b"}', b"{"):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        fast, slow = (call_raw(site.app, path, pieces, headers=way) for way in (JSON, SLOWLY))
        assert (fast.status, fast.chunks_read) == (slow.status, slow.chunks_read)
        assert json.loads(fast.body).keys() == json.loads(slow.body).keys()


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_read_beyond_the_limit(site: Site, path: str) -> None:
    fast, slow = (call_raw(site.app, path, [b" " * 100_000] * 99, headers=way) for way in (JSON, SLOWLY))
    assert (fast.status, fast.chunks_read) == (slow.status, slow.chunks_read) == (413, 3)


def test_a_message_told_one_way_is_found_again_the_other_way(site: Site) -> None:
    request = {
        "text": "带 é 和 😀",
        "message_id": "m-1",
        "conversation_id": "c-twice",
        "customer": {"id": "u", "tier": "normal"},
        "context": {"b": "2", "a": ""},
    }
    first, *others = (
        site.client.post("/v1/answer", content=json.dumps(request, ensure_ascii=ascii_only), headers=way)
        for way, ascii_only in [(JSON, False), (SLOWLY, False), (JSON, True), (SLOWLY, True)]
    )
    assert first.status_code == 200
    assert {other.content for other in others} == {first.content}
    changed = json.dumps({**request, "text": "另一句"}).encode()
    assert alike(site, "/v1/answer", changed) == 409


@pytest.mark.parametrize(
    "failure", [StoreError("hunter2", code="store_busy"), MessageError("no", code="text_blank", field="text"), KeyError("hunter2")]
)
def test_errors_of_the_service_are_told_alike(failure: Exception) -> None:
    with open_site() as site:
        site.engine.failure = failure
        statuses = {alike(site, path, b'{"text":"x"}') for path in PATHS}
        assert len(statuses) == 1
        assert statuses <= {422, 500, 503}
        assert "hunter2" not in site.stream.getvalue()


@pytest.mark.parametrize(("path", "scope", "other"), [("/v1/classify", "classify", "answer"), ("/v1/answer", "answer", "classify")])
def test_both_ways_ask_for_the_same_scope(path: str, scope: str, other: str) -> None:
    enough, wrong = key_for(scope), key_for(other)
    with open_site(keys=[enough, wrong]) as site:
        assert alike(site, path, b'{"text":"x"}', **bearer(enough)) == 200
        assert alike(site, path, b'{"text":"x"}', **bearer(wrong)) == 403
        # what is wrong with the body comes first, as it always did
        assert alike(site, path, b"{", **bearer(wrong)) == 400
        assert alike(site, path, b'{"text":"x"}') == 401


@pytest.mark.parametrize("body", [b'{"text":"x"}', b"{}"])
@pytest.mark.parametrize("path", PATHS)
def test_both_ways_leave_the_same_access_line_and_count_alike(path: str, body: bytes) -> None:
    def seen(way: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
        with open_site() as site:
            site.client.post(path, content=body, headers={**way, "x-request-id": "r-1"})
            line = {name: value for name, value in site.log[-1].items() if name not in {"ms", "timestamp"}}
            return line, [
                row for row in site.metrics().splitlines() if not re.search("_sum|_bucket|_created|in_flight|^process_|^python_gc_", row)
            ]

    fast, slow = seen(JSON), seen(SLOWLY)
    assert fast == slow
    assert fast[0]["route"] == path


# ---------------------------------------------------------------- which way is taken


class Recorded:
    """A service and the app behind the hot routes: both only say that they were asked."""

    def __init__(self, told: Any = None) -> None:
        self.told: Any = {"outcome": "answered"} if told is None else told
        self.calls: list[ClassifyCall | AnswerCall] = []
        self.tickets: list[Ticket | None] = []
        self.passed: list[bytes] = []

    async def classify(self, calls: Sequence[ClassifyCall], *, ticket: Ticket | None = None) -> list[dict[str, Any]]:
        self.calls += calls
        self.tickets.append(ticket)
        return [self.told]

    async def answer(self, calls: Sequence[AnswerCall], *, ticket: Ticket | None = None) -> list[Mapping[str, Any] | ProblemError]:
        self.calls += calls
        self.tickets.append(ticket)
        return [self.told]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                body, more = body + b"<left>", False
            else:
                body, more = body + message["body"], message["more_body"]
        self.passed.append(body)


def ask(
    asked: Recorded, body: bytes, *, headers: Sequence[tuple[bytes, bytes]], scopes: frozenset[str] | None = None, **options: Any
) -> list[Message]:
    """What the hot routes alone send for a POST of ``body`` to /v1/answer; ``end`` comes in place of the rest of the body."""
    end, changed = options.pop("end", None), options.pop("scope", {})
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": end is not None}, *([end] if end else [])]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/answer", "root_path": "", "headers": list(headers), **changed}
    attach(scope, RequestContext("r-1", scopes=scopes))
    asyncio.run(HotRoutes(asked, asked, max_body_bytes=LIMIT, **options)(scope, receive, send))
    return sent


PLAIN = [(b"content-type", b"application/json")]


@pytest.mark.parametrize(
    "headers",
    [
        PLAIN,
        [(b"content-type", b"application/json; charset=utf-8")],
        [*PLAIN, (b"content-length", b"12")],
        [*PLAIN, (b"accept-encoding", b"gzip"), (b"authorization", b"Bearer x")],
    ],
)
def test_a_plain_request_is_answered_without_fastapi(headers: list[tuple[bytes, bytes]]) -> None:
    asked = Recorded()
    start, body = ask(asked, b'{"text":"x"}', headers=headers, scopes=frozenset({"answer"}))

    assert asked.passed == []
    assert (start["status"], body["body"]) == (200, b'{"outcome":"answered"}')
    assert dict(start["headers"]) == {b"content-length": b"22", b"content-type": b"application/json"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"application/json; charset=gbk")],
        [*PLAIN, *PLAIN],
        [*PLAIN, (b"content-encoding", b"gzip")],
        [*PLAIN, (b"content-length", str(LIMIT + 1).encode())],
        [*PLAIN, (b"content-length", b"9" * 5000)],
        [*PLAIN, (b"content-length", b"-1")],
    ],
)
def test_doubtful_headers_are_left_to_fastapi(headers: list[tuple[bytes, bytes]]) -> None:
    asked = Recorded()
    assert ask(asked, b'{"text":"x"}', headers=headers) == []
    assert (asked.calls, asked.passed) == ([], [b'{"text":"x"}'])


@pytest.mark.parametrize("changed", [{"method": "GET"}, {"path": "/v1/answer/"}, {"path": "/v1/answer/batch"}, {"root_path": "/v1"}])
def test_other_calls_are_left_to_fastapi(changed: dict[str, str]) -> None:
    asked = Recorded()
    ask(asked, b'{"text":"x"}', headers=PLAIN, scope=changed)
    assert (asked.calls, asked.passed) == ([], [b'{"text":"x"}'])


def test_a_caller_without_the_scope_is_left_to_fastapi() -> None:
    asked = Recorded()
    ask(asked, b'{"text":"x"}', headers=PLAIN, scopes=frozenset({"classify"}))
    assert (asked.calls, asked.passed) == ([], [b'{"text":"x"}'])


def test_whoever_leaves_in_the_middle_of_the_body_is_left_to_fastapi() -> None:
    asked = Recorded()
    ask(asked, b'{"text":"x"}', headers=PLAIN, end={"type": "http.disconnect"})
    assert (asked.calls, asked.passed) == ([], [b'{"text":"x"}<left>'])


def test_headers_that_make_no_ticket_are_left_to_fastapi() -> None:
    def refuse(_headers: object) -> Ticket:
        raise ProblemError(400, "invalid_deadline", "no")

    asked = Recorded()
    assert ask(asked, b'{"text":"x"}', headers=PLAIN, ticket_of=refuse) == []
    assert (asked.calls, asked.passed) == ([], [b'{"text":"x"}'])


def test_work_is_done_under_the_ticket_of_the_request() -> None:
    asked, ticket, seen = Recorded(), Ticket(expires_at=1.0), []

    async def watched(receive: Receive, of: Ticket, work: Any, departure: Any) -> Any:
        seen.append(of)
        return await work

    start, _ = ask(asked, b'{"text":"x"}', headers=PLAIN, ticket_of=lambda _headers: ticket, watched=watched)

    assert start["status"] == 200
    assert seen == asked.tickets == [ticket]


def test_the_service_gets_what_the_caller_said() -> None:
    asked = Recorded()
    ask(asked, '{"text":"快递","channel":"wechat","dry_run":true}'.encode(), headers=PLAIN)
    [call] = asked.calls
    assert isinstance(call, AnswerCall)
    assert (call.message.text, call.message.channel, call.message.at, call.dry_run) == ("快递", "wechat", None, True)


def test_many_at_once_get_their_own_answers() -> None:
    with open_site(engine=FakeEngine()) as site:

        async def story() -> list[httpx2.Response]:
            transport = httpx2.ASGITransport(app=site.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
                return await asyncio.gather(
                    *(client.post("/v1/classify", json={"text": "x", "top_k": 1 + number % 3}) for number in range(60))
                )

        found = asyncio.run(story())
        assert [len(each.json()["ranking"]) for each in found] == [1 + number % 3 for number in range(60)]
