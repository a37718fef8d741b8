"""A request that is refused by its bytes hears what it would have heard had it been parsed, and so does everything behind it."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.door import Doorkeeper
from serving.errors import ProblemError
from serving.logs import open_log
from serving.metrics import Metrics
from serving.patience import Headers, Patience
from serving.plain import plain_post
from tests.connection_kit import Server
from yingda.domain.identity import ModelIdentity

_FRESH_ID = re.compile(rb"[0-9a-f]{32}")
_DATE = [(b"date", b"today")]
_MOVE_S = 3.0

NAMES = ["x-request-id", "X-Request-ID", "host", "content-type", "connection", "Connection", "proxy-connection", "expect", "upgrade"]
NAMES += ["Upgrade", "transfer-encoding", "content-length", "Content-Length", "cookie", "x", "-", "x_y", "x ", "", "traceparent"]
VALUES = [
    "keep-alive",
    "Keep-Alive",
    "close",
    "chunked",
    "100-continue",
    "h2c",
    "websocket",
    "4",
    "04",
    " 4",
    "4 ",
    "+4",
    "0",
    "",
    " ",
    "a b",
]
VALUES += [
    "r-1",
    "123456",
    " r-1",
    "r-1 ",
    "a" * 64,
    "a" * 65,
    "0" * 32,
    "0123456789abcdef" * 2,
    "é",
    "a\tb",
    "a\rb",
    "a\nb",
    "a\x00b",
    "a\x7fb",
]
fields = st.tuples(st.sampled_from(NAMES), st.sampled_from([": ", ":", ":  ", " : ", "\t:"]), st.sampled_from(VALUES))
ends = st.sampled_from(["\r\n"] * 12 + ["\n", "\r", "\r\n ", "\r\n\t"])
lines = st.sampled_from(
    ["POST /v1/answer HTTP/1.1"] * 6
    + ["POST /v1/classify/batch HTTP/1.1", "POST /v1/faq HTTP/1.1", "POST /v1/answer?x=1 HTTP/1.1", "POST /v1/answer/ HTTP/1.1"]
    + [
        "POST /v1/answer HTTP/1.0",
        "post /v1/answer HTTP/1.1",
        "GET /v1/answer HTTP/1.1",
        "POST  /v1/answer HTTP/1.1",
        "PUT /v1/answer HTTP/1.1",
    ]
    + ["POST http://a/v1/answer HTTP/1.1", "POST /v1/%61nswer HTTP/1.1", "POST /v1/answer HTTP/1.1 ", "POST /v1/answer", "POST * HTTP/1.1"]
)
bodies = st.sampled_from([b"body"] * 6 + [b"", b"bo", b"bodybody", b"POST", b"\r\n\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a POST, mostly whole and plain."""
    odd = draw(st.integers(0, 3)) == 0
    body = draw(bodies) if odd else b"body"
    given_fields = [("host", ": ", "a"), ("content-length", ": ", "4"), *draw(st.lists(fields, max_size=3 if odd else 1))]
    if odd:
        given_fields = draw(st.permutations(given_fields))
    head = draw(lines) + "\r\n" + "".join(f"{name}{colon}{value}" + (draw(ends) if odd else "\r\n") for name, colon, value in given_fields)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + body


streams = st.lists(
    st.one_of(requests(), requests(), st.sampled_from([b"\r\n", b"\r", b"G", b"\x16\x03\x01", b"GET /livez HTTP/1.1\r\n\r\n"])), max_size=5
)
cuts = st.lists(st.integers(0, 400), max_size=4)


@dataclass
class Parsing:
    """The same door, for those who parse everything."""

    keeper: Doorkeeper

    def response(self, path: bytes, headers: Headers, default_headers: Headers) -> bytes | None:
        return self.keeper.response(path, headers, default_headers)

    def at_sight(self, _data: bytes, _default_headers: Headers) -> bytes | None:
        return None


@dataclass
class Side:
    """A server whose door is shut at first, what it told, and what it counted."""

    at_sight: bool
    shut: bool = True
    sighted: int = 0
    told: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = Metrics(ModelIdentity("v", "0" * 64), queue_depth=lambda: 0)
        busy = ProblemError(503, "overloaded", "7 messages wait already; try again later", headers={"Retry-After": "2"})
        keeper = Doorkeeper(lambda: busy if self.shut else None, self.metrics, open_log(io.StringIO()), clock=lambda: 0.0)
        self.server = Server(Patience(connections=2), keeper if self.at_sight else Parsing(keeper))
        self.server.state.default_headers = _DATE
        self.client = self.server.connect()

    async def send(self, piece: bytes) -> None:
        if not self.client.transport.closing:
            await self.client.send(piece)
        left = self.client.left
        self.told.append((named(self.client.transport.written), self.client.transport.closing, self.server.state.total_requests, left))
        self.client.loop.move(_MOVE_S)

    def counts(self) -> list[str]:
        told = self.metrics.exposition().decode().splitlines()
        return [line for line in told if "http_request" in line or "problems" in line if "_created" not in line]


def named(written: bytes) -> bytes:
    return _FRESH_ID.sub(b"(fresh)", written)


def pieces_of(stream: bytes, at: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place for place in at if place < len(stream))})
    return [stream[start:end] for start, end in pairwise(places)]


Story = list[tuple[bool, tuple[bytes, list[int]]]]
"""Whether the door is shut, and a stream of bytes with the places at which it is cut, one after the other."""
POST = b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody"


@given(
    st.lists(st.tuples(st.booleans(), st.one_of(st.tuples(requests(), st.just([])), st.tuples(streams.map(b"".join), cuts))), max_size=5)
)
@example([(True, (POST, [])), (False, (POST, [])), (True, (POST * 2, [])), (True, (POST, []))])
@example([(True, (POST[:30], [])), (True, (POST, [])), (True, (POST, []))])
@example([(True, (POST[:-2], [])), (True, (b"dy" + POST, [])), (True, (POST, []))])
@example([(True, (POST, [5])), (True, (POST.replace(b"host", b"Upgrade: h2c\r\nConnection: upgrade\r\nhost"), [])), (True, (POST, []))])
def test_at_sight_or_parsed_clients_are_told_the_same(story: Story) -> None:
    assert_the_same(story)


def assert_the_same(story: Story) -> Side:
    """What the quick side did."""

    async def play() -> tuple[Side, Side]:
        sides = Side(at_sight=True), Side(at_sight=False)
        for shut, (stream, at) in story:
            for side in sides:
                side.shut = shut
                for piece in pieces_of(stream, at):
                    await side.send(piece)
        return sides

    quick, slow = asyncio.run(play())
    assert quick.told == slow.told
    assert quick.server.seen == slow.server.seen
    assert quick.counts() == slow.counts()
    return quick


def test_each_field_is_read_as_the_parser_reads_it() -> None:
    refused = 0
    for name, value in product(NAMES, VALUES):
        odd = POST.replace(b"content", f"{name}: {value}\r\ncontent".encode(), 1)
        refused += b" 503 " in assert_the_same([(True, (odd, [])), (True, (POST, []))]).client.transport.written
    assert refused > 100


@pytest.mark.parametrize("name", ["X-Request-ID", "x", "Content-Length"])
def test_a_field_that_is_given_twice_is_read_as_the_parser_reads_it(name: str) -> None:
    for first, second in product(["r-1", "r 2", "4", " ", ""], repeat=2):
        twice = POST.replace(b"content", f"{name}: {first}\r\n{name.lower()}: {second}\r\ncontent".encode(), 1)
        assert_the_same([(True, (twice, [])), (True, (POST, []))])


@given(requests(), requests(), st.integers(1, 400))
def test_only_what_is_whole_and_alone_is_plain(first: bytes, second: bytes, cut: int) -> None:
    if plain_post(first) is not None:
        assert plain_post(first + second) is None
        assert plain_post(first[:cut]) is None or cut >= len(first)
        assert plain_post(first[min(cut, len(first)) :]) is None


def test_plain_requests_are_known() -> None:
    for head in (b"", b"Connection: keep-alive\r\n", b"X-Request-ID: Shop-1\r\n", b'accept:\r\nX-Y: a b;c="d"\r\n'):
        found = plain_post(POST.replace(b"host", head + b"host"))
        assert found is not None
        assert (found.path, found.sent_id) == (b"/v1/answer", b"Shop-1" if b"Shop" in head else None)
    assert plain_post(POST.replace(b": 4", b": 65537").replace(b"body", b"b" * 65_537)) is None
    assert plain_post(POST.replace(b": 4", b": 65536").replace(b"body", b"b" * 65_536)) is not None
