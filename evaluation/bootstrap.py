"""How far a difference between two engines on the same messages may be chance: the paired bootstrap.

Messages are drawn with replacement, each with both of its answers, and the difference is computed anew on every draw:
B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 and 13 (percentile interval); P. Koehn,
"Statistical significance tests for machine translation evaluation", EMNLP 2004, for comparing two systems so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import ASSURANCE

Floats = NDArray[np.float64]

RESAMPLES = 2000
SEED = 2004
_WEIGHTS_AT_ONCE = 2_000_000  # numbers in memory, 16 MB, whatever the number of messages


@dataclass(frozen=True, slots=True)
class Tally:
    """What each message adds to the counts of a metric [N, C], and what summed counts [R, C] are worth [R].

    The worth is NaN where no message counts.
    """

    counts: Floats
    worth: Callable[[Floats], Floats]

    def value(self) -> float:
        """The metric over all messages; NaN where none counts."""
        return float(self.worth(self.counts.sum(axis=0, keepdims=True))[0])


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % of the differences; ``resamples`` counts the draws on which both sides had a value."""

    low: float
    high: float
    resamples: int


def difference_intervals(
    champion: Mapping[str, Tally], candidate: Mapping[str, Tally], *, seed: int = SEED, resamples: int = RESAMPLES
) -> dict[str, Interval | None]:
    """The interval of candidate minus champion by metric; None where no draw gives both a value.

    Row i of every tally is the same message, and all metrics see the same draws. The interval always holds the
    difference over all messages: where the draws are so skewed that the percentiles leave it out, it is widened.
    """
    sides = [*champion.values(), *candidate.values()]
    sums = _resampled_sums(np.hstack([tally.counts for tally in sides]), seed=seed, resamples=resamples)
    ends = np.cumsum([tally.counts.shape[1] for tally in sides])
    worths = [tally.worth(part) for tally, part in zip(sides, np.split(sums, ends[:-1], axis=1), strict=True)]
    before, after = worths[: len(champion)], worths[len(champion) :]
    return {name: _interval(after[i] - before[i], candidate[name].value() - champion[name].value()) for i, name in enumerate(champion)}


def ratio(hits: list[bool], counted: list[bool]) -> Tally:
    """The share of ``counted`` messages that are also ``hits``."""
    return shares([int(hit and count) for hit, count in zip(hits, counted, strict=True)], [int(count) for count in counted])


def shares(hits: Sequence[int], tests: Sequence[int]) -> Tally:
    """All ``hits`` as a share of all ``tests``, where one unit has several tests, as a conversation has turns.

    Units are drawn whole, for the tests of one hang together: A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their
    Application" (1997), section 3.8.
    """
    return Tally(np.stack([hits, tests], axis=1).astype(np.float64), lambda sums: _divide(sums[:, 0], sums[:, 1]))


def mean_f1(gold: list[str], got: list[str], *, classes: tuple[str, ...]) -> Tally:
    """Unweighted mean F1 over those of ``classes`` that either side names in the draw, as ``metrics.macro_f1`` has it."""
    said = np.asarray(classes)[None, :]
    is_gold, is_got = (np.asarray(labels, said.dtype)[:, None] == said for labels in (gold, got))
    counts = np.hstack([is_gold & is_got, is_gold.astype(np.int64) + is_got]).astype(np.float64)

    def worth(sums: Floats) -> Floats:
        hits, either = np.split(sums, 2, axis=1)
        scores = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
        return _divide(scores.sum(axis=1), (either > 0).sum(axis=1).astype(np.float64))

    return Tally(counts, worth)


def _divide(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _resampled_sums(counts: Floats, *, seed: int, resamples: int) -> Floats:
    """Column sums [resamples, C] of as many draws of N rows with replacement."""
    generator, rows = np.random.default_rng(seed), len(counts)
    even = np.full(rows, 1 / rows)
    step = max(1, _WEIGHTS_AT_ONCE // rows)
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    return np.concatenate([generator.multinomial(rows, even, size=size).astype(np.float64) @ counts for size in sizes])


def _interval(differences: Floats, point: float) -> Interval | None:
    defined = differences[~np.isnan(differences)]
    if np.isnan(point) or not len(defined):
        return None
    outside = (1 - ASSURANCE) / 2
    low, high = np.quantile(defined, [outside, 1 - outside])
    return Interval(min(float(low), point), max(float(high), point), len(defined))
