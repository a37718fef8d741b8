"""Reading a request body: bounded in length and time while it arrives, and strict JSON, parsed once."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ProblemError, problem_response
from serving.settings import MAX_BODY_BYTES, MAX_FILE_BYTES

# Longer than any number the contract knows; int() takes quadratic time in the digits.
_MAX_DIGITS = 20
MAX_DEPTH = 64
"""Levels of JSON that are read; whatever looks at a body later may do so by recursion."""
SLOWEST_BYTES_S = 64 * 1024
"""Bytes that earn a body one second more to arrive in."""


class BodyClock:
    """ASGI middleware: 408 for a body that arrives too slowly, whoever reads it, and 499 where the client leaves halfway.

    A body has ``seconds``, and one more for each SLOWEST_BYTES_S that came, so that a large file may take its time and a
    client that sends a byte now and then may not (as RequestReadTimeout of Apache's mod_reqtimeout). The clock starts when
    the head was read.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it; a response that began already ends here."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        clocked = _Clocked(receive, self._seconds)
        try:
            await self._app(scope, clocked.receive, send)
        except _NoBodyError as error:
            await problem_response(scope, error)(scope, receive, send)


class _NoBodyError(ProblemError):
    """Why a body does not come to its end; FastAPI passes it through, as any ProblemError."""


def too_slow() -> ProblemError:
    """The 408 for a body that does not come."""
    detail = "the body arrived too slowly; send it at once, after the head"
    return _NoBodyError(408, "body_timeout", detail, headers={"Connection": "close"})


def _left() -> ProblemError:
    return _NoBodyError(499, "client_gone", "the client left before it had sent the body")


class _Clocked:
    """A ``receive`` that raises once the body has taken too long."""

    def __init__(self, receive: Receive, seconds: float) -> None:
        self._receive = receive
        self._due = asyncio.get_running_loop().time() + seconds
        self._is_whole = False

    async def receive(self) -> Message:
        """The next message; what comes after the body, which is the end, may be waited for as long as it takes."""
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._due):
                message = await self._receive()
        except TimeoutError:
            raise too_slow() from None
        if message["type"] == "http.disconnect":
            raise _left()
        self._due += len(message.get("body", b"")) / SLOWEST_BYTES_S
        self._is_whole = not message.get("more_body", False)
        return message


class StrictRequest(Request):
    """A request whose body is at most ``max_body_bytes`` long and holds JSON without any trick."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._max_bytes: int = getattr(scope["app"].state, "max_body_bytes", MAX_BODY_BYTES)

    async def body(self) -> bytes:
        """The whole body; raise 413 as soon as it is known to be too long, 415 when it is not plain JSON."""
        if not hasattr(self, "_body"):
            self._check_headers()
            content = bytearray()
            async for chunk in self.stream():
                content += chunk
                self._check_length(len(content))
            self._body = bytes(content)
        return self._body

    async def json(self) -> Any:
        """The parsed body; raise 400 for anything but strict JSON."""
        return parse_json(await self.body())

    def _check_kind(self) -> None:
        kind, _, parameters = self.headers.get("content-type", "").lower().partition(";")
        if kind.strip() != "application/json" or not _is_utf8(parameters):
            detail = "the body must be JSON in UTF-8; send `content-type: application/json`"
            raise ProblemError(415, "unsupported_media_type", detail)

    def _check_headers(self) -> None:
        self._check_kind()
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            detail = "compressed bodies are not read; send the body without content-encoding"
            raise ProblemError(415, "unsupported_content_encoding", detail)
        declared = self.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit():
            # Compared by length first: int() refuses thousands of digits.
            self._check_length(int(declared) if len(declared) < _MAX_DIGITS else math.inf)

    def _check_length(self, length: float) -> None:
        if length > self._max_bytes:
            detail = f"the body is longer than {self._max_bytes} bytes; send fewer items a request"
            # The rest of the body is not read, so this connection cannot carry another request.
            raise ProblemError(413, "body_too_large", detail, headers={"Connection": "close"})


class FileRequest(StrictRequest):
    """A request whose body is a file of any form, at most MAX_FILE_BYTES long."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._max_bytes = MAX_FILE_BYTES

    def _check_kind(self) -> None:
        """The route knows the forms it takes."""


class StrictRoute(APIRoute):
    """A route that reads its body as a StrictRequest."""

    request_class: type[StrictRequest] = StrictRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, fed with strict requests."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(self.request_class(request.scope, request.receive))

        return handle_strictly


class FileRoute(StrictRoute):
    """A route that reads its body as a FileRequest."""

    request_class = FileRequest


def parse_json(body: bytes) -> Any:
    """What ``body`` says; raise a 400 ProblemError where two readers might understand it differently."""
    try:
        found = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_bounded_int,
            parse_float=_finite_float,
        )
    except UnicodeDecodeError:
        raise ProblemError(400, "invalid_encoding", "the body is not valid UTF-8; encode it as UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ProblemError(400, "invalid_json", f"the body is not valid JSON at {place}; correct it there") from None
    except RecursionError:
        raise _too_deep() from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:  # else it cannot be deeper
        _check_depth(found)
    return found


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner for outer in level if isinstance(outer, (dict, list)) for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ProblemError:
    return ProblemError(400, "json_too_deep", f"the JSON is nested deeper than {MAX_DEPTH} levels; send it flat")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ProblemError(400, "duplicate_key", "an object of the body names a key twice; send each key once")
    for key in found:
        if not key.isascii() and any("\ud800" <= char <= "\udfff" for char in key):
            raise ProblemError(422, "key_not_unicode", "a key holds a lone surrogate; send valid Unicode")
        if "\x00" in key:
            raise ProblemError(422, "key_has_nul", "a key holds a NUL character; remove it")
    return found


def _refuse_constant(_name: str) -> Any:
    raise ProblemError(400, "invalid_json", "NaN and Infinity are not JSON; send a number or null")


def _bounded_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ProblemError(400, "number_too_large", f"a number has more than {_MAX_DIGITS} digits; send a smaller one")
    return int(digits)


def _finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ProblemError(400, "number_too_large", "a number is too large; send a smaller one")
    return value


def _is_utf8(parameters: str) -> bool:
    named = [value.strip().strip('"') for name, _, value in _parameters(parameters) if name.strip() == "charset"]
    return all(charset in {"utf-8", "utf8"} for charset in named)


def _parameters(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(";")]
