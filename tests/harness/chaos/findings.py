"""What a scenario found: checks that hold or do not, and figures beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Value = int | float | str


class SkippedError(Exception):
    """The scenario cannot run here; the message says why, without paths."""


@dataclass(frozen=True, slots=True)
class Check:
    """``timed`` ones depend on how busy the machine is: they are told, and no verdict hangs on them."""

    name: str
    wanted: str
    found: Value
    holds: bool
    timed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one scenario; ``target`` is the requirement it shows."""

    scenario: str
    target: str
    checks: Sequence[Check] = ()
    figures: Mapping[str, Value] = field(default_factory=dict)
    skipped: str | None = None

    @property
    def holds(self) -> bool:
        """Nothing that does not depend on time failed."""
        return all(check.holds for check in self.checks if not check.timed)


def none(name: str, found: int) -> Check:
    """There must be none."""
    return Check(name, "0", found, found == 0)


def exactly(name: str, found: Value, wanted: Value) -> Check:
    """It must be just this."""
    return Check(name, str(wanted), found, found == wanted)


def at_least(name: str, found: float, least: float, *, timed: bool = False) -> Check:
    """It must reach ``least``."""
    return Check(name, f"≥ {least:g}", _short(found), found >= least, timed)


def at_most(name: str, found: float | None, most: float, *, timed: bool = True) -> Check:
    """It must not exceed ``most``; None never happened, which is no time at all."""
    if found is None:
        return Check(name, f"≤ {most:g}", "never", False, False)
    return Check(name, f"≤ {most:g}", _short(found), found <= most, timed)


def yes(name: str, found: bool) -> Check:
    """It must be so."""
    return Check(name, "yes", "yes" if found else "no", found)


def _short(value: float) -> int | float:
    return value if isinstance(value, int) else round(value, 3)
