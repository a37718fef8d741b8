"""By when a person answers, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yingda.domain.knowledge import Policy
from yingda.reply.hours import duration, is_open, local, opens, promised

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_DAYS = {"zh": ("今天", "明天", "后天"), "en": ("today", "tomorrow")}


@dataclass(frozen=True, slots=True)
class Promise:
    """``situation`` is the template of a hand-off: ``handoff``, ``handoff_closed`` outside the hours, ``handoff_late`` where
    the promise would end after closing. ``opens`` and ``by`` are empty in the first."""

    situation: str
    opens: str = ""
    by: str = ""


def promise_for(policy: Policy, at: datetime | None, *, language: str) -> Promise:
    """What can be promised at ``at``; without a time or without service hours only how long it takes."""
    hours = policy.service_hours
    response = duration(policy.values.get(hours.response, "")) if hours else None
    if hours is None or at is None or response is None:
        return Promise("handoff")
    now, until = local(policy, at), promised(policy, at, response)
    if until - now == response and is_open(policy, at):
        return Promise("handoff")
    situation = "handoff_late" if is_open(policy, at) else "handoff_closed"
    beijing = language != "zh" and hours.timezone == "Asia/Shanghai"
    return Promise(
        situation, moment(opens(policy, at), now, language=language), moment(until, now, language=language) + " (Beijing time)" * beijing
    )


def moment(at: datetime, now: datetime, *, language: str) -> str:
    """``明天 11:00`` or ``11:00 tomorrow``: ``at`` as it is said at ``now``, both on the shop's clock."""
    clock, ahead = f"{at.hour}:{at.minute:02}", (at.date() - now.date()).days
    near = _DAYS[language]
    if language == "zh":
        return f"{near[ahead] if ahead < len(near) else f'{at.month}月{at.day}日'} {clock}"
    return f"{clock} {near[ahead] if ahead < len(near) else f'on {at.day} {_MONTHS[at.month - 1]}'}"
