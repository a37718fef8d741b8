"""Spans of a request and of its stages, and nothing of customers in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from serving.settings import Settings, SettingsError
from serving.tracing import Tracing, check_tracing, endpoint_of, open_tracing, provider_of
from tests.serving_kit import TEXT, Site, open_site
from tests.store_kit import empty_copy
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{PARENT}-{flag}" for flag in ("01", "00"))
BODY = {"text": TEXT, "conversation_id": "c-secret", "message_id": "m-secret", "customer": {"id": "u-secret", "name": "王小明"}}


@contextmanager
def traced(folder: Path, share: float = 1.0) -> Iterator[tuple[Site, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), provider_of(share, version="1")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with (
        closing(open_store(f"sqlite:///{empty_copy(folder)}")) as store,
        open_site(tracing=Tracing(provider), memory=SqlMemory(store)) as site,
    ):
        yield site, exporter


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_request_is_a_span_with_one_below_it_for_each_stage(tmp_path: Path) -> None:
    with traced(tmp_path) as (site, exporter):
        assert site.client.post("/v1/answer", json=BODY).status_code == 200
        spans = exporter.get_finished_spans()
        line = site.log[-1]

    server = spans[-1]
    assert (server.name, server.kind, server.parent) == ("POST /v1/answer", SpanKind.SERVER, None)
    assert facts(server) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/v1/answer",
        "http.response.status_code": 200,
    }
    assert line["trace_id"] == f"{server.context.trace_id:032x}"
    assert [span.name for span in spans[:-1]] == ["queue", "recall", "engine", "render", "commit"]
    for span in spans[:-1]:
        assert span.parent is not None and span.parent.span_id == server.context.span_id
    # stages are measured by one clock, which nobody sets back
    moments = [moment for span in spans[1:-1] for moment in (span.start_time, span.end_time) if moment is not None]
    assert len(moments) == 8
    assert moments == sorted(moments)
    engine = facts(spans[2])
    assert engine == {"yingda.batch.messages": 1, "yingda.tokenize_ms": 0.1, "yingda.encode_ms": 2.4, "yingda.decide_ms": 0.3}


def test_classifying_is_traced_too(tmp_path: Path) -> None:
    with traced(tmp_path) as (site, exporter):
        site.client.post("/v1/classify", json={"text": TEXT})
        assert [span.name for span in exporter.get_finished_spans()] == ["queue", "engine", "render", "POST /v1/classify"]


def test_spans_hold_nothing_of_customers_nor_what_callers_make_up(tmp_path: Path) -> None:
    with traced(tmp_path) as (site, exporter):
        headers = {"traceparent": SAMPLED, "tracestate": "vendor=secret", "x-request-id": "r-secret", "user-agent": "secret"}
        site.client.post("/v1/answer?secret=1", json=BODY, headers=headers)
        site.client.get("/v1/conversations/c-secret", headers=headers)
        site.client.get("/secret", headers=headers)
        site.client.request("SECRET", "/secret")
        site.engine.failure = KeyError("secret")
        site.client.post("/v1/answer", json={"text": "secret"})
        told = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert told
    assert [word for word in ("secret", "SECRET", TEXT, "王小明", "testclient", "127.0.0.1") if word in told] == []


def test_a_trace_goes_on_from_that_of_the_caller(tmp_path: Path) -> None:
    with traced(tmp_path, share=0.0) as (site, exporter):
        site.client.get("/livez", headers={"traceparent": SAMPLED})
        (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)


@pytest.mark.parametrize(("share", "headers"), [(0.0, {}), (1.0, {"traceparent": UNSAMPLED}), (0.0, {"traceparent": "00-x-y-01"})])
def test_what_is_not_sampled_makes_no_span(tmp_path: Path, share: float, headers: dict[str, str]) -> None:
    with traced(tmp_path, share=share) as (site, exporter):
        assert site.client.post("/v1/answer", json=BODY, headers=headers).status_code == 200
        assert exporter.get_finished_spans() == ()


def test_problems_are_named_and_failures_of_the_server_are_errors(tmp_path: Path) -> None:
    with traced(tmp_path) as (site, exporter):
        site.client.post("/v1/answer", json={})
        site.client.request("BREW", "/nowhere")
        site.engine.failure = KeyError(TEXT)
        site.client.post("/v1/answer", json={"text": TEXT})
        refused, unknown, failed = (span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER)
    assert (refused.status.status_code, facts(refused)["yingda.problem"]) == (StatusCode.UNSET, "validation_failed")
    assert (unknown.name, facts(unknown)["http.request.method"], "http.route" in facts(unknown)) == ("HTTP", "_OTHER", False)
    assert (failed.status.status_code, facts(failed)["error.type"]) == (StatusCode.ERROR, "internal_error")
    assert not failed.events


def test_parts_of_a_long_batch_are_each_traced_and_waited_for_once(tmp_path: Path) -> None:
    with traced(tmp_path) as (site, exporter):
        site.client.post("/v1/answer/batch", json={"items": [{"text": TEXT}] * 20})
        names = [span.name for span in exporter.get_finished_spans()]
    assert (names.count("queue"), names.count("engine"), names.count("commit")) == (1, 3, 3)


def test_the_last_spans_are_sent_when_the_service_ends(tmp_path: Path) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter, provider = InMemorySpanExporter(), provider_of(1.0, version="1")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
    with open_site(tracing=Tracing(provider)) as site:
        site.client.get("/livez")
        assert exporter.get_finished_spans() == ()
    assert [span.name for span in exporter.get_finished_spans()] == ["GET /livez"]


def test_a_provider_says_whose_spans_they_are() -> None:
    resource = provider_of(0.5, version="1.2").resource.attributes
    assert (resource["service.name"], resource["service.version"]) == ("yingda", "1.2")


@pytest.mark.parametrize("address", ["http://collector:4318", "http://collector:4318/", "http://collector:4318/v1/traces"])
def test_the_path_of_otlp_is_added_where_it_is_not_given(address: str) -> None:
    assert endpoint_of(address) == "http://collector:4318/v1/traces"


def test_without_an_address_there_are_no_traces_and_with_one_there_are() -> None:
    assert open_tracing(Settings(), version="1") is None
    tracing = open_tracing(Settings(otlp_endpoint="http://127.0.0.1:9"), version="1")
    assert tracing is not None
    tracing.close()


def test_a_missing_library_is_told_with_the_remedy() -> None:
    settings = Settings(otlp_endpoint="http://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"pip install 'yingda\[otel\]'"):
        check_tracing(settings, is_installed=lambda: False)
    check_tracing(Settings(), is_installed=lambda: False)
