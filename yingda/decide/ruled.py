"""What the operator's rules add to a verdict of the hand-off policy; they never take a person away from a customer."""

from __future__ import annotations

from dataclasses import replace

from yingda.decide.evidence import Evidence
from yingda.decide.policy import Verdict
from yingda.decide.routing import route
from yingda.domain.decision import Handoff, Outcome, Reason, RuleStep
from yingda.domain.labels import Priority
from yingda.domain.rules import Action, Clock, RuleInput, RuleOutcome

_RISING = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)


def rule_input(evidence: Evidence, verdict: Verdict, *, clock: Clock | None = None) -> RuleInput:
    """The message as rules see it; ``clock`` is its time on the shop's clock, None where it is not known or no rule asks."""
    message, state = evidence.message, verdict.state
    return RuleInput(
        intent=evidence.intent.code,
        category=evidence.intent.category,
        outcome=verdict.outcome,
        tier=evidence.tier,
        sentiment=evidence.classification.sentiment.label,
        channel=message.channel,
        keywords=tuple(hit.text for hit in evidence.classification.keywords),
        repeats=state.repeats,
        dissatisfied=state.dissatisfied,
        undecided=state.undecided,
        out_of_scope=state.out_of_scope,
        standing=state.standing is not None,
        confidence=evidence.candidates[0].confidence if evidence.candidates else 0.0,
        clock=clock,
    )


def apply_rules(verdict: Verdict, ruled: RuleOutcome, evidence: Evidence) -> Verdict:
    """``verdict`` with what the rules that fired set; the same verdict when none did.

    ``handoff`` calls a person for the reason ``rule``; ``clarify`` asks back where an entry would have been sent. ``answer``
    lifts the need of an entry for a person, and no other reason: what the customer or the conversation calls for stands. A
    priority is only ever raised, and a group only named where a person takes over. While a hand-off stands, rules add to it only
    where the message itself did.
    """
    if not ruled.rows:
        return verdict
    fired = tuple(RuleStep(row, fired=True) for row in ruled.rows)
    standing = evidence.state.standing
    if standing is not None and verdict.state.standing == standing:  # a person has the conversation: what was said stays said
        return replace(verdict, steps=(*verdict.steps, *fired))
    outcome, handoff = (verdict.outcome, verdict.handoff) if standing else _acted(verdict, ruled, evidence)
    # who has the conversation keeps it, unless the new reason took it to another group
    named = ruled.skill if standing is None or standing.skill != handoff.skill else None
    handoff = replace(
        handoff,
        priority=max(handoff.priority, ruled.priority or handoff.priority, key=_RISING.index),
        skill=(named or handoff.skill) if handoff.required else None,
        notify=tuple(dict.fromkeys((*handoff.notify, *ruled.notify))),
        tags=tuple(dict.fromkeys((*handoff.tags, *ruled.tags))),
    )
    state = replace(verdict.state, standing=handoff if handoff.required else None)
    return replace(verdict, outcome=outcome, handoff=handoff, steps=(*verdict.steps, *fired), state=state)


def _acted(verdict: Verdict, ruled: RuleOutcome, evidence: Evidence) -> tuple[Outcome, Handoff]:
    """Outcome and hand-off after the rule's action."""
    if ruled.action is Action.HANDOFF and not verdict.handoff.required:
        return Outcome.HANDOFF, route(evidence, (Reason.RULE,))
    if ruled.action is Action.CLARIFY and verdict.outcome is Outcome.ANSWERED:
        return Outcome.CLARIFY, verdict.handoff
    only_entry = verdict.handoff.reasons == (Reason.NEEDS_HUMAN,)
    can_answer = evidence.accepted is not None and evidence.intent.answerable and not evidence.withheld
    if ruled.action is Action.ANSWER and only_entry and can_answer:
        return Outcome.ANSWERED, Handoff(False, (), None, verdict.handoff.priority)
    return verdict.outcome, verdict.handoff
