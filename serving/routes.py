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
from serving.departure import departure_of
from serving.errors import PROBLEM_JSON, ProblemError
from serving.keys import Scope
from serving.present import intents_out
from serving.request_schemas import AnswerBatchRequest, AnswerRequest, ClassifyBatchRequest, ClassifyRequest
from serving.service import Service

Result = TypeVar("Result")

_MEANINGS = {
    400: "The body is not strict JSON in UTF-8.",
    401: "The key is missing or not known.",
    403: "The key lacks the scope.",
    404: "There is no such thing.",
    408: "The body arrived too slowly.",
    409: "The message_id was used before, for another body.",
    413: "The body is longer than 256 KiB.",
    415: "The body is not `application/json`.",
    422: "A field breaks a rule; `errors` points at it.",
    429: "The key sends more than it may; see `Retry-After`.",
    500: "The server failed.",
    503: "Too many messages wait, or the server is not ready; see `Retry-After`.",
    504: "The time given by `x-deadline-ms` passed before the engine began.",
}
_EXAMPLES: dict[str, Any] = {
    "plain": {"summary": "Text alone", "value": {"text": "快递三天没动了"}},
    "full": {
        "summary": "Everything the caller knows",
        "value": {
            "text": "快递三天没动了",
            "conversation_id": "c-1001",
            "message_id": "m-1",
            "channel": "wechat",
            "customer": {"id": "u-42", "name": "王小明", "gender": "male", "tier": "vip"},
            "context": {"订单号": "DD20260001"},
        },
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for the problems a route can answer."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


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


_WITH_BODY = problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503, 504)

router = APIRouter(route_class=StrictRoute)


@router.post(
    "/v1/classify",
    operation_id="classify",
    summary="Classify a message",
    tags=["understand"],
    response_model=out.ClassifyResponse,
    responses=_WITH_BODY,
    dependencies=[needs(Scope.CLASSIFY)],
)
async def classify(body: ClassifyRequest, service: ServiceDependency, request: Request) -> Response:
    """Intent, sentiment, priority, keywords and entities of one message; nothing is stored."""
    return as_json((await _admitted(request, partial(service.classify, [body.call()])))[0])


@router.post(
    "/v1/classify/batch",
    operation_id="classifyBatch",
    summary="Classify up to 256 messages",
    tags=["understand"],
    response_model=out.ClassifyBatchResponse,
    responses=_WITH_BODY,
    dependencies=[needs(Scope.CLASSIFY)],
)
async def classify_batch(body: ClassifyBatchRequest, service: ServiceDependency, request_id: RequestId, request: Request) -> Response:
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
    responses={**_WITH_BODY, **problems(409)},
    dependencies=[needs(Scope.ANSWER)],
)
async def answer(
    body: Annotated[AnswerRequest, Body(openapi_examples=_EXAMPLES)], service: ServiceDependency, request: Request
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
    responses=_WITH_BODY,
    dependencies=[needs(Scope.ANSWER)],
)
async def answer_batch(body: AnswerBatchRequest, service: ServiceDependency, request_id: RequestId, request: Request) -> Response:
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
    responses=problems(401, 403, 500),
    dependencies=[needs(Scope.KNOWLEDGE_READ)],
)
async def intents(service: ServiceDependency) -> Response:
    """Categories and intents in the order of the pack's file."""
    return as_json(intents_out(service.engine.knowledge))
