"""How logs differ from the pack: shares of intents, and words that are new."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency, false_discovery_control

from training.audit.rows import AuditRow
from yingda.text.masking import CLOSE, OPEN

_LEAST_EXPECTED = 5.0
"""The chi-square test holds from an expected count of 5 in every cell (Cochran 1954)."""
_FLOOR = 1e-4
"""Share put in place of none, so that the population stability index stays finite."""
_GRAM_SIZES = (2, 3, 4, 5)
_LEAST_DOCUMENTS = 5
_MOST = 0.8
_PLACEHOLDER = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
SURE_Z = 3.29
"""Two-sided level of 0.1 %: thousands of n-grams are compared."""


@dataclass(frozen=True, slots=True)
class IntentShift:
    """Share of an intent in pack and logs; ``adjusted`` is its p-value after Benjamini-Hochberg, None if too rare to test.

    ``stability`` is its part of the population stability index.
    """

    intent: str
    pack: int
    logs: int
    pack_share: float
    log_share: float
    stability: float
    adjusted: float | None


@dataclass(frozen=True, slots=True)
class NewWords:
    """An n-gram more frequent in logs: messages that hold it in each, and z of the smoothed log odds ratio."""

    gram: str
    pack: int
    logs: int
    z: float
    example: int


def intent_shifts(rows: Sequence[AuditRow]) -> list[IntentShift]:
    """Every intent, largest part of the stability index first; nothing when pack or logs have no labelled row.

    Each intent against all others by a chi-square test of two samples, false discoveries controlled across intents
    (Benjamini and Hochberg 1995).
    """
    pack = Counter(row.intent for row in rows if not row.is_log and row.intent)
    logs = Counter(row.intent for row in rows if row.is_log and row.intent)
    n, m = pack.total(), logs.total()
    if not n or not m:
        return []
    raw = {code: _p_value(pack[code], n, logs[code], m) for code in sorted({*pack, *logs})}
    tested = {code: p for code, p in raw.items() if p is not None}
    adjusted = dict(zip(tested, false_discovery_control(list(tested.values())), strict=True)) if tested else {}
    shifts = []
    for code in raw:
        share, live = pack[code] / n, logs[code] / m
        p, q = max(share, _FLOOR), max(live, _FLOOR)
        value = float(adjusted[code]) if code in adjusted else None
        shifts.append(
            IntentShift(code, pack[code], logs[code], round(share, 6), round(live, 6), round((q - p) * float(np.log(q / p)), 6), value)
        )
    return sorted(shifts, key=lambda shift: (-shift.stability, shift.intent))


def _p_value(here: int, n: int, there: int, m: int) -> float | None:
    table = np.asarray([[here, n - here], [there, m - there]], float)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    if expected.min() < _LEAST_EXPECTED:
        return None
    return float(chi2_contingency(table, correction=False).pvalue)


def new_words(rows: Sequence[AuditRow], *, limit: int) -> list[NewWords]:
    """Character 2- to 5-grams far more frequent in logs than in the pack, surest first, at most ``limit``.

    Log odds ratio with a Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words") over messages that hold
    the n-gram. Of n-grams that overlap one stands for all: the longest that most of the messages share.
    """
    # masked personal data is no new word of the customers'
    pack, logs = ([_PLACEHOLDER.sub(" ", row.plain) for row in rows if row.is_log is side] for side in (False, True))
    if not pack or not logs:
        return []
    here, there = _documents(pack), _documents(logs)
    scored = []
    for gram, count in there.items():
        if count >= max(_LEAST_DOCUMENTS, len(logs) // 500):
            z = _z(here[gram], len(pack), count, len(logs))
            if z > SURE_Z:
                scored.append((-z, gram))
    z_of = {gram: -z for z, gram in scored}
    chosen: list[str] = []
    for _, gram in sorted(scored):
        if len(chosen) == limit:
            break
        gram = _grown(gram, z_of, there)
        if not any(_overlap(gram, other) for other in chosen):
            chosen.append(gram)
    first = {gram: next(n for n, row in enumerate(rows) if row.is_log and gram in row.plain) for gram in chosen}
    return [NewWords(gram, here[gram], there[gram], round(z_of[gram], 2), first[gram]) for gram in chosen]


def _grown(gram: str, known: Mapping[str, float], counts: Counter[str]) -> str:
    """The longest n-gram around ``gram`` that most of its messages hold too."""
    wider = [other for other in known if gram in other and counts[other] >= _MOST * counts[gram]]
    return min(wider, key=lambda other: (-len(other), -counts[other], other))


def _overlap(one: str, other: str) -> bool:
    """True when the two share two characters in a row, and are thus likely parts of one phrase."""
    return any(one[i : i + 2] in other for i in range(len(one) - 1))


def _documents(texts: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({text[i : i + size] for size in _GRAM_SIZES for i in range(len(text) - size + 1) if text[i : i + size].isalnum()})
    return counts


def _z(here: int, n: int, there: int, m: int) -> float:
    prior = 0.5 + (here + there) / (n + m)
    one, other = there + prior, here + prior
    ratio = np.log(one / (m + 1 - there + prior)) - np.log(other / (n + 1 - here + prior))
    return float(ratio / np.sqrt(1 / one + 1 / other))
