"""What training minimises: three cross-entropies and a contrast against the embeddings of recent batches."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from training.batches import Batch
from training.examples import IGNORED
from training.network import Outputs
from training.params import TrainParams

_ALSO_SHARE = 0.3
"""Share of a row's target that its further right classes get together."""


@dataclass
class Memory:
    """Embeddings and labels of the last rows seen: a cross-batch memory (Wang et al., CVPR 2020, arXiv:1912.06798).

    Every class and its rivals are in it all the time, so small batches still meet hard negatives.
    """

    size: int
    vectors: Tensor = field(default_factory=lambda: torch.empty(0))
    labels: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))

    def add(self, vectors: Tensor, labels: Tensor) -> None:
        """Remember labelled rows of a batch ([B, D], [B]) and forget the oldest."""
        if not self.size:
            return
        known = labels != IGNORED
        fresh, numbers = vectors.detach().float()[known], labels[known]
        held = self.vectors if len(self.vectors) else fresh[:0]
        self.vectors = torch.cat([held, fresh])[-self.size :]
        self.labels = torch.cat([self.labels.to(numbers.device), numbers])[-self.size :]

    @property
    def is_full(self) -> bool:
        """True once it holds as many rows as it may; before that some classes would be missing."""
        return self.size > 0 and len(self.labels) >= self.size


def targets_of(batch: Batch, classes: int, smoothing: float) -> Tensor:
    """Wanted distribution [B, C] over match classes; rows without a label are zero."""
    wanted = torch.zeros(len(batch.match), classes)
    for row, (match, also) in enumerate(zip(batch.match.tolist(), batch.also, strict=True)):
        if match == IGNORED:
            continue
        wanted[row, match] = 1.0 - (_ALSO_SHARE if also else 0.0)
        for other in also:
            wanted[row, other] += _ALSO_SHARE / len(also)
        wanted[row] = wanted[row] * (1.0 - smoothing) + smoothing / classes
    return wanted


def soft_cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross-entropy of ``logits`` [B, C] against distributions [B, C]; rows of zeros do not count."""
    counted = (wanted.sum(1) > 0).sum().clamp(min=1)
    return -(wanted * functional.log_softmax(logits.float(), dim=-1)).sum() / counted


def contrast(embedding: Tensor, batch: Batch, memory: Memory, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020, arXiv:2004.11362) of a batch against the memory.

    Remembered rows of any class that is right for a row are its positives, all others its negatives.
    """
    right = torch.stack([torch.isin(memory.labels, torch.tensor([m, *a], device=memory.labels.device)) for m, a in _rights(batch)])
    logits = embedding.float() @ memory.vectors.T / temperature
    shares = right.float() / right.sum(1, keepdim=True).clamp(min=1)
    return soft_cross_entropy(logits, shares)


def _rights(batch: Batch) -> list[tuple[int, tuple[int, ...]]]:
    return list(zip(batch.match.tolist(), batch.also, strict=True))


def hard_cross_entropy(logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy that is zero, not NaN, for a batch in which no row has this label."""
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.float(), labels, weights, ignore_index=IGNORED, label_smoothing=smoothing)


def task_loss(outputs: Outputs, logits: Tensor, batch: Batch, memory: Memory, params: TrainParams, sentiment_weights: Tensor) -> Tensor:
    """Weighted sum of the losses; ``logits`` [B, C] are the prototypes' of ``outputs``. Remembers the batch."""
    where = logits.device
    wanted = targets_of(batch, logits.shape[1], params.label_smoothing).to(where)
    match, intent, sentiment = (label.to(where) for label in (batch.match, batch.intent, batch.sentiment))
    total = soft_cross_entropy(logits, wanted)
    total = total + params.intent_weight * hard_cross_entropy(outputs.intent, intent, smoothing=params.label_smoothing)
    total = total + params.sentiment_weight * hard_cross_entropy(outputs.sentiment, sentiment, weights=sentiment_weights)
    if params.contrast_weight and memory.is_full:
        total = total + params.contrast_weight * contrast(outputs.embedding, batch, memory, params.contrast_temperature)
    memory.add(outputs.embedding, match)
    return total
