"""``yingda store``: bring the tables to this version, or say which they are."""

from __future__ import annotations

import argparse
import os
import sys

from yingda.assemble import prepare_store
from yingda.store.migrate import check

DEFAULT_STORE = "sqlite:///var/yingda.db"


def add_store(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``store`` to the commands."""
    store = commands.add_parser("store", help="work with the store of conversations and knowledge")
    actions = store.add_subparsers(required=True, metavar="COMMAND")
    for name, told, command in (
        ("migrate", "bring the tables to this version; safe beside running servers of the same version", migrate_command),
        ("check", "say whether the tables are of this version", check_command),
    ):
        parser = actions.add_parser(name, help=told)
        parser.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="sqlite:///FILE or postgresql://…")
        parser.set_defaults(command=command)


def migrate_command(args: argparse.Namespace) -> None:
    """Apply what is missing."""
    applied = prepare_store(args.store)
    sys.stdout.write(f"applied: {', '.join(applied)}\n" if applied else "nothing to do: the tables are of this version\n")


def check_command(args: argparse.Namespace) -> None:
    """Name the revision; a store of another version is an error."""
    sys.stdout.write(f"revision {check(args.store)}: as this version needs it\n")
