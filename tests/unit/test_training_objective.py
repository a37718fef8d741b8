"""The losses: soft targets, missing labels, and the memory that the contrast is made against."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from training.batches import Batch
from training.examples import IGNORED
from training.objective import Memory, contrast, hard_cross_entropy, soft_cross_entropy, targets_of


def batch(match: list[int], also: list[tuple[int, ...]] | None = None) -> Batch:
    empty = torch.zeros(len(match), 1, dtype=torch.long)
    labels = torch.tensor(match)
    return Batch(empty, empty, labels, labels, labels, tuple(also or [()] * len(match)))


def test_a_row_with_one_right_class_wants_it_alone() -> None:
    assert targets_of(batch([2]), 4, 0.0).tolist() == [[0.0, 0.0, 1.0, 0.0]]


def test_further_right_classes_share_three_tenths() -> None:
    wanted = targets_of(batch([0], [(1, 3)]), 4, 0.0)

    assert wanted[0].tolist() == pytest.approx([0.7, 0.15, 0.0, 0.15])


def test_smoothing_leaves_a_distribution() -> None:
    wanted = targets_of(batch([0, 1], [(), (2,)]), 5, 0.1)

    assert wanted.sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert wanted.min() == pytest.approx(0.02)


def test_a_row_without_a_label_wants_nothing_and_costs_nothing() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    both = targets_of(batch([1, IGNORED]), 3, 0.0)

    assert both[1].sum() == 0
    assert soft_cross_entropy(logits, both) == pytest.approx(functional.cross_entropy(logits[:1], torch.tensor([1])).item())


def test_a_batch_without_any_label_costs_nothing() -> None:
    logits = torch.randn(2, 3, requires_grad=True)

    loss = hard_cross_entropy(logits, torch.tensor([IGNORED, IGNORED])) + soft_cross_entropy(logits, torch.zeros(2, 3))
    loss.backward()  # type: ignore[no-untyped-call]

    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_memory_forgets_the_oldest_and_takes_no_unlabelled_row() -> None:
    memory = Memory(3)
    memory.add(torch.eye(4)[:2], torch.tensor([7, IGNORED]))
    assert not memory.is_full
    memory.add(torch.eye(4), torch.tensor([1, 2, 3, 4]))

    assert memory.is_full
    assert memory.labels.tolist() == [2, 3, 4]
    assert memory.vectors.tolist() == torch.eye(4)[1:].tolist()


def test_a_memory_of_no_rows_is_never_used() -> None:
    memory = Memory(0)
    memory.add(torch.eye(2), torch.tensor([1, 2]))

    assert not memory.is_full


def test_the_contrast_is_a_softmax_over_the_memory() -> None:
    memory = Memory(3, torch.eye(3), torch.tensor([0, 1, 1]))
    anchor = torch.tensor([[1.0, 0.0, 0.0]])

    loss = contrast(anchor, batch([0]), memory, temperature=0.5)

    assert loss.item() == pytest.approx(-math.log(math.exp(2) / (math.exp(2) + 2)))


def test_further_right_classes_attract_too() -> None:
    memory = Memory(2, torch.eye(2), torch.tensor([0, 1]))
    between = torch.tensor([[math.sqrt(0.5), math.sqrt(0.5)]])

    torn = contrast(between, batch([0], [(1,)]), memory, temperature=1.0)

    assert torn.item() == pytest.approx(math.log(2))
    assert contrast(between, batch([9]), memory, temperature=1.0).item() == 0.0  # nobody of its class is remembered
