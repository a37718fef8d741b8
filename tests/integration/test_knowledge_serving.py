"""Knowledge that changes while customers write: every request is answered, by one version or the other, in every worker."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from threading import Event, Thread

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.live import open_desk
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import write_tiny_bundle
from tests.store_kit import BACKENDS, migrated
from yingda.store.memory import VolatileMemory

QUESTION = "什么时候发"
VISIBLE_S = 1.0
"""Seconds after which an acknowledged change is told by every worker."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store."""
    with migrated(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def workers(bundle: Path, store: str) -> Iterator[list[TestClient]]:
    """Two servers beside one store."""
    settings = Settings(bundle=bundle, store=store, encode_threads=2)
    with ExitStack() as stack:
        yield [stack.enter_context(a_worker(settings)) for _ in range(2)]


def a_worker(settings: Settings) -> TestClient:
    log = open_log(io.StringIO())
    desk = open_desk(settings, log, lambda: datetime.now(UTC))
    assert desk.engine is not None
    return TestClient(create_app(settings, desk.engine, log=log, memory=VolatileMemory(), desk=desk))


def told(client: TestClient, text: str = QUESTION) -> str:
    response = client.post("/v1/answer", json={"text": text})
    assert response.status_code == 200, response.text
    return str(response.json()["reply"]["text"])


def seconds_until(condition: Callable[[], bool]) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < 30, "the change never came"
    return time.monotonic() - start


def answer(number: int) -> dict[str, object]:
    entry = {"intent": "ORDER_SHIP_TIME", "question": {"zh": QUESTION}, "similar": {"zh": ["多久发"]}}
    return {**entry, "answer": {"zh": f"第{number}版：明天发出。"}}


def test_while_entries_are_published_every_request_is_answered_by_one_version_or_the_other(workers: list[TestClient]) -> None:
    replies: list[tuple[int, str]] = []
    stop = Event()

    def hammer(client: TestClient) -> None:
        while not stop.is_set():
            response = client.post("/v1/answer", json={"text": QUESTION})
            replies.append((response.status_code, response.text))

    threads = [Thread(target=hammer, args=(client,)) for client in workers]
    for thread in threads:
        thread.start()
    waited = []
    try:
        for number in range(1, 5):
            written = workers[number % 2].put("/v1/faq/ship-when", json=answer(number), headers={"if-match": "*"})
            assert written.status_code == 200, written.text
            waited.append(seconds_until(lambda number=number: all(f"第{number}版" in told(client) for client in workers)))  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    versions = ["48 小时内发出", *(f"第{number}版" for number in range(1, 5))]
    assert {status for status, _ in replies} == {200}
    assert all(sum(version in text for version in versions) == 1 for _, text in replies)
    assert len(replies) > 10
    assert median(waited) < VISIBLE_S, waited  # a busy machine may delay one of them


def test_a_new_entry_answers_and_a_retired_one_does_not(workers: list[TestClient]) -> None:
    first, second = workers
    new = {"id": "stock", "intent": "AFTER_SALES_WARRANTY", "question": {"zh": "旧的能换吗"}, "answer": {"zh": "以旧换新。"}}
    assert first.post("/v1/faq", json=new).status_code == 200
    seconds_until(lambda: second.get("/readyz").json()["knowledge"]["version"] == 2)
    assert "stock" in {one["id"] for one in second.post("/v1/answer", json={"text": "旧的能换吗"}).json()["candidates"]}

    assert second.delete("/v1/faq/stock", headers={"if-match": "*"}).status_code == 200
    seconds_until(lambda: first.get("/readyz").json()["knowledge"]["version"] == 3)
    assert "stock" not in {one["id"] for one in first.post("/v1/answer", json={"text": "旧的能换吗"}).json()["candidates"]}


def test_a_restart_serves_what_was_published_before(bundle: Path, store: str) -> None:
    settings = Settings(bundle=bundle, store=store)
    with a_worker(settings) as client:
        client.put("/v1/faq/ship-when", json=answer(7), headers={"if-match": "*"})
    with a_worker(settings) as client:
        assert "第7版" in told(client)
