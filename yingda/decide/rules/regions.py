"""Where rows fire: the boxes of each row, those of other rows that they meet, and what the rows above leave of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yingda.decide.rules.space import Box, Cells, Sides, Space, Steps

Numbers = int
"""A set of boxes, one bit a box, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class Region:
    """The boxes of one row, and those of the rows above it in its file."""

    own: Numbers
    above: Numbers


class Regions:
    """The rows of one or more files, asked for messages; ``steps`` bounds all questions together.

    Which boxes meet is worked out by their dimensions, not pair by pair: rows that have nothing to do with each other cost nothing.
    """

    def __init__(self, files: Sequence[Sequence[Cells]], space: Space, steps: Steps) -> None:
        self._space, self._steps = space, steps
        self._sides: list[Sides] = []
        self.rows: list[Region] = []
        for file in files:
            first = len(self._sides)
            for cells in file:
                start = len(self._sides)
                self._sides += space.sides(cells)
                self.rows.append(Region(_between(start, len(self._sides)), _between(first, start)))
        self._boxes = [space.box(sides) for sides in self._sides]
        self._index, self._near = _Index(self._sides, steps), dict[int, Numbers]()

    def is_empty(self, row: int) -> bool:
        """True when no message fulfils the row."""
        return not self.rows[row].own

    def met_by(self, row: int) -> Numbers:
        """The boxes of all rows that meet one of the row; raises StepsSpentError, as all questions do."""
        met = 0
        for number in _members(self.rows[row].own):
            met |= self._near_to(number)
        return met

    def first(self, row: int, *, alone: bool = False) -> Box | None:
        """Messages that fire the row; with ``alone``, messages for which it holds, whatever stands above."""
        above = 0 if alone else self.rows[row].above
        return self._any((self._boxes[own], self._near_to(own) & above) for own in _members(self.rows[row].own))

    def both(self, upper: int, lower: int, *, apart: bool) -> Box | None:
        """Messages that fire the upper row and for which the lower holds; ``apart``, in a file of its own, where it fires, too."""
        return self._any(self._shared(upper, lower, self.rows[upper].above | (self.rows[lower].above if apart else 0)))

    def any_of(self, row: int) -> Box:
        """A box of the row."""
        return self._boxes[next(_members(self.rows[row].own))]

    def _shared(self, upper: int, lower: int, above: Numbers) -> Iterator[tuple[Box, Numbers]]:
        """What boxes of two rows have in common, and which of ``above`` may meet that."""
        for one in _members(self.rows[lower].own):
            near = self._near_to(one)
            for other in _members(near & self.rows[upper].own):
                self._steps.take(self._space.weight)
                common = near & self._near_to(other) & above
                yield self._space.meet(self._boxes[one], self._boxes[other]), common

    def _any(self, parts: Iterator[tuple[Box, Numbers]]) -> Box | None:
        """Messages in one of the boxes that none of the boxes beside it takes; ordinary ones where there are such."""
        for box, above in parts:
            others = (*self._space.impossible, *(self._boxes[number] for number in _members(above)))
            for part in (self._space.most_ordinary(box), box):
                found = self._space.escape(part, others, self._steps)
                if found is not None:
                    return found
        return None

    def _near_to(self, number: int) -> Numbers:
        found = self._near.get(number)
        if found is None:
            found = self._near[number] = self._index.meeting(self._sides[number])
        return found


class _Index:
    """For each dimension, the boxes that leave values out in it, by the values they keep."""

    def __init__(self, boxes: Sequence[Sides], steps: Steps) -> None:
        self._all, self._steps = (1 << len(boxes)) - 1, steps
        self._by_values: dict[int, dict[int, Numbers]] = {}
        for number, sides in enumerate(boxes):
            for dimension, values in sides.items():
                held = self._by_values.setdefault(dimension, {})
                held[values] = held.get(values, 0) | 1 << number
        self._meeting: dict[tuple[int, int], Numbers] = {}

    def meeting(self, sides: Sides) -> Numbers:
        """The boxes that meet the one of these sides."""
        self._steps.take(len(sides))
        found = self._all
        for dimension, values in sides.items():
            found &= self._along(dimension, values)
        return found

    def _along(self, dimension: int, values: int) -> Numbers:
        """The boxes with one of ``values`` in a dimension: all but those that keep others alone."""
        key = dimension, values
        if key not in self._meeting:
            held = self._by_values[dimension]
            self._steps.take(len(held))
            left = self._all
            for kept, numbers in held.items():
                if not kept & values:
                    left &= ~numbers
            self._meeting[key] = left
        return self._meeting[key]


def _between(start: int, end: int) -> Numbers:
    return (1 << end) - (1 << start)


def _members(numbers: Numbers) -> Iterator[int]:
    """The boxes of a set, in order."""
    while numbers:
        bit = numbers & -numbers
        yield bit.bit_length() - 1
        numbers ^= bit
