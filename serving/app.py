"""The ASGI application: routes, middleware and the engine, put together."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, runtime_checkable

from fastapi import FastAPI
from structlog.typing import FilteringBoundLogger

from serving import conversation_routes, knowledge_routes, probes, replay_routes, rollout_routes, routes
from serving.admission import ticket_of, watched
from serving.audit import AuditDesk, AuditTrail, put_on_record
from serving.auth import KeyGate, KeySource
from serving.body import BodyClock
from serving.conversation_routes import RecordUnmask
from serving.door import Door, Doorkeeper
from serving.envelope import Envelope
from serving.errors import add_error_handlers
from serving.examples import show_responses
from serving.hot import HotRoutes
from serving.live import Desk, fixed_desk
from serving.logs import frames, open_log
from serving.queue import Bounds
from serving.rate_limits import RateLimits
from serving.request_schemas import Rejected
from serving.security_headers import SecurityHeaders, security_headers
from serving.service import Engine, Service
from serving.settings import Settings
from serving.tokens import TokenVerifier
from serving.tracing import Tracing
from serving.watched import watch_cache, watch_desk, watch_store
from yingda.privacy.retention import RetentionJob
from yingda.store.audit import audit_of
from yingda.store.base import open_store
from yingda.store.health import StoreHealth
from yingda.store.memory import Memory, VolatileMemory
from yingda.store.vault import Vault

API_VERSION = "1.0.0"

_TAGS = [
    {"name": "understand", "description": "What a message is about and how the customer feels."},
    {"name": "answer", "description": "The reply, and whether a person takes over."},
    {"name": "converse", "description": "Conversations, decisions and feedback."},
    {"name": "knowledge", "description": "What the engine answers from."},
    {"name": "operate", "description": "Probes, metrics, roll-out and replay."},
]
_DESCRIPTION = """\
Answers customers of Chinese online shops.

`confidence` is always a calibrated probability in [0, 1] that the item is right; a raw `similarity` is never compared
with it. Errors are RFC 9457 problems with a stable `code` and never repeat the customer's text. Every response carries
`x-request-id`; `traceparent` is honoured. Limits: text 1 to 2,000 characters after trimming, batch 256 items, body
256 KiB (an import 8 MiB). Fields may be added within a version, never removed or given another meaning.
"""


def create_app(
    settings: Settings,
    engine: Engine,
    *,
    keys: KeySource | None = None,
    tokens: TokenVerifier | None = None,
    log: FilteringBoundLogger | None = None,
    memory: Memory | None = None,
    clock: Callable[[], datetime] | None = None,
    desk: Desk | None = None,
    vault: Vault | None = None,
    retention: RetentionJob | None = None,
    record_unmask: RecordUnmask | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """An app of its own around ``engine``; it asks for a key or a token when ``keys`` or ``tokens`` are given.

    Conversations are kept in ``memory``, else for as long as the app lives. Knowledge is that of ``desk``, and the engine the
    one in use there; else both stay as they are. With ``vault`` originals are kept sealed, and ``record_unmask`` puts each reading of
    them on record before it is done; ``retention`` runs as long as the app. With ``tracing`` requests are traced.
    """
    log = log or open_log(sys.stderr, settings.log_level)
    clock = clock or _now
    knowledge = desk or fixed_desk(engine.knowledge, clock=clock)
    # An engine that will be replaced is not held on to.
    current = partial(_followed, knowledge) if knowledge.engine else partial(_always, engine)
    memory = memory or VolatileMemory()
    bounds = Bounds(messages=settings.max_queue, wait_s=settings.max_wait_ms / 1000, batch=settings.max_batch)
    audit = AuditDesk(audit_of(memory), log=log, clock=clock)
    service = Service(
        engine,
        memory=memory,
        clock=clock,
        current=current,
        cores=settings.encode_threads,
        bounds=bounds,
        vault=vault,
        taken_back=audit.taken_back,
        today=open_store(settings.reference_store) if settings.reference_store else None,
    )
    metrics = service.metrics
    watch_store(metrics, memory)
    watch_cache(metrics, current)
    watch_desk(metrics, knowledge)

    def refused(reason: str, who: str) -> None:
        metrics.count_key_refusal(reason)
        audit.refusals.count(reason, who)

    beside = [each for each in (keys, tokens, audit, retention, tracing) if isinstance(each, Beside)]
    app = _routed_app(_lifespan(service, knowledge, log, beside))
    app.state.service = service
    app.state.desk = knowledge
    app.state.record_unmask = record_unmask or put_on_record
    app.state.max_body_bytes = settings.max_body_bytes
    app.state.audit = audit
    app.state.refused = refused
    _add_middleware(app, settings, service, audit, keys=keys, tokens=tokens, log=log, tracing=tracing)
    return app


def _add_middleware(
    app: FastAPI,
    settings: Settings,
    service: Service,
    audit: AuditDesk,
    *,
    keys: KeySource | None,
    tokens: TokenVerifier | None,
    log: FilteringBoundLogger,
    tracing: Tracing | None,
) -> None:
    # The last one added sees a request first.
    app.add_middleware(AuditTrail, desk=audit)
    app.add_middleware(HotRoutes, service=service, max_body_bytes=settings.max_body_bytes, ticket_of=ticket_of, watched=watched)
    app.add_middleware(BodyClock, seconds=settings.body_timeout_s)
    if settings.rate_limit is not None:
        app.add_middleware(RateLimits, limits=settings.rate_limit)
    app.add_middleware(KeyGate, keys=keys, tokens=tokens, refused=app.state.refused)
    app.add_middleware(Envelope, metrics=service.metrics, log=log, tracing=tracing)
    app.state.door = Doorkeeper(service.refusal, service.metrics, log, fixed_headers=security_headers(tls=settings.tls))
    app.add_middleware(Door, keeper=app.state.door)
    app.add_middleware(SecurityHeaders, tls=settings.tls)


class _Contract(FastAPI):
    """An app whose OpenAPI document shows examples of responses, nulls included, and nothing that is no part of the contract."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            show_responses(document)
            for within in (Rejected.__name__, "ErrorDetails"):  # how a batch marks a bad item on its way
                del document["components"]["schemas"][within]
        assert self.openapi_schema is not None
        return self.openapi_schema


def openapi_document() -> dict[str, Any]:
    """The contract as OpenAPI; it depends on no bundle and no setting."""
    return _routed_app(None).openapi()


def _routed_app(lifespan: Any) -> FastAPI:
    app = _Contract(
        title="Yingda",
        version=API_VERSION,
        summary="Classifies and answers customers' messages.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        # The usual pages load their scripts from other people's servers.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # FastAPI's own spans and records hold paths and errors as they are, which may quote a customer
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.include_router(routes.router)
    app.include_router(conversation_routes.router)
    app.include_router(rollout_routes.router)
    app.include_router(replay_routes.router)
    app.include_router(knowledge_routes.router)
    app.include_router(probes.router)
    add_error_handlers(app)
    return app


def _tell_damage(health: StoreHealth | None, log: FilteringBoundLogger) -> None:
    """Whatever stood there was told to somebody: an operator should hear of it without looking for it."""
    if health and health.damaged:
        log.error("journal_damaged", places=health.damaged, waiting=health.waiting)


def _followed(desk: Desk) -> Engine:
    """The engine in use at a desk that has one."""
    engine = desk.engine
    assert engine is not None
    return engine


def _always(engine: Engine) -> Engine:
    return engine


def _now() -> datetime:
    return datetime.now(UTC)


@runtime_checkable
class Beside(Protocol):
    """What runs beside the requests for as long as the app does."""

    def start(self) -> None:
        """Begin."""

    def close(self) -> None:
        """End, and wait until it has ended."""


def _lifespan(service: Service, desk: Desk, log: FilteringBoundLogger, beside: Sequence[Beside]) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.warm_up()
        except Exception as error:
            # Not raised: the server would print a traceback that may quote text; /readyz and `serve` report it.
            log.error("warm_up_failed", error=type(error).__name__, frames=frames(error))
        _tell_damage(service.memory.health(), log)
        if bundle := desk.bundle:
            bundle.tell(service.metrics.set_model)
        desk.start()
        for each in beside:
            each.start()
        with service.metrics.refreshed():
            yield
        service.close()
        desk.close()
        for each in beside:
            each.close()

    return lifespan
