"""A peer in a process of its own: another Python, other versions of libraries, CPU time by its own account."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.errors import EvaluationError
from evaluation.peers.peer import Lessons, Prediction

_ROOT = Path(__file__).parents[2]
_FITTED = "fitted"
_PATIENCE_S = 10.0
"""How long a process that closed its output may take to end."""
# one thread for every peer when it answers, or waiting threads would be charged as work
_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_ONE_THREAD = dict.fromkeys(_POOLS, "1")
_QUIET = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}


class ProcessPeer:
    """Runs a module of ``evaluation.peers.workers`` with the interpreter ``python``, or is skipped when there is none."""

    def __init__(
        self,
        name: str,
        note: str,
        *,
        module: str,
        python: Path | None,
        remedy: str,
        settings: Mapping[str, Any] | None = None,
        takes: Callable[[Lessons], int] = lambda lessons: len(lessons.rows),
    ) -> None:
        """``takes`` says how many rows the worker takes of its lessons; all unless given."""
        self.name, self.note = name, note
        self._module, self._python, self._remedy = module, python, remedy
        self._settings, self._takes = dict(settings or {}), takes
        self._about: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._cpu_s = 0.0

    def available(self) -> str | None:
        """None, or why the worker cannot be asked what it is."""
        if self._python is None:
            return self._remedy
        try:
            done = subprocess.run(self._command("about"), env=self._environment(), capture_output=True, text=True, check=False)
            self._about = json.loads(done.stdout)
        except OSError as error:
            return f"{self._python.name}: {error.strerror}; {self._remedy}"
        except ValueError:
            return f"{self._python.name} ended with exit code {done.returncode}: {_last_line(done.stderr)}; {self._remedy}"
        return None

    def version(self) -> str:
        """Version of the package in the worker's environment."""
        return str(self._about["version"])

    def installed_mb(self) -> float | None:
        """Size of the package and all it needs, in the worker's environment."""
        found = self._about["installed_mb"]
        return None if found is None else float(found)

    def learns_from(self, lessons: Lessons, /) -> int | None:
        """As many rows as its settings leave."""
        return self._takes(lessons)

    def fit(self, lessons: Lessons, folder: Path, /) -> None:
        """Train in one process, unless an earlier run did, then start the one that answers. Raises EvaluationError."""
        rows = [asdict(row) for row in lessons.rows]
        told = {"rows": rows, "seed": lessons.seed, "settings": self._settings}
        folder = folder.resolve()
        if not (folder / _FITTED).is_file():
            (folder / "lessons.json").write_text(json.dumps(told), encoding="utf-8")
            self._train(folder)
            (folder / _FITTED).touch()
        self._start(folder)

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """Ask the process that answers; raises EvaluationError when it cannot."""
        if self._process is None or self._process.stdin is None:
            raise EvaluationError(f"{self.name}: asked before it was fitted; fit it first")
        try:
            self._process.stdin.write(json.dumps(list(texts)) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error
        return [Prediction(entry, intent, float(confidence)) for entry, intent, confidence in self._hear()["answers"]]

    def cpu_s(self) -> float:
        """CPU seconds of the process that answers, as it said with its last answer; what this process spends on asking is left out."""
        return self._cpu_s

    def close(self) -> None:
        """End the process that answers."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _train(self, folder: Path) -> None:
        log = folder / "fit.log"
        with log.open("w", encoding="utf-8") as out:
            done = subprocess.run(
                self._command("fit", str(folder)),
                env=self._environment(),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            )
        if done.returncode != 0:
            said = _last_line(log.read_text(encoding="utf-8", errors="replace"))
            raise EvaluationError(f"learning ended with exit code {done.returncode}: {said}; see {_placed(log)}")

    def _start(self, folder: Path) -> None:
        self.close()
        self._process = subprocess.Popen(
            self._command("serve", str(folder)),
            env=self._environment() | _ONE_THREAD,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries may quote the messages there
            text=True,
            encoding="utf-8",
        )
        self._hear()

    def _hear(self) -> dict[str, Any]:
        line = "" if self._process is None or self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise self._gone()
        heard: dict[str, Any] = json.loads(line)
        self._cpu_s = float(heard["cpu_s"])
        if "failure" in heard:
            raise EvaluationError(str(heard["failure"]))
        return heard

    def _gone(self) -> EvaluationError:
        why = f"run `python -m {self._module} serve FOLDER` with its folder to see why"
        return EvaluationError(f"its process ended with exit code {self._exit_code()}; {why}")

    def _exit_code(self) -> int | None:
        """Of a process that says nothing any more; None where it does not end either."""
        try:
            return None if self._process is None else self._process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return None

    def _command(self, *words: str) -> list[str]:
        return [str(self._python), "-m", self._module, *words]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **_QUIET, "PYTHONPATH": str(_ROOT), "PYTHONIOENCODING": "utf-8"}


def _placed(log: Path) -> str:
    """The last folders of the path of ``log``: a report that is passed on names no folder of one machine."""
    return "/".join(log.parts[-3:])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "ended without a word"
