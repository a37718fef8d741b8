"""Connections: how long a client may take to say what it wants, and how many there may be.

uvicorn bounds neither the time nor the length of a request's head, and loses its keep-alive timer when a client sends
anything at all; its limit on connections refuses probes too. This protocol knows at every moment what a connection waits for,
and has a time for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from serving.alarm import Alarm
from serving.auth import OPEN_PATHS
from serving.body import SLOWEST_BYTES_S, too_slow
from serving.departure import Departure, attach_departure
from serving.errors import ProblemError
from serving.patience import Keeper, Patience, Shared, declared
from serving.plain import MOST_BODY_BYTES
from serving.refusals import crowded, last_words, refuse_all

MOST_HEAD_BYTES = 64 * 1024
"""Longest head of a request."""
_GRACE_S = 5.0
"""The app answers a long body that is slow; where it does not read it, the connection ends this much later."""
_UNREAD_S = 30.0
"""A client that does not read what it asked for is left after this."""


_SURPLUS = 100
"""Connections above the most that are still read, to be refused in words, or served where they are probes."""
_PROBES = frozenset(path.encode() for path in OPEN_PATHS)


Expected = Literal["request", "head", "body"]


class PatientProtocol(HttpToolsProtocol):
    """An HTTP/1.1 connection with a time for each state; when there are too many, the one that asks for nothing longest ends.

    States: no request (``idle_s``; a new connection has ``head_s``), a head that arrives (``head_s`` for all of it), a body that
    arrives (``body_s``, and a second more for each 64 KiB that were declared), and a whole request that is being answered,
    which takes as long as it takes.
    """

    shared: Shared

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # as in HttpToolsProtocol, but that addresses are looked up for those alone who ask for something
        self.transport = cast(asyncio.Transport, transport)
        self.flow = FlowControl(self.transport)
        self.connections.add(self)
        self.shared.came = True
        self.alarm = Alarm(self.loop, self._on_late)
        self._writing: asyncio.TimerHandle | None = None
        self._in_head, self._in_body, self._is_surplus = False, False, False
        self._requests, self._head_bytes = 0, 0
        self._expected: tuple[Expected, int] | None = None
        self._held: bytearray | None = None
        self._departure = Departure()
        too_many = len(self.connections) - self.shared.patience.connections
        if too_many > 0 and not self._make_room():
            self._is_surplus = True
            if too_many > _SURPLUS:
                return self._refuse(crowded())
        self._wait_for_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_waiting()
        self.alarm.close()
        self.resume_writing()
        super().connection_lost(exc)
        self._departure.come()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; a head that goes on for ever is refused."""
        if self._is_turned_away_at_sight(data):
            return
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
        """The head is whole; perhaps a body follows. The app hears of a request with a short one when that is whole, too."""
        self._in_head, self._in_body = False, True
        if self._is_short():
            self._held = bytearray()
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Part of a body."""
        if self._held is None:
            return super().on_body(body)
        self._held += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body = False
        held, self._held = self._held, None
        if held is None:
            return super().on_message_complete()
        response = self._refusal()
        if response is None:
            self._begin()
            super().on_body(bytes(held))
            return super().on_message_complete()
        self._turn_away(response)

    def on_response_complete(self) -> None:
        """The answer is sent."""
        super().on_response_complete()
        self._is_surplus = False
        self._wait_for_client()

    def shutdown(self) -> None:
        """Be asked to end; a request that is under way is answered before."""
        if self._held is None:
            super().shutdown()

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

    def _is_turned_away_at_sight(self, data: bytes) -> bool:
        """Turn a whole request away without parsing it; the parser, which stands between two requests, never sees it."""
        keeper, expected = self.shared.keeper, self._expected
        if keeper is None or expected is None or expected[0] != "request" or self._is_surplus:
            return False
        response = keeper.at_sight(data, self.server_state.default_headers)
        if response is None:
            return False
        self._unset_keepalive_if_required()
        self._requests += 1
        self._turn_away(response)
        self._wait_for_client()
        return True

    def _turn_away(self, response: bytes) -> None:
        self.server_state.total_requests += 1
        self.transport.write(response)
        self.shared.rest_after_this(self.loop)

    def _begin(self) -> None:
        """Have the app answer this request, once it is its turn."""
        self._look_up()
        self.scope.update({"server": self.server, "client": self.client, "scheme": self.scheme or "http"})
        attach_departure(cast(Scope, self.scope), self._departure)
        self.app = self._crowded if self._is_surplus and self.url.partition(b"?")[0] not in _PROBES else self.config.loaded_app
        super().on_headers_complete()

    def _look_up(self) -> None:
        """Find out, once, who is connected to what."""
        if self.scheme is None:
            self.server, self.client = get_local_addr(self.transport), get_remote_addr(self.transport)
            self.scheme = "https" if is_ssl(self.transport) else "http"

    def _is_short(self) -> bool:
        """True where a body follows that is short and not to be asked for."""
        is_asked_for = self.expect_100_continue or self.parser.should_upgrade()
        return not is_asked_for and 0 < declared(self.headers) <= MOST_BODY_BYTES

    def _refusal(self) -> bytes | None:
        """The response to a short request that is turned away, if it is a plain one; others are for the app, which may say the same."""
        keeper = self.shared.keeper
        is_plain = (
            not self._is_surplus and not self._is_answering() and self.parser.get_method() == b"POST" and self.parser.should_keep_alive()
        )
        return keeper.response(self.url, self.headers, self.server_state.default_headers) if keeper and is_plain else None

    async def _crowded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.shared.count(crowded().code)
        await refuse_all(scope, receive, send)

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _expects(self) -> tuple[Expected, int] | None:
        """What the client is to send next, and of which request; nothing while it waits for an answer itself."""
        if self.transport.is_closing() or self.pipeline:
            return None
        if self._in_body and self._held is None:
            return ("body", self._requests)
        if self._is_answering():
            return None
        if self._in_body:
            return ("body", self._requests)
        return ("head" if self._in_head else "request", self._requests)

    def _wait_for_client(self) -> None:
        """Set the alarm for what the client is to send next; it stays as it is while parts of that come."""
        expected = self._expects()
        if expected == self._expected:
            return
        self._stop_waiting()
        self._expected, patience = expected, self.shared.patience
        if expected is None:
            return
        what, number = expected
        if what == "body":
            seconds = patience.body_s + declared(self.headers) / SLOWEST_BYTES_S + (0 if self._held is not None else _GRACE_S)
        else:
            seconds = patience.idle_s if number and what == "request" else patience.head_s
        self.shared.waiting[self] = None
        self.alarm.set(seconds)

    def _stop_waiting(self) -> None:
        self._expected = None
        self.shared.waiting.pop(self, None)
        self.alarm.unset()

    def _make_room(self) -> bool:
        """End the connection that asks for nothing longest, if there is one."""
        longest = next((each for each in self.shared.waiting if not each._is_surplus), None)
        if longest is None:
            return False
        longest._end()
        return True

    def _on_late(self) -> None:
        if self._held is not None:
            self._refuse(too_slow())
        elif self._in_head:
            self._refuse(ProblemError(408, "head_timeout", "the head of the request arrived too slowly; send it at once"))
        else:
            self._end()

    def _refuse(self, error: ProblemError) -> None:
        if not self._is_answering():
            self.shared.count(error.code)
            self.transport.write(last_words(error))
        self._end()

    def _end(self) -> None:
        self._stop_waiting()
        self.connections.discard(self)
        if not self.transport.is_closing():
            self.transport.close()
            if self.transport.get_write_buffer_size():  # a client that does not read is not waited for
                self.loop.call_later(_GRACE_S, self.transport.abort)


def patient_protocol(
    patience: Patience,
    count: Callable[[str], None] = lambda _code: None,
    keeper: Keeper | None = None,
    rest: Callable[[float], None] = time.sleep,
) -> type[asyncio.Protocol]:
    """The protocol for one server, to be given to uvicorn as ``http``; see ``Shared``."""
    return type("Connection", (PatientProtocol,), {"shared": Shared(patience, count, keeper, rest)})
