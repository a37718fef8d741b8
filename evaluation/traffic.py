"""How the share of wrong matches depends on the traffic: the more messages no entry answers, the more of what is accepted is wrong.

A promise about accepted matches is one for traffic like the rows it was made on. Here both kinds of messages, those that an entry
answers and those that none does, are taken as they came out on judged rows, and mixed in other shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.outcomes import Judged

SHARES = (0.1, 0.2, 0.3, 0.4)
"""Shares of unanswerable messages that are shown."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of all messages the share that no entry answers and the share accepted; of the latter the share that is wrong."""

    unanswerable: float
    accepted: float
    wrong: float | None


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of the answerable rows and of the unanswerable ones that are accepted, and that are accepted and wrong."""

    own: float
    accepted: tuple[float, float]
    wrong: tuple[float, float]

    def at(self, unanswerable: float) -> Traffic:
        """What comes of traffic with this share of unanswerable messages, in expectation."""
        accepted, wrong = _mixed(self.accepted, unanswerable), _mixed(self.wrong, unanswerable)
        return Traffic(unanswerable, accepted, wrong / accepted if accepted else None)

    def holds_up_to(self, budget: float) -> float:
        """The largest share of unanswerable messages at which, in expectation, at most ``budget`` of what is accepted is wrong.

        It is 0 also where the budget is exceeded without such messages.
        """
        without, alone = (wrong - budget * accepted for wrong, accepted in zip(self.wrong, self.accepted, strict=True))
        if without > 0:
            return 0.0
        return 1.0 if alone <= 0 else without / (without - alone)


def mixture(judged: Sequence[Judged]) -> Mixture | None:
    """The two kinds of rows among ``judged``; None where either has none."""
    kinds = [[item for item in judged if (item.row.faq is None) is lacks] for lacks in (False, True)]
    if not all(kinds):
        return None
    answerable, none = (sum(item.accepted for item in rows) / len(rows) for rows in kinds)
    misled, deceived = (sum(item.accepted and not item.accepted_right for item in rows) / len(rows) for rows in kinds)
    return Mixture(len(kinds[1]) / len(judged), (answerable, none), (misled, deceived))


def _mixed(shares: tuple[float, float], unanswerable: float) -> float:
    return (1 - unanswerable) * shares[0] + unanswerable * shares[1]
