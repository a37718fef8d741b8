"""What a peer is: fitted on the pack's training rows, then asked one message after the other."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from evaluation.peers.installed import installed_mb
from yingda.domain.knowledge import Knowledge


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best entry (None where the peer names none), the best intent, and how sure the peer is of the entry.

    Confidence need not be a probability: it orders messages, the surest highest.
    """

    entry: str | None
    intent: str
    confidence: float


@dataclass(frozen=True, slots=True)
class TrainRow:
    """One labelled text; ``wording`` is true for a question written in the FAQ itself."""

    text: str
    intent: str
    entry: str | None
    wording: bool = False


@dataclass(frozen=True)
class Lessons:
    """All that a peer may learn from; ``digest`` is the SHA-256 of rows, knowledge and seed."""

    rows: tuple[TrainRow, ...]
    knowledge: Knowledge
    seed: int
    digest: str

    @cached_property
    def intent_of(self) -> Mapping[str, str]:
        """The intent of each entry."""
        return {entry.id: entry.intent for entry in self.knowledge.faq.values()}


def wordings(lessons: Lessons) -> int:
    """How many rows are wordings of the entries themselves."""
    return sum(row.wording for row in lessons.rows)


class Peer(Protocol):
    """One way to answer. ``note`` says how it was set up; a change of it makes earlier results void."""

    @property
    def name(self) -> str: ...

    @property
    def note(self) -> str: ...

    def available(self) -> str | None:
        """None, or why the peer cannot run here and what to do about it."""

    def version(self) -> str:
        """Version of what answers; asked only of an available peer."""

    def installed_mb(self) -> float | None:
        """Size of what has to be installed, in 10^6 bytes; None where nobody counted."""

    def learns_from(self, lessons: Lessons, /) -> int | None:
        """How many rows of ``lessons`` it takes, 0 where it learns nothing; None where it was made before, from other rows too."""

    def fit(self, lessons: Lessons, folder: Path, /) -> None:
        """Learn; ``folder`` is the peer's own for these very lessons and may hold what an earlier run left."""

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text, in order."""

    def cpu_s(self) -> float:
        """CPU seconds that the process that answers has used so far, all its threads together."""

    def close(self) -> None:
        """End what the peer started."""


class LocalPeer:
    """What peers inside this process share; ``packages`` maps the distributions that do the work to their modules."""

    name: str
    note: str
    packages: Mapping[str, str] = {}

    def available(self) -> str | None:
        """None, or which package is missing."""
        missing = [package for package, module in self.packages.items() if importlib.util.find_spec(module) is None]
        return f"{missing[0]} is not installed; `make check` installs it" if missing else None

    def version(self) -> str:
        """Versions of the packages that do the work."""
        return ", ".join(f"{package} {version(package)}" for package in self.packages)

    def installed_mb(self) -> float | None:
        """Size of these packages and all they need."""
        return installed_mb(tuple(self.packages))

    def learns_from(self, lessons: Lessons, /) -> int | None:
        """All rows."""
        return len(lessons.rows)

    def cpu_s(self) -> float:
        """CPU seconds of this process."""
        return time.process_time()

    def close(self) -> None:
        """Nothing was started."""
