"""What is wrong with a table whose cells are all right: rows that never fire, and lower urgency above higher.

The first row that holds fires, so order is what decides. The urgency of a row is the priority it sets (high, medium, low, none)
and, between rows of the same priority, the lowest tier it admits (vip, normal, potential): a row for everybody is a row for
potential customers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from yingda.decide.rules.examples import Example, example_of, most_ordinary
from yingda.decide.rules.names import KnownNames
from yingda.decide.rules.space import Box, Cells, Space, Steps, StepsSpentError, escape, meet
from yingda.domain.knowledge import Priority
from yingda.domain.rules import Action, RuleOutcome

STEPS = 500_000
"""Comparisons of boxes for one table, about a second; what is not proven by then is reported as not proven."""

MOST_FINDINGS = 50

_PRIORITIES = (None, Priority.LOW, Priority.MEDIUM, Priority.HIGH)
_TIERS = (2, 1, 0)
"""Rank of each tier, in the order of the tier column: vip, normal, potential."""


class Flaw(StrEnum):
    """What a finding is about; the first three keep a table from being published."""

    UNREACHABLE = "unreachable"
    SHADOWED = "shadowed"
    CONFLICT = "conflict"
    EQUAL_URGENCY = "equal_urgency"
    NOT_PROVEN = "not_proven"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw: the row it is about, the rows that cause it, an example message, and a line in Chinese and in English."""

    flaw: Flaw
    row: str
    others: tuple[str, ...]
    example: Example | None
    zh: str
    en: str

    @property
    def blocks(self) -> bool:
        """True when the table must not be published as it is."""
        return self.flaw in (Flaw.UNREACHABLE, Flaw.SHADOWED, Flaw.CONFLICT)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row as the checks see it: its id, its cells, and what it sets."""

    id: str
    cells: Cells
    outcome: RuleOutcome

    def urgency(self) -> tuple[int, int]:
        """Rank of the priority it sets, then of the lowest tier it admits."""
        tiers = self.cells.values.get("tier", 7)
        return _PRIORITIES.index(self.outcome.priority), min((rank for n, rank in enumerate(_TIERS) if tiers >> n & 1), default=0)


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, and for each row that can fire an example that fires it."""

    findings: tuple[Finding, ...]
    firing: dict[str, Example]


def examine(rows: Sequence[Judged], space: Space, known: KnownNames, *, steps: int = STEPS) -> Report:
    """Every flaw of a table, row by row, at most MOST_FINDINGS; ``steps`` bounds the work."""
    return _Examination(rows, space, known, Steps(steps)).report()


class _Examination:
    """The state of one examination: boxes of each row and the steps left."""

    def __init__(self, rows: Sequence[Judged], space: Space, known: KnownNames, steps: Steps) -> None:
        self._rows, self._space, self._known = rows, space, known
        self._boxes = [space.boxes(row.cells) for row in rows]
        self._steps = steps
        self._findings: list[Finding] = []
        self._firing: dict[str, Example] = {}

    def report(self) -> Report:
        alive = []
        for number, row in enumerate(self._rows):
            if self._reaches(number, row):
                alive.append(number)
        ranks = [row.urgency() for row in self._rows]
        for low in alive:
            for high in (number for number in alive if number < low and ranks[number] <= ranks[low]):
                self._compare(high, low, Flaw.CONFLICT if ranks[high] < ranks[low] else Flaw.EQUAL_URGENCY)
        return Report(tuple(self._findings[:MOST_FINDINGS]), self._firing)

    def _reaches(self, number: int, row: Judged) -> bool:
        """True when some message fires the row, or when that was not disproved."""
        if not self._boxes[number]:
            self._add(Flaw.UNREACHABLE, row, (), self._nearest(row))
            return False
        try:
            fired = self._first(self._boxes[number], number)
        except StepsSpentError:
            self._add(Flaw.NOT_PROVEN, row, (), None)
            return True
        if fired is not None:
            self._firing[row.id] = self._example(fired)
            return True
        covering = [n for n in range(number) if any(meet(a, b) for a in self._boxes[n] for b in self._boxes[number])]
        possible = self._first(self._boxes[number], 0)
        flaw = Flaw.UNREACHABLE if possible is None else Flaw.SHADOWED
        self._add(flaw, row, tuple(self._rows[n].id for n in covering), self._example(possible or self._boxes[number][0]))
        return False

    def _compare(self, high: int, low: int, flaw: Flaw) -> None:
        """Report when a message fires row ``high`` though row ``low`` holds too and sets other things."""
        upper, lower = self._rows[high], self._rows[low]
        differ = _differ if flaw is Flaw.CONFLICT else _contradict
        if len(self._findings) >= MOST_FINDINGS or not differ(upper.outcome, lower.outcome):
            return
        try:
            self._steps.take(len(self._boxes[high]) * len(self._boxes[low]))
            both = [box for a in self._boxes[high] for b in self._boxes[low] if (box := meet(a, b))]
            fired = self._first(both, high)
        except StepsSpentError:
            self._add(Flaw.NOT_PROVEN, lower, (upper.id,), None)
            return
        if fired is not None:
            self._add(flaw, lower, (upper.id,), self._example(fired))

    def _first(self, boxes: Sequence[Box], number: int) -> Box | None:
        """A part of ``boxes`` that no row above ``number`` takes."""
        above = [box for row in self._boxes[:number] for box in row]
        for box in boxes:
            for part in (most_ordinary(box, self._space), box):  # an ordinary message is the better example
                found = escape(part, (*self._space.impossible, *above), self._steps)
                if found is not None:
                    return found
        return None

    def _nearest(self, row: Judged) -> Example:
        """A message that every cell holds for but those that hold for nothing, or for nothing together."""
        values = {field: mask for field, mask in row.cells.values.items() if mask}
        cells = Cells(values, row.cells.choices or ({},))
        boxes = self._space.boxes(cells) or self._space.boxes(Cells({f: m for f, m in values.items() if f != "intent"}, cells.choices))
        return self._example(boxes[0])

    def _example(self, box: Box) -> Example:
        return example_of(box, self._space, self._known)

    def _add(self, flaw: Flaw, row: Judged, others: tuple[str, ...], example: Example | None) -> None:
        zh, en = _WORDING[flaw]
        named = "、".join(f"「{other}」" for other in others[:5]), ", ".join(f"'{other}'" for other in others[:5])
        shown = (f"，例如：{example.text}", f"; for example: {example.text}") if example else ("", "")
        line = zh.format(row=row.id, others=named[0]) + shown[0], en.format(row=row.id, others=named[1]) + shown[1]
        self._findings.append(Finding(flaw, row.id, others, example, *line))


def _differ(upper: RuleOutcome, lower: RuleOutcome) -> bool:
    return replace(upper, rows=()) != replace(lower, rows=())


def _contradict(upper: RuleOutcome, lower: RuleOutcome) -> bool:
    """True when both set the same thing and not to the same value; tags and notices contradict nothing."""
    pairs = ((upper.skill, lower.skill), (upper.template, lower.template), (upper.priority, lower.priority))
    actions = Action.NONE not in (upper.action, lower.action) and upper.action is not lower.action
    return actions or any(one and other and one != other for one, other in pairs)


_WORDING = {
    Flaw.UNREACHABLE: (
        "规则「{row}」的条件不可能同时成立，请修改或删除",
        "row '{row}' holds for no message; change its cells or remove it",
    ),
    Flaw.SHADOWED: (
        "规则「{row}」永远轮不到：凡符合它的消息都先被上面的{others}拿走，请上移或删除",
        "row '{row}' never fires: rows {others} above take every message it holds for; move it up or remove it",
    ),
    Flaw.CONFLICT: (
        "规则「{row}」比上面的{others}更紧急，却会被它盖住，请上移",
        "row '{row}' is more urgent than {others} above, which overrides it; move it up",
    ),
    Flaw.EQUAL_URGENCY: (
        "规则「{row}」与上面的{others}同样紧急而结果矛盾，由先后次序决定，请确认",
        "row '{row}' is as urgent as {others} above and contradicts it; their order decides, see that it is meant",
    ),
    Flaw.NOT_PROVEN: (
        "规则「{row}」与上面的规则{others}交叉太多，未能查清是否会被盖住",
        "row '{row}' meets too many rows above {others} to prove that it fires as meant",
    ),
}
