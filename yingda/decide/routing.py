"""Who takes over, how soon, and who is told besides."""

from __future__ import annotations

from collections.abc import Sequence

from yingda.decide.evidence import NO_MATTER, Evidence
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Handoff, Reason

_RISING = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)
_OF_THE_TALK = frozenset({Reason.REQUESTED, Reason.DISSATISFIED, Reason.LOW_CONFIDENCE, Reason.OUT_OF_SCOPE, Reason.VIP})
"""Reasons whose message says nothing of the matter: the open question does."""


def triage(evidence: Evidence) -> Priority:
    """The intent's own priority; anger and VIP customers are high."""
    return Priority.HIGH if evidence.furious or evidence.is_vip else evidence.intent.priority


def no_handoff(evidence: Evidence) -> Handoff:
    """The conversation stays with the bot."""
    return Handoff(False, (), None, triage(evidence))


def is_urgent(evidence: Evidence, reasons: Sequence[Reason], standing: Handoff | None) -> bool:
    """True when a person takes over with high priority whatever the mood: by ``reasons`` of the message, or ``standing`` already."""
    if standing is not None and standing.priority is Priority.HIGH:
        return True
    routed = (found.priority for found in evidence.policy.routes if found.reason in reasons)
    return bool(reasons) and (evidence.is_vip or Priority.HIGH in {evidence.intent.priority, *routed})


def route(evidence: Evidence, reasons: Sequence[Reason]) -> Handoff:
    """The hand-off for ``reasons``: the first route that holds names the group, the highest priority counts, all are told."""
    routes = [found for found in evidence.policy.routes if found.reason in reasons]
    skill = next((found.skill for found in routes if found.skill), None) or _skill_of(evidence, reasons)
    priority = max((triage(evidence), *(found.priority for found in routes if found.priority)), key=_RISING.index)
    notify = tuple(dict.fromkeys(name for found in routes for name in found.notify))
    return Handoff(True, tuple(reasons), skill, priority, notify)


def merged(evidence: Evidence, standing: Handoff, reasons: Sequence[Reason]) -> Handoff:
    """``standing`` with what a later message adds to it; itself where none of its ``reasons`` is new.

    Nothing is taken away and nothing falls: reasons, notices and tags are united, the highest priority counts, and the group
    changes only where the first route that holds is that of a new reason.
    """
    new = tuple(reason for reason in reasons if reason not in standing.reasons)
    if not new:
        return standing
    added, together = route(evidence, new), {*standing.reasons, *new}
    first = next((found for found in evidence.policy.routes if found.skill and found.reason in together), None)
    rises = first is not None and first.reason in new
    return Handoff(
        True,
        tuple(reason for reason in Reason if reason in together),
        added.skill if rises else standing.skill or added.skill,
        max(standing.priority, added.priority, key=_RISING.index),
        tuple(dict.fromkeys((*standing.notify, *added.notify))),
        standing.tags,
    )


def _skill_of(evidence: Evidence, reasons: Sequence[Reason]) -> str:
    silent = evidence.accepted is None or evidence.intent.code in NO_MATTER
    if evidence.topic is not None and silent and _OF_THE_TALK.issuperset(reasons):
        return evidence.topic.skill
    return evidence.intent.skill
