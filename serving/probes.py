"""What operators ask: is the process up, is it ready, and how is it doing."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.auth import needs
from serving.contract import problems
from serving.errors import ProblemError
from serving.keys import Scope
from serving.present import model_out
from serving.response_schemas import BundleFailingOut, KnowledgeState, LiveResponse, ReadyResponse, StoreState
from serving.routes import ServiceDependency, as_json
from yingda.store.health import StoreHealth

router = APIRouter(tags=["operate"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("/livez", operation_id="live", summary="Is the process up", response_model=LiveResponse)
async def live() -> Response:
    """Answers as long as the process serves; needs no key."""
    return as_json(LiveResponse(status="ok"))


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Is the bundle loaded",
    response_model=ReadyResponse,
    responses=problems(503),
)
async def ready(request: Request, service: ServiceDependency) -> Response:
    """200 with the bundle once it has decided its first message, 503 before and while nothing can be stored; needs no key.

    A store that is away while replies go on, knowledge that cannot be built, and a bundle that is refused, which leave the last
    good one in use: still 200, and `store`, `knowledge` or `bundle_failing` tells.
    """
    if not service.ready:
        detail = "the bundle has not decided its first message yet; ask again"
        raise ProblemError(503, "not_ready", detail, headers={"Retry-After": "1"})
    bundle, failing = model_out(service.engine.identity), _bundle_failing(request)
    # in a thread: it waits for whoever writes to a journal
    store = await asyncio.to_thread(service.memory.health)
    knowledge = _knowledge(request, goes_on=store is not None)
    return as_json(ReadyResponse(status="ready", bundle=bundle, bundle_failing=failing, knowledge=knowledge, store=_store(store)))


def _store(health: StoreHealth | None) -> StoreState | None:
    if health is None:
        return None
    return StoreState(
        down_since=health.down_since,
        code=health.code,
        waiting=health.waiting,
        unsaved=health.unsaved,
        lost=health.lost,
        damaged=health.damaged,
    )


def _bundle_failing(request: Request) -> BundleFailingOut | None:
    watch = request.app.state.desk.bundle
    failing = watch.failing if watch else None
    return BundleFailingOut(code=failing.code, since=failing.since) if failing else None


def _knowledge(request: Request, *, goes_on: bool) -> KnowledgeState | None:
    """What is in use; raise a 503 ProblemError while the store fails, unless replies go on without it."""
    health = request.app.state.desk.health()
    if health is None:
        return None
    if health.code and health.code.startswith("store_") and not goes_on:
        detail = "the store cannot be used; the last knowledge stays in use, and the log says more"
        raise ProblemError(503, health.code, detail, headers={"Retry-After": "1"})
    return KnowledgeState(version=health.knowledge_version, since=health.built_at, failing=health.code, failing_since=health.failing_since)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Read the metrics",
    response_class=Response,
    responses={**_TEXT, **problems(401, 403, 500, 503)},
    dependencies=[needs(Scope.OPS)],
)
async def metrics(service: ServiceDependency) -> Response:
    """Requests, time by stage, outcomes, queue, store, knowledge and the process itself, for Prometheus."""
    return Response(await asyncio.to_thread(service.metrics.exposition), media_type=CONTENT_TYPE_LATEST)
