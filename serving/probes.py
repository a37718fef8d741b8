"""What operators ask: is the process up, is it ready, and how is it doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.auth import needs
from serving.errors import ProblemError
from serving.keys import Scope
from serving.present import model_out
from serving.response_schemas import BundleFailingOut, KnowledgeState, LiveResponse, ReadyResponse, StoreState
from serving.routes import ServiceDependency, as_json, problems
from serving.service import Service

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
    """200 with the bundle once it has decided its first message, 503 before and while the store cannot be used; needs no key.

    Knowledge that cannot be built, and a bundle that is refused, leave the last good one in use: still 200, and `knowledge`
    or `bundle_failing` tells. While the store of conversations is away replies go on: still 200, and `store` tells.
    """
    if not service.ready:
        detail = "the bundle has not decided its first message yet; ask again"
        raise ProblemError(503, "not_ready", detail, headers={"Retry-After": "1"})
    bundle, failing = model_out(service.engine.identity), _bundle_failing(request)
    knowledge, store = _knowledge(request), _store(service)
    return as_json(ReadyResponse(status="ready", bundle=bundle, bundle_failing=failing, knowledge=knowledge, store=store))


def _bundle_failing(request: Request) -> BundleFailingOut | None:
    watch = request.app.state.desk.bundle
    failing = watch.failing if watch else None
    return BundleFailingOut(code=failing.code, since=failing.since) if failing else None


def _store(service: Service) -> StoreState | None:
    health = service.memory.health()
    if health is None:
        return None
    return StoreState(down_since=health.down_since, code=health.code, waiting=health.waiting, unsaved=health.unsaved, lost=health.lost)


def _knowledge(request: Request) -> KnowledgeState | None:
    """What is in use; raise a 503 ProblemError while the store of knowledge fails."""
    health = request.app.state.desk.health()
    if health is None:
        return None
    if health.code and health.code.startswith("store_"):
        detail = "the store cannot be used; the last knowledge stays in use, and the log says more"
        raise ProblemError(503, health.code, detail, headers={"Retry-After": "1"})
    return KnowledgeState(version=health.knowledge_version, since=health.built_at, failing=health.code, failing_since=health.failing_since)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Read the metrics",
    response_class=Response,
    responses={**_TEXT, **problems(401, 403)},
    dependencies=[needs(Scope.OPS)],
)
async def metrics(service: ServiceDependency) -> Response:
    """Requests, engine time, outcomes and queue, for Prometheus."""
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
