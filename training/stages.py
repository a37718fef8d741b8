"""A stage of a run and its stamp: what it was made from, so that nothing is done twice and nothing stale is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from training.examples import write_json
from yingda.bundle import file_digest
from yingda.domain.errors import MaterialError

_CACHES = "__pycache__"


@dataclass(frozen=True)
class Stage:
    """One step of a run: ``command`` holds the arguments of the Python interpreter, ``accepted`` the exit codes of success.

    ``resumes`` says that the stage itself goes on from what lies in its outputs; all others start from nothing.
    ``donor`` is a folder proven to hold what the stage would write to its only output.
    """

    name: str
    command: tuple[str, ...]
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    resumes: bool = False
    accepted: frozenset[int] = frozenset({0})
    donor: Path | None = None

    def outputs_exist(self) -> bool:
        """True when every output is there; an empty folder is none."""
        return all(any(path.iterdir()) if path.is_dir() else path.is_file() for path in self.outputs)


class Digests:
    """SHA-256 of files and folders; a file is read again only when its size or time of change differs."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int, int], str] = {}

    def of(self, path: Path) -> str:
        """Digest of a file's bytes, or of the names and bytes of all files in a folder; raises MaterialError."""
        if path.is_file():
            return self._file(path)
        if not path.is_dir():
            raise MaterialError(f"{path}: there is no such file or folder; restore it")
        lines = (f"{file.relative_to(path).as_posix()}\0{self._file(file)}\n" for file in _files(path))
        return sha256("".join(lines).encode()).hexdigest()

    def _file(self, path: Path) -> str:
        try:
            facts = path.stat()
            key = (path, facts.st_size, facts.st_mtime_ns)
            if key not in self._known:
                self._known[key] = file_digest(path)
        except OSError as error:
            raise MaterialError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
        return self._known[key]


@dataclass(frozen=True)
class Stamps:
    """What stages of the run folder ``root`` were made from, and how long each took."""

    root: Path
    digests: Digests

    def key(self, stage: Stage) -> str:
        """SHA-256 over the command, the parameters and the content of all inputs."""
        inputs = [[path.as_posix(), self.digests.of(path)] for path in stage.inputs]
        facts = {"command": stage.command, "params": dict(stage.params), "inputs": inputs}
        return sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def is_current(self, stage: Stage, key: str) -> bool:
        """True when the stage ended well with just this ``key`` and its outputs are still there."""
        return self._read(self._path(stage)).get("sha256") == key and stage.outputs_exist()

    def write(self, stage: Stage, key: str, *, seconds: float) -> None:
        """Say that ``stage`` ended well; the last thing that happens in it."""
        write_json(self._path(stage), {"sha256": key, "seconds": round(seconds, 1)})
        if stage.donor is None:
            write_json(self._times, {**self.times(), stage.name: round(seconds, 1)})

    def drop(self, stage: Stage) -> None:
        """Forget a stage before its outputs change."""
        self._path(stage).unlink(missing_ok=True)

    def times(self) -> dict[str, float]:
        """Seconds each stage took the last time it ran in this folder."""
        found = self._read(self._times)
        return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}

    @property
    def _times(self) -> Path:
        return self.root / "times.json"

    def _path(self, stage: Stage) -> Path:
        return self.root / "stamps" / f"{stage.name}.json"

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}  # a stamp that cannot be read proves nothing: the stage runs again
        return found if isinstance(found, dict) else {}


def time_left(remaining: Sequence[str], times: Mapping[str, float], *, spent: float) -> str:
    """``about 12 min left`` for the stages in ``remaining``, of whose first ``spent`` seconds have passed."""
    if not any(name in times for name in remaining):
        return "time left is known from the second run on"
    first, *later = remaining
    seconds = max(0.0, times.get(first, 0.0) - spent) + sum(times.get(name, 0.0) for name in later)
    bound = "about" if all(name in times for name in remaining) else "at least"
    return f"{bound} {spell(seconds)} left"


def spell(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _files(folder: Path) -> Iterator[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and _CACHES not in path.parts)
    return iter(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))
