"""The match classes a message is scored against: live FAQ entries, and "no entry" for each intent that needs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry

NONE_PREFIX = "none:"


@dataclass(frozen=True)
class MatchSpace:
    """``entries`` come first, then one class without an entry for each intent that needs it.

    ``intents`` [C] is each class's intent number; ``columns`` [C] its column in the trained views, -1 for an
    entry that was written after training.
    """

    entries: tuple[str, ...]
    intents: NDArray[np.intp]
    columns: NDArray[np.intp]

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.columns)

    @cached_property
    def is_new(self) -> NDArray[np.bool_]:
        """[C], true for entries that no view was trained on."""
        return np.asarray(self.columns < 0)

    @cached_property
    def trained(self) -> NDArray[np.bool_] | slice:
        """What picks the classes that a view was trained on: a slice where these are all, which is the quicker way."""
        return ~self.is_new if self.is_new.any() else slice(None)

    @cached_property
    def places(self) -> dict[str, int]:
        """Number of each entry."""
        return {name: number for number, name in enumerate(self.entries)}

    def take(self, entries: NDArray[np.intp]) -> MatchSpace:
        """The space of the ``entries`` of these numbers alone, in this order, and of every class without an entry."""
        numbers = np.concatenate((entries, np.arange(len(self.entries), self.size)))
        names = tuple(self.entries[number] for number in entries.tolist())
        return MatchSpace(names, self.intents[numbers], self.columns[numbers])


def build_space(entries: Iterable[FaqEntry], trained: Sequence[str], intents: Sequence[str]) -> MatchSpace:
    """The classes for live ``entries``, given the ``trained`` class names and the ``intents`` of the model.

    Entries retired since training simply have no class; their probability goes to the others.
    """
    live = list(entries)
    column = {name: i for i, name in enumerate(trained)}
    number = {code: i for i, code in enumerate(intents)}
    none = [name.removeprefix(NONE_PREFIX) for name in trained if name.startswith(NONE_PREFIX)]
    names = [*(entry.id for entry in live), *(NONE_PREFIX + code for code in none)]
    return MatchSpace(
        entries=tuple(entry.id for entry in live),
        intents=np.asarray([number[code] for code in (*(entry.intent for entry in live), *none)], np.intp),
        columns=np.asarray([column.get(name, -1) for name in names], np.intp),
    )
