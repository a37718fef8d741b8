"""All messages a table can tell apart, as boxes: one set of values for each thing it looks at.

Each column has finitely many values, so a row is a union of a few boxes, and questions about rows are questions about boxes:
two rows overlap when a box of one meets a box of the other; a row never fires when the rows above cover its boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from yingda.decide.rules.cells import Choice
from yingda.decide.rules.columns import Column
from yingda.decide.rules.names import KnownNames

Box = tuple[int, ...]
"""One set of values a dimension, one bit a value; no set is empty."""

ABSENT, PRESENT = 1, 2
"""The values of a keyword's dimension."""

_CLOCK = ("hour", "weekday", "holiday", "open")


class StepsSpentError(Exception):
    """A question took more steps than were left."""


class Steps:
    """How many comparisons of boxes may still be made: what is not proven by then is said not to be."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise StepsSpentError


@dataclass(frozen=True, slots=True)
class Cells:
    """What the cells of a row hold for: values by field (empty cells left out), keywords as alternatives."""

    values: Mapping[str, int]
    choices: tuple[Choice, ...] = ({},)


class Space:
    """The dimensions of one table: its columns, category and intent as one (either tells of the other), and its keywords."""

    def __init__(self, columns: Iterable[Column], rows: Sequence[Cells], known: KnownNames, intent: Column) -> None:
        used = {column.field: column for column in columns if column.field != "keywords"}
        merged = [field for field in used if field not in ("category", "intent")]
        self.columns = {**{field: used[field] for field in merged}, **({"intent": intent} if len(merged) < len(used) else {})}
        self.keywords = tuple(dict.fromkeys(word for row in rows for choice in row.choices for word in choice))
        self.full: Box = (*(column.full for column in self.columns.values()), *((ABSENT | PRESENT,) * len(self.keywords)))
        categories = known.categories
        self._of_category = dict.fromkeys(categories, 0)
        for number, name in enumerate(known.intents.values()):
            self._of_category[name] |= 1 << number
        self.impossible = tuple(self._half_known_times())

    def boxes(self, cells: Cells) -> list[Box]:
        """The boxes of a row, maybe none: then no message can fire it."""
        sets = [self._values(field, cells.values) for field in self.columns]
        if not all(sets):
            return []
        return [(*sets, *(self._word(choice, word) for word in self.keywords)) for choice in cells.choices]

    def _values(self, field: str, values: Mapping[str, int]) -> int:
        found = self.columns[field].full & values.get(field, -1)
        if field == "intent" and "category" in values:
            found &= sum(mask for number, mask in enumerate(self._of_category.values()) if values["category"] >> number & 1)
        return found

    def _word(self, choice: Choice, word: str) -> int:
        return ABSENT | PRESENT if word not in choice else PRESENT if choice[word] else ABSENT

    def _half_known_times(self) -> Iterator[Box]:
        """The time of a message is known as a whole or not at all."""
        fields = list(self.columns)
        clock = [fields.index(name) for name in _CLOCK if name in fields]
        for one, other in pairwise(clock):
            unknown = [self.columns[fields[place]].full + 1 >> 1 for place in (one, other)]
            for first, second in ((unknown[0], self.full[other] & ~unknown[1]), (self.full[one] & ~unknown[0], unknown[1])):
                box = list(self.full)
                box[one], box[other] = first, second
                yield tuple(box)


def meet(one: Box, other: Box) -> Box | None:
    """The box of what is in both, if anything is."""
    found = []
    for a, b in zip(one, other, strict=True):
        both = a & b
        if not both:
            return None
        found.append(both)
    return tuple(found)


def escape(box: Box, others: Sequence[Box], steps: Steps) -> Box | None:
    """A part of ``box`` that no other box touches, None when they cover it; raises StepsSpentError.

    What is left of a box after another is cut out is again a few boxes, one a dimension; the search goes down the first
    that is left (the sharp operation on cubes: Brayton, Hachtel, McMullen and Sangiovanni-Vincentelli 1984, Logic
    Minimization Algorithms for VLSI Synthesis).
    """
    steps.take(len(others))
    near = [other for other in others if meet(box, other)]
    near.sort(key=lambda other: sum(own & ~theirs != 0 for own, theirs in zip(box, other, strict=True)))
    stack = [(box, 0)]
    while stack:
        left, start = stack.pop()
        for place in range(start, len(near)):
            steps.take(1)
            if meet(left, near[place]):
                stack.extend((piece, place + 1) for piece in _without(left, near[place]))
                break
        else:
            return left
    return None


def _without(box: Box, other: Box) -> Iterator[Box]:
    """Disjoint boxes that together are ``box`` less ``other``."""
    rest = list(box)
    for place, theirs in enumerate(other):
        outside = rest[place] & ~theirs
        if outside:
            yield (*rest[:place], outside, *rest[place + 1 :])
            rest[place] &= theirs
