"""Batches of token ids, with typing noise for robustness."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.examples import Example

_POOL = 50
"""Batches sorted by length together: little padding, while the order of batches stays random."""


@dataclass(frozen=True)
class Batch:
    """Padded token ids [B, T] with their mask, and class numbers [B]."""

    input_ids: Tensor
    attention_mask: Tensor
    intent: Tensor
    match: Tensor
    sentiment: Tensor


def load_tokenizer(path: str, max_tokens: int) -> Tokenizer:
    """The tokenizer at ``path`` that cuts texts at ``max_tokens``."""
    tokenizer: Tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def typing_slip(text: str, generator: random.Random) -> str:
    """``text`` with one character dropped, doubled or swapped with its neighbour."""
    if len(text) < 4:
        return text
    at = generator.randrange(len(text) - 1)
    slips = (text[:at] + text[at + 1 :], text[: at + 1] + text[at:], text[:at] + text[at + 1] + text[at] + text[at + 2 :])
    return generator.choice(slips)


def batches(
    examples: Sequence[Example], tokenizer: Tokenizer, *, size: int, noise: float, generator: random.Random, pad: int
) -> Iterator[Batch]:
    """One epoch of ``examples`` in random order; ``noise`` is the share of rows that get a typing slip."""
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
        texts = [typing_slip(r.text, generator) if generator.random() < noise else r.text for r in rows]
        yield collate(rows, [e.ids for e in tokenizer.encode_batch(texts)], pad=pad)


def collate(rows: Sequence[Example], ids: Sequence[Sequence[int]], *, pad: int) -> Batch:
    """Pad token ids to the longest row."""
    longest = max(map(len, ids))
    padded = torch.tensor([[*row, *([pad] * (longest - len(row)))] for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    intent, match, sentiment = (torch.tensor(column) for column in zip(*((r.intent, r.match, r.sentiment) for r in rows), strict=True))
    return Batch(padded, mask, intent, match, sentiment)
