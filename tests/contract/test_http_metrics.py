"""What operators see: problems, stages, store, cache, knowledge and the process, in the metrics and in /readyz."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import PERSON
from tests.serving_kit import TEXT, bearer, key_for, open_site
from tests.watched_kit import BUILT, Watched, watched_site
from yingda.cache import CacheInfo

ASKED = {"text": TEXT, "conversation_id": "c-1"}


@pytest.fixture(name="watched")
def fixture_watched(tmp_path: Path) -> Iterator[Watched]:
    with watched_site(tmp_path) as watched:
        yield watched


def answer(watched: Watched, number: int, **fields: Any) -> Any:
    body = {**ASKED, "message_id": f"m-{number}", **fields}
    return watched.site.client.post("/v1/answer", json=body).json()


def test_replies_are_counted_by_what_became_of_their_turn(watched: Watched) -> None:
    answer(watched, 1)
    answer(watched, 1)
    answer(watched, 2, dry_run=True)
    watched.shop.trouble.down = "store_unreachable"
    assert answer(watched, 3)["stored"] is True
    watched.shop.trouble.disk_full = True
    assert answer(watched, 4)["stored"] is False

    seen = watched.samples()
    kept = {name: value for name, value in seen.items() if name.startswith("yingda_replies_total")}
    assert kept == {
        'yingda_replies_total{kept="stored"}': 2,
        'yingda_replies_total{kept="repeated"}': 1,
        'yingda_replies_total{kept="dry_run"}': 1,
        'yingda_replies_total{kept="not_stored"}': 1,
    }
    assert seen['yingda_outcomes_total{arm="automated",outcome="answered"}'] == 4  # what is told again is no new answer


def test_the_health_of_the_store_is_told_and_replies_go_on(watched: Watched) -> None:
    def ready() -> Any:
        response = watched.site.client.get("/readyz")
        assert response.status_code == 200
        return response.json()["store"]

    assert ready() == {"down_since": None, "code": None, "waiting": 0, "unsaved": 0, "lost": 0, "damaged": 0}
    assert watched.samples()["yingda_store_down"] == 0

    watched.shop.trouble.down = "store_unreachable"
    watched.following.fail("store_unreachable")
    answer(watched, 1)
    told = ready()
    assert (told["waiting"], told["unsaved"], told["down_since"] is not None) == (1, 0, True)
    seen = watched.samples()
    assert (seen["yingda_store_down"], seen["yingda_store_waiting_records"], seen["yingda_store_unsaved_records"]) == (1, 1, 0)
    assert 0 < seen["yingda_store_journal_bytes"] < seen["yingda_store_journal_limit_bytes"] == watched.shop.limit
    assert seen["yingda_store_drained_records_total"] == 0

    watched.shop.trouble.down = None
    assert watched.site.app.state.service.memory.tend()
    seen = watched.samples()
    assert (seen["yingda_store_down"], seen["yingda_store_waiting_records"], seen["yingda_store_drained_records_total"]) == (0, 0, 1)
    assert watched.samples()["yingda_store_drained_records_total"] == 1


def test_a_journal_that_hangs_stops_neither_the_event_loop_nor_other_probes(watched: Watched) -> None:
    lock, held, release = watched.site.app.state.service.memory._keeping.lock, threading.Event(), threading.Event()

    def hang() -> None:
        with lock:
            held.set()
            assert release.wait(60)

    threads = [threading.Thread(target=hang)]
    threads[0].start()
    assert held.wait(60)
    told: list[int] = []
    for path in ("/readyz", "/metrics"):
        threads.append(threading.Thread(target=lambda path=path: told.append(watched.site.client.get(path).status_code)))
        threads[-1].start()
    assert watched.site.client.get("/livez").status_code == 200
    release.set()
    for thread in threads:
        thread.join()
    assert told == [200, 200]


def test_the_cache_of_the_engine_in_use_is_counted(watched: Watched) -> None:
    watched.following.engine.info = CacheInfo(hits=7, misses=3, entries=3, size=10)
    seen = watched.samples()
    assert (seen["yingda_cache_hits_total"], seen["yingda_cache_misses_total"], seen["yingda_cache_entries"]) == (7, 3, 3)
    watched.following.engine.info = CacheInfo(hits=2, misses=1, entries=1, size=10)  # of another engine
    seen = watched.samples()
    assert (seen["yingda_cache_hits_total"], seen["yingda_cache_misses_total"], seen["yingda_cache_entries"]) == (9, 4, 1)


def test_the_knowledge_in_use_is_told(watched: Watched) -> None:
    seen = watched.samples()
    assert (seen["yingda_knowledge_version"], seen["yingda_knowledge_failing"]) == (3, 0)
    assert seen["yingda_knowledge_built_timestamp_seconds"] == BUILT.timestamp()
    watched.following.fail("knowledge_not_built")
    assert watched.samples()["yingda_knowledge_failing"] == 1


def test_time_is_told_by_stage(watched: Watched) -> None:
    answer(watched, 1)
    watched.site.client.post("/v1/classify", json={"text": TEXT})
    seen = watched.samples()
    count = 'yingda_stage_seconds_count{stage="%s"}'
    # starting, the service asks the engine as nobody's message: that waits in no queue
    assert {stage: seen[count % stage] for stage in ("queue", "recall", "render", "commit")} == {
        "queue": 2,
        "recall": 1,
        "render": 2,
        "commit": 1,
    }


def test_without_a_journal_a_cache_and_living_knowledge_nothing_is_said_of_them() -> None:
    with open_site() as site:
        told = site.metrics()
    assert "yingda_bundle_failing 0.0" in told
    assert [name for name in ("yingda_store_", "yingda_cache_", "yingda_knowledge_") if name in told] == []


def test_the_process_is_told_under_the_usual_names() -> None:
    with open_site() as site:
        told = site.metrics()
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "python_gc_collections_total"):
        assert f"\n{name}" in told


PROBLEMS: dict[str, Callable[[Any], Any]] = {
    "validation_failed": lambda client: client.post("/v1/answer", json={}),
    "invalid_json": lambda client: client.post("/v1/answer", content=b"{", headers={"content-type": "application/json"}),
    "not_found": lambda client: client.get("/nowhere"),
    "method_not_allowed": lambda client: client.get("/v1/answer"),
    "deadline_exceeded": lambda client: client.post("/v1/answer", json={"text": TEXT}, headers={"x-deadline-ms": "0"}),
    "conversation_not_found": lambda client: client.get("/v1/conversations/nobody"),
}


@pytest.mark.parametrize("code", PROBLEMS)
def test_problems_are_counted_and_logged_by_their_code(code: str) -> None:
    with open_site() as site:
        response = PROBLEMS[code](site.client)
        assert response.json()["code"] == code
        assert site.log[-1]["code"] == code
        assert f'yingda_problems_total{{code="{code}"}} 1.0' in site.metrics()


def test_a_good_request_is_no_problem() -> None:
    with open_site() as site:
        site.client.post("/v1/answer", json={"text": PERSON})
        assert "code" not in site.log[-1]
        assert "yingda_problems_total{" not in site.metrics()


def test_an_engine_that_breaks_and_a_key_that_sends_too_much_are_counted() -> None:
    with open_site(rate_limit="1/minute") as site:
        site.engine.failure = KeyError(TEXT)
        assert [site.client.post("/v1/answer", json={"text": TEXT}).status_code for _ in range(2)] == [500, 429]
        told = site.metrics()
    assert 'yingda_problems_total{code="internal_error"} 1.0' in told
    assert 'yingda_problems_total{code="rate_limited"} 1.0' in told


def test_refused_keys_are_counted_by_why_and_never_by_whom() -> None:
    key = key_for("ops")
    with open_site(keys=[key]) as site:
        site.client.post("/v1/answer", json={"text": TEXT})
        site.client.post("/v1/answer", json={"text": TEXT}, headers={"authorization": "Bearer nobody's"})
        site.client.post("/v1/answer", json={"text": TEXT}, headers=bearer(key))
        told = site.client.get("/metrics", headers=bearer(key)).text
    for reason in ("missing", "unknown", "scope"):
        assert f'yingda_key_refusals_total{{reason="{reason}"}} 1.0' in told
    assert 'yingda_problems_total{code="unauthenticated"} 2.0' in told
    assert "nobody" not in told


def test_the_access_line_names_methods_that_http_knows_alone() -> None:
    with open_site() as site:
        site.client.request("SECRET", "/livez")
        site.client.request("PATCH", "/livez")
        assert [line["method"] for line in site.log] == ["other", "PATCH"]
        assert "SECRET" not in site.stream.getvalue() + site.metrics()
