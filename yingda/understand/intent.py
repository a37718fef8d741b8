"""Calibrated intent: the match posterior summed by intent, with the encoder's intent head beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yingda.domain.decision import Acceptance, IntentScore
from yingda.probability import softmax, sum_by_group

_TINY = 1e-7


@dataclass(frozen=True, slots=True)
class IntentWeights:
    """Exponents of the logarithmic opinion pool of the two sources."""

    head: float
    match: float


def intent_posterior(
    head: NDArray[np.float32], classes: NDArray[np.float32], groups: Sequence[int] | NDArray[np.intp], weights: IntentWeights
) -> NDArray[np.float32]:
    """Calibrated probabilities [N, I] from the head's log probabilities [N, I] and the match posterior [N, C].

    ``groups`` gives each match class's intent number.
    """
    marginal = np.log(sum_by_group(classes, groups, count=head.shape[1]) + _TINY)
    return softmax(np.asarray(weights.head * head + weights.match * marginal, np.float32))


def rank_intents(probabilities: NDArray[np.float32], codes: Sequence[str], *, top_k: int) -> tuple[IntentScore, ...]:
    """The ``top_k`` likeliest intents of one message, best first."""
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    return tuple(IntentScore(codes[i], p) for i, p in zip(order.tolist(), probabilities[order].tolist(), strict=True))


def judge(ranking: Sequence[IntentScore], *, threshold: float, ambiguity: float) -> Acceptance:
    """Accept above ``threshold``; below it, ambiguous when the runner-up has ``ambiguity`` times the best's share."""
    best = ranking[0].confidence
    if best >= threshold:
        return Acceptance.ACCEPT
    if len(ranking) > 1 and best + ranking[1].confidence >= threshold and ranking[1].confidence >= ambiguity * best:
        return Acceptance.AMBIGUOUS
    return Acceptance.ABSTAIN
