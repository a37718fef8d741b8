"""The commands of ``python -m serving``: serve, or print the OpenAPI document."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from serving.app import openapi_document
from serving.lean import set_aside
from serving.live import Desk, held_desk, open_desk
from serving.server import Openers, serve, serve_worker
from serving.service import Engine
from serving.settings import Settings, load_settings
from yingda.domain.errors import YingdaError
from yingda.store.memory import Memory

_CANNOT_START = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 with a message on stderr when it cannot be done as configured."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "openapi":
            sys.stdout.write(json.dumps(openapi_document(), ensure_ascii=False, indent=2, sort_keys=True) + "\n")
        elif arguments.command == "worker":
            serve_worker(
                load_settings(),
                Openers(_open_engine, _open_memory, _open_knowledge),
                listener=socket.socket(fileno=arguments.listener),
                channel=socket.socket(fileno=arguments.channel),
                number=arguments.number,
            )
        else:
            serve(load_settings(), _open_engine, _open_memory, _open_knowledge)
    except YingdaError as error:
        sys.stderr.write(f"error: {error}\n")
        return _CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve, or print the OpenAPI document.")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve HTTP as the YINGDA_ environment variables say (the default)")
    commands.add_parser("openapi", help="print the OpenAPI document")
    # what the processes of YINGDA_WORKERS are started with; nobody types it
    worker = commands.add_parser("worker")
    for name in ("--listener", "--channel", "--number"):
        worker.add_argument(name, type=int, required=True)
    return parser


def _open_engine(settings: Settings) -> Engine:
    # Imported here: the other commands need no model runtime.
    from yingda.assemble import open_engine

    return open_engine(settings.bundle, pack=settings.pack, index_folder=settings.index, cache_size=settings.cache_entries)


def _open_memory(settings: Settings) -> Memory:
    from yingda.assemble import Lasting, open_memory

    patience_s, most = settings.store_patience_ms / 1000, settings.journal_max_mb * 1024 * 1024
    return open_memory(settings.store, lasting=Lasting(settings.journal, patience_s=patience_s, journal_bytes=most))


def _open_knowledge(settings: Settings, log: FilteringBoundLogger) -> Desk | None:
    """The knowledge in the store, or the pack's where the store forgets."""
    from yingda.assemble import VOLATILE

    set_aside()
    opening = held_desk if settings.store == VOLATILE else open_desk
    return opening(settings, log, lambda: datetime.now(UTC))
