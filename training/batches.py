"""Batches of token ids, with noise for robustness."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.augment import Noise, disturb
from training.examples import Example

_POOL = 50
"""Batches sorted by length together: little padding, while the order of batches stays random."""


class Encodes(Protocol):
    """Texts to token ids, as ``MessageTokenizer`` does: what is trained is cut as what is served."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...


@dataclass(frozen=True)
class Batch:
    """Padded token ids [B, T] with their mask, class numbers [B], and further right match classes of each row."""

    input_ids: Tensor
    attention_mask: Tensor
    intent: Tensor
    match: Tensor
    sentiment: Tensor
    also: tuple[tuple[int, ...], ...] = ()
    rows: tuple[int, ...] = ()


def batches(
    examples: Sequence[Example],
    tokenizer: Encodes,
    *,
    size: int,
    noise: float,
    generator: random.Random,
    pad: int,
    disturbed: Noise = disturb,
) -> Iterator[Batch]:
    """One epoch of ``examples`` in random order; ``noise`` is the share of rows that are disturbed.

    ``Batch.rows`` are places in ``examples``.
    """
    order = list(range(len(examples)))
    generator.shuffle(order)
    pool = size * _POOL
    chunks = []
    for start in range(0, len(order), pool):
        window = sorted(order[start : start + pool], key=lambda i: len(examples[i].text))
        chunks += [window[i : i + size] for i in range(0, len(window), size)]
    generator.shuffle(chunks)
    for chunk in chunks:
        rows = [examples[i] for i in chunk]
        texts = [disturbed(r.text, generator) if generator.random() < noise else r.text for r in rows]
        yield collate(rows, tokenizer.encode(texts), pad=pad, places=chunk)


def collate(rows: Sequence[Example], ids: Sequence[Sequence[int]], *, pad: int, places: Sequence[int] = ()) -> Batch:
    """Pad token ids to the longest row."""
    longest = max(map(len, ids))
    padded = torch.tensor([[*row, *([pad] * (longest - len(row)))] for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    intent, match, sentiment = (torch.tensor(column) for column in zip(*((r.intent, r.match, r.sentiment) for r in rows), strict=True))
    return Batch(padded, mask, intent, match, sentiment, tuple(row.also for row in rows), tuple(places))
