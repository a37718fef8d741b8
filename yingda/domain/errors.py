"""Every error the product raises on purpose: each names the thing, the value and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class YingdaError(Exception):
    """Base of all expected errors; its message is safe to show and never holds customer text."""


class MaterialError(YingdaError):
    """Material for training (weights, data) is missing or unusable."""


class BundleError(YingdaError):
    """A bundle is missing a file, was altered, or does not fit this version."""


class MessageError(YingdaError):
    """A message cannot be processed; ``code`` is stable and ``field`` names the part at fault."""

    def __init__(self, detail: str, *, code: str, field: str) -> None:
        super().__init__(detail)
        self.code = code
        self.field = field


class StoreError(YingdaError):
    """The store cannot be used, or refuses; ``code`` is stable (``store_unreachable``, ``store_locked``, ``store_not_migrated`` …)."""

    def __init__(self, detail: str, *, code: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Mistake:
    """One mistake in a pack file: where it stands, what is wrong and what to do."""

    file: str
    line: int
    detail: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.detail}"


class PackError(YingdaError):
    """A pack holds mistakes; ``mistakes`` lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = "\n".join(str(m) for m in self.mistakes)
        super().__init__(f"{len(self.mistakes)} mistake(s) in the pack; correct each line named here:\n{lines}")
