"""Conversations that the tiny engine really had, in a memory, as the service stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from serving.present import answer_out
from yingda.dialogue import Dialogue, Request, turn_record
from yingda.domain.decision import Answer
from yingda.domain.message import Customer, Message, Tier
from yingda.engine import Engine
from yingda.privacy.sealing import sealing
from yingda.store.memory import Memory
from yingda.store.vault import Vault

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

TALKS: Mapping[str, Sequence[str]] = {
    "calm": ("你好", "什么时候发货", "怎么取消", "谢谢"),
    "again": ("什么时候发货", "多久发", "到底什么时候发"),
    "facts": ("什么时候发货", "订单号是DD20260001"),
    "unclear": ("嗯", "哦", "怎么取消"),
    "person": ("转人工", "怎么取消", "RELEASE", "怎么取消", "人工"),
    "angry": ("怒怒怒", "在吗"),
    "phone": ("电话13800138000，怎么取消",),
    "hacked": ("被盗了",),
    "choice": ("发还是消", "第二个", "那发"),
}
"""By conversation what its customer wrote; RELEASE is where a person gave it back."""


def render(engine: Any, answer: Answer, turn_id: str) -> dict[str, Any]:
    """As the service tells it."""
    return answer_out(answer, knowledge=engine.knowledge, model=engine.identity, answer_id=turn_id)


def hold(
    engine: Engine,
    memory: Memory,
    talks: Mapping[str, Sequence[str]] = TALKS,
    *,
    tier: Tier | None = None,
    start: datetime = START,
    vault: Vault | None = None,
) -> None:
    """Have the conversations, side by side, a message a minute from ``start`` on; ids differ by the day of ``start``."""
    numbers = count(1)
    record = sealing(turn_record, vault)
    dialogue = Dialogue(memory, render=render, record=record, new_id=lambda: f"01K{(start - START).days:03d}{next(numbers):020d}")
    customer = Customer("u-1", tier=tier) if tier else None
    for minute in range(max(map(len, talks.values()))):
        at = start + timedelta(minutes=minute)
        for name, texts in talks.items():
            if minute < len(texts) and texts[minute] == "RELEASE":
                memory.release(name, by="agent", at=at)
            elif minute < len(texts):
                dialogue.take(engine, [Request(Message(texts[minute], conversation_id=name, customer=customer, at=at))])
