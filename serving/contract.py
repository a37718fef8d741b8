"""What the OpenAPI document says of calls beside their schemas: the problems they can answer, and headers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from serving.admission import DEADLINE, MOST_MS
from serving.errors import PROBLEM_JSON

Responses = dict[int | str, dict[str, Any]]

GUARDED = (401, 403, 429, 500, 503)
"""Statuses of problems that every call can answer which asks for a scope."""

BODY = (400, 408, 413, 415, 422)
"""Statuses of problems that every call can answer which reads a body."""

_MEANINGS = {
    400: "The body is not strict JSON in UTF-8, or a header cannot be read.",
    401: "The key or token is missing, or opens nothing.",
    403: "The key lacks the scope.",
    404: "There is no such thing.",
    408: "The body arrived too slowly.",
    409: "The message_id was used before, for another body.",
    412: "The record has changed since it was read.",
    413: "The body is longer than 256 KiB.",
    415: "The body is not `application/json`.",
    422: "A field breaks a rule; `errors` points at it.",
    428: "If-Match is missing: send the ETag that was read, or `*`.",
    429: "The key sends more than it may; see `Retry-After`.",
    500: "The server failed.",
    503: "Too many wait, a store cannot be used, or the server is not ready or stops; see `Retry-After`.",
    504: "The time given by `x-deadline-ms` passed before the engine began.",
}
_CHALLENGE = ("WWW-Authenticate", "What to send (RFC 6750).", {"type": "string"})
_PAUSE = ("Retry-After", "Seconds after which to try again.", {"type": "integer", "minimum": 0})
_HEADERS = {401: _CHALLENGE, 403: _CHALLENGE, 429: _PAUSE, 503: _PAUSE}
_USUAL: Mapping[int, str] = MappingProxyType({})

WITH_DEADLINE: dict[str, Any] = {
    "parameters": [
        {
            "name": DEADLINE.decode(),
            "in": "header",
            "required": False,
            "description": "Milliseconds that the caller still waits; what the engine has not begun by then is never decided (504).",
            "schema": {"type": "integer", "minimum": 0, "maximum": MOST_MS, "examples": [250]},
        }
    ]
}
"""The parameter of the calls that wait for the engine."""


def problems(*statuses: int, meanings: Mapping[int, str] = _USUAL) -> Responses:
    """OpenAPI responses for the problems a call can answer; ``meanings`` says what is special about some of the statuses."""
    return {status: _problem(status, meanings.get(status, _MEANINGS[status])) for status in statuses}


def headers(**described: str) -> Responses:
    """What a response of status 200 carries besides its body, by name; an underscore stands for a dash."""
    named = {name.replace("_", "-"): {"description": what, "schema": {"type": "string"}} for name, what in described.items()}
    return {200: {"headers": named}}


def _problem(status: int, meaning: str) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {"description": meaning, "content": content}
    if status in _HEADERS:
        name, what, schema = _HEADERS[status]
        found["headers"] = {name: {"description": what, "schema": schema}}
    return found
