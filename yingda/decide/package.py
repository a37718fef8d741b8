"""What the person who takes over is given: the conversation so far, masked, and its gist."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from yingda.decide.evidence import NO_MATTER
from yingda.domain.conversation import ConversationState
from yingda.domain.handoff import CustomerProfile, HandoffPackage, TurnRecord
from yingda.domain.knowledge import Sentiment
from yingda.domain.takeover import Handoff

LONGEST_SUMMARY = 120
"""Characters of a summary: what an agent takes in at a glance."""

SUGGESTED = 3
"""Entries suggested to the agent."""

_BETWEEN = " … "
_STRENGTH = {Sentiment.POSITIVE: 0, Sentiment.NEUTRAL: 0, Sentiment.NEGATIVE: 1, Sentiment.ANGRY: 2}


def build_package(
    turns: Sequence[TurnRecord],
    *,
    handoff: Handoff,
    state: ConversationState,
    customer: CustomerProfile | None = None,
    tried: Sequence[str] = (),
    suggested: Sequence[str] = (),
) -> HandoffPackage:
    """The package of ``handoff`` after the last of ``turns``.

    ``tried`` are the ids of the entries that the customer has read about a matter, ``suggested`` those worth sending, best first.
    """
    read = tuple(dict.fromkeys(tried))
    return HandoffPackage(
        reasons=handoff.reasons,
        skill=handoff.skill,
        priority=handoff.priority,
        notify=handoff.notify,
        tags=handoff.tags,
        summary=summarise(turns),
        customer=customer,
        transcript=tuple(turns),
        intents=tuple(intent for intent, _ in groupby(turn.intent for turn in turns)),
        sentiments=tuple(turn.sentiment for turn in turns),
        suggested=tuple(entry for entry in dict.fromkeys(suggested) if entry not in read)[:SUGGESTED],
        tried=read,
        facts=state.facts,
    )


def summarise(turns: Sequence[TurnRecord]) -> str:
    """At most LONGEST_SUMMARY characters in the customer's own words: first question, strongest feeling, last question.

    Extraction by place and cue (Edmundson 1969, "New methods in automatic extracting", J. ACM 16): in a service chat the
    matter stands at the start, what is still open at the end. Texts that are too long share the room evenly.
    """
    spoken = [turn for turn in turns if turn.text_masked.strip()]
    telling = [turn for turn in spoken if turn.intent not in NO_MATTER] or spoken
    if not telling:
        return ""
    strongest = max(spoken, key=lambda turn: _STRENGTH[turn.sentiment])
    chosen = {id(telling[0]), id(telling[-1])} | ({id(strongest)} if _STRENGTH[strongest.sentiment] else set())
    texts = list(dict.fromkeys(" ".join(turn.text_masked.split()) for turn in spoken if id(turn) in chosen))
    return _BETWEEN.join(_fit(texts, LONGEST_SUMMARY - len(_BETWEEN) * (len(texts) - 1)))


def _fit(texts: Sequence[str], room: int) -> list[str]:
    """``texts`` in ``room`` characters: the short ones whole, the long ones cut to an equal share of what is left."""
    lengths = dict[int, int]()
    for left, place in enumerate(sorted(range(len(texts)), key=lambda place: len(texts[place]))):
        share = (room - sum(lengths.values())) // (len(texts) - left)
        lengths[place] = min(len(texts[place]), share)
    return [_cut(text, lengths[place]) for place, text in enumerate(texts)]


def _cut(text: str, length: int) -> str:
    """The first ``length`` characters; a placeholder such as 〔手机号〕 is never cut in half."""
    if len(text) <= length:
        return text
    kept = text[: length - 1]
    opened = kept.rfind("〔")
    return f"{kept[:opened] if opened > kept.rfind('〕') else kept}…"
