"""Who is let in, for how long they wait, and what becomes of those who leave."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import Message

from serving.app import create_app
from serving.departure import Departure, attach_departure
from serving.errors import Problem
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes import FakeEngine
from tests.serving_kit import TEXT, asgi, open_site
from yingda.store.memory import VolatileMemory

Story = Callable[["Talk"], Awaitable[None]]


class Talk:
    """Many requests at a time to an app of its own."""

    def __init__(self, app: FastAPI, engine: FakeEngine, client: httpx2.AsyncClient, stream: io.StringIO) -> None:
        self.app, self.engine, self._client, self.stream = app, engine, client, stream

    def post(self, path: str, body: Any, **headers: str) -> asyncio.Task[httpx2.Response]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.create_task(self._client.post(path, json=body, headers=sent))

    async def get(self, path: str) -> httpx2.Response:
        return await self._client.get(path)

    @property
    def waiting(self) -> int:
        return int(float(next(line for line in self._exposition() if line.startswith("yingda_queue_messages ")).split()[1]))

    def _exposition(self) -> list[str]:
        return str(self.app.state.service.metrics.exposition(), "utf-8").splitlines()


def talk(
    story: Callable[[Talk], Coroutine[Any, Any, None]], *, engine: FakeEngine | None = None, memory: Any = None, **settings: Any
) -> None:
    engine, stream = engine or FakeEngine(), io.StringIO()
    app = create_app(Settings(**settings), engine, log=open_log(stream), memory=memory)

    async def run() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            await story(Talk(app, engine, client, stream))
        app.state.service.close()

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def busy(talk: Talk) -> asyncio.Task[httpx2.Response]:
    """A message that is being decided until the gate is opened."""
    talk.engine.gate.clear()
    before = len(talk.engine.calls)
    running = talk.post("/v1/answer", {"text": "first"})
    await until(lambda: len(talk.engine.calls) > before)
    return running


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/classify", "/v1/answer/batch", "/v1/classify/batch"])
@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "600001", "9" * 400, "１２", "0x10", "+5"])
def test_a_deadline_is_a_whole_number_of_milliseconds(path: str, value: str) -> None:
    body = {"items": [{"text": TEXT}]} if path.endswith("batch") else {"text": TEXT}
    with open_site() as site:
        response = site.client.post(path, json=body, headers={b"x-deadline-ms": value.encode()})
        assert (response.status_code, response.json()["code"]) == (400, "invalid_deadline")
        assert site.engine.calls == []


def test_a_deadline_is_given_once() -> None:
    with open_site() as site:
        response = site.client.post("/v1/answer", json={"text": TEXT}, headers=[("x-deadline-ms", "5"), ("x-deadline-ms", "5")])
        assert (response.status_code, response.json()["code"]) == (400, "invalid_deadline")


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/classify"])
def test_a_deadline_that_leaves_time_is_met_and_one_that_leaves_none_is_told(path: str) -> None:
    with open_site() as site:
        assert site.client.post(path, json={"text": TEXT}, headers={"x-deadline-ms": "600000"}).status_code == 200
        late = site.client.post(path, json={"text": "late"}, headers={"x-deadline-ms": "0"})
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    assert "late" not in [message.text for message in site.engine.messages]


def test_what_expires_while_it_waits_is_told_so_and_never_decided() -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        late = await talk.post("/v1/answer", {"text": "late"}, x_deadline_ms="20")
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        assert talk.waiting == 0
        talk.engine.gate.set()
        assert (await running).status_code == 200
        assert (await talk.post("/v1/answer", {"text": "next"})).status_code == 200
        assert "late" not in [message.text for message in talk.engine.messages]

    talk(story)


def test_what_waits_too_long_is_given_up_and_others_are_refused_meanwhile() -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        waiting = talk.post("/v1/answer", {"text": "waits"})
        given_up = await waiting
        assert (given_up.status_code, given_up.json()["code"]) == (503, "overloaded")
        assert int(given_up.headers["retry-after"]) >= 1
        talk.engine.gate.set()
        assert (await running).status_code == 200
        assert "waits" not in [message.text for message in talk.engine.messages]

    talk(story, max_wait_ms=500)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/answer", {"text": "gone"}), ("/v1/classify", {"text": "gone"}), ("/v1/answer/batch", {"items": [{"text": "gone"}] * 3})],
)
def test_work_of_a_client_that_left_is_taken_out_of_the_queue(path: str, body: Mapping[str, Any]) -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        messages: asyncio.Queue[Message] = asyncio.Queue()
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        messages.put_nowait({"type": "http.request", "body": json.dumps(body).encode(), "more_body": False})
        request = asyncio.create_task(talk.app(asgi(path), messages.get, send))
        await until(lambda: talk.waiting == len(body.get("items", [1])))
        messages.put_nowait({"type": "http.disconnect"})
        await request
        assert talk.waiting == 0
        assert sent[0]["status"] == 499
        talk.engine.gate.set()
        assert (await running).status_code == 200
        assert (await talk.post("/v1/answer", {"text": "next"})).status_code == 200
        assert "gone" not in [message.text for message in talk.engine.messages]

    talk(story)


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/answer/batch"])
@pytest.mark.parametrize("early", [False, True])
def test_a_connection_tells_that_its_client_left_without_being_asked(path: str, early: bool) -> None:
    body = {"items": [{"text": "gone"}]} if path.endswith("batch") else {"text": "gone"}

    async def story(talk: Talk) -> None:
        running = await busy(talk)
        scope, departure, sent = asgi(path), Departure(), list[Message]()
        attach_departure(scope, departure)
        whole: list[Message] = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> Message:
            return whole.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        if early:
            departure.come()
        request = asyncio.create_task(talk.app(scope, receive, send))
        if not early:
            await until(lambda: talk.waiting == 1)
            departure.come()
        await request
        assert (talk.waiting, sent[0]["status"]) == (0, 499)
        talk.engine.gate.set()
        assert (await running).status_code == 200
        assert "gone" not in [message.text for message in talk.engine.messages]

    talk(story)


class SlowMemory(VolatileMemory):
    """Writes wait for ``gate``; reads do not."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def remember(self, *args: Any, **kwargs: Any) -> None:
        assert self.gate.wait(timeout=180), "the test never opened the gate"
        super().remember(*args, **kwargs)


def test_while_one_message_is_written_the_next_is_decided() -> None:
    memory = SlowMemory()

    async def story(talk: Talk) -> None:
        tasks = [talk.post("/v1/answer", {"text": text}) for text in ("a", "b")]
        await until(lambda: len(talk.engine.messages) == 2)
        assert not any(task.done() for task in tasks)
        memory.gate.set()
        assert [(await task).status_code for task in tasks] == [200, 200]

    talk(story, memory=memory, encode_threads=1, max_batch=1)


def test_what_waits_together_is_decided_together_and_what_comes_alone_alone() -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        tasks = [talk.post("/v1/answer", {"text": str(number)}) for number in range(7)]
        await until(lambda: talk.waiting == 7)
        talk.engine.gate.set()
        assert [(await task).status_code for task in [running, *tasks]] == [200] * 8
        assert sorted(len(call) for call in talk.engine.calls) == [1, 3, 4]
        assert [message.text for message in talk.engine.messages] == ["first", *map(str, range(7))]

    talk(story, max_batch=4)


class Choosy(FakeEngine):
    """Cannot decide a certain message."""

    def _enter(self, messages: Any) -> None:
        super()._enter(messages)
        if any(message.text == "bad" for message in messages):
            raise ZeroDivisionError


@pytest.mark.parametrize("path", ["/v1/answer", "/v1/classify"])
def test_a_message_that_the_engine_cannot_bear_fails_alone(path: str) -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        tasks = [talk.post(path, {"text": text}) for text in ("good", "bad", "fine")]
        await until(lambda: talk.waiting == 3)
        talk.engine.gate.set()
        assert [(await task).status_code for task in [running, *tasks]] == [200, 200, 500, 200]

    talk(story, engine=Choosy())


def test_messages_of_one_conversation_are_decided_in_the_order_they_came() -> None:
    async def story(talk: Talk) -> None:
        running = [await busy(talk) for _ in range(4)]
        tasks = []
        for number in range(40):
            tasks.append(talk.post("/v1/answer", {"text": str(number), "conversation_id": f"c{number % 3}"}))
            await until(lambda number=number: talk.waiting == number + 1)  # type: ignore[misc]
        talk.engine.gate.set()
        assert {(await task).status_code for task in [*running, *tasks]} == {200}
        for conversation in range(3):
            mine = [int(m.text) for m in talk.engine.messages if m.conversation_id == f"c{conversation}"]
            assert mine == sorted(mine)
            assert len(mine) == len(range(conversation, 40, 3))

    talk(story, encode_threads=4, max_wait_ms=60_000)


def test_a_thousand_duplicates_at_once_are_one_message() -> None:
    body = {"text": TEXT, "conversation_id": "c", "message_id": "m"}

    async def story(talk: Talk) -> None:
        replies = await asyncio.gather(*(talk.post("/v1/answer", body) for _ in range(1000)))
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 1
        assert len(talk.engine.messages) == 1
        told = (await talk.get("/v1/conversations/c")).json()
        assert len(told["turns"]) == 1
        assert 'yingda_outcomes_total{arm="automated",outcome="answered"} 1.0' in (await talk.get("/metrics")).text

    talk(story, encode_threads=2, max_queue=1000, max_wait_ms=600_000)


def test_probes_metrics_and_reads_are_answered_while_messages_are_refused() -> None:
    async def story(talk: Talk) -> None:
        assert (await talk.post("/v1/answer", {"text": "a", "conversation_id": "c"})).status_code == 200
        talk.app.state.service.ready = True
        running = await busy(talk)
        waiting = talk.post("/v1/answer", {"text": "b"})
        await until(lambda: talk.waiting == 1)
        assert (await talk.post("/v1/answer", {"text": "c"})).status_code == 503
        for path in ("/livez", "/readyz", "/metrics", "/v1/conversations/c"):
            assert (await talk.get(path)).status_code == 200
        assert "yingda_queue_age_seconds" in (await talk.get("/metrics")).text
        talk.engine.gate.set()
        assert [(await task).status_code for task in (running, waiting)] == [200, 200]

    talk(story, max_queue=1, max_wait_ms=60_000)


def test_the_log_tells_of_those_turned_away_once_and_metrics_count_each() -> None:
    async def story(talk: Talk) -> None:
        running = await busy(talk)
        waiting = talk.post("/v1/answer", {"text": "b"})
        await until(lambda: talk.waiting == 1)
        refused = [await talk.post("/v1/answer", {"text": TEXT}, x_request_id=f"r-{number}") for number in range(3)]
        assert [reply.headers["x-request-id"] for reply in refused] == ["r-0", "r-1", "r-2"]
        assert [reply.json()["request_id"] for reply in refused] == ["r-0", "r-1", "r-2"]
        assert {reply.headers["content-type"] for reply in refused} == {"application/problem+json"}
        text = (await talk.get("/metrics")).text
        assert 'yingda_http_requests_total{method="POST",route="/v1/answer",status="503"} 3.0' in text
        talk.engine.gate.set()
        assert [(await task).status_code for task in (running, waiting)] == [200, 200]
        told = [json.loads(line) for line in talk.stream.getvalue().splitlines()]
        assert [line["refused"] for line in told if line["event"] == "overloaded"] in ([1], [1, 1], [1, 2], [1, 1, 1])
        assert TEXT not in talk.stream.getvalue()

    talk(story, max_queue=1, max_wait_ms=60_000)


def test_a_connection_refuses_in_the_words_of_the_app() -> None:
    async def story(talk: Talk) -> None:
        door = talk.app.state.door
        asked = [(b"x-request-id", b"r-1"), (b"content-length", b"9")]
        assert door.response(b"/v1/answer", asked) is None
        assert door.at_sight(b"POST /v1/answer HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}") is None
        running = await busy(talk)
        waiting = talk.post("/v1/answer", {"text": "b"})
        await until(lambda: talk.waiting == 1)
        refused = await talk.post("/v1/answer", {"text": TEXT}, x_request_id="r-1")
        head, _, body = door.response(b"/v1/answer", asked, [(b"date", b"today")]).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        assert status == "HTTP/1.1 503 Service Unavailable"
        assert body == refused.content
        assert body.decode() == Problem.model_validate_json(body).model_dump_json()
        assert sorted(lines) == sorted([*(f"{name}: {value}" for name, value in refused.headers.items()), "date: today"])
        assert door.response(b"/v1/faq", asked) is None
        sent = b"POST /v1/answer HTTP/1.1\r\nX-Request-ID: r-1\r\nContent-Length: 9\r\n\r\n[1, 2, 3]"
        assert door.at_sight(sent, [(b"date", b"today")]) == door.response(b"/v1/answer", asked, [(b"date", b"today")])
        assert door.at_sight(sent[:-1]) is door.at_sight(sent.replace(b"answer", b"faqs", 1)) is None
        metrics = (await talk.get("/metrics")).text
        assert 'yingda_http_requests_total{method="POST",route="/v1/answer",status="503"} 4.0' in metrics
        talk.engine.gate.set()
        assert [(await task).status_code for task in (running, waiting)] == [200, 200]

    talk(story, max_queue=1, max_wait_ms=60_000)


class StuckReads(VolatileMemory):
    """Reading whole conversations waits for ``gate``."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.reading = threading.Event(), threading.Semaphore(0)

    def turns(self, conversation_id: str) -> Any:
        self.reading.release()
        assert self.gate.wait(timeout=180), "the test never opened the gate"
        return super().turns(conversation_id)


def test_reads_that_hang_hold_no_message_up() -> None:
    memory = StuckReads()

    async def story(talk: Talk) -> None:
        reads = [asyncio.create_task(talk.get("/v1/conversations/none")) for _ in range(20)]
        await until(lambda: memory.reading.acquire(blocking=False))
        assert (await talk.post("/v1/answer", {"text": "a"})).status_code == 200
        memory.gate.set()
        assert {(await read).status_code for read in reads} == {404}

    talk(story, memory=memory)
