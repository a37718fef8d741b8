"""Run stages one after the other as processes of their own; safe to kill at any moment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from training.run_lock import RunLock
from training.stages import Digests, Stage, Stamps, spell, time_left
from yingda.domain.errors import YingdaError

_TICK_S = 0.5
_PATIENCE_S = 10.0
_SHOWN_LINES = 20
_SHOWN_CHARACTERS = 60
_TAIL_BYTES = 1000
_TRACEBACK = "Traceback (most recent call last):"
_KEEP = 1
"""Exit code of a run that advises to keep the champion, so no failure may have it."""


class StageError(YingdaError):
    """A stage ended badly; the message is the stage's own, ``code`` the one to exit with."""

    def __init__(self, detail: str, *, code: int) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Runner:
    """Runs stages in the folder ``run``, whose ``lock`` it holds, with ``environment`` added to this process's own."""

    run: Path
    lock: RunLock
    environment: Mapping[str, str]
    console: Console

    def run_all(self, stages: Sequence[Stage]) -> None:
        """Bring every stage up to date, in order; raises StageError at the first that fails."""
        stamps, began = Stamps(self.run, Digests()), time.monotonic()
        for number, stage in enumerate(stages, start=1):
            title, key = f"[{number}/{len(stages)}] {stage.name}", stamps.key(stage)
            if stamps.is_current(stage, key):
                self._say(f"{title}: nothing changed")
                continue
            stamps.drop(stage)
            self._say(f"{title} …")
            remaining = [later.name for later in stages[number - 1 :]]
            seconds = self._take_over(stage, stage.donor) if stage.donor else self._work(stage, title, remaining, stamps.times(), began)
            stamps.write(stage, key, seconds=seconds)
            later, times = remaining[1:], stamps.times()
            left = f"; {time_left(later, times, spent=0)}" if any(name in times for name in later) else ""
            self._say(f"{title}: {'taken over' if stage.donor else 'done'} in {spell(seconds)}{left}")

    def _work(self, stage: Stage, title: str, remaining: Sequence[str], times: Mapping[str, float], began: float) -> float:
        start = time.monotonic()
        _clear(stage)
        output = self.run / "output" / f"{stage.name}.txt"
        output.parent.mkdir(parents=True, exist_ok=True)
        with self._process(stage, output) as process, self.console.status(title) as status:
            while (code := _code_within(process, _TICK_S)) is None:
                left = time_left(remaining, times, spent=time.monotonic() - start)
                said = escape(_last_line(output))
                status.update(f"{title}: {spell(time.monotonic() - began)} elapsed, {left}{said and f' ({said})'}")
        if code not in stage.accepted or not stage.outputs_exist():
            raise _failure(stage, code, output)
        return time.monotonic() - start

    @contextmanager
    def _process(self, stage: Stage, output: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The stage at work, ended when the block is left early: an interrupt must leave nothing running."""
        with output.open("wb") as sink:
            process = subprocess.Popen(
                self.lock.command(stage.command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                pass_fds=(self.lock.descriptor,),
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the stage in order
            )
        try:
            yield process
        finally:
            _end(process)
            self.lock.sign()

    def _take_over(self, stage: Stage, donor: Path) -> float:
        start = time.monotonic()
        _clear(stage)
        (output,) = stage.outputs
        partial = output.with_name(output.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(donor, partial)
        partial.rename(output)
        return time.monotonic() - start

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)


def message_of(output: str) -> str:
    """What a failed stage said: its last lines, of a traceback only what the error itself says."""
    lines = output.strip().splitlines()
    if _TRACEBACK in lines:
        after = len(lines) - lines[::-1].index(_TRACEBACK)
        lines = [line for i, line in enumerate(lines) if i >= after]
        first = next((i for i, line in enumerate(lines) if line and not line[0].isspace()), 0)
        name, _, detail = lines[first].partition(": ")
        lines = [detail if name.startswith("yingda.") and detail else lines[first], *lines[first + 1 :]]
    return "\n".join(lines[-_SHOWN_LINES:])


def _failure(stage: Stage, code: int, output: Path) -> StageError:
    said = message_of(output.read_text("utf-8", errors="replace")) or "it said nothing"
    number = 128 - code if code < 0 else code
    return StageError(f"stage {stage.name} failed: {said}\nits whole output: {output}", code=2 if number in (0, _KEEP) else number)


def _clear(stage: Stage) -> None:
    for path in stage.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        if stage.resumes:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _last_line(output: Path) -> str:
    """The newest whole line of a stage's output, such as what the last epoch came to."""
    with output.open("rb") as stream:
        stream.seek(max(0, output.stat().st_size - _TAIL_BYTES))
        lines = stream.read().decode("utf-8", errors="replace").splitlines()
    return next((line.strip()[:_SHOWN_CHARACTERS] for line in reversed(lines) if line.strip()), "")


def _code_within(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, ending)
        _code_within(process, _PATIENCE_S)
