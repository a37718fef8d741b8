"""A replay that was interrupted goes on where it stopped: what is done is on disk, chunk by chunk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from yingda.replay.records import PastTurn, ReplayError, Seen
from yingda.replay.run import Chunk, Run, Step

FORMAT = 2


class Checkpoint:
    """A file of JSON lines: what is replayed, then a line for each chunk that is done.

    A line counts once its end is on disk; a torn one is cut off, so that a replay may be killed at any moment.
    """

    def __init__(self, path: Path, run: Run, *, configurations: Mapping[str, str]) -> None:
        self._path, self._run = path, run
        self._header = {"format": FORMAT, "turns": digest_of(run), "configurations": dict(configurations)}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Checkpoint:
        try:
            self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        except OSError:
            raise ReplayError(f"{self._path}: the checkpoint cannot be written; name a file in a folder that you may write to") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def done(self) -> Iterator[list[Step]]:
        """The chunks replayed so far; raises ReplayError when the file belongs to another replay."""
        file = self._open()
        end = 0
        for number, line in enumerate(file):
            if not line.endswith(b"\n"):
                break
            end += len(line)
            if number == 0:
                self._check(line)
            else:
                yield self._steps(number - 1, line)
        file.truncate(end)
        file.seek(end)
        if end == 0:
            self._write(self._header)

    def add(self, steps: Sequence[Step]) -> None:
        """Keep one more chunk; on disk when it returns."""
        self._write([{name: seen.fields() for name, seen in step.said.items()} for step in steps])

    def _open(self) -> BinaryIO:
        if self._file is None:
            raise ReplayError(f"{self._path}: the checkpoint is not open")
        self._file.seek(0)
        return self._file

    def _write(self, value: Any) -> None:
        assert self._file is not None  # only after done(), which opens
        self._file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _check(self, line: bytes) -> None:
        try:
            header = json.loads(line)
        except ValueError:
            header = None
        if header != self._header:
            what = "is the checkpoint of another replay (other turns, configurations or program version)"
            raise ReplayError(f"{self._path}: {what}; delete it or name another file")

    def _steps(self, place: int, line: bytes) -> list[Step]:
        try:
            chunk, said = self._run.chunks[place], json.loads(line)
            turns = [turn for conversation in chunk for turn in conversation]
            return [Step(turn, {name: Seen.from_fields(seen) for name, seen in row.items()}) for turn, row in zip(turns, said, strict=True)]
        except (IndexError, KeyError, TypeError, ValueError, AttributeError):
            raise ReplayError(f"{self._path}:{place + 2}: the checkpoint is damaged; delete it and start again") from None


def left(run: Run, done: int) -> Sequence[Chunk]:
    """The chunks still to replay after the first ``done``."""
    return run.chunks[done:]


def digest_of(run: Run) -> str:
    """SHA-256 over all that a replay reads of its turns, in their order."""
    digest = sha256()
    for chunk in run.chunks:
        for conversation in chunk:
            for turn in conversation:
                digest.update(json.dumps(_identity(turn), ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


def _identity(turn: PastTurn) -> list[Any]:
    read = [turn.turn_id, turn.conversation_id, turn.at.isoformat(), turn.text, turn.channel, turn.language, turn.tier, turn.released]
    # that an original is read, and not what it says: a digest of a few digits could be guessed
    return [*read, turn.original is not None, sorted(turn.context.items()), repr(turn.before)]
