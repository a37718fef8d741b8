"""How long a message takes: informative, no gate reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.outcomes import Judged

BINS = 20
"""Bins of the histogram."""

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts`` [B] of messages between neighbours of the rising ``edges`` [B + 1], in milliseconds.

    All bins are of one width but the last, which reaches from the 99 % quantile to the slowest message: on one scale a few
    slow messages would push all others into one bin.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of engine time a message; informative, no gate reads it."""

    median: float
    p90: float
    p95: float
    p99: float
    maximum: float
    histogram: Histogram


def latency(judged: Sequence[Judged]) -> Latency:
    """Quantiles and histogram over ``judged``, at least one row."""
    times = [item.answer.classification.timing.total for item in judged]
    median, p90, p95, p99 = np.quantile(times, [0.5, 0.9, 0.95, 0.99]).tolist()
    return Latency(median, p90, p95, p99, float(max(times)), histogram(times))


def histogram(times: Sequence[float]) -> Histogram:
    """``BINS`` bins that hold each of ``times``, at least one, once."""
    usual = np.linspace(min(times), float(np.quantile(times, 0.99)), BINS)  # equal edges where all times are equal: no bin is widened
    edges = np.append(usual, max(usual[-1], max(times)))
    return Histogram(tuple(edges.tolist()), tuple(np.histogram(times, edges)[0].tolist()))


def latency_json(found: Latency) -> dict[str, Any]:
    """The latency for programs, in milliseconds."""
    quantiles = {name: round(getattr(found, name), _DIGITS) for name in ("median", "p90", "p95", "p99", "maximum")}
    edges = [round(edge, _DIGITS) for edge in found.histogram.edges]
    return {**quantiles, "histogram": {"edges": edges, "counts": list(found.histogram.counts)}}
