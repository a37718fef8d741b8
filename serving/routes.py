"""The calls of the contract: each reads its schema, asks the service once, and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel

from serving import response_schemas as out
from serving.admission import ticket_of, watched
from serving.auth import needs
from serving.batch import run_each
from serving.body import StrictRoute
from serving.context import context_of
from serving.contract import BODY, GUARDED, WITH_DEADLINE, problems
from serving.departure import departure_of
from serving.errors import ProblemError
from serving.examples import ANSWER_REQUESTS, BATCH_REQUESTS, CLASSIFY_REQUESTS
from serving.keys import Scope
from serving.present import intents_out
from serving.request_schemas import AnswerBatchRequest, AnswerRequest, ClassifyBatchRequest, ClassifyRequest
from serving.service import Service

Result = TypeVar("Result")


def service_of(request: Request) -> Service:
    """The service of the app that serves ``request``."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def as_json(body: BaseModel | Mapping[str, Any]) -> Response:
    """``body`` as a response; what it says is known to fit its schema, so FastAPI need not look at it again."""
    written = body.model_dump_json() if isinstance(body, BaseModel) else msgspec.json.encode(body)
    return Response(written, media_type="application/json")


async def _service(request: Request) -> Service:
    return service_of(request)


async def _request_id(request: Request) -> str:
    return context_of(request.scope).request_id


async def _admitted(request: Request, ask: Callable[..., Awaitable[Result]]) -> Result:
    """What ``ask`` returns for the ticket of ``request``, as long as its caller is there."""
    ticket = ticket_of(request.scope["headers"])
    return await watched(request.receive, ticket, ask(ticket=ticket), departure_of(request.scope))


ServiceDependency = Annotated[Service, Depends(_service)]
RequestId = Annotated[str, Depends(_request_id)]


def _results(found: Sequence[Mapping[str, Any] | out.ItemProblem]) -> Response:
    results = [each.model_dump(mode="json") if isinstance(each, out.ItemProblem) else {"status": 200, "result": each} for each in found]
    return as_json({"results": results})


_ASKED = problems(*GUARDED, *BODY, 504)

router = APIRouter(route_class=StrictRoute)


@router.post(
    "/v1/classify",
    operation_id="classify",
    summary="Classify a message",
    tags=["understand"],
    response_model=out.ClassifyResponse,
    responses=_ASKED,
    dependencies=[needs(Scope.CLASSIFY)],
    openapi_extra=WITH_DEADLINE,
)
async def classify(
    body: Annotated[ClassifyRequest, Body(openapi_examples=CLASSIFY_REQUESTS)], service: ServiceDependency, request: Request
) -> Response:
    """Intent, sentiment, priority, keywords and entities of one message; nothing is stored."""
    return as_json((await _admitted(request, partial(service.classify, [body.call()])))[0])


@router.post(
    "/v1/classify/batch",
    operation_id="classifyBatch",
    summary="Classify up to 256 messages",
    tags=["understand"],
    response_model=out.ClassifyBatchResponse,
    responses=_ASKED,
    dependencies=[needs(Scope.CLASSIFY)],
    openapi_extra=WITH_DEADLINE,
)
async def classify_batch(
    body: Annotated[ClassifyBatchRequest, Body(openapi_examples=BATCH_REQUESTS)],
    service: ServiceDependency,
    request_id: RequestId,
    request: Request,
) -> Response:
    """Each item as /v1/classify takes it; results in order, and each item succeeds or fails by itself."""

    async def work(good: Sequence[ClassifyRequest]) -> Sequence[dict[str, Any]]:
        return await _admitted(request, partial(service.classify, [item.call() for item in good]))

    return _results(await run_each(body.items, work, request_id=request_id))


@router.post(
    "/v1/answer",
    operation_id="answer",
    summary="Answer a message",
    tags=["answer"],
    response_model=out.AnswerResponse,
    responses={**_ASKED, **problems(409)},
    dependencies=[needs(Scope.ANSWER)],
    openapi_extra=WITH_DEADLINE,
)
async def answer(
    body: Annotated[AnswerRequest, Body(openapi_examples=ANSWER_REQUESTS)], service: ServiceDependency, request: Request
) -> Response:
    """The reply to send, the entry it came from, and whether a person must take over."""
    found = (await _admitted(request, partial(service.answer, [body.call(context_of(request.scope).key_id)])))[0]
    if isinstance(found, ProblemError):
        raise found
    return as_json(found)


@router.post(
    "/v1/answer/batch",
    operation_id="answerBatch",
    summary="Answer up to 256 messages",
    tags=["answer"],
    response_model=out.AnswerBatchResponse,
    responses=_ASKED,
    dependencies=[needs(Scope.ANSWER)],
    openapi_extra=WITH_DEADLINE,
)
async def answer_batch(
    body: Annotated[AnswerBatchRequest, Body(openapi_examples=BATCH_REQUESTS)],
    service: ServiceDependency,
    request_id: RequestId,
    request: Request,
) -> Response:
    """Each item as /v1/answer takes it; results in order, and each item succeeds or fails by itself."""
    caller = context_of(request.scope).key_id

    async def work(good: Sequence[AnswerRequest]) -> Sequence[Mapping[str, Any] | ProblemError]:
        return await _admitted(request, partial(service.answer, [item.call(caller) for item in good]))

    return _results(await run_each(body.items, work, request_id=request_id))


@router.get(
    "/v1/intents",
    operation_id="listIntents",
    summary="Read the taxonomy",
    tags=["knowledge"],
    response_model=out.IntentsResponse,
    responses=problems(*GUARDED),
    dependencies=[needs(Scope.KNOWLEDGE_READ)],
)
async def intents(service: ServiceDependency) -> Response:
    """Categories and intents in the order of the pack's file."""
    return as_json(intents_out(service.engine.knowledge))
