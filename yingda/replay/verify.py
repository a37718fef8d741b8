"""Whether the same configuration says the same again, to the last digit that was stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from yingda.replay.originals import is_masked
from yingda.replay.records import WORDING
from yingda.replay.report import identical
from yingda.replay.run import Step

CURRENT, AGAIN = "current", "again"
"""Names of the two replays that a verification compares with each other and with what was served."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Turns replayed twice, and ids of those that differ: between the two replays, and from what was served.

    ``compared`` counts the turns that this very bundle had decided with this knowledge, or with earlier knowledge that was
    put together again for them (``rebuilt`` of them); the others can differ for good reason. Of those compared, ``wording`` were
    decided alike and worded otherwise, as names and context values, which are not stored, do; ``masked`` differ and were decided
    again without the personal data in their text. Neither tells of a deviation.
    """

    turns: int
    compared: int
    unstable: tuple[str, ...]
    deviating: tuple[str, ...]
    rebuilt: int = 0
    wording: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True when nothing differs but for want of what is not stored."""
        return not self.unstable and not self.deviating

    def fields(self) -> dict[str, object]:
        """Everything as plain JSON values."""
        ids = {"unstable": list(self.unstable), "deviating": list(self.deviating)}
        ids |= {"wording": list(self.wording), "masked": list(self.masked)}
        verified = self.holds and self.compared > 0
        return {"turns": self.turns, "compared": self.compared, "rebuilt": self.rebuilt, "verified": verified, **ids}


def verify(steps: Iterable[Step], *, bundle: str, knowledge: str, earlier: Collection[str] = ()) -> Verification:
    """What differs when turns are replayed by the configuration with these versions (SHA-256 and digest).

    ``earlier`` holds digests of knowledge by which the turns that it had decided were replayed.
    """
    steps, known = list(steps), {knowledge, *earlier}
    same = [step for step in steps if step.turn.served and step.turn.bundle == bundle and step.turn.knowledge in known]
    rebuilt = sum(step.turn.knowledge != knowledge for step in same)
    unstable = tuple(step.turn.turn_id for step in steps if not identical(step.said[CURRENT], step.said[AGAIN]))
    kinds: dict[str, list[str]] = {"wording": [], "masked": [], "deviating": []}
    for step in same:
        if kind := _kind(step):
            kinds[kind].append(step.turn.turn_id)
    found = {kind: tuple(ids) for kind, ids in kinds.items()}
    return Verification(len(steps), len(same), unstable, rebuilt=rebuilt, **found)


def _kind(step: Step) -> str | None:
    """How the turn differs from what was served; None where it does not."""
    turn, again = step.turn, step.said[CURRENT]
    differing = set(turn.served.differing(again)) if turn.served else set()
    if not differing:
        return None
    if differing <= WORDING:
        return "wording"
    return "masked" if turn.original is None and is_masked(turn.text) else "deviating"
