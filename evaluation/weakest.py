"""The weakest of several groups of tests: what a figure over all of them hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Tested = TypeVar("Tested")


def weakest(groups: Mapping[str, Sequence[Tested]], right: Callable[[Tested], bool], *, fewest: int) -> Sequence[Tested]:
    """The group with the lowest share of ``right``, the one with most tests of several; none where there are too few tests.

    Groups with fewer than ``fewest`` tests, of which a single one would decide too much, are looked at together, as one group.
    """
    small = [test for group in groups.values() if len(group) < fewest for test in group]
    looked_at = [group for group in (*groups.values(), small) if len(group) >= fewest]
    return min(looked_at, key=lambda group: (sum(map(right, group)) / len(group), -len(group)), default=())
