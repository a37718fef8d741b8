"""``yingda audit``: whether the audit log is whole, and what it says; and what other commands put on record."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial

from yingda.assemble import VOLATILE
from yingda.cli.store import DEFAULT_STORE
from yingda.domain.errors import YingdaError
from yingda.store.audit import Audit, AuditEntry, Head, Outcome, Recorded, hidden_name
from yingda.store.base import open_store
from yingda.store.migrate import check_store

BROKEN = 1
"""Exit code of ``verify`` when the log is not whole."""


Facts = Mapping[str, int | str]
"""Counts and codes that an entry may hold."""


class HeadError(YingdaError):
    """A noted head cannot be read."""


def add_audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``audit`` to the commands."""
    audit = commands.add_parser("audit", help="the record of who changed what")
    actions = audit.add_subparsers(required=True, metavar="COMMAND")
    verify = actions.add_parser(
        "verify", help="compute the chain of hashes anew; exit code 1 and the first broken entry if it does not hold"
    )
    verify.add_argument("--head", metavar="HASH", help="the hash of an entry, noted earlier: shows whether the end was cut or rewritten")
    verify.add_argument("--count", metavar="N", type=int, help="the number of that entry")
    verify.set_defaults(command=verify_command)
    show = actions.add_parser("show", help="print entries, oldest first")
    show.add_argument("--last", metavar="N", type=int, default=50, help="how many, counted from the end (50); 0 for all")
    show.add_argument("--action", help="only this action, or all that begin with it and a dot: knowledge, rollout.stop")
    show.add_argument("--who", help="only what this key, token or person did")
    show.add_argument("--conversation", metavar="ID", help="only what was done to this conversation, which the log names by a hash")
    show.set_defaults(command=show_command)
    for parser in (verify, show):
        parser.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="sqlite:///FILE or postgresql://…")


def verify_command(args: argparse.Namespace) -> None:
    """Say that the log is whole and where it ends, or leave with 1 and the first entry that does not fit."""
    noted = _noted(args.head, args.count)
    with _opened(args.store) as audit:
        found = audit.verify(noted)
    if found.broken is not None:
        sys.stderr.write(f"yingda: the audit log is broken at entry {found.broken}: {found.reason}\n")
        raise SystemExit(BROKEN)
    through = f", and goes through entry {noted.count} as it was noted" if noted else ""
    sys.stdout.write(f"whole: {found.head.count} entries{through}\n--head {found.head.hash} --count {found.head.count}\n")


def show_command(args: argparse.Namespace) -> None:
    """One line an entry."""
    wanted = partial(_is_wanted, args)
    with _opened(args.store) as audit:
        found = [each for each in _all(audit) if wanted(each.entry)]
    for each in found[-args.last :] if args.last > 0 else found:
        sys.stdout.write(_line(each) + "\n")


@contextmanager
def on_record(store: str | None, action: str, target: str, facts: Facts | None = None) -> Iterator[dict[str, int | str]]:
    """Put what the block does on record, before it does it and when it is done; raises StoreError, and then it is not done.

    What the block puts into the dictionary that it is given stands in the second entry. Nothing is recorded where no store is
    named, or one that forgets.
    """
    came_of_it: dict[str, int | str] = {}
    if not store or store == VOLATILE:
        yield came_of_it
        return
    with _opened(store) as audit:
        who, outcome = _who(), Outcome.FAILED
        first = audit.record(AuditEntry(who, action, _now(), target, outcome=Outcome.ATTEMPTED, facts=facts or {}))
        try:
            yield came_of_it
            outcome = Outcome.DONE
        except YingdaError:
            outcome = Outcome.REFUSED
            raise
        finally:
            told = {**came_of_it, "attempt": first.number}
            audit.record(AuditEntry(who, action, _now(), target, outcome=outcome, facts=told))


def put_on_record(store: str, entry: AuditEntry) -> None:
    """Put ``entry`` on record; raises StoreError."""
    with _opened(store) as audit:
        audit.record(entry)


def _noted(digest: str | None, count: int | None) -> Head | None:
    if digest is None and count is None:
        return None
    if digest is None or count is None or count < 1 or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise HeadError("--head takes 64 hexadecimal digits and --count the number of that entry; give both, as `verify` printed them")
    return Head(count, digest)


@contextmanager
def _opened(url: str) -> Iterator[Audit]:
    with closing(open_store(url)) as store:
        check_store(store)
        yield Audit(store)


def _all(audit: Audit) -> Iterator[Recorded]:
    after = 0
    while page := audit.entries(after=after):
        yield from page
        after = page[-1].number


def _is_wanted(args: argparse.Namespace, entry: AuditEntry) -> bool:
    return (
        (args.action is None or entry.action == args.action or entry.action.startswith(f"{args.action}."))
        and args.who in (None, entry.who)
        and (args.conversation is None or entry.target == hidden_name("conversation", args.conversation))
    )


def _line(recorded: Recorded) -> str:
    entry = recorded.entry
    facts = " ".join(f"{name}={value}" for name, value in sorted(entry.facts.items()))
    told = (entry.who, entry.action, entry.target or "—", entry.outcome, entry.request_id or "—", facts)
    return f"{recorded.number}  {entry.at.isoformat(timespec='seconds')}  " + "  ".join(part for part in told if part)


def _who() -> str:
    """The person at the terminal, as far as the system knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = "unknown"
    return f"cli:{re.sub(r'[^A-Za-z0-9._-]', '_', user)[:32]}"


def _now() -> datetime:
    return datetime.now(UTC)
