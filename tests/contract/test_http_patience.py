"""How long a body may take, and how many requests a key may send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from fastapi import FastAPI
from starlette.types import Message

from tests.serving_kit import TEXT, asgi, bearer, key_for, open_site


def test_a_slow_body_is_refused_and_its_connection_ends() -> None:
    with open_site(body_timeout_s=0.01) as site:
        for path in ("/v1/answer", "/v1/answer/batch", "/v1/feedback"):
            status, headers, body = asyncio.run(begin(site.app, path))
            assert (status, json.loads(body)["code"], headers["connection"]) == (408, "body_timeout", "close")
    assert site.engine.calls == []


async def begin(app: FastAPI, path: str) -> tuple[int, dict[str, str], bytes]:
    """A request whose body begins and does not go on."""
    sent: list[Message] = []
    first = iter([{"type": "http.request", "body": b'{"text": "', "more_body": True}])

    async def receive() -> Message:
        for message in first:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(asgi(path), receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part["body"] for part in sent[1:])


def test_a_client_that_leaves_within_its_body_is_no_error() -> None:
    async def leave(app: FastAPI) -> int:
        sent: list[Message] = []
        messages: Iterator[Message] = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Message:
            return next(messages)

        async def send(message: Message) -> None:
            sent.append(message)

        await app(asgi("/v1/answer"), receive, send)
        return int(sent[0]["status"])

    with open_site() as site:
        assert asyncio.run(leave(site.app)) == 499
    assert [line["event"] for line in site.log] == ["request"]


def test_a_key_that_sends_too_much_is_told_when_to_go_on() -> None:
    key = key_for("answer", "ops")
    with open_site(keys=[key], rate_limit="3/hour; 100/day") as site:
        replies = [site.client.post("/v1/answer", json={"text": TEXT}, headers=bearer(key)) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        refused = replies[-1]
        assert refused.json()["code"] == "rate_limited"
        assert 0 < int(refused.headers["retry-after"]) <= 1200
        assert refused.headers["ratelimit-policy"] == '"3-in-3600s";q=3;w=3600, "100-in-86400s";q=100;w=86400'
        assert [reply.headers["ratelimit"].split(";")[1] for reply in replies] == ["r=2", "r=1", "r=0", "r=0"]
        for path in ("/livez", "/readyz", "/metrics"):
            reply = site.client.get(path, headers=bearer(key))
            assert reply.status_code == 200
            assert "ratelimit" not in reply.headers
        assert site.client.post("/v1/answer", json={"text": TEXT}).status_code == 401, "strangers spend nobody's tokens"
    assert len(site.engine.messages) == 3


def test_without_a_limit_nothing_is_said_of_one() -> None:
    with open_site() as site:
        assert not [name for name in site.client.post("/v1/answer", json={"text": TEXT}).headers if name.startswith("ratelimit")]
