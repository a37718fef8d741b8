"""What another configuration would change: decisions side by side, counted and priced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from types import MappingProxyType
from typing import Any

from yingda.replay.records import PastTurn, Seen
from yingda.replay.run import Step

SERVED = "served"
"""The name of what customers were told then; the other names are those of the configurations replayed."""

ASPECTS = (
    *("outcome", "entry", "intent", "sentiment", "reasons", "skill", "priority", "tags", "notify"),
    *("missing", "second_response", "template", "blocked", "reply"),
)
"""In what two decisions can differ; scores are compared by ``identical`` alone."""

EXAMPLES = 3
"""Turns shown for each kind of change."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Minutes of an agent that one hand-off takes: ``usual``, or that of its reason; several reasons cost the most of theirs."""

    usual: float = 6.0
    by_reason: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, seen: Seen) -> float:
        """Minutes of a hand-off that begins with this decision."""
        return max((self.by_reason.get(reason, self.usual) for reason in seen.reasons), default=self.usual)


@dataclass(frozen=True, slots=True)
class Side:
    """One configuration in numbers: outcomes of turns, and hand-offs begun, by reason, with what they cost an agent."""

    outcomes: Mapping[str, int]
    handoffs: int
    reasons: Mapping[str, int]
    minutes: float


@dataclass(frozen=True, slots=True)
class IntentRow:
    """One intent (as decided before): turns, how many change, and how many are answered and handed over, before and after."""

    intent: str
    turns: int
    changed: int
    answered: tuple[int, int]
    handed_off: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Example:
    """A turn that would be told something else; its text is masked as it is stored."""

    turn: PastTurn
    before: Seen
    after: Seen
    aspects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Two configurations on the same turns. ``aspects`` counts turns that differ in each; ``moves`` counts outcomes before
    and after; ``examples`` holds a few turns of each kind of change, the same ones each time, ``changes`` all of them."""

    before_name: str
    after_name: str
    turns: int
    conversations: int
    changed: int
    aspects: Mapping[str, int]
    moves: Mapping[tuple[str, str], int]
    before: Side
    after: Side
    intents: tuple[IntentRow, ...]
    examples: Mapping[str, tuple[Example, ...]]
    changes: tuple[Example, ...] = ()

    def fields(self, *, mask: Callable[[str], str], changes: bool = False) -> dict[str, Any]:
        """Everything as plain JSON values; texts go through ``mask`` once more. ``changes`` adds every changed turn, without its texts."""
        every = {"changes": [_change_fields(each) for each in self.changes]} if changes else {}
        return {
            "before": {"name": self.before_name, **_side_fields(self.before)},
            "after": {"name": self.after_name, **_side_fields(self.after)},
            "turns": self.turns,
            "conversations": self.conversations,
            "changed": self.changed,
            "aspects": dict(self.aspects),
            "moves": [{"before": was, "after": now, "turns": count} for (was, now), count in sorted(self.moves.items())],
            "intents": [
                {
                    "intent": row.intent,
                    "turns": row.turns,
                    "changed": row.changed,
                    "answered": {"before": row.answered[0], "after": row.answered[1]},
                    "handed_off": {"before": row.handed_off[0], "after": row.handed_off[1]},
                }
                for row in self.intents
            ],
            "examples": {kind: [_example_fields(each, mask) for each in some] for kind, some in self.examples.items()},
            **every,
        }


def aspects_of(before: Seen, after: Seen) -> tuple[str, ...]:
    """In what the two differ, as far as both are known."""
    found = before.differing(after)
    return tuple(name for name in ASPECTS if name in found)


def identical(before: Seen, after: Seen) -> bool:
    """True when nothing differs of what both hold, scores included."""
    return not before.differing(after)


def compare(steps: Iterable[Step], *, before: str, after: str, costs: Costs | None = None, examples: int = EXAMPLES) -> Difference:
    """What changes from ``before`` to ``after`` (names of configurations, or SERVED); turns that lack one are left out."""
    pairs = [(step.turn, was, now) for step in steps if (was := _said(step, before)) and (now := _said(step, after))]
    costs = costs or Costs()
    differing = [Example(turn, was, now, found) for turn, was, now in pairs if (found := aspects_of(was, now))]
    return Difference(
        before_name=before,
        after_name=after,
        turns=len(pairs),
        conversations=len({_conversation(turn) for turn, _, _ in pairs}),
        changed=len(differing),
        aspects=MappingProxyType({name: sum(name in each.aspects for each in differing) for name in ASPECTS}),
        moves=MappingProxyType(Counter((was.outcome, now.outcome) for _, was, now in pairs)),
        before=_side([(turn, was) for turn, was, _ in pairs], costs),
        after=_side([(turn, now) for turn, _, now in pairs], costs),
        intents=_by_intent(pairs),
        examples=_examples(differing, examples),
        changes=tuple(differing),
    )


def _said(step: Step, name: str) -> Seen | None:
    return (step.turn.served if step.turn.sent else None) if name == SERVED else step.said.get(name)


def _conversation(turn: PastTurn) -> tuple[str, str]:
    return ("c", turn.conversation_id) if turn.conversation_id else ("t", turn.turn_id)


def _side(said: Sequence[tuple[PastTurn, Seen]], costs: Costs) -> Side:
    """A hand-off begins where the turn before it was none, or where a person had let go; only that turn costs."""
    begun: list[Seen] = []
    for _, turns in groupby(sorted(said, key=lambda item: _order(item[0])), key=lambda item: _conversation(item[0])):
        standing = False
        for turn, seen in turns:
            if seen.handed_off and (turn.released or not standing):
                begun.append(seen)
            # thanks after a hand-off are answered and release nothing; in older records any other word of the bot shows that nothing stands
            told = standing and not turn.released and seen.outcome == "answered"
            standing = seen.handed_off or (told if seen.standing is None else seen.standing)
    outcomes = Counter(seen.outcome for _, seen in said)
    reasons = Counter(reason for seen in begun for reason in seen.reasons)
    return Side(MappingProxyType(outcomes), len(begun), MappingProxyType(reasons), sum(map(costs.of, begun)))


def _order(turn: PastTurn) -> tuple[Any, ...]:
    return (*_conversation(turn), turn.at, turn.turn_id)


def _by_intent(pairs: Sequence[tuple[PastTurn, Seen, Seen]]) -> tuple[IntentRow, ...]:
    rows: dict[str, list[tuple[Seen, Seen]]] = {}
    for _, was, now in pairs:
        rows.setdefault(was.intent, []).append((was, now))
    counted = [_intent_row(intent, both) for intent, both in rows.items()]
    return tuple(sorted(counted, key=lambda row: (-row.changed, -row.turns, row.intent)))


def _intent_row(intent: str, both: Sequence[tuple[Seen, Seen]]) -> IntentRow:
    def count(outcome: str) -> tuple[int, int]:
        return sum(was.outcome == outcome for was, _ in both), sum(now.outcome == outcome for _, now in both)

    return IntentRow(intent, len(both), sum(bool(aspects_of(*pair)) for pair in both), count("answered"), count("handoff"))


def _kind(example: Example) -> str:
    if example.before.outcome != example.after.outcome:
        return f"{example.before.outcome} -> {example.after.outcome}"
    return example.aspects[0]


def _examples(differing: Iterable[Example], count: int) -> Mapping[str, tuple[Example, ...]]:
    """A few of each kind, drawn by the hash of their ids: no kind of customer or time of day comes first."""
    kinds: dict[str, list[Example]] = {}
    for example in differing:
        kinds.setdefault(_kind(example), []).append(example)
    chosen = {kind: tuple(sorted(some, key=lambda each: _draw(each.turn))[:count]) for kind, some in sorted(kinds.items())}
    return MappingProxyType(chosen)


def _draw(turn: PastTurn) -> bytes:
    return blake2b(turn.turn_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _side_fields(side: Side) -> dict[str, Any]:
    outcomes, reasons = dict(sorted(side.outcomes.items())), dict(sorted(side.reasons.items()))
    return {"outcomes": outcomes, "handoffs": side.handoffs, "reasons": reasons, "minutes": round(side.minutes, 1)}


def _change_fields(change: Example) -> dict[str, Any]:
    """What differs of one turn; that its reply does is told, the texts are not."""
    named = [name for name in change.aspects if name != "reply"]
    sides = {side: {name: getattr(seen, name) for name in named} for side, seen in (("before", change.before), ("after", change.after))}
    return {"turn_id": change.turn.turn_id, "differs_in": list(change.aspects), **sides}


def _example_fields(example: Example, mask: Callable[[str], str]) -> dict[str, Any]:
    sides = {name: {**seen.fields(), "reply": mask(seen.reply)} for name, seen in (("before", example.before), ("after", example.after))}
    turn = example.turn
    return {"turn_id": turn.turn_id, "at": turn.at.isoformat(), "text": mask(turn.text), "differs_in": list(example.aspects), **sides}
