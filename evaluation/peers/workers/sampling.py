"""Few messages of each class, for peers that learn slowly."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def sampled(rows: Sequence[Row], name_of: Callable[[Row], str], *, messages: int | None, seed: int) -> list[tuple[str, str]]:
    """Text and class of at most ``messages`` rows of each class, by class; all of them where it is None."""
    by_class: dict[str, list[str]] = {}
    for row in rows:
        by_class.setdefault(name_of(row), []).append(row["text"])
    chance = random.Random(seed)
    return [
        (text, name)
        for name, texts in sorted(by_class.items())
        for text in (texts if messages is None else chance.sample(texts, min(messages, len(texts))))
    ]
