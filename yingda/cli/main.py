"""Command line: ``yingda ask``, ``yingda bundle``, ``yingda replay`` and ``yingda store``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from yingda.assemble import open_engine
from yingda.cli.audit import add_audit
from yingda.cli.bundle import add_bundle
from yingda.cli.keys import add_keys
from yingda.cli.knowledge import add_knowledge
from yingda.cli.privacy import add_privacy
from yingda.cli.replay import add_replay
from yingda.cli.rollout import add_rollout
from yingda.cli.show import as_record, as_table
from yingda.cli.store import add_store
from yingda.domain.errors import MessageError, YingdaError
from yingda.domain.message import Message
from yingda.engine import Engine

DEFAULT_BUNDLE = "models/current"


@dataclass
class Tally:
    """Latencies of the messages answered so far, in milliseconds, and how many were refused."""

    started: float
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    def summary(self) -> str:
        """Throughput and latency in one line."""
        seconds = perf_counter() - self.started
        count = len(self.latencies)
        counted = f"{count} answered, {self.refused} refused in {seconds:.1f} s"
        if count < 2:
            return counted
        cuts = quantiles(self.latencies, n=100, method="inclusive")
        return f"{counted}: {(count + self.refused) / seconds:.0f} messages/s, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(prog="yingda", description="应答 Yingda: ask the engine, verify a bundle.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ask = commands.add_parser("ask", help="what the engine would say to a message, and why")
    ask.add_argument("text", help="the customer's message; - reads one message a line from standard input")
    ask.add_argument("--json", action="store_true", dest="as_json", help="print JSON, one object a line")
    ask.add_argument("--bundle", type=Path, default=Path(os.environ.get("YINGDA_BUNDLE") or DEFAULT_BUNDLE), help="bundle folder")
    pack = os.environ.get("YINGDA_PACK")
    ask.add_argument("--pack", type=Path, default=Path(pack) if pack else None, help="pack folder; the bundle's own copy by default")
    ask.set_defaults(command=ask_command)
    add_bundle(commands)
    add_keys(commands)
    add_knowledge(commands)
    add_privacy(commands)
    add_replay(commands)
    add_rollout(commands)
    add_store(commands)
    add_audit(commands)
    return parser


def ask_command(args: argparse.Namespace) -> None:
    """Answer one message, or every line of standard input."""
    kept = os.environ.get("YINGDA_INDEX")
    engine = open_engine(args.bundle, pack=args.pack, index_folder=Path(kept) if kept else None, keep_index=False)
    if args.text == "-":
        ask_lines(engine, as_json=args.as_json)
        return
    answer = engine.answer(Message(args.text))
    if args.as_json:
        write_line(json.dumps(as_record(answer), ensure_ascii=False))
    else:
        Console().print(as_table(answer, engine.knowledge))


def ask_lines(engine: Engine, *, as_json: bool) -> None:
    """One line of output a line of input; throughput and latency at the end, on standard error."""
    engine.warm_up()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    tally = Tally(perf_counter())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for line in progress.track(read_lines(), description="messages"):
            record = answer_line(engine, line, tally)
            write_line(json.dumps(record, ensure_ascii=False) if as_json else brief(record))
    sys.stderr.write(tally.summary() + "\n")


def read_lines() -> Sequence[str]:
    """Lines of standard input; bytes that are not UTF-8 become lone surrogates, which are refused line by line."""
    data = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return data.removesuffix("\n").split("\n") if data else []


def answer_line(engine: Engine, line: str, tally: Tally) -> dict[str, Any]:
    """The decision about one line as plain values, or why it was refused."""
    start = perf_counter()
    try:
        record = as_record(engine.answer(Message(line.removesuffix("\r"))))
    except MessageError as error:
        tally.refused += 1
        return {"error": {"code": error.code, "detail": str(error)}}
    tally.latencies.append(1000 * (perf_counter() - start))
    return record


def brief(record: dict[str, Any]) -> str:
    """Outcome, intent and best entry, separated by tabs."""
    if "error" in record:
        return f"refused\t{record['error']['detail']}"
    best, intent = record["candidates"][0], record["classification"]["intent"]
    return f"{record['outcome']}\t{intent['code']}\t{intent['confidence']:.2f}\t{best['id']}\t{best['confidence']:.2f}"


def write_line(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def run(argv: Sequence[str] | None = None) -> None:
    """Entry point: expected errors are one line on standard error and exit code 2."""
    args = build_parser().parse_args(argv)
    try:
        args.command(args)
    except YingdaError as error:
        sys.stderr.write(f"yingda: {error}\n")
        raise SystemExit(2) from None
    except BrokenPipeError:
        # the reader of our output went away, as `head` does; nothing may be flushed to it any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
