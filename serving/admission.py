"""How long a caller waits, and whether it is still there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from starlette.types import Receive

from serving.calls import Ticket
from serving.departure import Departure
from serving.errors import ProblemError
from serving.queue import client_gone

T = TypeVar("T")

DEADLINE = b"x-deadline-ms"
MOST_MS = 600_000
"""Longest deadline that can be asked for: ten minutes."""
_DIGITS = len(str(MOST_MS))
_UNWATCHED_S = 0.02
"""Seconds of work before anybody listens for the client's end: a reply takes less, and a task that listens costs as much as one."""


def ticket_of(headers: Sequence[tuple[bytes, bytes]], *, clock: Callable[[], float] = time.monotonic) -> Ticket:
    """The ticket of a request by its raw headers, whose names are in lower case.

    `x-deadline-ms` is how many milliseconds the caller still waits, counted from now: a duration, as gRPC's `grpc-timeout`,
    because clocks of two machines never agree. Raises a 400 ProblemError when it is no whole number from 0 to MOST_MS, or is
    given twice.
    """
    ticket = Ticket()
    for name, value in headers:
        if name == DEADLINE:
            if ticket.expires_at is not None or not value.isdigit() or len(value) > _DIGITS or int(value) > MOST_MS:
                detail = f"x-deadline-ms is one whole number of milliseconds from 0 to {MOST_MS}; correct or leave it out"
                raise ProblemError(400, "invalid_deadline", detail)
            ticket.expires_at = clock() + int(value) / 1000
    return ticket


async def watched(
    receive: Receive, ticket: Ticket, work: Awaitable[T], departure: Departure | None = None, *, unwatched_s: float = _UNWATCHED_S
) -> T:
    """What ``work`` returns; it is cancelled, and a 499 ProblemError raised, once the client left.

    ``departure`` tells that; where there is none, ``receive`` is listened to after ``unwatched_s`` seconds of work. Call it when the
    whole body was read: what comes after that can only be the end. Work that waits for the engine is then taken out of the queue;
    what is being decided is finished and stored.
    """
    task = asyncio.current_task()
    assert task is not None
    cancelled_before, ended_work = task.cancelling(), False

    def leave() -> None:
        # the work may have ended in the same turn of the loop: then whatever the task does now is none of ours
        if not ended_work:
            ticket.gone = True
            task.cancel()

    with _told(departure, leave) if departure else _listening(receive, leave, unwatched_s):
        try:
            return await work
        except asyncio.CancelledError:
            # as asyncio.timeout does it: whoever else cancels at the same time is to have their way
            if ticket.gone and task.uncancel() <= cancelled_before:
                raise client_gone() from None
            raise
        finally:
            ended_work = True


@contextmanager
def _told(departure: Departure, leave: Callable[[], None]) -> Iterator[None]:
    departure.tell(leave)
    try:
        yield
    finally:
        departure.tell(None)


@contextmanager
def _listening(receive: Receive, leave: Callable[[], None], unwatched_s: float) -> Iterator[None]:
    listener: asyncio.Task[bool] | None = None

    def listen() -> None:
        nonlocal listener
        listener = asyncio.ensure_future(_until_gone(receive))
        listener.add_done_callback(on_end)

    def on_end(ended: asyncio.Task[bool]) -> None:
        if not ended.cancelled() and ended.exception() is None and ended.result():
            leave()

    timer = asyncio.get_running_loop().call_later(unwatched_s, listen)
    try:
        yield
    finally:
        timer.cancel()
        if listener is not None:
            listener.remove_done_callback(on_end)
            listener.cancel()


async def _until_gone(receive: Receive) -> bool:
    while (await receive())["type"] != "http.disconnect":
        # an empty last piece of the body
        pass
    return True
