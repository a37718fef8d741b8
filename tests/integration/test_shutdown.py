"""Who had connected when the server was told to stop is answered, and asked to connect anew elsewhere."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable

import pytest
import uvloop

from serving.app import create_app
from serving.logs import open_log
from serving.server import _bind, _config, _Server
from serving.settings import Settings
from tests.fakes import FakeEngine

REQUEST = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
COUNT = 50


def read_all(connection: socket.socket) -> bytes:
    with connection:
        told = b""
        while part := connection.recv(65536):
            told += part
        return told


async def stopped_with_callers_at_the_door(count: int) -> list[bytes]:
    settings = Settings(port=0)
    listener = _bind(settings)
    app = create_app(settings, FakeEngine(), log=open_log(io.StringIO()))
    config = _config(settings, app)
    config.load()
    server = _Server(config, on_ready=lambda: None, lifeline=None)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    address = listener.getsockname()
    # nothing is awaited here, so that the system accepts these and the server does not
    callers = [socket.create_connection(address) for _ in range(count)]
    for caller in callers:
        caller.sendall(REQUEST)
    told = asyncio.gather(*(asyncio.to_thread(read_all, caller) for caller in callers))
    await server.shutdown([listener])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address).close()
    return await told


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_who_waits_at_the_door_is_answered(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        told = runner.run(stopped_with_callers_at_the_door(COUNT))
    assert len(told) == COUNT
    assert all(each.startswith(b"HTTP/1.1 200") and b"connection: close" in each.lower() for each in told)
