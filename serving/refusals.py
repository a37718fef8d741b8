"""Refusals as whole HTTP/1.1 responses, written without the app: of requests that never reach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.context import RequestContext, attach
from serving.errors import PROBLEM_JSON, ProblemError, problem_json, problem_of, problem_response
from serving.identifiers import request_id

Header = tuple[bytes, bytes]

_KIND: Final = PROBLEM_JSON.encode()
_SOME_ID: Final = "0" * 32
"""Stands for an id of the usual length in what is kept."""
_MOST_KEPT: Final = 256


class Refusals:
    """Writes refusals; the ``fixed`` headers are those of every response of the app.

    All but the id of the request is kept from one to the next: a flood is refused in few words. What is kept is given up with
    the server's default headers, which change every second.
    """

    def __init__(self, fixed: Sequence[Header]) -> None:
        self._fixed = _lines(fixed)
        self._default: Sequence[Header] | None = None
        self._kept: dict[ProblemError, list[bytes]] = {}

    def written(self, refusal: ProblemError, name: str, default_headers: Sequence[Header]) -> bytes:
        """The response to the request called ``name``."""
        if len(name) != len(_SOME_ID):
            return self._anew(refusal, name, default_headers)
        if default_headers is not self._default or len(self._kept) > _MOST_KEPT:
            self._default, self._kept = default_headers, {}
        kept = self._kept.get(refusal)
        if kept is None:
            kept = self._kept[refusal] = self._anew(refusal, _SOME_ID, default_headers).split(_SOME_ID.encode())
        return name.encode().join(kept)

    def _anew(self, refusal: ProblemError, name: str, default_headers: Sequence[Header]) -> bytes:
        own, body = parts(refusal, name)
        return STATUS_LINE[refusal.status_code] + _lines(default_headers) + _lines(own) + self._fixed + b"\r\n" + body


def parts(refusal: ProblemError, name: str) -> tuple[list[Header], bytes]:
    """Headers and body of a refusal to the request called ``name``."""
    body = problem_json(refusal, request_id=name)
    headers = [(field.lower().encode(), value.encode()) for field, value in (refusal.headers or {}).items()]
    headers += [(b"content-type", _KIND), (b"content-length", b"%d" % len(body)), (b"x-request-id", name.encode())]
    return headers, body


def name_of(sent: bytes | None) -> str:
    """What a request is called that sent this x-request-id."""
    return request_id(None if sent is None else sent.decode("latin-1"))


def crowded() -> ProblemError:
    """The 503 where too many connections are being answered."""
    headers = {"Retry-After": "1", "Connection": "close"}
    return ProblemError(503, "too_many_connections", "too many requests are being answered; try again later", headers=headers)


async def refuse_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that has no room for anybody."""
    attach(scope, RequestContext(request_id(None)))
    await problem_response(scope, crowded())(scope, receive, send)


def last_words(error: ProblemError) -> bytes:
    """``error`` as a whole response, after which the connection ends."""
    problem = problem_of(error, request_id=request_id(None))
    body = problem.model_dump_json().encode()
    headers: Mapping[str, Any] = {
        "content-type": PROBLEM_JSON,
        "content-length": len(body),
        "x-request-id": problem.request_id,
        **{name.lower(): value for name, value in (error.headers or {}).items()},
        "connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[error.status_code] + head.encode() + b"\r\n" + body


def _lines(headers: Sequence[Header]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
