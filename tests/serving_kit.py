"""Opens the HTTP app around a fake engine, and calls it in ways a well-behaved client would not."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Message

from serving.app import create_app
from serving.auth import KeySource
from serving.keys import KeyRing, NewKey, make_key
from serving.live import Desk
from serving.logs import open_log
from serving.settings import Settings
from serving.tokens import TokenVerifier
from serving.tracing import Tracing
from tests.fakes import FakeEngine
from yingda.store.memory import Memory

TEXT = "快递三天没动了"


@dataclass(frozen=True)
class Site:
    """A running app with its fake engine and what it logged."""

    client: TestClient
    app: FastAPI
    engine: FakeEngine
    stream: io.StringIO

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every line logged so far."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def metrics(self) -> str:
        """The exposition, as /metrics gives it."""
        return str(self.client.get("/metrics").text)


@contextmanager
def open_site(
    *,
    engine: FakeEngine | None = None,
    keys: Sequence[NewKey] | KeySource | None = None,
    tokens: TokenVerifier | None = None,
    desk: Desk | None = None,
    memory: Memory | None = None,
    tracing: Tracing | None = None,
    **settings: Any,
) -> Iterator[Site]:
    """A started app, stopped at the end."""
    engine, stream = engine or FakeEngine(), io.StringIO()
    ring = KeyRing([key.record for key in keys]) if isinstance(keys, Sequence) else keys
    app = create_app(
        Settings(**settings), engine, keys=ring, tokens=tokens, log=open_log(stream), desk=desk, memory=memory, tracing=tracing
    )
    with TestClient(app) as client:
        engine.calls.clear()
        yield Site(client, app, engine, stream)


def key_for(*scopes: str) -> NewKey:
    """A fresh key with ``scopes``."""
    return make_key("test", scopes)


def bearer(key: NewKey) -> dict[str, str]:
    """The header that carries ``key``."""
    return {"authorization": f"Bearer {key.key}"}


@dataclass(frozen=True)
class RawResponse:
    """What the app sent for one raw request, and how much of the body it read."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks_read: int


def call_raw(app: FastAPI, path: str, chunks: Sequence[bytes], *, headers: dict[str, str], method: str = "POST") -> RawResponse:
    """Send ``chunks`` one by one and nothing else: no content-length unless ``headers`` names it."""
    return asyncio.run(_call_raw(app, path, chunks, headers=headers, method=method))


async def _call_raw(app: FastAPI, path: str, chunks: Sequence[bytes], *, headers: dict[str, str], method: str) -> RawResponse:
    sent: list[Message] = []
    read = 0

    async def bodies() -> AsyncIterator[Message]:
        nonlocal read
        for chunk in chunks:
            read += 1
            yield {"type": "http.request", "body": chunk, "more_body": read < len(chunks)}

    stream = bodies()

    async def receive() -> Message:
        return await anext(stream)

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return RawResponse(sent[0]["status"], names, b"".join(part["body"] for part in sent[1:]), read)


def asgi(path: str) -> dict[str, Any]:
    """The scope of a POST of JSON, as a server makes it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
