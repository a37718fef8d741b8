"""Long work in short steps: a generator that yields where others may use the processor, and returns what it found."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

InSteps = Generator[None, None, T]


def finish(work: InSteps[T]) -> T:
    """What ``work`` returns, all its steps taken at once."""
    try:
        while True:
            next(work)
    except StopIteration as done:
        found: T = done.value
        return found
