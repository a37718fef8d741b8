"""Conversations played through the dialogue that serves, with a memory of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

from evaluation.conversations.scenario import Expectation, Scenario, Turn
from yingda.dialogue import Decider, Dialogue, Request, Told, turn_record
from yingda.domain.decision import Answer, Outcome
from yingda.domain.message import Customer, Message
from yingda.store.memory import VolatileMemory

START = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
"""A working day; each turn comes a minute after the one before, so that a run repeats."""


@dataclass(frozen=True, slots=True)
class Played:
    """A turn as it was played; ``wrong`` names what was not as expected, empty when all was.

    ``concerns_handoff`` is true for a turn that was handed off or expected to be.
    """

    scenario: str
    number: int
    text: str
    note: str
    outcome: Outcome
    faq: str | None
    reasons: tuple[str, ...]
    wrong: tuple[str, ...]
    concerns_handoff: bool
    reply: str = ""

    @property
    def handed_wrongly(self) -> bool:
        """True when the outcome or the reasons of the hand-off were not as expected."""
        return any(wrong.startswith(("reasons", "outcome")) for wrong in self.wrong)


def play(engine: Decider, scenarios: Sequence[Scenario], *, tick: Callable[[], None]) -> list[list[Played]]:
    """Every turn of every scenario, in order; ``tick`` is called after each turn."""
    numbers = count(1)
    dialogue = Dialogue(VolatileMemory(), render=_render, record=turn_record, new_id=lambda: f"{next(numbers):026d}")
    return [_play_one(dialogue, engine, scenario, tick) for scenario in scenarios]


def _render(_engine: Any, _answer: Answer, turn_id: str) -> Mapping[str, Any]:
    return {"answer_id": turn_id}


def _play_one(dialogue: Dialogue, engine: Decider, scenario: Scenario, tick: Callable[[], None]) -> list[Played]:
    played, told_before = [], dict[str, Answer]()
    for number, turn in enumerate(scenario.turns, start=1):
        message = Message(
            turn.text,
            channel=scenario.channel,
            conversation_id=scenario.id,
            message_id=turn.message_id,
            customer=Customer(f"customer of {scenario.id}", tier=scenario.tier),
            at=START + timedelta(minutes=number),
        )
        told = dialogue.take(engine, [Request(message, digest=sha256(turn.text.encode()).hexdigest())])[0]
        if not isinstance(told, Told):
            raise AssertionError("a scenario sends one id with two texts")  # read_scenarios refuses that
        answer = told.answer or told_before[told.turn_id]
        told_before[told.turn_id] = answer
        played.append(_judge(scenario, number, turn, answer))
        tick()
    return played


def _judge(scenario: Scenario, number: int, turn: Turn, answer: Answer) -> Played:
    faq = answer.faq.id if answer.faq else None
    reasons = tuple(reason.value for reason in answer.handoff.reasons)
    wrong = tuple(_wrong(turn.expect, answer, faq))
    concerns_handoff = bool(reasons or turn.expect.reasons)
    note, reply = turn.expect.note, answer.reply.text
    return Played(scenario.id, number, turn.text, note, answer.outcome, faq, reasons, wrong, concerns_handoff, reply)


def _wrong(expect: Expectation, answer: Answer, faq: str | None) -> list[str]:
    found = []
    if answer.outcome not in expect.outcomes:
        found.append(f"outcome {answer.outcome.value}, expected {' or '.join(expect.outcomes)}")
    if expect.faq and answer.outcome is Outcome.ANSWERED and faq not in expect.faq:
        found.append(f"entry {faq}, expected {' or '.join(expect.faq)}")
    if set(answer.handoff.reasons) != set(expect.reasons):
        said = ", ".join(answer.handoff.reasons) or "none"
        found.append(f"reasons {said}, expected {', '.join(expect.reasons) or 'none'}")
    if expect.priority is not None and answer.handoff.priority is not expect.priority:
        found.append(f"priority {answer.handoff.priority.value}, expected {expect.priority.value}")
    return found
