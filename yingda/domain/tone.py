"""How a brand speaks to its customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Style(StrEnum):
    """formal keeps its distance, warm is the usual voice of a shop, lively is that of a young brand."""

    FORMAL = "formal"
    WARM = "warm"
    LIVELY = "lively"


@dataclass(frozen=True, slots=True)
class Tone:
    """``pronoun`` is 您 or 你, None leaves texts as written; ``sign_off`` by language closes an e-mail (``{落款}``)."""

    style: Style = Style.WARM
    pronoun: str | None = None
    emoji: bool = True
    sign_off: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
