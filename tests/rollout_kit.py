"""A shop whose release is rolled out: customers who write, wait for what they are told, and write again when it did not help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from yingda.dialogue import Decider, Dialogue, Request, Told, turn_record
from yingda.domain.decision import Answer
from yingda.domain.message import Customer, Message
from yingda.domain.rollout import Arm, PlanRevision, RolloutPlan, Stage
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.rollouts import Rollouts

BEGIN = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)
RELEASE, SALT = "2026.12", "pepper"
_IDS = count(1)


def render(engine: Any, answer: Answer, turn_id: str) -> Mapping[str, Any]:
    return {"answer_id": turn_id, "outcome": answer.outcome.value, "reply": {"text": answer.reply.text}}


def dialogue(store: Store) -> Dialogue:
    """A worker of its own on ``store``, as after a restart."""
    ids = (f"{next(_IDS):026d}" for _ in count())
    return Dialogue(SqlMemory(store), render=render, record=turn_record, new_id=lambda: next(ids), plan=Rollouts(store).in_force)


def in_gray(store: Store, *, share: float = 0.5, at: datetime = BEGIN, today: Store | None = None, **fields: Any) -> PlanRevision:
    """A release in gray, put there by a person; ``today`` is the store of the release before it, where that is known."""
    rollouts = Rollouts(store, today=today)
    rollouts.start(RolloutPlan(RELEASE, SALT, share=share, **fields), by="王店长", reason="新版本", at=at)
    return rollouts.advance(by="王店长", reason="看过影子", at=at, stage=Stage.GRAY)


def asked(name: str, text: str = "什么时候发货", at: datetime = BEGIN, *, message_id: str | None = None, **fields: Any) -> Request:
    """A message of the customer of that name in their conversation, unless ``fields`` say otherwise."""
    given = {"conversation_id": f"c-{name}", "customer": Customer(name), **fields}
    return Request(Message(text, message_id=message_id, at=at, **given), "digest")


def arms(told: Sequence[Any]) -> list[Arm]:
    """The arm of each message, as the caller was told."""
    return [Arm(each.record["rollout"]["arm"]) for each in told]


def visit(store: Store, engine: Decider, customers: Sequence[str], *, right: str, at: datetime = BEGIN, seed: int = 7) -> datetime:
    """Each customer asks once, and again a minute later unless they were told what is ``right``.

    Whom a person answers asks again one time in ten, as happens. Returns the time when all conversations have ended.
    """
    talk, chance = dialogue(store), Random(seed)
    told = talk.take(engine, [asked(customer, at=at) for customer in customers])
    again = [customer for customer, each in zip(customers, told, strict=True) if not _content(each, right, chance)]
    if again:
        talk.take(engine, [asked(customer, "多久发", at + timedelta(minutes=1)) for customer in again])
    return at + timedelta(hours=2)


def _content(told: Any, right: str, chance: Random) -> bool:
    assert isinstance(told, Told)
    helped = right in told.record["reply"]["text"] if told.record["rollout"]["send"] else True
    return helped and chance.random() >= 0.1
