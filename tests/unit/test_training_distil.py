"""The student: which layers it starts from, and what straying from the teacher costs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from training.batches import Batch
from training.distil import Lessons, imitation, spaced_layers
from training.network import Outputs
from training.params import DistilParams

PARAMS = DistilParams(epochs=1, encoder_rate=1e-4, temperature=2.0, heads_weight=1.0, embedding_weight=1.0)


@given(st.integers(1, 24), st.integers(0, 24))
def test_layers_are_spaced_ascending_and_end_with_the_last(layers: int, more: int) -> None:
    chosen = spaced_layers(layers, layers + more)

    assert len(chosen) == layers
    assert chosen[-1] == layers + more - 1
    assert sorted(set(chosen)) == chosen
    assert chosen[0] >= 0


def test_the_usual_depths() -> None:
    assert spaced_layers(4, 12) == [2, 5, 8, 11]
    assert spaced_layers(6, 12) == [1, 3, 5, 7, 9, 11]


def lessons() -> Lessons:
    random = torch.Generator().manual_seed(0)
    answers = [torch.randn(3, width, generator=random) for width in (4, 5, 3, 2)]
    return Lessons(functional.normalize(answers[0], dim=-1), *answers[1:])


def batch(rows: tuple[int, ...]) -> Batch:
    empty = torch.zeros(len(rows), 1, dtype=torch.long)
    return Batch(empty, empty, empty[:, 0], empty[:, 0], empty[:, 0], rows=rows)


def test_saying_what_the_teacher_says_costs_nothing() -> None:
    taught = lessons()
    rows = (2, 0)
    outputs = Outputs(taught.embedding[list(rows)], taught.intent[list(rows)], taught.sentiment[list(rows)])

    loss = imitation(taught, PARAMS)(outputs, taught.match[list(rows)], batch(rows))

    assert loss.item() == pytest.approx(0.0, abs=1e-5)


def test_every_answer_that_strays_costs() -> None:
    taught = lessons()
    rows = (0, 1, 2)
    same = Outputs(taught.embedding, taught.intent, taught.sentiment)
    losses = [
        imitation(taught, PARAMS)(Outputs(taught.embedding.flip(0), same.intent, same.sentiment), taught.match, batch(rows)),
        imitation(taught, PARAMS)(Outputs(same.embedding, taught.intent.flip(1), same.sentiment), taught.match, batch(rows)),
        imitation(taught, PARAMS)(Outputs(same.embedding, same.intent, taught.sentiment.flip(1)), taught.match, batch(rows)),
        imitation(taught, PARAMS)(same, taught.match.flip(1), batch(rows)),
    ]

    assert min(loss.item() for loss in losses) > 0.01
