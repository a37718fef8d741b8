"""The two hot routes without FastAPI: what is plainly a good request is answered here, everything else as always.

This middleware stands right before FastAPI and writes no error about a request of its own: whatever it doubts, from a header to a
key named twice, goes on to FastAPI with the body as it was read, so both tell the same by construction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from msgspec.json import Encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.calls import AnswerCall, ClassifyCall, Ticket
from serving.context import context_of
from serving.departure import Departure, departure_of
from serving.errors import ProblemError, expected_problem, problem_response
from serving.hot_requests import read_answer, read_classify
from serving.keys import Scope as KeyScope
from yingda.domain.errors import MessageError, StoreError

RawHeaders = Sequence[tuple[bytes, bytes]]

_KINDS: Final = frozenset(
    {b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8", b"application/json; charset=UTF-8"}
)
"""Content types that name JSON in UTF-8 beyond doubt; others may, too."""
_MAX_LENGTH_DIGITS = 9
_encode: Final = Encoder().encode


class Answering(Protocol):
    """What is needed of the Service."""

    async def classify(self, calls: Sequence[ClassifyCall], *, ticket: Ticket | None = None) -> list[dict[str, Any]]:
        """For each call, in order, what /v1/classify tells."""

    async def answer(self, calls: Sequence[AnswerCall], *, ticket: Ticket | None = None) -> list[Mapping[str, Any] | ProblemError]:
        """For each call, in order, what /v1/answer tells, or why it cannot."""


Told = Mapping[str, Any]
Watch = Callable[[Receive, Ticket, Awaitable[Told], Departure | None], Awaitable[Told]]
"""Waits for work done for a caller who may leave meanwhile, which the departure tells, else ``receive``, and the ticket shows."""


def no_ticket(_headers: RawHeaders) -> Ticket:
    """A caller who waits for as long as it takes."""
    return Ticket()


async def unwatched(_receive: Receive, _ticket: Ticket, work: Awaitable[Told], _departure: Departure | None) -> Told:
    """What ``work`` returns, whether or not anybody is still there to read it."""
    return await work


@dataclass(frozen=True, slots=True)
class _Route:
    """A hot route: its template, as access lines and metrics show it, the scope it needs, and its work for a body and a caller."""

    path: str
    scope: str
    work: Callable[[bytes, Ticket, str | None], Awaitable[Told] | None]


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a body: all of it, within bounds, when ``is_whole``; ``last`` is what came in place of the rest."""

    body: bytes
    is_whole: bool
    more: bool = False
    last: Message | None = None


class HotRoutes:
    """ASGI middleware for POST /v1/classify and /v1/answer.

    Bodies longer than ``max_body_bytes`` go on to FastAPI, which refuses them, before more of them is read. ``ticket_of`` makes
    the ticket of a request from its raw headers; ``watched`` waits for the work done under it.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Answering,
        *,
        max_body_bytes: int,
        ticket_of: Callable[[RawHeaders], Ticket] = no_ticket,
        watched: Watch = unwatched,
    ) -> None:
        self._app, self._service, self._max_body_bytes = app, service, max_body_bytes
        self._ticket_of, self._watched = ticket_of, watched
        routes = (_Route("/v1/classify", KeyScope.CLASSIFY, self._classify), _Route("/v1/answer", KeyScope.ANSWER, self._answer))
        self._routes = {route.path: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request when it is plainly a good one for a hot route, else pass it on."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or not self._is_plain(scope, route):
            return await self._app(scope, receive, send)
        try:
            ticket = self._ticket_of(scope["headers"])
        except ProblemError:
            return await self._app(scope, receive, send)
        scope["route"] = route
        read = await self._read(receive)
        work = route.work(read.body, ticket, context_of(scope).key_id) if read.is_whole else None
        if work is None:
            return await self._app(scope, _replayed(read, receive), send)
        try:
            found = await self._watched(receive, ticket, work, departure_of(scope))
        except (ProblemError, MessageError, StoreError) as error:
            return await problem_response(scope, expected_problem(error))(scope, receive, send)
        await _send_json(send, found)

    def _is_plain(self, scope: Scope, route: _Route) -> bool:
        """True when nothing but the body can keep this request from being served."""
        if scope["method"] != "POST" or scope.get("root_path"):
            return False
        granted = context_of(scope).scopes
        if granted is not None and route.scope not in granted:
            return False
        return self._is_plain_json(scope["headers"])

    def _is_plain_json(self, headers: RawHeaders) -> bool:
        kinds = 0
        for name, value in headers:
            if name == b"content-type":
                kinds += 1
                if value not in _KINDS:
                    return False
            elif name == b"content-length":
                if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS or int(value) > self._max_body_bytes:
                    return False
            elif name == b"content-encoding":
                return False
        return kinds == 1

    async def _read(self, receive: Receive) -> _Read:
        """The body, as far as it came and no longer than it may be."""
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body = message.get("body", b"")
            return _Read(body, is_whole=len(body) <= self._max_body_bytes)
        # one growing piece: a body may come byte by byte, and a message for each byte would fill the memory
        body = bytearray()
        while message["type"] == "http.request":
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if not more or len(body) > self._max_body_bytes:
                return _Read(bytes(body), is_whole=len(body) <= self._max_body_bytes, more=more)
            message = await receive()
        return _Read(bytes(body), is_whole=False, more=True, last=message)

    def _classify(self, body: bytes, ticket: Ticket, _caller: str | None) -> Awaitable[Told] | None:
        call = read_classify(body)
        return None if call is None else self._classified(call, ticket)

    async def _classified(self, call: ClassifyCall, ticket: Ticket) -> Told:
        return (await self._service.classify([call], ticket=ticket))[0]

    def _answer(self, body: bytes, ticket: Ticket, caller: str | None) -> Awaitable[Told] | None:
        call = read_answer(body, caller)
        return None if call is None else self._answered(call, ticket)

    async def _answered(self, call: AnswerCall, ticket: Ticket) -> Told:
        found = (await self._service.answer([call], ticket=ticket))[0]
        if isinstance(found, ProblemError):
            raise found
        return found


def _replayed(read: _Read, receive: Receive) -> Receive:
    """A ``receive`` that gives what was ``read`` already and then goes on."""
    body = {"type": "http.request", "body": read.body, "more_body": read.more}
    left = iter([body, read.last] if read.last else [body])

    async def replay() -> Message:
        for message in left:
            return message
        return await receive()

    return replay


async def _send_json(send: Send, found: Told) -> None:
    body = _encode(found)
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
