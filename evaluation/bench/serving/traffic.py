"""What is asked: messages of the pack's training files, none twice unless the traffic is to repeat itself."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.errors import EvaluationError

_LONGEST = 60
"""Characters; longer rows of the training files are lists of wishes rather than messages."""


@dataclass
class Fresh:
    """Messages that no server has seen: one character of a training message is exchanged for another, like a slip of the finger."""

    texts: Sequence[str]
    seed: int
    _chance: random.Random = field(init=False)
    _given: set[str] = field(init=False)
    _letters: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._given = set(self.texts)
        self._letters = sorted({letter for text in self.texts for letter in text if "\u4e00" <= letter <= "\u9fff"})

    def take(self, count: int) -> list[str]:
        """The next ``count`` messages."""
        found: list[str] = []
        while len(found) < count:
            text = self._slip(self._chance.choice(self.texts))
            while text in self._given:
                text = self._slip(text)
            self._given.add(text)
            found.append(text)
        return found

    def _slip(self, text: str) -> str:
        place = self._chance.randrange(len(text))
        return text[:place] + self._chance.choice(self._letters) + text[place + 1 :]


def read_texts(pack: Path) -> list[str]:
    """Texts of the pack's training files in order; raises EvaluationError where there are none."""
    files = sorted((pack / "utterances").glob("train-*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts = list(dict.fromkeys(row["text"] for row in rows if 2 <= len(row["text"]) <= _LONGEST))
    if not texts:
        raise EvaluationError(f"{pack}/utterances: no train-*.jsonl; name a pack with --pack")
    return texts


def repeating(hot: Sequence[str], fresh: Sequence[str], *, share: float, seed: int) -> list[str]:
    """``fresh`` texts with so many of ``hot`` strewn in that ``share`` of all are hot: earlier ones of ``hot`` are likelier (Zipf)."""
    chance = random.Random(seed)
    weights = [1 / (place + 1) for place in range(len(hot))]
    repeated = chance.choices(hot, weights, k=round(len(fresh) * share / (1 - share)))
    mixed = [*fresh, *repeated]
    chance.shuffle(mixed)
    return mixed
