"""Which model is speaking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Version of a bundle and the SHA-256 over its manifest."""

    version: str
    sha256: str
