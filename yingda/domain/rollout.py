"""How far a release is rolled out: its stage, who takes part, and which arm a customer is in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from yingda.domain.errors import YingdaError
from yingda.domain.message import Channel, Tier

DEFAULT_SHARE = 0.10
"""Customers who take part in a gray release, unless its plan says otherwise."""


class RolloutError(YingdaError):
    """A roll-out plan or a guardrail holds a value that cannot be meant; the message names it and the remedy."""


class Stage(StrEnum):
    """How far a release is: it decides without sending, it sends to some customers, it sends to all."""

    SHADOW = "shadow"
    GRAY = "gray"
    FULL = "full"


class Arm(StrEnum):
    """Who answers a customer: this release, the release before it, a person; or this release decides and sends nothing."""

    AUTOMATED = "automated"
    CONTROL = "control"
    HUMAN = "human"
    SHADOW = "shadow"


class Metric(StrEnum):
    """What a release may not make worse; each is the share of customers to whom it happened."""

    HANDOFF = "handoff"
    REPEAT = "repeat"
    DISSATISFIED = "dissatisfied"


class Against(StrEnum):
    """What a rate of the release is compared with: the customers of the other arm, the customers for whom the release decided
    in shadow, or what the release of today decided on the same messages in shadow."""

    REFERENCE = "reference"
    SHADOW = "shadow"
    SAME_MESSAGES = "same_messages"


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """Where a release stands and who takes part.

    ``salt`` keeps the draw secret and, with ``release``, independent of every other release. ``share`` is the fraction of
    customers in [0, 1] who take part in stage gray; ``channels`` and ``tiers`` hold other shares, in stage full too, and
    where both apply the lower one does. ``reference`` answers whoever takes no part: ``human`` for a first release,
    ``control`` (the release that runs today) for the next. ``reason`` says why the plan is as it is.
    """

    release: str
    salt: str
    stage: Stage = Stage.SHADOW
    share: float = DEFAULT_SHARE
    channels: Mapping[Channel, float] = field(default_factory=lambda: MappingProxyType({}))
    tiers: Mapping[Tier, float] = field(default_factory=lambda: MappingProxyType({}))
    reference: Arm = Arm.HUMAN
    reason: str = ""

    def __post_init__(self) -> None:
        for name in ("release", "salt"):
            if not getattr(self, name).strip():
                raise RolloutError(f"roll-out plan: {name} is empty; give the {name} a text of its own")
        shares = [("share", self.share)]
        shares += [(f"channels.{channel}", share) for channel, share in self.channels.items()]
        shares += [(f"tiers.{tier}", share) for tier, share in self.tiers.items()]
        for name, share in shares:
            if not 0 <= share <= 1:  # NaN is refused too
                raise RolloutError(f"roll-out plan: {name} is {share}; write a fraction from 0 to 1, such as 0.1 for 10 %")
        if self.reference not in (Arm.CONTROL, Arm.HUMAN):
            raise RolloutError(f"roll-out plan: reference is '{self.reference}'; write human or control")


GUARDRAIL = "guardrail"
"""Who changed a plan when nobody did: the guardrail, on its own."""


@dataclass(frozen=True, slots=True)
class PlanRevision:
    """A plan as it was put in force: the ``number``-th change (from 1), when, by whom and why.

    ``automatic`` marks what the guardrail did; everything else was done by the person named in ``by``.
    """

    number: int
    plan: RolloutPlan
    at: datetime
    by: str
    reason: str
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a message stands in a roll-out: its arm, the release that decided, and the revision of the plan that drew the arm."""

    arm: Arm
    release: str
    revision: int

    @property
    def send(self) -> bool:
        """True when the release's reply goes to the customer; otherwise it is recorded only, and somebody else answers."""
        return self.arm is Arm.AUTOMATED
