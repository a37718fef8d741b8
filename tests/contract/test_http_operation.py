"""Overload, failures, readiness, logs and metrics."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.logs import open_log
from serving.metrics import Metrics
from serving.settings import Settings
from tests.fakes import FakeEngine
from tests.serving_kit import TEXT, Site, open_site
from yingda.store.health import StoreHealth
from yingda.store.memory import VolatileMemory

Post = Callable[[str, Any], Coroutine[Any, Any, httpx2.Response]]


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until ``condition`` holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


def talk(engine: FakeEngine, story: Callable[[Post, Metrics], Awaitable[None]], **settings: Any) -> None:
    """Run ``story`` against an app of its own, many requests at a time."""
    app = create_app(Settings(**settings), engine, log=open_log(io.StringIO()))

    async def run() -> None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            await story(lambda path, body: client.post(path, json=body), app.state.service.metrics)
        app.state.service.close()

    asyncio.run(run())


def test_when_too_many_messages_wait_the_next_is_refused_at_once() -> None:
    engine = FakeEngine()
    engine.gate.clear()

    async def story(post: Post, metrics: Metrics) -> None:
        running = asyncio.create_task(post("/v1/answer", {"text": "a"}))
        await until(lambda: len(engine.calls) == 1)
        waiting = asyncio.create_task(post("/v1/answer/batch", {"items": [{"text": "b"}] * 3}))
        await until(lambda: b"yingda_queue_messages 3.0" in metrics.exposition())
        refused = await post("/v1/answer", {"text": TEXT})
        engine.gate.set()
        assert ((await running).status_code, (await waiting).status_code) == (200, 200)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert (await post("/v1/answer", {"text": "d"})).status_code == 200
        assert b"yingda_queue_messages 0.0" in metrics.exposition()

    talk(engine, story, max_queue=3)
    assert TEXT not in [message.text for message in engine.messages]


def test_an_engine_that_works_does_not_stop_other_requests() -> None:
    engine = FakeEngine()
    engine.gate.clear()

    async def story(post: Post, _metrics: Metrics) -> None:
        running = asyncio.create_task(post("/v1/answer", {"text": "a"}))
        await until(lambda: len(engine.calls) == 1)
        assert (await post("/v1/answer", {})).status_code == 422
        engine.gate.set()
        assert (await running).status_code == 200

    talk(engine, story)


def test_two_threads_work_on_two_messages_at_once() -> None:
    engine = FakeEngine()
    engine.gate.clear()

    async def story(post: Post, _metrics: Metrics) -> None:
        tasks = [asyncio.create_task(post("/v1/answer", {"text": "a"})) for _ in range(2)]
        await until(lambda: len(engine.calls) == 2)
        engine.gate.set()
        assert [(await task).status_code for task in tasks] == [200, 200]

    talk(engine, story, encode_threads=2, max_batch=1)


def test_before_its_first_decision_a_server_is_not_ready() -> None:
    app = create_app(Settings(), FakeEngine(), log=open_log(io.StringIO()))
    response = TestClient(app).get("/readyz")  # without `with`, so the app was never started
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert TestClient(app).get("/livez").status_code == 200


class AwayMemory(VolatileMemory):
    """Its store is away."""

    def health(self) -> StoreHealth | None:
        since = datetime(2026, 11, 11, 12, tzinfo=UTC)
        return StoreHealth(down_since=since, code="store_full", waiting=3, unsaved=2, lost=1, drained=7, damaged=1)


def test_readiness_tells_that_the_store_is_away_and_stays_ready() -> None:
    with open_site(memory=AwayMemory()) as site:
        response = site.client.get("/readyz")
    assert response.status_code == 200
    away = {"down_since": "2026-11-11T12:00:00Z", "code": "store_full", "waiting": 3, "unsaved": 2, "lost": 1, "damaged": 1}
    assert response.json()["store"] == away


def test_readiness_says_nothing_of_a_store_where_there_is_none() -> None:
    with open_site() as site:
        assert site.client.get("/readyz").json()["store"] is None


def test_an_engine_that_fails_its_first_message_never_becomes_ready() -> None:
    with open_site(engine=FakeEngine(failure=RuntimeError(TEXT))) as site:
        assert site.client.get("/readyz").status_code == 503
        assert site.log[0]["event"] == "warm_up_failed"
        assert TEXT not in site.stream.getvalue()


def test_an_unexpected_error_is_a_problem_and_quotes_nobody() -> None:
    with open_site() as site:
        site.engine.failure = KeyError(TEXT)
        response = site.client.post("/v1/answer", json={"text": TEXT})

        assert (response.status_code, response.json()["code"]) == (500, "internal_error")
        assert response.headers["content-type"] == "application/problem+json"
        error, access = site.log[-2:]
        assert (error["event"], error["error"]) == ("unexpected_error", "KeyError")
        assert error["request_id"] == access["request_id"] == response.json()["request_id"]
        assert error["frames"][-1].endswith(" _enter")
        assert TEXT not in response.text + site.stream.getvalue()


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def last_line(site: Site, **headers: str) -> dict[str, Any]:
    site.client.post("/v1/answer", json={"text": TEXT}, headers={k.replace("_", "-"): v for k, v in headers.items()})
    return site.log[-1]


def test_one_access_line_a_request_says_what_happened_and_no_more() -> None:
    with open_site() as site:
        line = last_line(site, x_request_id="r-1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")

        assert len(site.log) == 1
        assert line.pop("ms") >= 0
        assert line.pop("timestamp").endswith("Z")
        assert line == {
            "event": "request",
            "level": "info",
            "request_id": "r-1",
            "trace_id": TRACE,
            "key_id": None,
            "method": "POST",
            "route": "/v1/answer",
            "status": 200,
        }


@pytest.mark.parametrize("traceparent", ["", "00-xyz", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01"])
def test_a_malformed_traceparent_is_ignored(traceparent: str) -> None:
    with open_site() as site:
        assert last_line(site, traceparent=traceparent)["trace_id"] is None


def test_metrics_count_requests_outcomes_and_engine_time() -> None:
    with open_site() as site:
        site.client.post("/v1/answer", json={"text": TEXT})
        site.client.post("/v1/classify", json={"text": TEXT})
        site.client.post("/v1/classify", json={})
        site.client.request("BREW", f"/{TEXT}")
        text = site.metrics()

    assert 'yingda_http_requests_total{method="POST",route="/v1/answer",status="200"} 1.0' in text
    assert 'yingda_http_requests_total{method="POST",route="/v1/classify",status="422"} 1.0' in text
    assert 'yingda_http_requests_total{method="other",route="unmatched",status="404"} 1.0' in text
    assert 'yingda_http_request_seconds_count{route="/v1/classify"} 2.0' in text
    assert 'yingda_outcomes_total{arm="automated",outcome="answered"} 1.0' in text
    assert 'yingda_decisions_total{decision="accept"} 2.0' in text
    assert 'yingda_engine_stage_seconds_count{stage="encode"} 2.0' in text
    assert "yingda_http_requests_in_flight 1.0" in text
    assert "yingda_queue_messages 0.0" in text
    assert f'yingda_model_info{{sha256="{"ab" * 32}",version="2026.11.1"}} 1.0' in text


def test_each_app_counts_for_itself() -> None:
    with open_site() as first, open_site() as second:
        first.client.post("/v1/answer", json={"text": TEXT})
        assert 'route="/v1/answer"' not in second.metrics()
