"""What is wrong with a table whose cells are all right: rows that never fire, and lower urgency above higher.

The first row that holds fires, so order is what decides. The urgency of a row is the priority it sets (high, medium, low, none)
and, between rows of the same priority, the lowest tier it admits (vip, normal, potential): a row for everybody is a row for
potential customers too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from yingda.decide.rules.examples import Example, example_of
from yingda.decide.rules.names import KnownNames
from yingda.decide.rules.regions import Regions
from yingda.decide.rules.space import Box, Cells, Space, Steps, StepsSpentError
from yingda.domain.knowledge import Priority
from yingda.domain.rules import Action, RuleOutcome

STEPS = 30_000
"""Work for one table: what a table of 100 rows takes whose rows nearly all cross; what is not proven by then is reported so."""

SMALL, LESS = 100, 240
"""Rows up to which all STEPS are allowed, and by how many fewer they are for each row more, for reading these takes time itself."""

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
    """The findings, for each row that was seen to fire a box of messages that fire it, and the steps that were left."""

    findings: tuple[Finding, ...]
    firing: dict[str, Box]
    left: int


def examine(rows: Sequence[Judged], space: Space, known: KnownNames, *, steps: int | None = None) -> Report:
    """Every flaw of a table, row by row, at most MOST_FINDINGS; ``steps`` bounds the work, by default as the rows allow."""
    allowed = STEPS - LESS * max(len(rows) - SMALL, 0) if steps is None else steps
    return _Examination(rows, space, known, Steps(allowed)).report()


class _Examination:
    """The state of one examination: where rows fire, and the steps left."""

    def __init__(self, rows: Sequence[Judged], space: Space, known: KnownNames, steps: Steps) -> None:
        self._rows, self._space, self._known, self._steps = rows, space, known, steps
        self._regions = Regions([[row.cells for row in rows]], space, steps)
        self._findings: list[Finding] = []
        self._counts = {True: 0, False: 0}
        self._firing: dict[str, Box] = {}

    def report(self) -> Report:
        ranks = [row.urgency() for row in self._rows]
        sets = [replace(row.outcome, rows=()) for row in self._rows]
        alive: list[int] = []
        for low, row in enumerate(self._rows):  # each row with those above it, so that what is proven is proven for the first rows
            if self._counts[True] >= MOST_FINDINGS:
                break
            if self._reaches(low, row):
                highs = [high for high in alive if ranks[high] <= ranks[low] and sets[high] != sets[low]]
                self._compare_all(highs, low, ranks)
                alive.append(low)
        found = sorted(self._findings, key=lambda finding: not finding.blocks)
        return Report(tuple(found[:MOST_FINDINGS]), self._firing, max(self._steps.left, 0))

    def _reaches(self, number: int, row: Judged) -> bool:
        """True when some message is found to fire the row."""
        if self._regions.is_empty(number):
            self._add(Flaw.UNREACHABLE, row, (), self._nearest(row))
            return False
        try:
            fired = self._regions.first(number)
            if fired is None:
                self._add_dead(number, row)
        except StepsSpentError:
            self._add(Flaw.NOT_PROVEN, row, (), None)
            return False
        if fired is not None:
            self._firing[row.id] = fired
        return fired is not None

    def _add_dead(self, number: int, row: Judged) -> None:
        """The row never fires: because of the rows above, or by itself."""
        met = self._regions.met_by(number)
        covering = [n for n in range(number) if met & self._regions.rows[n].own]
        possible = self._regions.first(number, alone=True)
        flaw = Flaw.UNREACHABLE if possible is None else Flaw.SHADOWED
        self._add(flaw, row, tuple(self._rows[n].id for n in covering), self._example(possible or self._regions.any_of(number)))

    def _compare_all(self, highs: Sequence[int], low: int, ranks: Sequence[tuple[int, int]]) -> None:
        """Report the rows above that fire though row ``low`` holds too, is no less urgent, and sets other things."""
        high = low
        try:
            self._steps.take(len(highs))
            met = self._regions.met_by(low)
            for high in highs:
                if met & self._regions.rows[high].own:
                    self._compare(high, low, Flaw.CONFLICT if ranks[high] < ranks[low] else Flaw.EQUAL_URGENCY)
        except StepsSpentError:
            self._add(Flaw.NOT_PROVEN, self._rows[low], (self._rows[high].id,) if high != low else (), None)

    def _compare(self, high: int, low: int, flaw: Flaw) -> None:
        upper, lower = self._rows[high], self._rows[low]
        warns = flaw is Flaw.EQUAL_URGENCY
        if self._counts[not warns] >= MOST_FINDINGS or (warns and not contradict(upper.outcome, lower.outcome)):
            return
        fired = self._regions.both(high, low, apart=False)
        if fired is not None:
            self._add(flaw, lower, (upper.id,), self._example(fired))

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
        shown = _NEAREST if flaw is Flaw.UNREACHABLE else _SUCH_AS
        line = zh.format(row=row.id, others=named[0]), en.format(row=row.id, others=named[1])
        if example:
            line = line[0] + shown[0] + example.text, line[1] + shown[1] + example.text
        found = Finding(flaw, row.id, others, example, *line)
        self._findings.append(found)
        self._counts[found.blocks] += 1


def contradict(upper: RuleOutcome, lower: RuleOutcome) -> bool:
    """True when both set the same thing and not to the same value; tags and notices contradict nothing."""
    pairs = ((upper.skill, lower.skill), (upper.template, lower.template), (upper.priority, lower.priority))
    actions = Action.NONE not in (upper.action, lower.action) and upper.action is not lower.action
    return actions or any(one and other and one != other for one, other in pairs)


_SUCH_AS = "，例如：", "; for example: "
_NEAREST = "，连最接近的消息也不符合：", "; not even for the nearest message: "
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
