"""One process that serves: binds the port (or is given it), opens the engine, runs until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import Any

import uvicorn
from fastapi import FastAPI
from structlog.typing import FilteringBoundLogger

from serving.app import API_VERSION, create_app
from serving.connections import patient_protocol
from serving.holidays import tell_holidays
from serving.keys import follow_keys
from serving.lean import settle_in
from serving.live import Desk
from serving.logs import LogBridge, open_log
from serving.patience import Patience
from serving.processes import READY, prepare, supervise
from serving.retention import open_retention
from serving.service import Engine, Service
from serving.settings import PREFIX, Settings, SettingsError, check_exposure, check_processes, check_roles, unknown_variables
from serving.tokens import open_tokens
from serving.tracing import check_tracing, open_tracing
from yingda.store.memory import Memory
from yingda.store.vault import read_vault

_FAREWELL_S = 0.5
"""Seconds in which connections of a server that stops may still send a request, whose answer asks them to connect anew."""
_LOOK_S = 0.02
_MOST_WAITING = 4096
"""Connections taken in at most while the door is being closed; the system lets fewer wait."""


@dataclass(frozen=True)
class Openers:
    """How a process opens what it serves.

    Where ``knowledge`` opens a desk, the engine is the one in use there and ``engine`` is not asked.
    """

    engine: Callable[[Settings], Engine]
    memory: Callable[[Settings], Memory]
    knowledge: Callable[[Settings, FilteringBoundLogger], Desk | None] = lambda _settings, _log: None


def serve(
    settings: Settings,
    open_engine: Callable[[Settings], Engine],
    open_memory: Callable[[Settings], Memory],
    open_knowledge: Callable[[Settings, FilteringBoundLogger], Desk | None] = lambda _settings, _log: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight; raise YingdaError when it cannot start.

    As ``Openers`` for one process; several processes open everything by the environment's settings themselves.
    """
    check_exposure(settings)
    check_roles(settings)
    check_processes(settings)
    check_tracing(settings)
    if settings.vault_keys:
        read_vault(settings.vault_keys)
    log = open_log(sys.stderr, settings.log_level)
    if settings.keys_file:
        follow_keys(settings.keys_file, log)  # what cannot be read is told now and not by every process
    open_tokens(settings, log)
    for warning in unknown_variables(os.environ):
        log.warning("unknown_variable", detail=warning)
    # Bound first: a port in use is known at once, a bundle takes its time.
    with _bind(settings) as listener:

        def on_ready() -> None:
            _say(listener)
            tell_holidays(log, _now().date())

        if settings.workers == 1:
            _run(settings, listener, Openers(open_engine, open_memory, open_knowledge), log, on_ready=on_ready)
        else:
            prepare()
            settle_in()
            supervise(listener, settings.workers, log=log, patience_s=settings.shutdown_timeout_s, on_ready=on_ready)


def serve_worker(settings: Settings, openers: Openers, *, listener: socket.socket, channel: socket.socket, number: int) -> None:
    """Serve as one of several processes: tell the supervisor when ready, and end when told or when the supervisor is gone."""
    log: FilteringBoundLogger = open_log(sys.stderr, settings.log_level).bind(worker=number)
    with listener, channel:
        _run(settings, listener, openers, log, on_ready=lambda: channel.sendall(READY), lifeline=channel)


def _run(
    settings: Settings,
    listener: socket.socket,
    openers: Openers,
    log: FilteringBoundLogger,
    *,
    on_ready: Callable[[], None],
    lifeline: socket.socket | None = None,
) -> None:
    app = _open_app(settings, openers, log)
    with closing(app.state.service.memory):
        server = _Server(_config(settings, app), on_ready=on_ready, lifeline=lifeline)
        logging.getLogger().handlers = [LogBridge(log)]
        # uvicorn raises the signal again once it has stopped; a wished-for stop is a success.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: server.stop())
        server.run(sockets=[listener])
    if not server.was_ready:
        raise SettingsError(f"{settings.bundle}: the engine could not decide its first message; see the log above")


def _open_app(settings: Settings, openers: Openers, log: FilteringBoundLogger) -> FastAPI:
    # A function of its own: nothing here may hold on to the first engine while others take its place.
    keys = follow_keys(settings.keys_file, log) if settings.keys_file else None
    tokens = open_tokens(settings, log)
    desk = openers.knowledge(settings, log)
    engine = (desk.engine if desk else None) or openers.engine(settings)
    return create_app(
        settings,
        engine,
        keys=keys,
        tokens=tokens,
        log=log,
        memory=openers.memory(settings),
        desk=desk,
        vault=read_vault(settings.vault_keys) if settings.vault_keys else None,
        retention=open_retention(settings, log, _now),
        tracing=open_tracing(settings, version=API_VERSION),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=patient_protocol(_patience(settings), app.state.service.metrics.count_problem, app.state.door),
        timeout_keep_alive=ceil(settings.keep_alive_s),
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )


class _Server(uvicorn.Server):
    """Says that it is ready once it is, stops when it did not become ready, and lets connections end before it closes them."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None], lifeline: socket.socket | None) -> None:
        super().__init__(config)
        app = config.app
        assert isinstance(app, FastAPI)
        self._service: Service = app.state.service
        self._on_ready, self._lifeline = on_ready, lifeline
        self.was_ready = False

    def stop(self) -> None:
        """Finish what is in flight and end."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept requests."""
        await super().startup(sockets=sockets)
        self.was_ready = self._service.ready
        if not self.was_ready:
            self.should_exit = True
            return
        if self._lifeline:
            asyncio.get_running_loop().add_reader(self._lifeline, self._told)
        settle_in()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, ask those that are open to go elsewhere, then close what is left.

        A connection that is closed while its next request is under way would lose that request (RFC 9112, 9.5). So would those that the
        system has accepted and this process has not, once the last handle of the listening socket is closed: they are taken in first.
        """
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        listeners = [each.dup() for each in sockets or ()]
        for server in self.servers:
            server.close()
        for listener in listeners:
            with listener:
                await self._take_in(listener)
        loop = asyncio.get_running_loop()
        end = loop.time() + _FAREWELL_S
        while state.connections and loop.time() < end and not self.force_exit:
            await asyncio.sleep(_LOOK_S)
        await super().shutdown(sockets=sockets)

    async def _take_in(self, listener: socket.socket) -> None:
        """Serve who waits at ``listener``."""
        ours = {"config": self.config, "server_state": self.server_state, "app_state": self.lifespan.state}
        protocol: Callable[[], asyncio.Protocol] = partial(self.config.http_protocol_class, **ours)
        listener.setblocking(False)
        for _ in range(_MOST_WAITING):
            try:
                connection, _address = listener.accept()
            except OSError:  # nobody waits
                return
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)

    def _told(self) -> None:
        assert self._lifeline is not None
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self.stop()


def _say(listener: socket.socket) -> None:
    sys.stdout.write(f"listening on http://{_address(listener)}\n")
    sys.stdout.flush()


def _patience(settings: Settings) -> Patience:
    return Patience(
        head_s=settings.header_timeout_s,
        body_s=settings.body_timeout_s,
        idle_s=settings.keep_alive_s,
        connections=settings.max_connections,
    )


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
