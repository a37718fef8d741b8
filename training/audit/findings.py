"""All findings of one audit, in the order they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import numpy as np
from scipy.sparse import csr_matrix

from training.audit.conflicts import CloseWordings, Rivals, close_wordings, rivals
from training.audit.copies import Contradiction, Copy, contradictions, copies, pieces
from training.audit.crossfit import CrossFit, Effort, cross_fit, text_features
from training.audit.drift import IntentShift, NewWords, intent_shifts, new_words
from training.audit.labels import Suspect, find_suspects, forgiving, quality
from training.audit.opinions import Answerer, Opinion, ask, unseen
from training.audit.rows import AuditRow
from training.audit.wanted import Strength, Wanted, strengths, wanted
from training.split import near_duplicate_groups
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.text.normalise import normalise

WANTED = 200
NEW_WORDS = 40
_FEWEST_ROWS = 30


class Steps(Protocol):
    """Shows how far the audit is."""

    def begin(self, name: str, total: int) -> Callable[[int], None]: ...


@dataclass(frozen=True)
class Findings:
    """What one audit found; every row number is a position in ``rows``."""

    rows: tuple[AuditRow, ...]
    rows_sha256: str
    qualities: tuple[float, ...]
    right_again: float
    suspects: tuple[Suspect, ...]
    rivals: tuple[Rivals, ...]
    close_wordings: tuple[CloseWordings, ...]
    copies: tuple[Copy, ...]
    contradictions: tuple[Contradiction, ...]
    shifts: tuple[IntentShift, ...]
    new_words: tuple[NewWords, ...]
    wanted: tuple[Wanted, ...]
    strengths: tuple[Strength, ...]
    asked: int

    @property
    def logs(self) -> int:
        """Log messages under audit."""
        return sum(row.is_log for row in self.rows)

    @property
    def stability(self) -> float:
        """Population stability index of the intents, logs against pack."""
        return sum(shift.stability for shift in self.shifts)


def examine(
    rows: Sequence[AuditRow],
    knowledge: Knowledge,
    parts: Mapping[str, str],
    *,
    near_duplicate: float,
    engine: Answerer | None,
    effort: Effort,
    seed: int,
    steps: Steps,
) -> Findings:
    """Every finding about ``rows``; the same rows, engine and seed give the same findings.

    ``parts`` is the part of the training split by normalised text: the engine has seen those texts. ``near_duplicate``
    is the cosine above which two texts count as copies.

    Raises MaterialError for too few labelled messages to learn anything from, or labels the pack does not know.
    """
    check_rows(rows, knowledge)
    fit, features = _learn(rows, knowledge.faq, near_duplicate, effort=effort, seed=seed, steps=steps)
    opinions: dict[int, Opinion] = {}
    if engine is not None:
        numbers = unseen(rows, parts, limit=effort.engine_rows, seed=seed)
        opinions = ask(engine, rows, numbers, tick=steps.begin("engine reads the logs", len(numbers)))
    tick = steps.begin("findings", 5)
    intent_of = {entry.id: entry.intent for entry in knowledge.faq.values()}
    suspects = find_suspects(rows, fit, intent_of, opinions)
    tick(1)
    rival_pairs, wordings = rivals(rows, fit, knowledge.faq), close_wordings(knowledge.faq)
    tick(1)
    copied = copies(pieces(rows, knowledge.faq, parts), threshold=near_duplicate)
    tick(1)
    shifts, words = intent_shifts(rows), new_words(rows, limit=NEW_WORDS)
    tick(1)
    next_rows, strength = wanted(rows, features, fit, opinions, count=WANTED), strengths(rows, fit, knowledge.faq)
    tick(1)
    scores, right = _qualities(rows, fit)
    return Findings(
        rows=tuple(rows),
        rows_sha256=_digest(rows),
        qualities=scores,
        right_again=right,
        suspects=tuple(suspects),
        rivals=tuple(rival_pairs),
        close_wordings=tuple(wordings),
        copies=tuple(copied),
        contradictions=tuple(contradictions(rows)),
        shifts=tuple(shifts),
        new_words=tuple(words),
        wanted=tuple(next_rows),
        strengths=tuple(strength),
        asked=len(opinions),
    )


def check_rows(rows: Sequence[AuditRow], knowledge: Knowledge) -> None:
    """Raise MaterialError unless there is enough to learn from, and every label is one of the pack's."""
    labels = [row.label for row in rows if row.label is not None]
    if len(labels) < _FEWEST_ROWS or len(set(labels)) < 2:
        raise MaterialError(f"{len(labels)} labelled messages of {len(set(labels))} kinds are too few; an audit needs {_FEWEST_ROWS} of 2")
    for row in rows:
        entries = {row.label, *row.also} - {None, f"none:{row.intent}"}
        unknown = [name for name in entries if name not in knowledge.faq]
        if unknown or (row.intent is not None and row.intent not in knowledge.taxonomy.intents):
            raise MaterialError(f"{row.place}: a label is not in this pack; import the logs again with the pack they are audited with")


def _learn(
    rows: Sequence[AuditRow], entries: Mapping[str, FaqEntry], near_duplicate: float, *, effort: Effort, seed: int, steps: Steps
) -> tuple[CrossFit, csr_matrix]:
    texts = [row.plain for row in rows]
    wordings = {entry.id: [normalise(text) for text in entry.texts()] for entry in entries.values()}
    features = text_features([*texts, *(text for own in wordings.values() for text in own)])
    own, start = {}, len(texts)
    for name, found in wordings.items():
        own[name] = features[start : start + len(found)]
        start += len(found)
    groups = near_duplicate_groups(texts, threshold=near_duplicate)
    tick = steps.begin("cross-validation", effort.folds)
    fit = cross_fit(rows, features[: len(texts)], groups, own, effort=effort, seed=seed, tick=lambda: tick(1))
    return fit, features[: len(texts)]


def _qualities(rows: Sequence[AuditRow], fit: CrossFit) -> tuple[tuple[float, ...], float]:
    known = [number for number, row in enumerate(rows) if row.label is not None]
    column, probabilities = fit.number(), forgiving(rows, fit)[known]
    labels = np.asarray([column[str(rows[number].label)] for number in known])
    return tuple(quality(labels, probabilities).round(4).tolist()), float((probabilities.argmax(1) == labels).mean())


def _digest(rows: Sequence[AuditRow]) -> str:
    return sha256("\n".join(repr((row.place, row.plain, row.intent, row.label, row.also)) for row in rows).encode()).hexdigest()
