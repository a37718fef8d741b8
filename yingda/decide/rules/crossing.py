"""Rows of different rule files that fire for one message and contradict each other.

Each file has its first row that holds, and together they set what the most urgent of these says (``combined``). Less urgent rows
stand below more urgent ones across files as within one: in a later file, or further down in the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yingda.cache import Cache
from yingda.decide.rules.columns import input_columns
from yingda.decide.rules.examples import Example, example_of
from yingda.decide.rules.findings import MOST_FINDINGS, STEPS, Finding, Flaw, Judged, contradict
from yingda.decide.rules.names import KnownNames
from yingda.decide.rules.regions import Regions
from yingda.decide.rules.ruleset import COMPILED, RuleSet
from yingda.decide.rules.space import Space, Steps, StepsSpentError


@dataclass(frozen=True, slots=True)
class Crossing:
    """A finding about a row of ``file`` and one of another file."""

    file: str
    finding: Finding


_FOUND: Cache[tuple[Crossing, ...]] = Cache(COMPILED)


def crossings(files: Mapping[str, RuleSet], known: KnownNames, *, of: str | None = None, steps: int = STEPS) -> tuple[Crossing, ...]:
    """What rows of different ``files`` (in the order in which they apply) do to each other, at most MOST_FINDINGS.

    With ``of``, that file is held against each of the others alone. ``steps`` bounds the work; pairs that are not proven by then
    are one finding. Remembered like compiled files.
    """
    if len(files) < 2:
        return ()
    key = (*((name, rules.digest) for name, rules in files.items()), of, steps)
    found = _FOUND.get(key)
    if found is None:
        found = tuple(_Crossings(files, known, of, Steps(steps)).found())
        _FOUND.keep({key: found})
    return found


class _Crossings:
    """The state of one examination."""

    def __init__(self, files: Mapping[str, RuleSet], known: KnownNames, of: str | None, steps: Steps) -> None:
        self._rows = [(name, row) for name, rules in files.items() for row in rules.judged]
        self._known, self._of, self._steps = known, of, steps
        columns = {column.field: column for rules in files.values() for column in rules.columns}
        cells = [[row.cells for row in rules.judged] for rules in files.values()]
        self._space = Space(columns.values(), [one for file in cells for one in file], known, input_columns(known)["intent"])
        self._regions = Regions(cells, self._space, steps)
        self._ranks = [row.urgency() for _, row in self._rows]

    def found(self) -> Iterator[Crossing]:
        left = MOST_FINDINGS
        for lower in range(len(self._rows)):
            try:
                for crossing in self._with(lower):
                    yield crossing
                    left -= 1
                    if not left:
                        return
            except StepsSpentError:
                file, row = self._rows[lower]
                yield Crossing(file, _finding(Flaw.NOT_PROVEN, row, "", None))
                return

    def _with(self, lower: int) -> Iterator[Crossing]:
        """The rows of earlier files that fire with row ``lower``, are no more urgent and contradict it."""
        file, row = self._rows[lower]
        met = 0
        for upper in range(lower):
            name, other = self._rows[upper]
            if name == file or self._of not in (None, name, file) or self._ranks[upper] > self._ranks[lower]:
                continue
            met = met or self._regions.met_by(lower)
            self._steps.take(1)
            if met & self._regions.rows[upper].own and contradict(other.outcome, row.outcome):
                both = self._regions.both(upper, lower, apart=True)
                if both is not None:
                    flaw = Flaw.CONFLICT if self._ranks[upper] < self._ranks[lower] else Flaw.EQUAL_URGENCY
                    yield Crossing(file, _finding(flaw, row, f"{name}: {other.id}", example_of(both, self._space, self._known)))


def _finding(flaw: Flaw, row: Judged, other: str, example: Example | None) -> Finding:
    zh, en = (line.format(row=row.id, other=other) for line in _WORDING[flaw])
    if example is not None:
        zh, en = f"{zh}，例如：{example.text}", f"{en}; for example: {example.text}"
    return Finding(flaw, row.id, (other,) if other else (), example, zh, en)


_WORDING = {
    Flaw.CONFLICT: (
        "规则「{row}」比前面文件里的「{other}」更紧急，两者结果矛盾，请把「{row}」移到那个文件的前面，或改文件名让它排在前面",
        "row '{row}' is more urgent than '{other}' of an earlier file, and they contradict each other; "
        "move it into that file, above, or rename the files so that it comes first",
    ),
    Flaw.EQUAL_URGENCY: (
        "规则「{row}」与前面文件里的「{other}」同样紧急而结果矛盾，由文件次序决定，请确认",
        "row '{row}' is as urgent as '{other}' of an earlier file and contradicts it; the order of the files decides, see that it is meant",
    ),
    Flaw.NOT_PROVEN: (
        "规则「{row}」及其后的规则与其他文件的规则交叉太多，未能查清是否矛盾",
        "row '{row}' and those after it meet too many rows of other files to prove that none contradicts them",
    ),
}
