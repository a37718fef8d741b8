"""Connections without a network: a loop whose time the test moves, a transport that keeps what is written, and an app behind a gate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from serving.connections import PatientProtocol, patient_protocol
from serving.patience import Keeper, Patience

PATIENCE = Patience(head_s=10.0, body_s=20.0, idle_s=30.0, connections=2)
GET = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /v1/answer HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"


@dataclass
class Timer:
    """What a loop would do, and when."""

    due: float
    go_off: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Loop:
    """The running loop, but for its time and its timers, which wait for the test."""

    now: float = 0.0
    timers: list[Timer] = field(default_factory=list)
    soon: list[Callable[[], None]] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., None], *args: Any) -> Timer:
        self.timers.append(Timer(self.now + seconds, lambda: call(*args)))
        return self.timers[-1]

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def turn(self) -> None:
        """Begin the next turn: what was to be called soon is called."""
        soon, self.soon = self.soon, []
        for call in soon:
            call()

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    @property
    def pending(self) -> list[Timer]:
        """Timers that will go off."""
        return [timer for timer in self.timers if not timer.cancelled]

    def move(self, seconds: float) -> None:
        """Let time pass; what is due goes off, in order."""
        until = self.now + seconds
        while due := min((timer for timer in self.pending if timer.due <= until), key=lambda timer: timer.due, default=None):
            self.timers.remove(due)
            self.now = max(self.now, due.due)
            due.go_off()
        self.now = until


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

    @property
    def left(self) -> float | None:
        """Seconds that the server still waits for this client; None while it does not."""
        return self.protocol.alarm.left

    def be_late(self) -> None:
        """Do nothing until the server has had enough."""
        assert self.left is not None
        self.loop.move(self.left)

    @property
    def status(self) -> int:
        return int(self.transport.written.split(b" ")[1])

    @property
    def problem(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.transport.written.partition(b"\r\n\r\n")[2]))


class Server:
    """Makes connections to an app that answers once ``gate`` is open; all of them have one loop."""

    def __init__(self, patience: Patience = PATIENCE, keeper: Keeper | None = None) -> None:
        self.gate, self.seen, self.loop, self.rests = asyncio.Event(), list[str](), Loop(), list[float]()
        self.gate.set()
        self._config = uvicorn.Config(
            self._app, log_config=None, interface="asgi3", proxy_headers=False, ws="none", lifespan="off", timeout_keep_alive=99
        )
        self.state, self._kind = ServerState(), patient_protocol(patience, keeper=keeper, rest=self.rests.append)

    def connect(self, **transport: Any) -> Client:
        protocol = cast(Any, self._kind)(config=self._config, server_state=self.state, app_state={}, _loop=self.loop)
        client = Client(protocol, Transport(**transport), self.loop)
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
