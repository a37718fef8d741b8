"""Small pure functions on probabilities, shared by serving and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_TINY = 1e-6


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row-wise log softmax of [N, C]."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)), np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row-wise softmax of [N, C]."""
    return np.asarray(np.exp(log_softmax(logits)), np.float32)


def log_odds(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log odds, with probabilities kept a little away from 0 and 1."""
    clipped = np.minimum(np.maximum(probability, _TINY), 1 - _TINY)  # quicker than np.clip on a few numbers
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float32)


def sigmoid(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of ``log_odds``."""
    clipped = np.minimum(np.maximum(value, -80.0), 80.0)
    return np.asarray(1.0 / (1.0 + np.exp(-clipped)), np.float32)


def ranges(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.intp]:
    """The numbers from each of ``starts`` [N] on, as many as ``lengths`` [N] says, one stretch after the other."""
    ends = lengths.cumsum()
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths), np.intp)


def sum_by_group(probabilities: NDArray[np.float32], groups: Sequence[int] | NDArray[np.intp], *, count: int) -> NDArray[np.float32]:
    """[N, C] summed over columns of the same group: [N, count]."""
    members = np.zeros((len(groups), count), np.float32)
    members[np.arange(len(groups)), np.asarray(groups)] = 1.0
    return np.asarray(probabilities @ members, np.float32)
