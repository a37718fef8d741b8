"""Figures over repeats: each with an interval by the bootstrap, in which whole repeats are drawn with replacement.

Both sides of a ratio were measured next to each other in every repeat, and are drawn together. B. Efron, R. Tibshirani, "An
Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000
_SEED = 1993
_OUTSIDE = 0.025

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over all repeats with the ends of its 95 % interval; they meet where there is one repeat."""

    value: float
    low: float
    high: float


def mean(values: Sequence[float]) -> Figure:
    """The mean of ``values``, one a repeat."""
    column = np.asarray(values, float)
    return _figure(len(column), lambda rows: float(column[rows].mean()))


def ratio(above: Sequence[float], below: Sequence[float]) -> Figure:
    """The ratio of means; row i of both is the same repeat."""
    top, bottom = np.asarray(above, float), np.asarray(below, float)
    return _figure(len(top), lambda rows: float(top[rows].mean() / bottom[rows].mean()))


def quantile(repeats: Sequence[Sequence[float]], share: float) -> Figure:
    """The quantile of all values of all ``repeats``."""
    return _figure(len(repeats), lambda rows: _quantile(repeats, rows, share))


def quantile_ratio(above: Sequence[Sequence[float]], below: Sequence[Sequence[float]], share: float) -> Figure:
    """The ratio of two such quantiles; row i of both is the same repeat."""
    return _figure(len(above), lambda rows: _quantile(above, rows, share) / _quantile(below, rows, share))


def _quantile(repeats: Sequence[Sequence[float]], rows: Rows, share: float) -> float:
    return float(np.quantile(np.concatenate([np.asarray(repeats[row], float) for row in rows]), share))


def _figure(repeats: int, value: Callable[[Rows], float]) -> Figure:
    drawn = np.random.default_rng(_SEED).integers(0, repeats, (_RESAMPLES if repeats > 1 else 1, repeats))
    found = _of_each(drawn, value)
    low, high = np.quantile(found, [_OUTSIDE, 1 - _OUTSIDE])
    point = value(np.arange(repeats))
    return Figure(point, min(float(low), point), max(float(high), point))


def _of_each(drawn: Rows, value: Callable[[Rows], float]) -> list[float]:
    """A value a draw; equal draws are computed once, for few repeats have few different ones."""
    known: dict[tuple[int, ...], float] = {}
    for rows in np.sort(drawn, axis=1):
        known.setdefault(tuple(rows.tolist()), value(rows))
    return [known[tuple(rows.tolist())] for rows in np.sort(drawn, axis=1)]
