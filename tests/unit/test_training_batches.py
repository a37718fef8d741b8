"""Batches of token ids, and the typing slips that make training robust."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from training.batches import Batch, batches, collate, load_tokenizer, typing_slip
from training.examples import Example

CHARACTERS = "abcdefghij"
PAD = 99


def tokenizer() -> Tokenizer:
    """One token a character."""
    made: Tokenizer = Tokenizer(WordLevel({char: number for number, char in enumerate("?" + CHARACTERS)}, unk_token="?"))
    made.pre_tokenizer = Split(Regex("."), behavior="isolated")
    return made


EXAMPLES = [Example(CHARACTERS[: 1 + n % 10], n, n + 100, n % 4) for n in range(23)]


def epoch(*, noise: float = 0.0, seed: int = 1, size: int = 4) -> list[Batch]:
    return list(batches(EXAMPLES, tokenizer(), size=size, noise=noise, generator=random.Random(seed), pad=PAD))


@given(st.text(), st.integers(0, 1000))
def test_a_typing_slip_changes_the_length_by_one_at_most(text: str, seed: int) -> None:
    slipped = typing_slip(text, random.Random(seed))

    assert abs(len(slipped) - len(text)) <= 1
    assert set(slipped) <= set(text)


@given(st.text(max_size=3), st.integers(0, 1000))
def test_a_short_text_never_slips(text: str, seed: int) -> None:
    assert typing_slip(text, random.Random(seed)) == text


def test_slips_drop_double_and_swap() -> None:
    found = {typing_slip("abcd", random.Random(seed)) for seed in range(300)}

    assert found == {"bcd", "acd", "abd", "aabcd", "abbcd", "abccd", "bacd", "acbd", "abdc"}


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


def test_a_loaded_tokenizer_cuts_long_texts(tmp_path: Path) -> None:
    path = str(tmp_path / "tokenizer.json")
    tokenizer().save(path)

    assert load_tokenizer(path, 4).encode("abcdefghij").ids == [1, 2, 3, 4]
