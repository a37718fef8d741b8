"""Which model is speaking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Version of a bundle and the SHA-256 over all in it that can change an answer."""

    version: str
    sha256: str
