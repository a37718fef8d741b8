"""Raw requests on the wire, and how long each takes to be answered."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Any

from tests.harness.chaos.bodies import Hostile

Route = tuple[str, str]
"""A method and a path."""
GONE, HANG = 0, -1
"""In place of a status: the connection ended without an answer; nothing came within the limit."""
_DRIP_S = 1.0
_FILLED = {"conversation_id": "c-hostile", "kind": "faq", "step": "review"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request and its status; milliseconds from its first byte to the status line."""

    case: Hostile
    route: Route
    status: int
    ms: float


def routes_of(document: dict[str, Any], entry: str) -> list[Route]:
    """Every POST and PUT of an OpenAPI document; ``entry`` is the id of an entry that exists."""
    found = []
    for path, methods in document["paths"].items():
        for name, value in {**_FILLED, "id": entry}.items():
            path = path.replace(f"{{{name}}}", value)
        found += [(method.upper(), path) for method in methods if method in ("post", "put")]
    return found


def send(port: int, route: Route, case: Hostile, *, limit_s: float) -> Sent:
    """Send ``case`` over a connection of its own."""
    begun = time.monotonic()
    status = GONE
    try:
        with socket.create_connection(("127.0.0.1", port), limit_s) as link:
            _write(link, case.head(*route), case, begun + limit_s)
            status = _status(link)
    except TimeoutError:
        status = HANG
    except OSError:
        status = GONE
    return Sent(case, route, status, 1000 * (time.monotonic() - begun))


def _write(link: socket.socket, head: bytes, case: Hostile, end: float) -> None:
    """What is refused halfway need not be sent to its end."""
    try:
        if not case.drip:
            link.sendall(head + case.payload)
        else:
            link.sendall(head)
            for byte in case.payload:
                if time.monotonic() > end or select.select([link], [], [], _DRIP_S)[0]:
                    break
                link.sendall(bytes([byte]))
        if case.cut:
            link.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        return


def _status(link: socket.socket) -> int:
    said = b""
    while b"\r\n" not in said:
        piece = link.recv(4096)
        if not piece:
            return GONE
        said += piece
    line, _, more = said.partition(b"\r\n")
    status = int(line.split()[1])
    if status != 100:
        return status
    rest = more.partition(b"\r\n")[2]
    while b"\r\n" not in rest:
        piece = link.recv(4096)
        if not piece:
            return GONE
        rest += piece
    return int(rest.split()[1])


class Attack:
    """Hostile requests at a steady pace inside ``with``, from one thread; it waits for each answer."""

    def __init__(self, port: int, routes: Sequence[Route], cases: Sequence[Hostile], *, rate: float, limit_s: float) -> None:
        self.sent: list[Sent] = []
        self._port, self._routes, self._cases, self._rate, self._limit_s = port, routes, cases, rate, limit_s
        self._enough = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Attack:
        self._enough.clear()
        self._thread = Thread(target=self._run, name="attack")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._enough.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.wait(1 / self._rate):
            number = len(self.sent)
            case, route = self._cases[number % len(self._cases)], self._routes[number % len(self._routes)]
            self.sent.append(send(self._port, route, case, limit_s=self._limit_s))
