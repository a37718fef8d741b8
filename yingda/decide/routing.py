"""Who takes over, how soon, and who is told besides."""

from __future__ import annotations

from collections.abc import Sequence

from yingda.decide.evidence import HUMAN, UNRESOLVED, Evidence
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


def route(evidence: Evidence, reasons: Sequence[Reason]) -> Handoff:
    """The hand-off for ``reasons``: the first route that holds names the group, the highest priority counts, all are told."""
    routes = [found for found in evidence.policy.routes if found.reason in reasons]
    skill = next((found.skill for found in routes if found.skill), None) or _skill_of(evidence, reasons)
    priority = max((triage(evidence), *(found.priority for found in routes if found.priority)), key=_RISING.index)
    notify = tuple(dict.fromkeys(name for found in routes for name in found.notify))
    return Handoff(True, tuple(reasons), skill, priority, notify)


def _skill_of(evidence: Evidence, reasons: Sequence[Reason]) -> str:
    silent = evidence.accepted is None or evidence.intent.code in (HUMAN, UNRESOLVED)
    if evidence.topic is not None and silent and _OF_THE_TALK.issuperset(reasons):
        return evidence.topic.skill
    return evidence.intent.skill
