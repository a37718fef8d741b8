"""The measures of robustness by the names that gates and reports use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NAME = "robustness"
"""Name of the examination."""

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "invariance": "Share of perturbed messages that the engine does not answer with a wrong entry.",
        "invariance_kept": "Share of perturbed messages for which the engine still answers with a right entry, as it did before.",
        "least_kept": "The same share of the change that is borne worst, a long story apart; those with fewer than 20 tests count as one.",
        "story_kept": "The same share where a long story stands before the message.",
        "invariance_all": "As invariance, but where the right entry was the best one before, accepted or not.",
        "best_kept": "Share of the latter whose best entry is still right.",
        "directional": "Share of written pairs whose first message is heard and whose second is treated as the change asks for.",
        "directional_heard": "The same share among the pairs whose first message is heard: acted on, so that a change can show.",
        "minimum_function": "Share of written single messages that are treated as expected.",
        "written_wrong": "Share of all written cases in which the engine does what it must not; silence does not count.",
    }
)
"""Every measure and its definition in one sentence."""
