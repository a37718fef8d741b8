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
        "directional": "Share of written pairs whose second message is treated as the change that was made to the first asks for.",
        "minimum_function": "Share of written single messages that are treated as expected.",
    }
)
"""Every measure and its definition in one sentence."""
