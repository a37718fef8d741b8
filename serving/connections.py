"""Connections: how long a client may take to say what it wants, and how many there may be.

uvicorn bounds neither the time nor the length of a request's head, and loses its keep-alive timer when a client sends
anything at all; its limit on connections refuses probes too. This protocol knows at every moment what a connection waits for,
and has a timer for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.auth import OPEN_PATHS
from serving.body import SLOWEST_BYTES_S
from serving.context import RequestContext, attach
from serving.errors import PROBLEM_JSON, ProblemError, problem_of, problem_response
from serving.identifiers import request_id
from serving.settings import MAX_FILE_BYTES

MOST_HEAD_BYTES = 64 * 1024
"""Longest head of a request."""
_GRACE_S = 5.0
"""The app answers a slow body itself; where it does not read it, the connection ends this much later."""
_UNREAD_S = 30.0
"""A client that does not read what it asked for is left after this."""


_SHORT_BODY = 64 * 1024
"""Longest body that is read over, in bytes, before the request is refused; a longer one is refused before it is read."""
_SURPLUS = 100
"""Connections above the most that are still read, to be refused in words, or served where they are probes."""
_PROBES = frozenset(path.encode() for path in OPEN_PATHS)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a request's head, for its body, and between requests; and connections at the same time."""

    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 15.0
    connections: int = 1000


Headers = Sequence[tuple[bytes, bytes]]
TurnAway = Callable[[bytes, Headers, Headers], bytes | None]
"""For a POST by its path, its headers and those of the server: the response that turns it away now, or None."""


@dataclass(slots=True)
class _Shared:
    """What the connections of a server know of each other: those that do not wait for us, longest first.

    ``count`` is told the code of each refusal of which the app never hears. ``turn_away`` refuses before there is a task:
    of ten times the load, nine tenths are refused, on the core that serves the rest.
    """

    patience: Patience
    count: Callable[[str], None]
    turn_away: TurnAway | None = None
    waiting: dict[PatientProtocol, None] = field(default_factory=dict)


class PatientProtocol(HttpToolsProtocol):
    """An HTTP/1.1 connection with a time for each state; when there are too many, the one that asks for nothing longest ends.

    States: no request (``idle_s``; a new connection has ``head_s``), a head that arrives (``head_s`` for all of it), a body that
    arrives (``body_s``, and a second more for each 64 KiB that were declared), and a whole request that is being answered,
    which takes as long as it takes.
    """

    shared: _Shared

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head, self._in_body, self._is_surplus = False, False, False
        self._requests, self._head_bytes = 0, 0
        self._expected: tuple[str, int] | None = None
        self._turned_away: bytes | None = None
        too_many = len(self.connections) - self.shared.patience.connections
        if too_many > 0 and not self._make_room():
            self._is_surplus = True
            if too_many > _SURPLUS:
                return self._refuse(_crowded())
        self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; a head that goes on for ever is refused."""
        super().data_received(data)
        self._wait_for_client()
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse(ProblemError(431, "head_too_large", f"the head of the request is longer than {MOST_HEAD_BYTES} bytes"))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._requests += 1

    def on_headers_complete(self) -> None:
        """The head is whole; perhaps a body follows."""
        self._in_head, self._in_body = False, True
        self._turned_away = self._refusal()
        if self._turned_away is not None:
            return
        self.app = self._crowded if self._is_surplus and self.url.partition(b"?")[0] not in _PROBES else self.config.loaded_app
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of a body; that of a request which is turned away is read over."""
        if self._turned_away is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        if self._turned_away is None:
            return super().on_message_complete()
        response, self._turned_away = self._turned_away, None
        self.server_state.total_requests += 1
        self.transport.write(response)

    def on_response_complete(self) -> None:
        """The answer is sent."""
        super().on_response_complete()
        self._is_surplus = False
        self._wait_for_client()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._writing = self.loop.call_later(_UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        if self.flow is not None:
            super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What no HTTP is, refused in the contract's words."""
        self._refuse(ProblemError(400, "invalid_http", "this is not a valid HTTP/1.1 request"))

    def _refusal(self) -> bytes | None:
        """The response to a plain, short request that is turned away; all others are for the app, which may say the same."""
        turn_away = self.shared.turn_away
        is_plain = (
            not self._is_surplus
            and not self._is_answering()
            and not self.expect_100_continue
            and self.parser.get_method() == b"POST"
            and 0 < _declared(self.headers) <= _SHORT_BODY
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
        )
        return turn_away(self.url, self.headers, self.server_state.default_headers) if turn_away and is_plain else None

    async def _crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.shared.count(_crowded().code)
        await _refuse_all(scope, receive, send)

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _expects(self) -> tuple[str, int] | None:
        """What the client is to send next, and of which request; nothing while it waits for an answer itself."""
        if self.transport.is_closing() or self.pipeline:
            return None
        if self._in_body:
            return ("body", self._requests)
        if self._is_answering():
            return None
        return ("head" if self._in_head else "request", self._requests)

    def _wait_for_client(self) -> None:
        """Have a timer for what the client is to send next, which goes on while parts of it come."""
        expected = self._expects()
        if expected == self._expected:
            return
        self._stop_waiting()
        self._expected, patience = expected, self.shared.patience
        if expected is None:
            return
        what, number = expected
        if what == "body":
            seconds = patience.body_s + _declared(self.headers) / SLOWEST_BYTES_S + _GRACE_S
        else:
            seconds = patience.idle_s if number and what == "request" else patience.head_s
        self.shared.waiting[self] = None
        self._timer = self.loop.call_later(seconds, self._head_is_late if what == "head" else self._end)

    def _stop_waiting(self) -> None:
        self._expected = None
        self.shared.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> bool:
        """End the connection that asks for nothing longest, if there is one."""
        longest = next((each for each in self.shared.waiting if not each._is_surplus), None)
        if longest is None:
            return False
        longest._end()
        return True

    def _head_is_late(self) -> None:
        self._refuse(ProblemError(408, "head_timeout", "the head of the request arrived too slowly; send it at once"))

    def _refuse(self, error: ProblemError) -> None:
        if not self._is_answering():
            self.shared.count(error.code)
            self.transport.write(_written(error))
        self._end()

    def _end(self) -> None:
        self._stop_waiting()
        self.connections.discard(self)
        if not self.transport.is_closing():
            self.transport.close()
            if self.transport.get_write_buffer_size():  # a client that does not read is not waited for
                self.loop.call_later(_GRACE_S, self.transport.abort)


def patient_protocol(
    patience: Patience, count: Callable[[str], None] = lambda _code: None, turn_away: TurnAway | None = None
) -> type[asyncio.Protocol]:
    """The protocol for one server, to be given to uvicorn as ``http``; see ``_Shared``."""
    return type("Connection", (PatientProtocol,), {"shared": _Shared(patience, count, turn_away)})


def _crowded() -> ProblemError:
    headers = {"Retry-After": "1", "Connection": "close"}
    return ProblemError(503, "too_many_connections", "too many requests are being answered; try again later", headers=headers)


async def _refuse_all(scope: Scope, receive: Receive, send: Send) -> None:
    attach(scope, RequestContext(request_id(None)))
    await problem_response(scope, _crowded())(scope, receive, send)


def _declared(headers: list[tuple[bytes, bytes]]) -> int:
    """The length of the body that the head announces, at most that of a file; 0 when it announces none that makes sense."""
    length = next((value for name, value in headers if name == b"content-length"), b"")
    return min(int(length), MAX_FILE_BYTES) if length.isdigit() and len(length) < 10 else 0


def _written(error: ProblemError) -> bytes:
    """``error`` as a whole response, after which the connection ends."""
    problem = problem_of(error, request_id=request_id(None))
    body = problem.model_dump_json().encode()
    headers: Mapping[str, Any] = {
        "content-type": PROBLEM_JSON,
        "content-length": len(body),
        "x-request-id": problem.request_id,
        **{name.lower(): value for name, value in (error.headers or {}).items()},
        "connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[error.status_code] + head.encode() + b"\r\n" + body
