"""Schemas of the roll-out: the plan, what is known about the release, and what people may ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from serving.request_schemas import Clean, Id, Strict
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import DEFAULT_SHARE, Against, Arm, Metric, Stage

Share = Annotated[float, Field(ge=0, le=1, description="Fraction of the customers, in [0, 1].")]
Why = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", description="Why, for the record."), Clean]
# enums are words in JSON; strict mode would take members only
ChannelName = Annotated[Channel, Field(strict=False)]
TierName = Annotated[Tier, Field(strict=False)]


class Signed(Strict):
    """Who does it, and why."""

    by: Annotated[Id, Field(pattern=r"\S", description="Name or id of the person, for the record.")]
    reason: Why


class RolloutStart(Signed):
    """A new release; it begins in shadow."""

    release: Annotated[Id, Field(pattern=r"\S", description="A name that no roll-out had before.")]
    share: Share = DEFAULT_SHARE
    channels: dict[ChannelName, Share] = Field(
        default_factory=dict, description="Shares of their own; the lower of channel and tier counts."
    )
    tiers: dict[TierName, Share] = Field(default_factory=dict, description="Shares of their own; the lower of channel and tier counts.")
    reference: Literal["human", "control"] = Field(
        default="human", description="Who answers the others: a person, or the release of today."
    )


class RolloutAdvance(Signed):
    """How the release moves on; what is absent stays as it is."""

    stage: Literal["gray", "full"] | None = None
    share: Share | None = None
    channels: dict[ChannelName, Share | None] = Field(default_factory=dict, description="Shares that change; null takes one away.")
    tiers: dict[TierName, Share | None] = Field(default_factory=dict, description="Shares that change; null takes one away.")
    revision: int | None = Field(default=None, ge=1, description="The revision you saw: another one in force is not overwritten (409).")
    force: bool = Field(default=False, description="From shadow straight to full, without gray and its guardrails; the history says so.")


class RolloutPlanOut(BaseModel):
    """A plan as it was put in force; its salt stays secret."""

    revision: int
    release: str
    stage: Stage
    share: float
    channels: dict[Channel, float]
    tiers: dict[Tier, float]
    reference: Arm
    at: datetime
    by: str = Field(description="A person, or `guardrail`.")
    reason: str
    automatic: bool = Field(description="True when the guardrail took the release back.")


class ComparisonOut(BaseModel):
    """One rate of the release against its reference."""

    metric: Metric
    against: Against = Field(
        description="`reference`: the customers of the other arm; `shadow`: those for whom the release decided in shadow; "
        "`same_messages`: what the release of today decided on the same messages, in shadow."
    )
    automated: int = Field(description="Customers of the release.")
    reference: int = Field(description="Customers of the reference.")
    difference: float | None = Field(description="Rate of the release less that of the reference; null while one of them has no customer.")
    low: float = Field(description="The least that the difference can be, at every look together.")
    high: float = Field(description="The most that it can be.")
    margin: float = Field(description="How much worse the rate may be.")
    harmful: bool


class WatchOut(BaseModel):
    """The last look at the guardrails by this process."""

    at: datetime
    error: str | None = Field(description="Why it failed; null when it did not.")


class RolloutResponse(BaseModel):
    """Where the roll-out stands."""

    plan: RolloutPlanOut | None = Field(description="Null where nothing was ever rolled out: every reply is sent.")
    comparisons: list[ComparisonOut]
    watch: WatchOut | None = Field(description="Null before the first look.")


class RolloutHistoryResponse(BaseModel):
    """Every plan that was in force, oldest first."""

    revisions: list[RolloutPlanOut]
