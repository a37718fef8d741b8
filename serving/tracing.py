"""Traces by OpenTelemetry: a span for the request, and below it one for each stage that it waited for.

Opened where YINGDA_OTLP_ENDPOINT is set alone; the libraries (extra ``otel``) are imported then. Spans hold what the HTTP semantic
conventions 1.23 name and is ours: method, route, status. Never a path, an address, an id or a text, and of what the caller
sends the ``traceparent`` alone: a ``tracestate`` may say anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from serving.metrics import method_label
from serving.settings import PREFIX, Settings, SettingsError
from serving.trace import Mark

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_PATH = "/v1/traces"
_EXPORT_S = 5.0
"""Seconds that a collector has for a batch of spans, and that the end of the process may take for the last ones."""
_WAITING, _BATCH = 2048, 512
"""Spans that wait to be sent: beyond that the oldest are dropped, for no reply waits for a trace."""
_NS = 1_000_000_000


class RequestTrace:
    """A Trace around its server span."""

    def __init__(self, tracer: Tracer, span: Span, method: str) -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer, self._span, self._method = tracer, span, method
        self._below = set_span_in_context(span)

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return f"{self._span.get_span_context().trace_id:032x}"

    def waited(self, seconds: float) -> None:
        """See Trace."""
        now = time.time_ns()
        self._child("queue", now - int(seconds * _NS), now, {})

    def add(self, marks: Sequence[Mark], *, epoch: int, messages: int) -> None:
        """See Trace."""
        for mark in marks:
            self._child(mark.stage, epoch + mark.started, epoch + mark.ended, {"yingda.batch.messages": messages, **mark.facts})

    def end(self, *, route: str | None, status: int, code: str | None) -> None:
        """The request is answered: by ``route`` (a template, None where none fits), with a problem of ``code`` if with one."""
        from opentelemetry.trace import Status, StatusCode

        span = self._span
        span.set_attribute("http.response.status_code", status)
        if route is not None:
            span.set_attribute("http.route", route)
            span.update_name(f"{self._method} {route}")
        if code is not None:
            span.set_attribute("yingda.problem", code)
        if status >= 500:  # what a client did wrong is no error of the server's span
            span.set_attribute("error.type", code or str(status))
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _child(self, name: str, started: int, ended: int, facts: Mapping[str, Any]) -> None:
        span = self._tracer.start_span(name, self._below, start_time=started, attributes=facts)
        span.end(end_time=ended)


class Tracing:
    """Begins the traces of requests: of as many as the provider's sampler says, and where the caller's is sampled, of that one."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._tracer, self._kind = provider, provider.get_tracer("yingda"), SpanKind.SERVER
        self._extract = TraceContextTextMapPropagator().extract

    def begin(self, method: str, traceparent: str | None) -> RequestTrace | None:
        """The trace of a request that begins now; None for one that is not sampled."""
        from opentelemetry.context import Context

        # without a context of its own a span would take whatever is current in this task
        parent = self._extract({"traceparent": traceparent}, Context()) if traceparent else Context()
        known = method_label(method)
        attributes = {"http.request.method": "_OTHER" if known == "other" else known, "url.scheme": "http"}
        name = "HTTP" if known == "other" else known
        span = self._tracer.start_span(name, parent, kind=self._kind, attributes=attributes)
        return RequestTrace(self._tracer, span, name) if span.is_recording() else None

    def start(self) -> None:
        """Spans are sent by a thread of the provider, which runs already."""

    def close(self) -> None:
        """Send what waits, for a few seconds at most, and stop."""
        self._provider.shutdown()


def _is_installed() -> bool:
    try:
        return all(find_spec(name) for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"))
    except ModuleNotFoundError:  # of a package above it
        return False


def check_tracing(settings: Settings, *, is_installed: Callable[[], bool] = _is_installed) -> None:
    """Raise SettingsError where traces are asked for and the libraries are missing; loads nothing of them but their names."""
    if settings.otlp_endpoint is not None and not is_installed():
        raise SettingsError(f"{PREFIX}OTLP_ENDPOINT needs a library that is not installed; run `pip install 'yingda[otel]'`")


def open_tracing(settings: Settings, *, version: str) -> Tracing | None:
    """Traces as ``settings`` ask for, None where they do not; raises SettingsError without the libraries."""
    if settings.otlp_endpoint is None:
        return None
    check_tracing(settings)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = provider_of(settings.trace_sample, version=version)
    exporter = OTLPSpanExporter(endpoint_of(settings.otlp_endpoint), timeout=_EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_WAITING, max_export_batch_size=_BATCH))
    return Tracing(provider)


def provider_of(share: float, *, version: str) -> TracerProvider:
    """A provider that traces ``share`` of the requests in [0, 1], and those whose caller says so, and sends them nowhere yet."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    # OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME add to these or replace them
    own: dict[str, str | int] = {"service.version": version, "process.pid": os.getpid()}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        own["service.name"] = "yingda"
    return TracerProvider(ParentBasedTraceIdRatio(share), Resource.create(own), shutdown_on_exit=False)


def endpoint_of(address: str) -> str:
    """Where spans are sent: ``address`` is that of a collector, with or without the path that OTLP has for them."""
    base = address.rstrip("/")
    return base if base.endswith(_PATH) else base + _PATH
