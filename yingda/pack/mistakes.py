"""Mistakes of a pack, gathered so that an author sees all of them at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from yingda.domain.errors import Mistake, PackError


class Place(NamedTuple):
    """A line of a pack file; ``file`` is relative to the pack's folder, lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Word(NamedTuple):
    """A text of a pack file and where it stands; empty when the file holds no usable text there."""

    text: str
    place: Place


class MistakeLog:
    """Collects mistakes while a pack is read."""

    def __init__(self) -> None:
        self._mistakes: set[Mistake] = set()
        self._unreadable: set[str] = set()

    def add(self, place: Place, detail: str) -> None:
        """Note a mistake; ``detail`` names the thing, the value and the remedy."""
        self._mistakes.add(Mistake(place.file, place.line, detail))

    def refuse(self, place: Place, detail: str) -> None:
        """Note a mistake that keeps the whole file from being read."""
        self._unreadable.add(place.file)
        self.add(place, detail)

    def unreadable(self) -> frozenset[str]:
        """Files of which nothing could be read; what they define is unknown, not absent."""
        return frozenset(self._unreadable)

    def raise_if_any(self) -> None:
        """Raise PackError with every mistake noted, in order of file and line."""
        if self._mistakes:
            raise PackError(sorted(self._mistakes, key=lambda mistake: (mistake.file, mistake.line, mistake.detail)))


class FirstSeen:
    """Remembers where each name stood first and reports every later one."""

    def __init__(self, log: MistakeLog, what: str) -> None:
        self.log = log
        self._what = what
        self._places: dict[str, Place] = {}

    def add(self, word: Word, *, key: str | None = None) -> None:
        """Note ``word`` (compared by ``key``, else by its text); a name seen before is a mistake."""
        if not word.text:
            return
        first = self._places.setdefault(key or word.text, word.place)
        if first is not word.place:
            self.log.add(word.place, f"duplicate {self._what} '{word.text}', first in {first}; keep one of them")


def check_known(word: Word, known: Collection[str] | None, log: MistakeLog, *, what: str, home: str) -> None:
    """Note a mistake unless ``word`` is one of ``known``; None means that ``home`` could not be read."""
    if word.text and known is not None and word.text not in known:
        log.add(word.place, f"unknown {what} '{word.text}'; correct it or add it to {home}")
