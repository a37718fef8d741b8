"""``yingda keys``: make API keys, list them and take them back; a running server follows within a second."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from yingda.access.file import add_key, read_records, revoke_key
from yingda.access.keys import AccessError, KeyRecord, make_key
from yingda.access.scopes import NAMES
from yingda.assemble import VOLATILE, prepare_store
from yingda.cli.audit import on_record
from yingda.domain.errors import StoreError

DEFAULT_FILE = "var/keys.json"
_HEADINGS = ("id", "scopes", "created", "expires", "revoked")


def add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``keys`` to the commands."""
    keys = commands.add_parser("keys", help="API keys: make, list, revoke")
    actions = keys.add_subparsers(required=True, metavar="COMMAND")
    create = actions.add_parser("create", help="print a fresh key, once, and keep its hash")
    create.add_argument("--id", required=True, help="a name for the key; it appears in logs")
    create.add_argument("--scopes", required=True, help=f"comma-separated: {NAMES}")
    create.add_argument("--expires", metavar="TIME", help="when it ends: 2027-01-01 (UTC), or a time with offset; never by default")
    create.set_defaults(command=create_command)
    revoke = actions.add_parser("revoke", help="let a key open nothing from now on")
    revoke.add_argument("id", help="the key's name")
    revoke.set_defaults(command=revoke_command)
    shown = actions.add_parser("list", help="the keys' names, scopes and times; never the keys")
    shown.set_defaults(command=list_command)
    for parser in (create, revoke, shown):
        default = Path(os.environ.get("YINGDA_KEYS_FILE") or DEFAULT_FILE)
        parser.add_argument("--file", type=Path, default=default, help=f"the file of keys (YINGDA_KEYS_FILE, else {DEFAULT_FILE})")
    for parser in (create, revoke):
        parser.add_argument("--store", default=os.environ.get("YINGDA_STORE"), help="put it on record in this store's audit log")


def create_command(args: argparse.Namespace) -> None:
    """Write the record, then print the key: one that was shown is never one that is not known."""
    new = make_key(args.id, args.scopes.split(","), expires=_time(args.expires) if args.expires else None)
    _make_folder(args.file)
    _prepare(args.store)
    with on_record(args.store, "key.create", f"key:{args.id}", {"scopes": "+".join(sorted(new.record.scopes))}):
        add_key(args.file, new)
    sys.stderr.write(f"its hash is in {args.file}, which the server reads as YINGDA_KEYS_FILE; the key is shown this once:\n")
    sys.stdout.write(new.key + "\n")


def revoke_command(args: argparse.Namespace) -> None:
    """Take a key back, whether or not that can be put on record: a key that leaked must not wait for a database."""
    if all(record.id != args.id for record in read_records(args.file)):
        raise AccessError(f"{args.file}: holds no key of that id; see `yingda keys list`")
    revoke = partial(revoke_key, args.file, args.id, now=datetime.now(UTC))
    try:
        _prepare(args.store)
        with on_record(args.store, "key.revoke", f"key:{args.id}"):
            revoke()
    except StoreError as error:
        revoke()
        raise AccessError(f"{args.id} is revoked, but that is not on record: {error}") from None
    sys.stdout.write(f"{args.id}: revoked\n")


def list_command(args: argparse.Namespace) -> None:
    """One line a key."""
    rows = [_HEADINGS, *(_row(record) for record in read_records(args.file))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def _row(record: KeyRecord) -> tuple[str, ...]:
    times = (record.created, record.expires, record.revoked)
    return record.id, ",".join(sorted(record.scopes)), *(time.isoformat(timespec="seconds") if time else "-" for time in times)


def _time(written: str) -> datetime:
    """A date is its first moment in UTC."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise AccessError("expires: write a date such as 2027-01-01, or a time with offset such as 2027-01-01T08:00:00+08:00") from None
    is_date = len(written) <= len("2027-01-01")
    if found.tzinfo is None and not is_date:
        raise AccessError("expires: a time needs its offset, such as 2027-01-01T08:00:00+08:00")
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _prepare(store: str | None) -> None:
    """Keys are often made before a server has ever run: the store may be a file yet to be."""
    if store and store != VOLATILE:
        prepare_store(store)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AccessError(f"{path.parent}: cannot be made ({error.strerror}); name another place with --file") from None
