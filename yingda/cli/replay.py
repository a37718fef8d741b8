"""``yingda replay``: past turns under a changed configuration. Exit code 0: nothing changes, 1: something does, 2: cannot run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from yingda.assemble import open_engine, open_parts
from yingda.cli.audit import on_record
from yingda.cli.replay_base import Base, base_of, with_earlier
from yingda.cli.replay_open import OPENERS, Opener
from yingda.cli.replay_show import as_tables, verification_lines
from yingda.domain.takeover import Reason
from yingda.engine import Engine
from yingda.replay.checkpoint import Checkpoint, left
from yingda.replay.history import past_turns
from yingda.replay.originals import Originals
from yingda.replay.records import PastTurn, ReplayError, read_turns
from yingda.replay.report import SERVED, Costs, Difference, compare
from yingda.replay.run import Chunk, Decider, Deciders, Run, Step, replay_here, replay_with_workers, turns_of
from yingda.replay.then import AsThen
from yingda.replay.variants import sharing_readings
from yingda.replay.verify import AGAIN, CURRENT, verify
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.vault import read_vault
from yingda.text.masking import mask

CHANGED = "changed"
DEFAULT_BUNDLE = "models/current"
DEFAULT_STORE = "sqlite:///var/yingda.db"
INTERRUPTED = 130
NOTHING_COMPARED = 2
MOST_WORKERS = 8


def add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser], *, openers: Mapping[str, Opener] = OPENERS) -> None:
    """Add ``replay`` to the commands; ``openers`` reads changed files by their suffix."""
    parser = commands.add_parser("replay", help="what past messages would be told under a changed configuration")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--with", type=Path, dest="changed", metavar="PATH", help="changed bundle or pack folder, or file of rules or entries"
    )
    what.add_argument("--verify", action="store_true", help="check that today's configuration says the same again")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="URL of the store")
    source.add_argument("--turns", type=Path, help="JSONL file of past turns instead of the store")
    parser.add_argument("--since", type=_time, help="first day or time, such as 2026-11-01 or 2026-11-01T09:00:00+08:00")
    parser.add_argument("--until", type=_time, help="day or time before which turns are read")
    parser.add_argument("--bundle", type=Path, default=Path(os.environ.get("YINGDA_BUNDLE") or DEFAULT_BUNDLE), help="bundle of today")
    parser.add_argument("--pack", type=Path, help="pack of today, in place of what the store publishes or the bundle holds")
    parser.add_argument("--as-of", type=_time, metavar="TIME", help="what the store had published then as today's knowledge")
    named = os.environ.get("YINGDA_VAULT_KEYS")
    parser.add_argument(
        "--vault-keys",
        type=Path,
        default=Path(named) if named else None,
        metavar="FILE",
        help="keys of the originals, which are then decided on in place of the masked texts, and never shown",
    )
    parser.add_argument("--checkpoint", type=Path, help="file to go on from after an interruption")
    parser.add_argument(
        "--json", type=Path, dest="json_path", metavar="FILE", help="write the whole difference as JSON; - is standard output"
    )
    parser.add_argument(
        "--workers", type=_count, help=f"processes; as many as cores by default, {MOST_WORKERS} at most, where it is worth it"
    )
    parser.add_argument("--minutes", type=_minutes, default={}, metavar="N[,REASON=N]", help="agent minutes of a hand-off, 6 by default")
    parser.add_argument("--examples", type=_count, default=3, help="turns shown for each kind of change")
    parser.set_defaults(command=partial(replay_command, openers=openers))


def replay_command(args: argparse.Namespace, *, openers: Mapping[str, Opener]) -> None:
    """Replay, report, and leave with the exit code that says whether something changes."""
    run = Run.of(_read(args))
    if not run.turns:
        raise ReplayError("no turns in that time; choose an earlier --since, or name the store with --store")
    Opening(Base(args.bundle, args.pack), args.changed, openers).check()
    base = _base(args, run)
    opening = Opening(base, args.changed, openers)
    try:
        steps = list(_steps(args, run, opening))
    except KeyboardInterrupt:
        kept = (
            f"; run the same command again to go on from {args.checkpoint}" if args.checkpoint else "; --checkpoint FILE would have kept it"
        )
        sys.stderr.write(f"yingda: interrupted{kept}\n")
        raise SystemExit(INTERRUPTED) from None
    raise SystemExit(_verified(args, steps, base) if args.verify else int(_compared(args, steps)))


def _base(args: argparse.Namespace, run: Run) -> Base:
    """Today's configuration: that of a service with this bundle and store, unless a pack or a file of turns is named."""
    store = None if args.turns or args.pack else args.store
    if args.as_of and store is None:
        raise ReplayError("--as-of is about what the store publishes; leave --turns and --pack out")
    beneath = os.environ.get("YINGDA_PACK")
    base = base_of(args.bundle, args.pack or (Path(beneath) if beneath else None), store, as_of=args.as_of)
    if not args.verify or store is None:
        return base
    return with_earlier(base, store, (turn for chunk in run.chunks for conversation in chunk for turn in conversation))


@dataclass(frozen=True)
class Opening:
    """How to open the configurations, in this process or another."""

    base: Base
    changed: Path | None
    openers: Mapping[str, Opener] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Opening], tuple[Any, ...]]:
        return Opening, (self.base, self.changed, dict(self.openers))

    def __call__(self) -> Deciders:
        today = self.base.today()
        if self.changed is None:
            decider: Decider = AsThen(today, self.base.which, self.base.then(today).engine) if self.base.which else today
            return {CURRENT: decider, AGAIN: decider}  # without a cache: the second time is to be computed, not remembered
        return sharing_readings({CURRENT: today, CHANGED: self._open_changed(today, self.changed)})

    def check(self) -> None:
        """Raise ReplayError when nothing is known about the changed path, before any time is spent."""
        path = self.changed
        if path is not None and not path.exists():
            raise ReplayError(f"{path}: there is no such file or folder; name the changed bundle, pack, rules or entries")
        if path is not None and not _is_folder(path) and path.suffix.lower() not in self.openers:
            known = ", ".join(["a bundle folder", "a pack folder", *(f"a {suffix} file" for suffix in sorted(self.openers))])
            raise ReplayError(f"{path}: no configuration; --with takes {known}")

    def _open_changed(self, today: Engine, path: Path) -> Engine:
        if (path / "manifest.json").is_file():
            return self.base.over(open_parts(path, pack=self.base.pack))
        if path.is_dir():
            return open_engine(self.base.bundle, pack=path)
        return self.openers[path.suffix.lower()](today, path)

    def names(self) -> dict[str, str]:
        """By configuration, a digest of the files it is read from, so that a checkpoint notices a change."""
        today = _digest([self.base.bundle / "manifest.json", *([self.base.pack] if self.base.pack else [])], self.base.versions())
        if self.changed is None:
            return {CURRENT: today, AGAIN: today}
        manifest = self.changed / "manifest.json"
        return {CURRENT: today, CHANGED: _digest([manifest if manifest.is_file() else self.changed])}


def _is_folder(path: Path) -> bool:
    return (path / "manifest.json").is_file() or (path / "taxonomy.yaml").is_file()


def _digest(paths: Sequence[Path], versions: Sequence[str] = ()) -> str:
    digest = sha256("\n".join(versions).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(path)).encode() + b"\0" + sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _read(args: argparse.Namespace) -> list[PastTurn]:
    since = args.since or datetime(1970, 1, 1, tzinfo=UTC)
    if args.turns:
        turns = read_turns(args.turns)
        return [turn for turn in turns if turn.at >= since and (args.until is None or turn.at < args.until)]
    originals = Originals(read_vault(args.vault_keys) if args.vault_keys else None)
    store = open_store(args.store)
    try:
        turns = past_turns(SqlMemory(store), since=since, until=args.until, original=originals.of)
    finally:
        store.close()
    if originals.unreadable:
        sys.stderr.write(f"yingda: {originals.unreadable} originals cannot be read with these keys; those messages are read as masked\n")
    return turns


def _steps(args: argparse.Namespace, run: Run, opening: Opening) -> Iterator[Step]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        Checkpoint(args.checkpoint, run, configurations=opening.names()) if args.checkpoint else nullcontext() as checkpoint,
    ):
        task = progress.add_task("重放 replay", total=run.turns)
        done = 0
        for steps in checkpoint.done() if checkpoint else ():
            done += 1
            progress.advance(task, len(steps))
            yield from steps
        chunks = left(run, done)
        for steps in _replayed(args, opening, chunks) if chunks else ():
            if checkpoint:
                checkpoint.add(steps)
            progress.advance(task, len(steps))
            yield from steps


def _replayed(args: argparse.Namespace, opening: Opening, chunks: Sequence[Chunk]) -> Iterator[list[Step]]:
    # each worker opens the configurations, which takes as long as a chunk or two
    workers = args.workers or min(_cores(), MOST_WORKERS, len(chunks) // 4)
    if workers > 1 and turns_of(chunks[0]) and len(chunks) > 1:
        return replay_with_workers(opening, chunks, workers=min(workers, len(chunks)))
    return replay_here(opening(), chunks)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compared(args: argparse.Namespace, steps: Sequence[Step]) -> bool:
    costs = Costs(args.minutes.get("", Costs().usual), {reason: n for reason, n in args.minutes.items() if reason})
    change = compare(steps, before=CURRENT, after=CHANGED, costs=costs, examples=args.examples)
    told = compare(steps, before=SERVED, after=CHANGED, costs=costs, examples=args.examples)
    _write(
        args,
        {"change": change.fields(mask=mask, changes=True), "since_served": told.fields(mask=mask, changes=True)},
        [change, *([told] if told.turns else [])],
    )
    return change.changed > 0


def _verified(args: argparse.Namespace, steps: Sequence[Step], base: Base) -> int:
    """The exit code: what compared nothing is not verified."""
    found = verify(steps, bundle=base.parts.model.identity.sha256, knowledge=base.knowledge().digest, earlier=base.earlier)
    if args.json_path:
        _write_json(args.json_path, found.fields())
    if str(args.json_path) != "-":
        sys.stdout.writelines(f"{line}\n" for line in verification_lines(found))
    if not found.holds:
        return 1
    return 0 if found.compared else NOTHING_COMPARED


def _write(args: argparse.Namespace, record: dict[str, Any], shown: Sequence[Difference]) -> None:
    if args.json_path:
        with on_record(None if args.turns else args.store, "replay.export", "replay", {"turns": shown[0].turns}):
            _write_json(args.json_path, record)
    if str(args.json_path) != "-":
        console = Console()
        for difference in shown:
            for table in as_tables(difference, mask=mask):
                console.print(table)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError:
        raise ReplayError(f"{path}: cannot be written; name a file in a folder that you may write to") from None


def _time(text: str) -> datetime:
    """A day begins at midnight, local time; a time without an offset is local too."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; write it like 2026-11-01 or 2026-11-01T09:00:00+08:00") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"'{text}' is no count; write a whole number from 1 to 64")
    return int(text)


def _minutes(text: str) -> dict[str, float]:
    """``6,complaint=15`` as minutes by reason; the usual minutes have the empty reason."""
    found: dict[str, float] = {}
    for part in text.split(","):
        reason, _, number = part.rpartition("=")
        try:
            minutes = float(number)
        except ValueError:
            minutes = -1.0
        if not 0 <= minutes <= 1440 or (reason and reason not in list(Reason)):
            raise argparse.ArgumentTypeError(f"'{part}' is no cost; write minutes, or REASON=MINUTES with one of {', '.join(Reason)}")
        found[reason] = minutes
    return found
