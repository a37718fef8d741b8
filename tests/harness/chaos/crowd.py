"""Clients that hold connections and do not get on with it: idle ones, ones that send a byte now and then, ones that stop halfway."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic
from types import TracebackType

_HEAD = b"POST /v1/answer HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n"
_BODY = b'{"text": "' + b"a" * 500 + b'"}'
_LENGTH = b"content-length: %d\r\n\r\n" % len(_BODY)
_BYTE_S = 2.0
_LOOK_S = 0.05
_AGAIN_S = 1.0
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Kind:
    """``at_once`` is sent first, then ``slowly`` a byte every two seconds."""

    name: str
    at_once: bytes
    slowly: bytes = b""


IDLE = Kind("idle", b"")
SLOW_HEAD = Kind("slow head", _HEAD[:20], _HEAD[20:] + b"x-slow: " + b"a" * 10_000)
SLOW_BODY = Kind("slow body", _HEAD + _LENGTH, _BODY)
HALF = Kind("half a request", _HEAD + _LENGTH + _BODY[: len(_BODY) // 2])


@dataclass
class _One:
    kind: Kind
    sent: int = 0
    due: float = 0.0


@dataclass
class Crowd:
    """``members`` hold a connection each inside ``with``, and connect again a second after theirs was ended; one thread and epoll."""

    port: int
    members: Sequence[Kind]
    most: int = 0
    ended: int = 0
    failed: int = 0
    _open: dict[socket.socket, _One] = field(default_factory=dict)
    _enough: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def __enter__(self) -> Crowd:
        self._enough.clear()
        self._waiting = [_One(kind) for kind in self.members]
        self._selector = selectors.DefaultSelector()
        while self._waiting:  # all are there before the honest ones begin; not at once, for a storm of connections is another thing
            self._join()
            self._enough.wait(_LOOK_S)
        self._thread = Thread(target=self._run, name="crowd")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._enough.set()
        if self._thread:
            self._thread.join()
        for link in list(self._open):
            self._close(link)
        self._selector.close()

    def _run(self) -> None:
        while not self._enough.wait(_LOOK_S):
            self._join()
            for key, _ in self._selector.select(0):
                link = key.fileobj
                assert isinstance(link, socket.socket)
                self._read(link)
            now = monotonic()
            for link, one in list(self._open.items()):
                if one.sent < len(one.kind.slowly) and one.due <= now:
                    self._send(link, one, now)

    def _join(self) -> None:
        """Connect some of those that wait."""
        now = monotonic()
        due = [one for one in self._waiting if one.due <= now][:_AT_ONCE]
        for one in due:
            self._waiting.remove(one)
            link = socket.socket()
            try:
                link.settimeout(5)
                link.connect(("127.0.0.1", self.port))
                link.sendall(one.kind.at_once)
            except OSError:
                self.failed += 1
                one.due = now + _AGAIN_S
                self._waiting.append(one)
                link.close()
                continue
            link.setblocking(False)
            one.sent, one.due = 0, monotonic() + _BYTE_S * (len(self._open) % 20) / 20
            self._open[link] = one
            self._selector.register(link, selectors.EVENT_READ)
        self.most = max(self.most, len(self._open))

    def _read(self, link: socket.socket) -> None:
        """The server says something, or ends the connection: both end it here."""
        said = b"-"
        with suppress(OSError):
            said = link.recv(65536)
        if not said or said.startswith(b"HTTP/1.1 4") or said.startswith(b"HTTP/1.1 5") or said == b"-":
            self.ended += 1
            self._waiting.append(_One(self._open[link].kind, due=monotonic() + _AGAIN_S))
            self._close(link)

    def _send(self, link: socket.socket, one: _One, now: float) -> None:
        with suppress(OSError):  # its end is read
            link.send(one.kind.slowly[one.sent : one.sent + 1])
        one.sent, one.due = one.sent + 1, now + _BYTE_S

    def _close(self, link: socket.socket) -> None:
        del self._open[link]
        with suppress(KeyError):
            self._selector.unregister(link)
        link.close()


def crowd_of(*parts: tuple[int, Kind]) -> list[Kind]:
    """So many of each, mixed."""
    found: list[Kind] = []
    left = [[kind] * count for count, kind in parts]
    while any(left):
        found += [kinds.pop() for kinds in left if kinds]
    return found
