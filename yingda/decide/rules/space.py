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

Box = int
"""One set of values a dimension, one bit a value, side by side in one number with a free bit above each; no set is empty."""

Sides = Mapping[int, int]
"""A box by the dimensions in which it leaves values out: the set of values for each of these."""

ABSENT, PRESENT = 1, 2
"""The values of a keyword's dimension."""

_WIDE, _FEW = 64, 24
"""Values of a column that is cut into the parts which its cells tell apart, and how many parts are worth it."""

_CLOCK = ("hour", "weekday", "holiday", "open")
_BITS = 1024
"""Bits of a box that one step pays for: the processor works on that many in about the time that Python takes to ask for it."""


class StepsSpentError(Exception):
    """A question took more steps than were left."""


class Steps:
    """How much work is still allowed: what is not proven by then is said not to be.

    An operation on boxes takes as many steps as the boxes have bits, in units of _BITS: the more dimensions, the more steps.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int) -> None:
        """Raises StepsSpentError once nothing is left."""
        self.left -= count
        if self.left < 0:
            raise StepsSpentError


@dataclass(frozen=True, slots=True)
class Cells:
    """What the cells of a row hold for: values by field (empty cells left out), keywords as alternatives."""

    values: Mapping[str, int]
    choices: tuple[Choice, ...] = ({},)


class _Parts:
    """A column of many values as the few parts that no cell tells apart; each part stands for its least value."""

    def __init__(self, column: Column, cells: Iterable[int]) -> None:
        edges = 1 | 3 << column.usual  # the usual value is a part by itself, so that examples can be ordinary
        for values in cells:
            edges |= values ^ values << 1
        edges &= column.full
        cut = column.size > _WIDE and edges.bit_count() <= _FEW
        self._starts = [value for value in range(column.size) if edges >> value & 1] if cut else None
        self.size = len(self._starts) if self._starts else column.size
        self._known: dict[int, int] = {}

    def of(self, values: int) -> int:
        """The parts that a set of values is made of."""
        if self._starts is None:
            return values
        if values not in self._known:
            self._known[values] = sum(1 << part for part, start in enumerate(self._starts) if values >> start & 1)
        return self._known[values]

    def values(self, parts: int) -> int:
        """The least value of each part."""
        if self._starts is None:
            return parts
        return sum(1 << start for part, start in enumerate(self._starts) if parts >> part & 1)


class Space:
    """The dimensions of tables: their columns, category and intent as one (either tells of the other), and their keywords."""

    def __init__(self, columns: Iterable[Column], rows: Sequence[Cells], known: KnownNames, intent: Column) -> None:
        used = {column.field: column for column in columns if column.field != "keywords"}
        merged = [field for field in used if field not in ("category", "intent")]
        self.columns = {**{field: used[field] for field in merged}, **({"intent": intent} if len(merged) < len(used) else {})}
        self._parts = [_Parts(column, {row.values.get(field, 0) for row in rows}) for field, column in self.columns.items()]
        self.keywords = tuple(dict.fromkeys(word for row in rows for choice in row.choices for word in choice))
        self._number = {name: number for number, name in enumerate((*self.columns, *(f"'{word}" for word in self.keywords)))}
        self._of_category = dict.fromkeys(known.categories, 0)
        for number, name in enumerate(known.intents.values()):
            self._of_category[name] |= 1 << number
        self._lay_out([*(parts.size for parts in self._parts), *[2] * len(self.keywords)])
        self.impossible = tuple(self.box(sides) for sides in self._half_known_times())

    def _lay_out(self, sizes: Sequence[int]) -> None:
        """Give each dimension its bits; the first two are no dimension's, so that a box is never 0."""
        end, self.full, self._free = 2, 1, 2
        self._shift: list[int] = []
        self._whole: list[Box] = []
        for size in sizes:
            self._shift.append(end)
            self._whole.append(((1 << size) - 1) << end)
            self.full |= self._whole[-1]
            self._free |= 1 << end + size
            end += size + 1
        self._by_free_bit = {shift + size: whole for shift, size, whole in zip(self._shift, sizes, self._whole, strict=True)}
        usual = [parts.of(1 << column.usual) for parts, column in zip(self._parts, self.columns.values(), strict=True)]
        usual += [ABSENT] * len(self.keywords)
        self._usual = sum(values << shift for values, shift in zip(usual, self._shift, strict=True)) | 1
        self._word_at = dict(zip(self._shift[len(self.columns) :], self.keywords, strict=True))
        self._absent = sum(ABSENT << shift for shift in self._word_at)
        self.weight = 1 + end // _BITS

    # ---- rows as boxes ----

    def sides(self, cells: Cells) -> list[Sides]:
        """The boxes of a row, maybe none: then no message can fire it."""
        sets = {field: self._values(field, cells.values) for field in self.columns}
        if not all(sets.values()):
            return []
        kept = ((number, field) for number, field in enumerate(self.columns) if sets[field] != self.columns[field].full)
        narrowed = {number: self._parts[number].of(sets[field]) for number, field in kept}
        return [{**narrowed, **self._words(choice)} for choice in cells.choices]

    def boxes(self, cells: Cells) -> list[Box]:
        """Likewise, ready to be compared."""
        return [self.box(sides) for sides in self.sides(cells)]

    def box(self, sides: Sides) -> Box:
        """The box of these sides."""
        left_out = 0
        for number, values in sides.items():
            left_out |= self._whole[number] & ~(values << self._shift[number])
        return self.full ^ left_out

    def values(self, box: Box) -> dict[str, int]:
        """The values a box has in each column; of values that no cell tells apart the least."""
        return {
            field: self._parts[number].values((box & self._whole[number]) >> self._shift[number])
            for number, field in enumerate(self.columns)
        }

    def words(self, box: Box) -> tuple[str, ...]:
        """The keywords that every message in a box has."""
        waiting, found = box >> 1 & self._absent & ~box, []
        while waiting:
            bit = waiting & -waiting
            found.append(self._word_at[bit.bit_length() - 1])
            waiting ^= bit
        return tuple(found)

    def most_ordinary(self, box: Box) -> Box:
        """The part of a box that holds its most ordinary message alone: the usual value of each dimension, else its least."""
        found = box & self._usual
        waiting = self._free & ~(found + self.full)
        while waiting:
            bit = waiting & -waiting
            left = box & self._by_free_bit[bit.bit_length() - 1]
            found |= left & -left
            waiting ^= bit
        return found

    def _values(self, field: str, values: Mapping[str, int]) -> int:
        found = self.columns[field].full & values.get(field, -1)
        if field == "intent" and "category" in values:
            found &= sum(mask for number, mask in enumerate(self._of_category.values()) if values["category"] >> number & 1)
        return found

    def _words(self, choice: Choice) -> Sides:
        return {self._number[f"'{word}"]: PRESENT if there else ABSENT for word, there in choice.items()}

    def _half_known_times(self) -> Iterator[Sides]:
        """The time of a message is known as a whole or not at all."""
        clock = [(self._number[name], self.columns[name].full) for name in _CLOCK if name in self.columns]
        for (one, all_of_one), (other, all_of_other) in pairwise(clock):
            unknown = all_of_one + 1 >> 1, all_of_other + 1 >> 1
            yield {one: unknown[0], other: all_of_other & ~unknown[1]}
            yield {one: all_of_one & ~unknown[0], other: unknown[1]}

    # ---- what boxes have in common ----

    def meet(self, one: Box, other: Box) -> Box:
        """The box of what is in both; 0 where nothing is.

        Adding a full box carries into the free bit above every set that is not empty, so one addition asks all dimensions.
        """
        both = one & other
        return both if (both + self.full) & self._free == self._free else 0

    def escape(self, box: Box, others: Sequence[Box], steps: Steps) -> Box | None:
        """A part of ``box`` that no other box touches, None when they cover it; raises StepsSpentError.

        What is left of a box after another is cut out is again a few boxes, one a dimension; the search goes down the first
        that is left (the sharp operation on cubes: Brayton, Hachtel, McMullen and Sangiovanni-Vincentelli 1984, Logic
        Minimization Algorithms for VLSI Synthesis).
        """
        full, free = self.full, self._free  # meets are written out here: a call would cost more than they do
        steps.take(len(others) * self.weight)
        near = [other for other in others if ((box & other) + full) & free == free]
        near.sort(key=lambda other: (((box & ~other) + full) & free).bit_count())
        stack = [(box, 0)]
        while stack:
            left, start = stack.pop()
            place = next((n for n in range(start, len(near)) if ((left & near[n]) + full) & free == free), None)
            steps.take(((len(near) if place is None else place + 1) - start) * self.weight)
            if place is None:
                return left
            steps.take(self._beyond(left, near[place]).bit_count() * self.weight)
            stack.extend((piece, place + 1) for piece in self._without(left, near[place]))
        return None

    def _beyond(self, box: Box, other: Box) -> int:
        """The free bits of those dimensions in which ``box`` has values that ``other`` has not."""
        return ((box & ~other) + self.full) & self._free

    def _without(self, box: Box, other: Box) -> Iterator[Box]:
        """Disjoint boxes that together are ``box`` less ``other``."""
        rest, outside, waiting = box, box & ~other, self._beyond(box, other)
        while waiting:
            bit = waiting & -waiting
            whole = self._by_free_bit[bit.bit_length() - 1]
            yield rest & ~whole | outside & whole
            rest &= other | ~whole
            waiting ^= bit
