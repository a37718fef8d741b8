"""One process that serves: binds the port, opens the engine, runs until told to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import uvicorn
from fastapi import FastAPI
from structlog.typing import FilteringBoundLogger

from serving.app import create_app
from serving.keys import read_keys
from serving.live import Desk
from serving.logs import LogBridge, open_log
from serving.service import Engine, Service
from serving.settings import PREFIX, Settings, SettingsError, check_exposure, check_roles, unknown_variables
from yingda.store.memory import Memory


def serve(
    settings: Settings,
    open_engine: Callable[[Settings], Engine],
    open_memory: Callable[[Settings], Memory],
    open_knowledge: Callable[[Settings, FilteringBoundLogger], Desk | None] = lambda _settings, _log: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight; raise YingdaError when it cannot start.

    Where ``open_knowledge`` opens a desk, the engine is the one in use there and ``open_engine`` is not asked.
    """
    check_exposure(settings)
    check_roles(settings)
    keys = read_keys(settings.keys_file) if settings.keys_file else None
    log = open_log(sys.stderr, settings.log_level)
    for warning in unknown_variables(os.environ):
        log.warning("unknown_variable", detail=warning)
    # Bound first: a port in use is known at once, a bundle takes its time.
    with _bind(settings) as listener:
        desk = open_knowledge(settings, log)
        engine = (desk.engine if desk else None) or open_engine(settings)
        with closing(open_memory(settings)) as memory:
            app = create_app(settings, engine, keys=keys, log=log, memory=memory, desk=desk)
            logging.getLogger().handlers = [LogBridge(log)]
            server = _Server(settings, app)
            # uvicorn raises the signal again once it has stopped; a wished-for stop is a success.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: None)
            server.run(sockets=[listener])
    if not server.was_ready:
        raise SettingsError(f"{settings.bundle}: the engine could not decide its first message; see the log above")


class _Server(uvicorn.Server):
    """Says where it listens once it is ready, and stops when it did not become ready."""

    def __init__(self, settings: Settings, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level=settings.log_level,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=settings.shutdown_timeout_s,
            )
        )
        self._service: Service = app.state.service
        self.was_ready = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept requests."""
        await super().startup(sockets=sockets)
        self.was_ready = self._service.ready
        if not self.was_ready:
            self.should_exit = True
            return
        for listener in sockets or []:
            sys.stdout.write(f"listening on http://{_address(listener)}\n")
        sys.stdout.flush()


def _bind(settings: Settings) -> socket.socket:
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return _bound(found[0])
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror}); free the port or set {PREFIX}HOST and {PREFIX}PORT"
        ) from None


def _bound(found: tuple[int, int, int, str, Any]) -> socket.socket:
    family, kind, protocol, _, address = found
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
