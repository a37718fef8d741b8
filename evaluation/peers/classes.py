"""Match classes of peers that classify: each entry, and "no entry" of each intent that has such messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.peers.peer import Prediction, TrainRow

_NONE = "none:"


def match_class(row: TrainRow) -> str:
    """The entry, or ``none:INTENT``."""
    return row.entry if row.entry is not None else f"{_NONE}{row.intent}"


@dataclass(frozen=True)
class Reader:
    """Turns scores of match classes and of intents into predictions."""

    classes: Sequence[str]
    intents: Sequence[str]

    def read(self, matches: NDArray[np.float64], intents: NDArray[np.float64]) -> list[Prediction]:
        """Predictions of ``matches`` [N, classes] and ``intents`` [N, intents]: the best entry is named even where none fits better."""
        entries = np.flatnonzero([not name.startswith(_NONE) for name in self.classes])
        best = entries[np.argmax(matches[:, entries], axis=1)]
        return [
            Prediction(self.classes[column], self.intents[int(intent)], float(matches[row, column]))
            for row, (column, intent) in enumerate(zip(best, np.argmax(intents, axis=1), strict=True))
        ]
