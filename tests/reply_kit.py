"""Replies of the retail pack for tests: every outcome, channel and language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from yingda.domain.decision import Outcome, Reply
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Channel, Customer, Message
from yingda.pack import read_knowledge
from yingda.reply.compose import ReplyRequest, compose

ROOT = Path(__file__).parents[1]
LANGUAGES = ("zh", "en")
BEIJING = timezone(timedelta(hours=8))
OPEN = datetime(2026, 11, 25, 15, 0, tzinfo=BEIJING)
LATE = datetime(2026, 11, 25, 21, 0, tzinfo=BEIJING)
CLOSED = datetime(2026, 11, 25, 23, 0, tzinfo=BEIJING)
WANG = Customer("c-1", name="王小红", gender="female")

SITUATIONS: Mapping[str, Mapping[str, Any]] = {
    "answered": {"outcome": Outcome.ANSWERED, "entry": "product-material"},
    "answered, facts missing": {"outcome": Outcome.ANSWERED, "entry": "product-material", "missing": ("product",)},
    "answered, customer upset": {"outcome": Outcome.ANSWERED, "entry": "product-material", "soothing": True},
    "small talk": {"outcome": Outcome.ANSWERED, "intent": "GENERAL_THANKS"},
    "clarify": {"outcome": Outcome.CLARIFY},
    "fragment": {"outcome": Outcome.CLARIFY, "situation": "fragment"},
    "acknowledged": {"outcome": Outcome.CLARIFY, "situation": "acknowledged"},
    "displeased without a matter": {"outcome": Outcome.CLARIFY, "situation": "heard"},
    "asks whether it is a robot": {"outcome": Outcome.CLARIFY, "situation": "identity"},
    "waits for a reply": {"outcome": Outcome.CLARIFY, "situation": "nudged"},
    "gives up": {"outcome": Outcome.ANSWERED, "intent": "GENERAL_THANKS", "situation": "resigned"},
    "no answer": {"outcome": Outcome.NO_ANSWER},
    "second response": {"outcome": Outcome.ANSWERED, "entry": "product-material", "second_response": True},
    "a variable is missing": {"outcome": Outcome.ANSWERED, "answer": "您的订单{订单号}由{物流公司}承运。"},
    "personal data blocked": {"outcome": Outcome.ANSWERED, "answer": "请打 13812345678。"},
    "hand-off": {"outcome": Outcome.HANDOFF, "at": OPEN},
    "hand-off, late": {"outcome": Outcome.HANDOFF, "at": LATE},
    "hand-off, closed": {"outcome": Outcome.HANDOFF, "at": CLOSED},
    "hand-off, customer upset": {"outcome": Outcome.HANDOFF, "soothing": True},
    "hand-off standing": {"outcome": Outcome.NO_ANSWER, "standing": True},
    "hand-off standing, closed": {"outcome": Outcome.NO_ANSWER, "standing": True, "at": CLOSED},
}
"""What can happen, by the name a person knows it by."""


@cache
def retail() -> Knowledge:
    """The retail pack as an engine knows it."""
    return read_knowledge(ROOT / "data" / "packs" / "retail")


def reply_in(
    situation: str,
    *,
    channel: Channel = Channel.WEB,
    language: str = "zh",
    customer: Customer | None = WANG,
    context: Mapping[str, str] | None = None,
    knowledge: Knowledge | None = None,
    at: datetime | None = None,
) -> Reply:
    """The retail shop's reply in one of ``SITUATIONS``."""
    shop, facts = knowledge or retail(), dict(SITUATIONS[situation])
    entry = shop.faq[facts.pop("entry")] if "entry" in facts else None
    if "answer" in facts:
        answer = facts.pop("answer")
        entry = replace(shop.faq["product-material"], answer={"zh": answer, "en": answer})
    intent = shop.taxonomy.intents[facts.pop("intent", entry.intent if entry else "PRODUCT_INFO")]
    if intent.code == "GENERAL_THANKS":
        entry = next(found for found in shop.faq.values() if found.intent == intent.code)
    message = Message("…", channel=channel, customer=customer, context=context or {}, at=facts.pop("at", at))
    offered = tuple(list(shop.faq.values())[:2])
    return compose(ReplyRequest(message, language, facts.pop("outcome"), intent, entry, offered, facts.pop("missing", ()), **facts), shop)
