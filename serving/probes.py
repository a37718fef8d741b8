"""What operators ask: is the process up, is it ready, and how is it doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from serving.auth import needs
from serving.errors import ProblemError
from serving.keys import Scope
from serving.present import model_out
from serving.response_schemas import LiveResponse, ReadyResponse
from serving.routes import ServiceDependency, as_json, problems

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
async def ready(service: ServiceDependency) -> Response:
    """200 with the bundle once it has decided its first message, 503 before; needs no key."""
    if not service.ready:
        detail = "the bundle has not decided its first message yet; ask again"
        raise ProblemError(503, "not_ready", detail, headers={"Retry-After": "1"})
    return as_json(ReadyResponse(status="ready", bundle=model_out(service.engine.identity)))


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
