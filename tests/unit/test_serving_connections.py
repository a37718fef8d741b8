"""Connections by themselves: what each waits for, how long, and who goes when there are too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from serving.body import SLOWEST_BYTES_S
from serving.connections import MOST_HEAD_BYTES, patient_protocol
from serving.departure import departure_of
from serving.patience import Headers, Patience
from serving.plain import plain_post
from tests.connection_kit import GET, PATIENCE, POST, Server, played

LONG = POST.replace(b"4", b"70001", 1)


@played
async def test_a_connection_that_says_nothing_ends() -> None:
    client = Server().connect()
    assert client.left == PATIENCE.head_s
    client.be_late()
    assert client.transport.closing
    assert client.transport.written == b""


@played
async def test_a_head_has_one_time_however_its_bytes_drip() -> None:
    client = Server().connect()
    for number, byte in enumerate(GET[:-1]):
        await client.send(bytes([byte]))
        assert client.left == PATIENCE.head_s - number / 8
        client.loop.move(1 / 8)
    client.be_late()
    assert (client.status, client.problem["code"]) == (408, "head_timeout")
    assert client.transport.closing


@played
async def test_while_a_request_is_answered_nothing_is_waited_for_and_then_the_next() -> None:
    server = Server()
    server.gate.clear()
    client = server.connect()
    await client.send(GET)
    assert client.left is None
    server.gate.set()
    await client.send(b"")
    assert client.status == 200
    assert client.left == PATIENCE.idle_s


@played
async def test_line_ends_between_requests_buy_no_time() -> None:
    client = Server().connect()
    await client.send(GET)
    for _ in range(5):
        await client.send(b"\r\n")
    assert client.left == PATIENCE.idle_s
    client.be_late()
    assert client.transport.closing


@played
async def test_a_long_body_that_nobody_reads_has_its_time_too() -> None:
    client = Server().connect()
    await client.send(LONG + b"{")
    assert client.status == 200
    assert client.left is not None
    assert PATIENCE.body_s < client.left < PATIENCE.body_s + 10
    await client.send(b"a" * 70_000)
    assert client.left == PATIENCE.idle_s, "the body is whole"


@played
async def test_the_app_hears_of_a_request_with_a_short_body_once_that_is_whole() -> None:
    server = Server()
    client = server.connect()
    for byte in POST + b'"a"':
        await client.send(bytes([byte]))
    assert server.seen == []
    assert client.left == PATIENCE.body_s + 4 / SLOWEST_BYTES_S
    await client.send(b" ")
    assert (client.status, server.seen, client.left) == (200, ["/v1/answer"], PATIENCE.idle_s)


@played
async def test_a_short_body_that_does_not_come_is_refused_and_the_app_never_hears_of_it() -> None:
    server = Server()
    client = server.connect()
    await client.send(POST + b"{")
    client.be_late()
    assert (client.status, client.problem["code"]) == (408, "body_timeout")
    assert client.transport.closing
    assert server.seen == []


@played
async def test_a_request_behind_one_that_is_answered_has_time_until_it_is_its_turn() -> None:
    server = Server()
    server.gate.clear()
    client = server.connect()
    await client.send(GET + POST + b"bo")
    assert client.left is None
    server.gate.set()
    await client.send(b"")
    assert client.left == PATIENCE.body_s + 4 / SLOWEST_BYTES_S
    await client.send(b"dy")
    assert (client.transport.written.count(b"200 OK"), server.seen) == (2, ["/livez", "/v1/answer"])


@played
async def test_a_request_that_is_under_way_when_the_server_ends_is_answered() -> None:
    server = Server()
    idle, client = server.connect(), server.connect()
    await client.send(POST + b"bo")
    for each in (idle, client):
        each.protocol.shutdown()
    assert (idle.transport.closing, client.transport.closing) == (True, False)
    await client.send(b"dy")
    assert client.status == 200


@played
async def test_a_long_body_has_longer_but_not_for_its_word_alone() -> None:
    for declared, extra in ((SLOWEST_BYTES_S * 4, 4.0), (999_999_999, 128.0)):
        client = Server().connect()
        await client.send(POST.replace(b"4", b"%d" % declared, 1) + b"{")
        assert client.left == PATIENCE.body_s + extra + 5.0


@played
async def test_requests_sent_ahead_wait_for_their_turn() -> None:
    server = Server()
    server.gate.clear()
    client = server.connect()
    await client.send(GET + GET + GET[:-3])
    assert client.left is None
    server.gate.set()
    await client.send(b"")
    await client.send(b"")
    assert client.transport.written.count(b"200 OK") == 2
    assert client.left == PATIENCE.head_s


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
    assert client.left == PATIENCE.head_s


@played
async def test_a_connection_that_ends_leaves_no_timer() -> None:
    client = Server().connect()
    await client.send(GET[:10])
    client.protocol.connection_lost(None)
    assert client.left is None
    assert client.loop.pending == []


@played
async def test_who_works_for_a_client_is_told_that_it_left() -> None:
    server, told = Server(), list[int]()
    server.gate.clear()
    client = server.connect()
    await client.send(GET)
    departure = departure_of(cast(Scope, client.protocol.scope))
    assert departure is not None
    departure.tell(lambda: told.append(1))
    departure.tell(None)
    departure.tell(lambda: told.append(2))
    client.protocol.connection_lost(None)
    assert told == [2]
    departure.tell(lambda: told.append(3))
    assert told == [2, 3], "also who asks too late"


REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno"


@dataclass
class Full:
    """Turns everybody away while it is ``full``, and keeps whom."""

    full: bool = True
    sighted: bool = False
    asked: list[tuple[bytes, Headers]] = field(default_factory=list)

    def response(self, path: bytes, headers: Headers, _default: Headers) -> bytes | None:
        self.asked.append((path, headers))
        return REFUSAL if self.full else None

    def at_sight(self, data: bytes, _default: Headers) -> bytes | None:
        return REFUSAL if self.full and self.sighted and plain_post(data) else None


@played
async def test_a_request_that_is_turned_away_never_reaches_the_app_and_the_connection_goes_on() -> None:
    full = Full()
    server = Server(keeper=full)
    client = server.connect()
    await client.send(POST + b"{")
    assert client.transport.written == b"", "it is refused once it is whole"
    await client.send(b'"a"' + POST + b"body")
    assert client.transport.written == REFUSAL * 2
    assert server.seen == []
    assert client.left == PATIENCE.idle_s
    full.full = False
    await client.send(POST + b"body")
    assert client.transport.written.removeprefix(REFUSAL * 2).startswith(b"HTTP/1.1 200")
    assert server.seen == ["/v1/answer"]
    assert full.asked == [(b"/v1/answer", [(b"host", b"a"), (b"content-length", b"4")])] * 3


@played
async def test_while_many_are_turned_away_the_loop_rests_between_its_turns() -> None:
    server = Server(keeper=Full(sighted=True))
    first, second = server.connect(), server.connect()
    for client in (first, second):
        await client.send(POST + b"body")
    server.loop.turn()
    assert server.rests == [], "connections that come are not kept waiting"
    await first.send(POST + b"body")
    server.loop.turn()
    assert server.rests == [], "one request is no flood"
    for client in (first, second, first):
        await client.send(POST + b"body")
    server.loop.turn()
    server.loop.turn()
    assert len(server.rests) == 1
    assert 0 < server.rests[0] <= 0.005
    assert first.transport.written == REFUSAL * 4


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
        server = Server(keeper=full)
        await server.connect().send(head + b"body")
        assert server.seen == ["/v1/answer"]
    assert full.asked == []


@played
async def test_who_waits_for_an_answer_already_is_turned_away_by_the_app() -> None:
    full = Full(full=False)
    server = Server(keeper=full)
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
