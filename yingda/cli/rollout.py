"""``yingda rollout``: where a release stands, and how people move it on or stop it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_hex
from typing import TypeVar

from yingda.cli.audit import on_record, put_on_record
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import DEFAULT_SHARE, Arm, PlanRevision, RolloutError, RolloutPlan, Stage
from yingda.store.audit import safe_name, taken_back
from yingda.store.base import open_store
from yingda.store.migrate import check_store
from yingda.store.rollouts import Rollouts

REFERENCE_STORE = "YINGDA_REFERENCE_STORE"
DEFAULT_STORE = "sqlite:///var/yingda.db"
TAKEN_BACK = 1
"""Exit code of ``watch`` when it took the release back."""

_Code = TypeVar("_Code", bound=StrEnum)
Clock = Callable[[], datetime]


def add_rollout(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``rollout`` to the commands."""
    rollout = commands.add_parser("rollout", help="roll a release out: shadow, gray, full, and back")
    actions = rollout.add_subparsers(required=True, metavar="COMMAND")
    _add(actions, "show", "the plan in force and what is known about the release", show_command)
    _add(actions, "history", "every plan that was in force: when, by whom, why", history_command)
    watch = _add(actions, "watch", "look at the guardrails once; exit code 1 when the release was taken back", watch_command)
    start = _add(actions, "start", "put a new release into shadow: it decides and sends nothing", start_command)
    start.add_argument("release", help="a name that no roll-out had before")
    start.add_argument("--reference", choices=("human", "control"), default="human", help="who answers the others (human)")
    advance = _add(actions, "advance", "move the release on: to gray, to full, or to other shares", advance_command)
    advance.add_argument("--stage", choices=("gray", "full"), help="the next stage; as it is by default")
    advance.add_argument("--force", action="store_true", help="from shadow straight to full, without gray and its guardrails")
    stop = _add(actions, "stop", "take the release back to shadow, for the next message", stop_command)
    for parser in (start, watch):
        told = f"store of the service that answers with the release of today, which is only read (${REFERENCE_STORE})"
        parser.add_argument("--reference-store", default=os.environ.get(REFERENCE_STORE), metavar="URL", help=told)
    for parser in (start, advance):
        parser.add_argument("--share", type=float, help=f"fraction of the customers in gray, in [0, 1] ({DEFAULT_SHARE} at first)")
        parser.add_argument("--channel", action="append", default=[], metavar="NAME=SHARE", help="a share of its own; NAME= takes it away")
        parser.add_argument("--tier", action="append", default=[], metavar="NAME=SHARE", help="likewise")
    for parser in (start, advance, stop):
        parser.add_argument("--reason", required=True, help="why, for the record")
        parser.add_argument("--by", required=True, help="who, for the record")


def show_command(args: argparse.Namespace) -> None:
    """Print the plan and the comparisons."""
    with _opened(args.store) as rollouts:
        current = rollouts.in_force()
        if current is None:
            _write("nothing is rolled out: every message is answered by the machine")
            return
        _write(_line(current))
        for comparison in rollouts.guardrail(current.plan.release).comparisons():
            _write(f"  {comparison.text()} ({comparison.treated} : {comparison.control} customers)")


def history_command(args: argparse.Namespace) -> None:
    """Print a line for each plan."""
    with _opened(args.store) as rollouts:
        for revision in rollouts.history():
            _write(_line(revision))


def watch_command(args: argparse.Namespace, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
    """Look once, and leave with 1 when the release was taken back."""
    with _opened(args.store, args.reference_store) as rollouts:
        revision = rollouts.watch(clock())
    if revision is not None:
        put_on_record(args.store, taken_back(revision))
    show_command(args)
    if revision is not None:
        raise SystemExit(TAKEN_BACK)


def start_command(args: argparse.Namespace) -> None:
    """Begin in shadow."""
    plan = RolloutPlan(
        args.release,
        token_hex(16),
        share=DEFAULT_SHARE if args.share is None else args.share,
        channels=_own(_shares(args.channel, Channel)),
        tiers=_own(_shares(args.tier, Tier)),
        reference=Arm(args.reference),
    )
    with _opened(args.store, args.reference_store) as rollouts, on_record(args.store, "rollout.start", safe_name("release", args.release)):
        _write(_line(rollouts.start(plan, by=args.by, reason=args.reason, at=datetime.now(UTC))))


def advance_command(args: argparse.Namespace) -> None:
    """Move on, and say where the release stands now."""
    stage = Stage(args.stage) if args.stage else None
    channels, tiers = _shares(args.channel, Channel), _shares(args.tier, Tier)
    if stage is None and args.share is None and not channels and not tiers:
        raise RolloutError("nothing would change; name --stage, --share, --channel or --tier")
    with _opened(args.store) as rollouts, on_record(args.store, "rollout.advance", "rollout"):
        moved = rollouts.advance(
            by=args.by,
            reason=args.reason,
            at=datetime.now(UTC),
            stage=stage,
            share=args.share,
            channels=channels,
            tiers=tiers,
            force=args.force,
        )
        _write(_line(moved))


def stop_command(args: argparse.Namespace) -> None:
    """Back to shadow."""
    with _opened(args.store) as rollouts, on_record(args.store, "rollout.stop", "rollout"):
        _write(_line(rollouts.stop(by=args.by, reason=args.reason, at=datetime.now(UTC))))


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, command: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told)
    parser.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="sqlite:///FILE or postgresql://…")
    parser.set_defaults(command=command)
    return parser


@contextmanager
def _opened(url: str, reference: str | None = None) -> Iterator[Rollouts]:
    """``reference`` is the store of the service of today, for what starts a release or counts its customers."""
    with closing(open_store(url)) as store, ExitStack() as beside:
        check_store(store)
        yield Rollouts(store, today=beside.enter_context(closing(open_store(reference))) if reference else None)


def _shares(given: list[str], codes: type[_Code]) -> dict[_Code, float | None]:
    """``web=0.2`` as a share, ``web=`` as None."""
    found: dict[_Code, float | None] = {}
    for each in given:
        name, equals, share = each.partition("=")
        try:
            found[codes(name)] = float(share) if share else None
        except ValueError:
            equals = ""
        if not equals:
            raise RolloutError(
                f"'{each}' cannot be read; write NAME=SHARE, such as {next(iter(codes))}=0.05, with one of {', '.join(codes)}"
            )
    return found


def _own(shares: Mapping[_Code, float | None]) -> dict[_Code, float]:
    return {name: share for name, share in shares.items() if share is not None}


def _line(revision: PlanRevision) -> str:
    """A plan in one line."""
    plan = revision.plan
    own = [(str(name), share) for shares in (plan.channels, plan.tiers) for name, share in shares.items()]
    told = ", ".join(f"{name} {100 * share:g} %" for name, share in [("share", plan.share), *own])
    at = revision.at.isoformat(timespec="seconds")
    return f"{revision.number}  {at}  {plan.release}: {plan.stage} ({told}; else {plan.reference})  by {revision.by}: {revision.reason}"


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
