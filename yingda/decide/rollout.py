"""Roll-out: which arm a customer is in, and how a plan moves from stage to stage.

Going back is automatic and one step: to shadow, where no customer sees the release. Going on takes a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, TypeVar

from yingda.decide.guardrail import GuardrailVerdict
from yingda.domain.message import Channel, Message, Tier
from yingda.domain.rollout import DEFAULT_SHARE, Against, Arm, Placement, PlanRevision, RolloutError, RolloutPlan, Stage

_FIELDS = ("release", "salt", "stage", "share", "channels", "tiers", "reference", "reason")

SKIPPED = "跳过灰度 gray skipped: "
"""Begins the reason of a plan that goes from shadow straight to full."""

_Code = TypeVar("_Code", bound=StrEnum)


def assign(
    plan: RolloutPlan,
    *,
    customer_id: str | None = None,
    conversation_id: str | None = None,
    channel: Channel = Channel.WEB,
    tier: Tier = Tier.NORMAL,
) -> Arm:
    """The arm of a customer, or of a conversation whose customer is not known; the same each time.

    A higher share keeps everyone who took part before. Without any id nobody can be recognised again, so that such a
    message takes part only where everyone does.
    """
    if plan.stage is Stage.SHADOW:
        return Arm.SHADOW
    share = share_of(plan, channel=channel, tier=tier)
    key = f"customer\0{customer_id}" if customer_id else f"conversation\0{conversation_id}" if conversation_id else None
    place = position(plan, key) if key else 1 - 2**-53
    return Arm.AUTOMATED if place < share else plan.reference


def share_of(plan: RolloutPlan, *, channel: Channel = Channel.WEB, tier: Tier = Tier.NORMAL) -> float:
    """The fraction of such customers whom the release answers, in [0, 1]."""
    if plan.stage is Stage.SHADOW:
        return 0.0
    own = [shares for shares in (plan.channels.get(channel), plan.tiers.get(tier)) if shares is not None]
    return min(own) if own else 1.0 if plan.stage is Stage.FULL else plan.share


def position(plan: RolloutPlan, key: str) -> float:
    """Where ``key`` stands in [0, 1): uniform over keys, independent between releases and salts.

    Keyed BLAKE2b (RFC 7693) of the key; its first 53 bits are a float without rounding.
    """
    secret = blake2b(f"{plan.salt}\0{plan.release}".encode("utf-8", "surrogatepass")).digest()
    digest = blake2b(key.encode("utf-8", "surrogatepass"), key=secret, digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def next_stage(plan: RolloutPlan, verdict: GuardrailVerdict) -> RolloutPlan:
    """The plan after a look at the guardrails: in shadow, with the reason, when one is broken; else as it is.

    A release in shadow has nowhere to go back to; what is found there, on messages that both decided, keeps it there.
    """
    seen_there = any(each.against is Against.SAME_MESSAGES for each in verdict.broken)
    if not verdict.roll_back or (plan.stage is Stage.SHADOW and not seen_there):
        return plan
    return replace(plan, stage=Stage.SHADOW, reason=verdict.reason())


def advance(
    plan: RolloutPlan,
    *,
    by: str,
    reason: str,
    stage: Stage | None = None,
    share: float | None = None,
    channels: Mapping[Channel, float | None] | None = None,
    tiers: Mapping[Tier, float | None] | None = None,
    force: bool = False,
) -> RolloutPlan:
    """The plan as a person moves it: ``by`` is the person, ``reason`` is why; raises RolloutError without them.

    From shadow to full is refused without ``force``: guardrails judge by a reference, and at full there is
    none. ``channels`` and ``tiers`` hold the shares that change; None takes a share of its own away again.
    """
    _signed(by, reason)
    if skips_gray(plan, stage) and not force:
        raise RolloutError(
            f"release '{plan.release}' is in shadow, and full skips gray and its guardrails; advance it to gray first, or use force"
        )
    moved = replace(
        plan,
        stage=plan.stage if stage is None else stage,
        share=plan.share if share is None else share,
        channels=_changed(plan.channels, channels),
        tiers=_changed(plan.tiers, tiers),
    )
    return replace(moved, reason=f"{by}: {reason}")


def skips_gray(plan: RolloutPlan, stage: Stage | None) -> bool:
    """True when moving ``plan`` to ``stage`` leaves out the stage in which its release is compared."""
    return plan.stage is Stage.SHADOW and stage is Stage.FULL


def stop(plan: RolloutPlan, *, by: str, reason: str) -> RolloutPlan:
    """The plan as a person takes it back: in shadow, where nothing is sent; raises RolloutError without name and reason."""
    _signed(by, reason)
    return replace(plan, stage=Stage.SHADOW, reason=f"{by}: {reason}")


def placement_of(revision: PlanRevision, message: Message) -> Placement:
    """The arm of ``message`` by the plan in force, of which the customer, else the conversation, is the unit."""
    plan, customer = revision.plan, message.customer
    arm = assign(
        plan,
        customer_id=customer.id if customer else None,
        conversation_id=message.conversation_id,
        channel=message.channel,
        tier=customer.tier if customer else Tier.NORMAL,
    )
    return Placement(arm, plan.release, revision.number)


def read_plan(fields: object, *, source: str) -> RolloutPlan:
    """The plan that a mapping (of YAML or JSON) describes; raises RolloutError that names ``source`` and the field."""
    if not isinstance(fields, Mapping):
        raise RolloutError(f"{source}: a roll-out plan is a mapping; write release, salt and stage")
    for name in fields:
        if name not in _FIELDS:
            raise RolloutError(f"{source}: unknown field '{name}'; known are {', '.join(_FIELDS)}")
    reference = _code(fields.get("reference", Arm.HUMAN), Arm, f"{source}: reference")
    try:
        return RolloutPlan(
            release=_text(fields, "release", source),
            salt=_text(fields, "salt", source),
            stage=_code(fields.get("stage", Stage.SHADOW), Stage, f"{source}: stage"),
            share=_share(fields.get("share", DEFAULT_SHARE), f"{source}: share"),
            channels=_shares(fields.get("channels"), Channel, f"{source}: channels"),
            tiers=_shares(fields.get("tiers"), Tier, f"{source}: tiers"),
            reference=reference,
            reason=_text(fields, "reason", source) if fields.get("reason") else "",
        )
    except RolloutError as error:
        detail = str(error).removeprefix("roll-out plan: ")
        raise RolloutError(detail if detail.startswith(source) else f"{source}: {detail}") from None


def plan_fields(plan: RolloutPlan) -> dict[str, Any]:
    """The plan as plain values; ``read_plan`` reads them back."""
    return {
        "release": plan.release,
        "salt": plan.salt,
        "stage": str(plan.stage),
        "share": plan.share,
        "channels": {str(channel): share for channel, share in plan.channels.items()},
        "tiers": {str(tier): share for tier, share in plan.tiers.items()},
        "reference": str(plan.reference),
        "reason": plan.reason,
    }


def _signed(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise RolloutError("roll-out plan: only a person moves a release on; give their name and the reason")


def _changed(shares: Mapping[_Code, float], changes: Mapping[_Code, float | None] | None) -> Mapping[_Code, float]:
    merged = {**shares, **(changes or {})}
    return MappingProxyType({name: share for name, share in merged.items() if share is not None})


def _text(fields: Mapping[Any, Any], name: str, source: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        found = "is missing" if value is None else f"is {type(value).__name__}"
        raise RolloutError(f"{source}: {name} {found}; write a text, in quotes where it looks like a number")
    return value


def _code(value: object, codes: type[_Code], where: str) -> _Code:
    try:
        return codes(str(value))
    except ValueError:
        raise RolloutError(f"{where} '{value}' is unknown; write one of {', '.join(codes)}") from None


def _share(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RolloutError(f"{where} is no number; write a fraction from 0 to 1, such as 0.1 for 10 %")
    return float(value)


def _shares(value: object, codes: type[_Code], where: str) -> dict[_Code, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RolloutError(f"{where} is no mapping; write a share for each, such as {next(iter(codes))}: 0.05")
    return {_code(name, codes, where): _share(share, f"{where}.{name}") for name, share in value.items()}
