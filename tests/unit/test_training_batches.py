"""Batches of token ids."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from training.batches import Batch, batches, collate
from training.examples import Example

CHARACTERS = "abcdefghij"
PAD = 99


class CharacterTokenizer:
    """One token a character."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1 + CHARACTERS.index(char) for char in text] for text in texts]


def slip(text: str, generator: random.Random) -> str:
    """Drop the last character of a text that has more than one."""
    return text[:-1] if len(text) > 1 and generator.random() < 1.0 else text


EXAMPLES = [Example(CHARACTERS[: 1 + n % 10], n, n + 100, n % 4) for n in range(23)]


def epoch(*, noise: float = 0.0, seed: int = 1, size: int = 4) -> list[Batch]:
    generator = random.Random(seed)
    return list(batches(EXAMPLES, CharacterTokenizer(), size=size, noise=noise, generator=generator, pad=PAD, disturbed=slip))


def test_rows_are_padded_to_the_longest_and_masked() -> None:
    batch = collate(EXAMPLES[:2], [[5, 6, 7], [8]], pad=PAD)

    assert batch.input_ids.tolist() == [[5, 6, 7], [8, PAD, PAD]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.intent.tolist() == [0, 1]
    assert batch.match.tolist() == [100, 101]
    assert batch.sentiment.tolist() == [0, 1]


def test_an_epoch_holds_every_row_once_with_its_own_labels() -> None:
    rows = [
        (int(intent), int(match), int(mask.sum()))
        for batch in epoch()
        for intent, match, mask in zip(batch.intent, batch.match, batch.attention_mask, strict=True)
    ]

    assert sorted(rows) == [(n, n + 100, 1 + n % 10) for n in range(23)]


def test_no_batch_is_larger_than_asked_for() -> None:
    sizes = [len(batch.intent) for batch in epoch(size=4)]

    assert max(sizes) == 4
    assert sum(sizes) == 23


def test_padding_is_where_the_mask_is_0() -> None:
    for batch in epoch():
        assert ((batch.input_ids == PAD) == (batch.attention_mask == 0)).all()


def test_a_seed_decides_order_and_noise() -> None:
    first, again, other = ([batch.input_ids.tolist() for batch in epoch(noise=0.5, seed=seed)] for seed in (1, 1, 2))

    assert first == again
    assert first != other


@pytest.mark.parametrize(("noise", "changes"), [(0.0, False), (1.0, True)])
def test_noise_is_the_share_of_rows_that_slip(noise: float, changes: bool) -> None:
    plain = {tuple(range(1, 2 + n % 10)) for n in range(23)}
    seen = {
        tuple(row[mask.bool()].tolist())
        for batch in epoch(noise=noise)
        for row, mask in zip(batch.input_ids, batch.attention_mask, strict=True)
    }

    assert (seen != plain) is changes


def test_a_batch_knows_where_its_rows_came_from() -> None:
    for batch in epoch():
        assert [EXAMPLES[place].intent for place in batch.rows] == batch.intent.tolist()
        assert len(batch.also) == len(batch.rows)
