"""An honest client: one connection, one request at a time, and what came of it; and waiting for what takes its time."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Told:
    """A reply; status 0 where none came."""

    status: int
    body: Any = None
    ms: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Connects when needed and again when the connection broke; for one thread."""

    def __init__(self, port: int, *, timeout_s: float = 30.0) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Told:
        """Send ``body`` as JSON."""
        return self._ask(
            "POST", path, json.dumps(body, ensure_ascii=False).encode(), {"content-type": "application/json", **(headers or {})}
        )

    def get(self, path: str) -> Told:
        """Read ``path``."""
        return self._ask("GET", path, None, {})

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Told:
        begun = time.monotonic()
        try:
            self._link.request(method, path, body, dict(headers))
            reply = self._link.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException):
            self._link.close()
            return Told(0, None, 1000 * (time.monotonic() - begun))
        found = {name.lower(): value for name, value in reply.getheaders()}
        told = json.loads(content) if "json" in found.get("content-type", "") else content
        return Told(reply.status, told, 1000 * (time.monotonic() - begun), found)


def until(condition: Callable[[], bool], *, seconds: float) -> float | None:
    """Seconds until ``condition`` held; None where it did not within ``seconds``."""
    begun, pause = time.monotonic(), Event()
    while not condition():
        if time.monotonic() - begun > seconds:
            return None
        pause.wait(_LOOK_S)
    return time.monotonic() - begun


def rest(seconds: float) -> None:
    """Let time pass."""
    Event().wait(seconds)
