"""RFC 9457 problems: each error class is mapped to a status once, and none repeats the customer's text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec.json import Encoder
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from serving.context import context_of
from yingda.domain.errors import MessageError, StoreError

PROBLEM_JSON = "application/problem+json"

_encode = Encoder().encode

# Names of fields are words; what has four digits in a row may be somebody's number, whoever made it a key.
_SAFE_TOKEN = re.compile(r"(?!.*[0-9]{4})[A-Za-z0-9_.-]{1,64}")
_CODES = {
    400: ("bad_request", "the request cannot be read; send a JSON object as /openapi.json describes it"),
    404: ("not_found", "there is nothing at this path; see /openapi.json for the calls that exist"),
    405: ("method_not_allowed", "this path does not know the method; see the Allow header"),
}
# RFC 9110 renamed these; Python follows from 3.13 on, and a title must not depend on that.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
_MESSAGES = {
    "missing": "this field is required",
    "extra_forbidden": "this field is unknown; remove it or correct its name",
    "invalid_key": "every key must be a string",
    "string_unicode": "this holds a lone surrogate; send valid Unicode",
    "string_pattern_mismatch": "this does not have the required form; see /openapi.json",
    "model_type": "this must be a JSON object",
    "dict_type": "this must be a JSON object",
    "list_type": "this must be a JSON array",
}
# These messages of pydantic's state the rule alone, never the value that broke it.
_SPEAKS_OF_RULE = frozenset(
    {
        *("string_type", "string_too_short", "string_too_long", "int_type", "bool_type", "enum"),
        *("greater_than_equal", "less_than_equal", "too_long", "too_short", "nul_character"),
        *("says_nothing", "text_blank", "text_too_long", "text_not_unicode", "text_has_nul"),
    }
)


EXAMPLE: dict[str, Any] = {
    "type": "urn:yingda:problem:validation_failed",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "1 field is not valid; see errors",
    "instance": "urn:yingda:request:2f1c9a7be0d94c03a1f0f5a4c1d2e3f4",
    "code": "validation_failed",
    "request_id": "2f1c9a7be0d94c03a1f0f5a4c1d2e3f4",
    "errors": [{"pointer": "/text", "code": "text_blank", "detail": "text is empty or blank; send 1 to 2,000 characters"}],
}
"""A problem as the OpenAPI document shows it."""


class FieldError(BaseModel):
    """One bad field of a request."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the request body; empty for the whole body.")
    code: str = Field(description="Stable name of the rule that was broken.")
    detail: str = Field(description="What is wrong and what to send; never the value itself.")


class RowError(FieldError):
    """One bad field of a row of an imported file; there is nothing that a JSON pointer could point to."""

    line: int = Field(description="Where the row begins in the file, from 1.")
    field: str = Field(description="The bad field, as the file's columns name it; empty for the whole row.")


class Problem(BaseModel):
    """An RFC 9457 problem; it never repeats the customer's text."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    type: str = Field(description="URN of the kind of problem; ends in `code`.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong and what to do.")
    instance: str = Field(description="URN of this occurrence; ends in `request_id`.")
    code: str = Field(description="Stable snake_case name for programs.")
    request_id: str = Field(description="The same id as in the x-request-id header and in the log.")
    errors: list[RowError | FieldError] = Field(description="The bad fields or rows; empty where none can be named.")


class ProblemError(HTTPException):
    """Ends a request with a problem; raise it anywhere below the middleware."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.code = code
        self.errors = tuple(errors)


def problem_of(error: ProblemError, *, request_id: str) -> Problem:
    """The body that tells the caller about ``error``."""
    return Problem(
        type=f"urn:yingda:problem:{error.code}",
        title=_title(error.status_code),
        status=error.status_code,
        detail=error.detail,
        instance=f"urn:yingda:request:{request_id}",
        code=error.code,
        request_id=request_id,
        errors=list(error.errors),
    )


def problem_json(error: ProblemError, *, request_id: str) -> bytes:
    """``problem_of`` as JSON, for an ``error`` without fields, at a fraction of its cost."""
    return _encode(
        {
            "type": f"urn:yingda:problem:{error.code}",
            "title": _title(error.status_code),
            "status": error.status_code,
            "detail": error.detail,
            "instance": f"urn:yingda:request:{request_id}",
            "code": error.code,
            "request_id": request_id,
            "errors": [],
        }
    )


def problem_response(scope: Scope, error: ProblemError) -> Response:
    """``error`` as an application/problem+json response to the request of ``scope``."""
    context = context_of(scope)
    context.code = error.code
    problem = problem_of(error, request_id=context.request_id)
    headers = dict(error.headers or {})
    return Response(problem.model_dump_json(), error.status_code, headers, media_type=PROBLEM_JSON)


def validation_problem(errors: Sequence[FieldError]) -> ProblemError:
    """The 422 for fields that break a rule of the schema."""
    count = "1 field is" if len(errors) == 1 else f"{len(errors)} fields are"
    return ProblemError(422, "validation_failed", f"{count} not valid; see errors", errors=errors)


def expected_problem(error: ProblemError | MessageError | StoreError) -> ProblemError:
    """How an error that is expected of the service is told to the caller."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, MessageError):
        return validation_problem([FieldError(pointer=pointer([error.field]), code=error.code, detail=str(error))])
    # the error itself names the database, which is nobody's business but the operator's
    detail = "the conversation cannot be stored now; send the message again with the same message_id"
    return ProblemError(503, error.code, detail, headers={"Retry-After": "1"})


def internal_problem() -> ProblemError:
    """The 500 for what nobody expected."""
    return ProblemError(500, "internal_error", "the server failed; look up the request_id in its log")


def field_errors(details: Iterable[Mapping[str, Any]], *, at: Sequence[str | int] = ()) -> list[FieldError]:
    """pydantic's errors as field errors below ``at``; values and unsafe key names are left out."""
    return [_field_error(detail, at=at) for detail in details]


def pointer(location: Iterable[str | int]) -> str:
    """JSON pointer to ``location``; it stops above the first key that may hold what somebody wrote."""
    tokens: list[str] = []
    for part in location:
        if isinstance(part, str) and not _SAFE_TOKEN.fullmatch(part):
            break
        tokens.append(f"/{part}")
    return "".join(tokens)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every expected error of ``app`` with a problem."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(MessageError, _on_expected_error)
    app.add_exception_handler(StoreError, _on_expected_error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, ProblemError):
        return problem_response(request.scope, error)
    if error.status_code == 405 and request.method == "OPTIONS":
        allowed = (error.headers or {}).get("Allow", "")
        return Response(status_code=204, headers={"Allow": f"{allowed}, OPTIONS"})
    code, detail = _CODES.get(error.status_code, ("http_error", _title(error.status_code)))
    return problem_response(request.scope, ProblemError(error.status_code, code, detail, headers=error.headers))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # FastAPI puts the part of the request first ("body"); a pointer is relative to the body already.
    details = [{**detail, "loc": detail["loc"][1:]} for detail in error.errors()]
    return problem_response(request.scope, validation_problem(field_errors(details)))


async def _on_expected_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MessageError | StoreError)
    return problem_response(request.scope, expected_problem(error))


def _title(status: int) -> str:
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _field_error(detail: Mapping[str, Any], *, at: Sequence[str | int]) -> FieldError:
    # FastAPI lets pydantic read attributes too, which gives one rule two names.
    code = detail["type"].replace("model_attributes_type", "model_type")
    rule = detail["msg"] if code in _SPEAKS_OF_RULE else "this is not valid; see /openapi.json"
    return FieldError(pointer=pointer((*at, *detail["loc"])), code=code, detail=_MESSAGES.get(code, rule))
