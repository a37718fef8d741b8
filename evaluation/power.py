"""What a number of rows can decide: the chance that a lower-bound gate lets an engine through, exactly binomial.

A gate on the one-sided lower bound of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934) is an exact binomial test, so its
power is a binomial tail: E. L. Lehmann, J. P. Romano, "Testing statistical hypotheses", 3rd ed. (2005), section 3.4. A chance of
80 % is the convention of J. Cohen, "Statistical power analysis for the behavioral sciences", 2nd ed. (1988).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import beta, binom

from evaluation.metrics import ASSURANCE, Measure

CHANCE = 0.8
"""Chance of passing from which a test set counts as able to show that an engine is good enough."""

MARGIN = 0.02
"""How far above its limit an engine must be for the statement to ask whether it would pass."""

MOST_ROWS = 1 << 17
"""Rows up to which ``rows_needed`` searches; nobody labels more for one gate."""

_DIGITS = 9  # finer differences are those of multiplication, and may not decide what stands exactly at a limit
_FIRST_SEARCH = 1 << 9


def hits_needed(rows: int, limit: float) -> int | None:
    """Fewest right answers among ``rows`` whose lower bound reaches ``limit``; None where even all right do not.

    The bound of h right answers reaches the limit exactly when an engine of that accuracy has h or more right with a chance
    of at most 5 %.
    """
    if limit <= 0.0:
        return 0
    hits = int(binom.isf(1 - ASSURANCE, rows, limit)) + 1
    return hits if hits <= rows else None


def chance_to_pass(rows: int, limit: float, accuracy: float) -> float:
    """Probability that an engine of true ``accuracy`` reaches ``limit`` with its lower bound over ``rows`` independent rows."""
    hits = hits_needed(rows, limit)
    return 0.0 if hits is None else float(binom.sf(hits - 1, rows, accuracy))


def accuracy_needed(rows: int, limit: float, *, chance: float = CHANCE) -> float | None:
    """Smallest true accuracy that passes over ``rows`` with ``chance``; None where no accuracy does.

    The binomial tail is a beta distribution function of the accuracy, so this is its quantile.
    """
    hits = hits_needed(rows, limit)
    if hits is None:
        return None
    return 0.0 if hits == 0 else float(beta.ppf(chance, hits, rows - hits + 1))


def rows_needed(limit: float, accuracy: float, *, chance: float = CHANCE) -> int | None:
    """Fewest rows from which on an engine of true ``accuracy`` passes with ``chance``; None beyond ``MOST_ROWS``.

    The chance rises in a saw-tooth, for the right answers needed are whole numbers, so it may hold for a number of rows and
    fail again for the next: M. R. Chernick, C. Y. Liu, The American Statistician 56 (2002). The number returned is the first
    one after the last tooth that falls short.
    """
    if accuracy <= limit:
        return None
    most = _FIRST_SEARCH
    while most <= MOST_ROWS:
        short = _last_short(most, limit, accuracy, chance)
        if 2 * short <= most:  # teeth shrink as rows grow: none so far beyond the last one can fall short again
            return short + 1
        most *= 2
    return None


def least_accepted(rows: int, floor: float, *, chance: float = CHANCE) -> float | None:
    """The true share below which an engine misses ``floor`` with ``chance``, the share itself of ``rows`` being held against it.

    None where no share is below the floor. An engine that stands exactly at the floor passes about every other time.
    """
    enough = math.ceil(round(floor * rows, _DIGITS))
    return None if enough <= 0 or enough > rows else float(beta.ppf(1 - chance, enough, rows - enough + 1))


def most_accepted(rows: int, ceiling: float, *, chance: float = CHANCE) -> float | None:
    """The true share above which an engine misses ``ceiling`` with ``chance``; as ``least_accepted``."""
    least = least_accepted(rows, 1 - ceiling, chance=chance)
    return None if least is None else 1 - least


def power_statement(measure: Measure, limit: float) -> str:
    """One sentence on what the rows of ``measure`` can decide about a gate ``at_least: limit`` on its lower bound."""
    accuracy = min(limit + MARGIN, 1.0)
    enough = rows_needed(limit, accuracy)
    more = f"{enough:,} rows would" if enough is not None else f"not even {MOST_ROWS:,} rows would"
    wanted = f"{more} give an engine that is right {accuracy:.1%} of the time {CHANCE:.0%}"
    least = accuracy_needed(measure.n, limit)
    if least is None:
        return f"over {measure.n} rows not even an engine that is always right could pass; {wanted}"
    found = f"over {measure.n} rows an engine must be right {_rounded_up(least)} of the time to pass with a chance of {CHANCE:.0%}"
    given = chance_to_pass(measure.n, limit, accuracy)
    if given >= CHANCE:
        return f"{found}, so one that is right {accuracy:.1%} of the time passes with {given:.0%}"
    return f"{found}, and one that is right {accuracy:.1%} of the time passes with {given:.0%} only; {wanted}"


def _last_short(most: int, limit: float, accuracy: float, chance: float) -> int:
    """The greatest number of rows up to ``most`` with which the chance is too small; 0 where there is none."""
    rows = np.arange(1, most + 1)
    hits = binom.isf(1 - ASSURANCE, rows, limit) + 1 if limit > 0.0 else np.zeros(most)
    passes = np.where(hits <= rows, binom.sf(hits - 1, rows, accuracy), 0.0)
    short = rows[passes < chance]
    return int(short[-1]) if len(short) else 0


def _rounded_up(share: float) -> str:
    """A share in percent that is no smaller than ``share``."""
    return f"{np.ceil(share * 1000) / 1000:.1%}"
