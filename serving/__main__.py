"""``python -m serving``: serve, make a key, or print the OpenAPI document."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from serving.app import openapi_document
from serving.keys import Scope, make_key
from serving.live import Desk, open_desk
from serving.server import serve
from serving.service import Engine
from serving.settings import Settings, load_settings
from yingda.domain.errors import YingdaError
from yingda.store.memory import Memory

_CANNOT_START = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 with a message on stderr when it cannot be done as configured."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "new-key":
            _new_key(arguments.id, arguments.scopes)
        elif arguments.command == "openapi":
            sys.stdout.write(json.dumps(openapi_document(), ensure_ascii=False, indent=2, sort_keys=True) + "\n")
        else:
            serve(load_settings(), _open_engine, _open_memory, _open_knowledge)
    except YingdaError as error:
        sys.stderr.write(f"error: {error}\n")
        return _CANNOT_START
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve HTTP as the YINGDA_ environment variables say (the default)")
    commands.add_parser("openapi", help="print the OpenAPI document")
    new_key = commands.add_parser("new-key", help="print a fresh API key and its record for the keys file")
    new_key.add_argument("--id", required=True, help="a name for the key; it appears in the log")
    new_key.add_argument("--scopes", required=True, help=f"comma-separated: {', '.join(Scope)}")
    return parser


def _new_key(key_id: str, scopes: str) -> None:
    new = make_key(key_id, scopes.split(","))
    sys.stderr.write("the key, shown this once; then its record, to put in the list in YINGDA_KEYS_FILE:\n")
    record = {"id": new.record.id, "sha256": new.record.sha256, "scopes": sorted(new.record.scopes)}
    sys.stdout.write(f"{new.key}\n{json.dumps(record)}\n")


def _open_engine(settings: Settings) -> Engine:
    # Imported here: the other commands need no model runtime.
    from yingda.assemble import open_engine

    return open_engine(settings.bundle, pack=settings.pack)


def _open_memory(settings: Settings) -> Memory:
    from yingda.assemble import Lasting, open_memory

    patience_s, most = settings.store_patience_ms / 1000, settings.journal_max_mb * 1024 * 1024
    return open_memory(settings.store, lasting=Lasting(settings.journal, patience_s=patience_s, journal_bytes=most))


def _open_knowledge(settings: Settings, log: FilteringBoundLogger) -> Desk | None:
    """The knowledge in the store; None where the pack's stays as it is."""
    from yingda.assemble import VOLATILE

    return None if settings.store == VOLATILE else open_desk(settings, log, lambda: datetime.now(UTC))


if __name__ == "__main__":
    sys.exit(main())
