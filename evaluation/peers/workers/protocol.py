"""What a worker says and understands: ``about``, ``fit FOLDER`` and ``serve FOLDER``, each a process of its own.

``fit`` reads ``lessons.json`` and leaves its model in the folder. ``serve`` says that it is ready and answers each line of
standard input with one line of standard output; every line carries the CPU seconds of the process so far.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from evaluation.peers.installed import installed_mb

Answer = tuple["str | None", str, float]
"""Entry, intent, confidence."""

Answering = Callable[[Sequence[str]], Sequence[Answer]]


@dataclass(frozen=True)
class Worker:
    """``fit`` leaves a model in a folder, ``load`` takes it up; ``packages`` are the distributions that do the work."""

    packages: Sequence[str]
    fit: Callable[[Mapping[str, Any], Path], None]
    load: Callable[[Mapping[str, Any], Path], Answering]


def main(worker: Worker, argv: Sequence[str]) -> int:
    """Run one command of a worker; an error ends the process with its kind on the last line of standard error."""
    out = _claim_output()
    try:
        if argv[0] == "about":
            _say(out, version=", ".join(f"{name} {version(name)}" for name in worker.packages), installed_mb=installed_mb(worker.packages))
            return 0
        folder = Path(argv[1])
        lessons = json.loads((folder / "lessons.json").read_text(encoding="utf-8"))
        if argv[0] == "fit":
            worker.fit(lessons, folder)
        else:
            _serve(worker.load(lessons, folder), out)
    except Exception as error:
        sys.stderr.write(f"\n{_kind(error)}\n")
        return 1
    return 0


def _serve(answering: Answering, out: TextIO) -> None:
    _say(out, ready=True)
    for line in sys.stdin:
        try:
            _say(out, answers=list(answering(json.loads(line))))
        except Exception as error:
            _say(out, failure=_kind(error))


def _claim_output() -> TextIO:
    """Standard output for the protocol alone: what libraries print goes to standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _say(out: TextIO, **fields: object) -> None:
    out.write(json.dumps({**fields, "cpu_s": time.process_time()}) + "\n")
    out.flush()


def _kind(error: Exception) -> str:
    """The error without its message, which may quote a customer; an import error quotes none."""
    if isinstance(error, ImportError):
        return f"{type(error).__name__}: {error}".splitlines()[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
