"""Connections by themselves: what each waits for, how long, and who goes when there are too many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from serving.body import SLOWEST_BYTES_S
from serving.connections import MOST_HEAD_BYTES, Headers, Patience, PatientProtocol, TurnAway, patient_protocol

PATIENCE = Patience(head_s=10.0, body_s=20.0, idle_s=30.0, connections=2)
GET = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"


@dataclass
class Timer:
    """What a loop would do, and when."""

    seconds: float
    go_off: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Loop:
    """The running loop, but for timers, which wait for the test."""

    timers: list[Timer] = field(default_factory=list)

    def call_later(self, seconds: float, call: Callable[..., None], *args: Any) -> Timer:
        self.timers.append(Timer(seconds, lambda: call(*args)))
        return self.timers[-1]

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    @property
    def armed(self) -> list[float]:
        # but for uvicorn's own, which is lost as soon as anything comes
        return [timer.seconds for timer in self.timers if not timer.cancelled and timer.seconds != 99]


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self, *, unread: int = 0) -> None:
        super().__init__()
        self.written, self.closing, self.aborted, self._unread = b"", False, False, unread

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self._unread

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


@dataclass
class Client:
    """One end of a connection to a server of its own kind."""

    protocol: PatientProtocol
    transport: Transport
    loop: Loop

    async def send(self, data: bytes) -> None:
        self.protocol.data_received(data)
        for _ in range(5):  # the app's task begins and ends
            await asyncio.sleep(0)

    def go_off(self) -> None:
        """The only timer goes off."""
        (timer,) = [each for each in self.loop.timers if not each.cancelled and each.seconds != 99]
        timer.go_off()

    @property
    def status(self) -> int:
        return int(self.transport.written.split(b" ")[1])

    @property
    def problem(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.transport.written.partition(b"\r\n\r\n")[2]))


class Server:
    """Makes connections to an app that answers once ``gate`` is open."""

    def __init__(self, patience: Patience = PATIENCE, turn_away: TurnAway | None = None) -> None:
        self.gate, self.seen = asyncio.Event(), list[str]()
        self.gate.set()
        self._config = uvicorn.Config(
            self._app, log_config=None, interface="asgi3", proxy_headers=False, ws="none", lifespan="off", timeout_keep_alive=99
        )
        self._state, self._kind = ServerState(), patient_protocol(patience, turn_away=turn_away)

    def connect(self, **transport: Any) -> Client:
        loop = Loop()
        protocol = cast(Any, self._kind)(config=self._config, server_state=self._state, app_state={}, _loop=loop)
        client = Client(protocol, Transport(**transport), loop)
        protocol.connection_made(client.transport)
        return client

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope["path"])
        await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


def played(story: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """``story`` as a test."""

    def test() -> None:
        asyncio.run(cast(Any, story()))

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


@played
async def test_a_connection_that_says_nothing_ends() -> None:
    client = Server().connect()
    assert client.loop.armed == [PATIENCE.head_s]
    client.go_off()
    assert client.transport.closing
    assert client.transport.written == b""


@played
async def test_a_head_has_one_time_however_its_bytes_drip() -> None:
    client = Server().connect()
    for byte in GET[:-1]:
        await client.send(bytes([byte]))
        assert client.loop.armed == [PATIENCE.head_s]
    assert len(client.loop.timers) == 2, "before its first byte, and after"
    client.go_off()
    assert (client.status, client.problem["code"]) == (408, "head_timeout")
    assert client.transport.closing


@played
async def test_while_a_request_is_answered_nothing_is_waited_for_and_then_the_next() -> None:
    server = Server()
    server.gate.clear()
    client = server.connect()
    await client.send(GET)
    assert client.loop.armed == []
    server.gate.set()
    await client.send(b"")
    assert client.status == 200
    assert client.loop.armed == [PATIENCE.idle_s]


@played
async def test_line_ends_between_requests_buy_no_time() -> None:
    client = Server().connect()
    await client.send(GET)
    for _ in range(5):
        await client.send(b"\r\n")
    assert client.loop.armed == [PATIENCE.idle_s]
    client.go_off()
    assert client.transport.closing


@played
async def test_a_body_that_nobody_reads_has_its_time_too() -> None:
    client = Server().connect()
    await client.send(POST + b"{")
    assert client.status == 200
    (seconds,) = client.loop.armed
    assert PATIENCE.body_s < seconds < PATIENCE.body_s + 10
    for byte in b'"a"':
        await client.send(bytes([byte]))
    assert client.loop.armed == [PATIENCE.idle_s], "the body is whole"


@played
async def test_a_long_body_has_longer_but_not_for_its_word_alone() -> None:
    for declared, extra in ((SLOWEST_BYTES_S * 4, 4.0), (999_999_999, 128.0)):
        client = Server().connect()
        await client.send(POST.replace(b"4", b"%d" % declared, 1) + b"{")
        assert client.loop.armed == [PATIENCE.body_s + extra + 5.0]


@played
async def test_requests_sent_ahead_wait_for_their_turn() -> None:
    server = Server()
    server.gate.clear()
    client = server.connect()
    await client.send(GET + GET + GET[:-3])
    assert client.loop.armed == []
    server.gate.set()
    await client.send(b"")
    await client.send(b"")
    assert client.transport.written.count(b"200 OK") == 2
    assert client.loop.armed == [PATIENCE.head_s]


@played
async def test_a_head_without_end_is_refused() -> None:
    client = Server().connect()
    await client.send(b"GET / HTTP/1.1\r\nx: ")
    for _ in range(MOST_HEAD_BYTES // 1024 + 1):
        if not client.transport.closing:
            await client.send(b"y" * 1024)
    assert (client.status, client.problem["code"]) == (431, "head_too_large")


@played
async def test_what_is_no_http_is_refused_in_the_words_of_the_contract() -> None:
    client = Server().connect()
    await client.send(b"\x16\x03\x01\x02\x00")
    assert (client.status, client.problem["code"]) == (400, "invalid_http")
    assert client.transport.closing


@played
async def test_the_connection_that_asks_for_nothing_longest_makes_room() -> None:
    server = Server()
    first, second = server.connect(), server.connect()
    await first.send(GET)  # now the second waits longer
    third = server.connect()
    assert (first.transport.closing, second.transport.closing, third.transport.closing) == (False, True, False)
    await third.send(GET)
    assert third.status == 200


@played
async def test_when_all_are_being_answered_others_are_told_and_probes_are_served() -> None:
    server = Server()
    server.gate.clear()
    busy = [server.connect() for _ in range(2)]
    for client in busy:
        await client.send(GET.replace(b"/livez", b"/v1/answer"))
    refused, probe = server.connect(), server.connect()
    await refused.send(GET.replace(b"/livez", b"/v1/intents"))
    await probe.send(GET)
    assert (refused.status, refused.problem["code"]) == (503, "too_many_connections")
    assert b"retry-after: 1" in refused.transport.written.lower()
    server.gate.set()
    await probe.send(b"")
    assert probe.status == 200
    assert [client.status for client in busy] == [200, 200]
    assert "/v1/intents" not in server.seen


@played
async def test_far_too_many_are_refused_before_they_speak() -> None:
    server = Server(Patience(connections=1))
    server.gate.clear()
    await server.connect().send(GET)
    last = [server.connect() for _ in range(101)][-1]
    assert (last.status, last.problem["code"]) == (503, "too_many_connections")
    assert last.transport.closing


@played
async def test_a_client_that_does_not_read_is_left() -> None:
    client = Server().connect(unread=1)
    client.protocol.pause_writing()
    client.loop.timers[-1].go_off()
    assert client.transport.aborted


@played
async def test_a_client_that_reads_again_stays() -> None:
    client = Server().connect()
    client.protocol.pause_writing()
    client.protocol.resume_writing()
    assert client.loop.timers[-1].cancelled
    assert client.loop.armed == [PATIENCE.head_s]


@played
async def test_a_connection_that_ends_leaves_no_timer() -> None:
    client = Server().connect()
    await client.send(GET[:10])
    client.protocol.connection_lost(None)
    assert client.loop.armed == []


REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno"


@dataclass
class Full:
    """Turns everybody away while it is ``full``, and keeps whom."""

    full: bool = True
    asked: list[tuple[bytes, Headers]] = field(default_factory=list)

    def __call__(self, path: bytes, headers: Headers, _default: Headers) -> bytes | None:
        self.asked.append((path, headers))
        return REFUSAL if self.full else None


@played
async def test_a_request_that_is_turned_away_never_reaches_the_app_and_the_connection_goes_on() -> None:
    full = Full()
    server = Server(turn_away=full)
    client = server.connect()
    await client.send(POST + b"{")
    assert client.transport.written == b"", "it is refused once it is whole"
    await client.send(b'"a"' + POST + b"body")
    assert client.transport.written == REFUSAL * 2
    assert server.seen == []
    assert client.loop.armed == [PATIENCE.idle_s]
    full.full = False
    await client.send(POST + b"body")
    assert client.transport.written.removeprefix(REFUSAL * 2).startswith(b"HTTP/1.1 200")
    assert server.seen == ["/v1/answer"]
    assert full.asked == [(b"/v1/answer", [(b"host", b"a"), (b"content-length", b"4")])] * 3


@played
async def test_what_is_not_plain_is_for_the_app_to_refuse() -> None:
    full = Full()
    for head in (
        b"GET /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n",
        b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 65537\r\n\r\n",
        b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n",
        b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nconnection: close\r\n\r\n",
        b"POST /v1/answer HTTP/1.0\r\nhost: a\r\ncontent-length: 4\r\n\r\n",
    ):
        server = Server(turn_away=full)
        await server.connect().send(head)
        assert server.seen == ["/v1/answer"]
    assert full.asked == []


@played
async def test_who_waits_for_an_answer_already_is_turned_away_by_the_app() -> None:
    full = Full(full=False)
    server = Server(turn_away=full)
    server.gate.clear()
    client = server.connect()
    await client.send(POST + b"body")
    full.full = True
    await client.send(POST + b"body")
    server.gate.set()
    await client.send(b"")
    assert server.seen == ["/v1/answer"] * 2
    assert client.transport.written.count(b"HTTP/1.1 200") == 2


async def nobody(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request came")


def test_a_server_refuses_a_slow_head_over_a_real_connection() -> None:
    async def story() -> bytes:
        config = uvicorn.Config(
            nobody,
            log_config=None,
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            ws="none",
            http=patient_protocol(Patience(head_s=0.05)),
        )
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: cast(Any, config.http_protocol_class)(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with listener:
            reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
            writer.write(GET[:-2])
            said = await asyncio.wait_for(reader.read(), 30)
            writer.close()
            return said

    assert b"head_timeout" in asyncio.run(story())
