"""The numbers an outcome depends on; they come from the bundle's manifest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences in [0, 1] from which the engine acts.

    ``match``: the promised error budget holds for matches at or above it. ``intent``: likewise for intents.
    ``ambiguity``: how close the runner-up intent must come to call a message ambiguous. ``clarify``: total
    confidence of the best three entries from which asking back is worth it. ``angry``: confidence of anger from
    which a person takes over. ``angry_beside``: confidence from which it is a further reason of a hand-off that is
    urgent without it; 0 where the bundle knows none, and then ``angry`` alone decides.
    """

    match: float
    intent: float
    ambiguity: float
    clarify: float
    angry: float
    angry_beside: float = 0.0
