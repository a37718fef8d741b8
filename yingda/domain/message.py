"""What comes in: one customer's message with what the caller knows about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from yingda.domain.errors import MessageError

MAX_CHARACTERS = 2000
"""Longest message accepted, in characters after trimming."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Channel(StrEnum):
    """Where the message came from."""

    WEB = "web"
    APP = "app"
    WECHAT = "wechat"
    EMAIL = "email"
    SMS = "sms"
    PHONE = "phone"


class Tier(StrEnum):
    """How the shop ranks a customer."""

    VIP = "vip"
    NORMAL = "normal"
    POTENTIAL = "potential"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who wrote, as far as the caller says; replies use surname and title only."""

    id: str
    name: str | None = None
    gender: str | None = None
    tier: Tier = Tier.NORMAL


@dataclass(frozen=True, slots=True)
class CustomerProfile:
    """What is remembered of a customer and what an agent learns: tier, and surname with title only (王女士)."""

    tier: Tier
    address: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; ``context`` holds values for the pack's context variables, such as ``订单号``.

    ``at`` is when it arrived, with offset; without it nothing depends on the time (no 早上好, no opening hours), so that
    a decision can be made again bit for bit. ``caller`` is the program that sent it, by the id of its key: message ids are its own.
    """

    text: str
    channel: Channel = Channel.WEB
    language: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    customer: Customer | None = None
    context: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    at: datetime | None = None
    caller: str | None = None

    def __post_init__(self) -> None:
        check_text(self.text)


def check_text(text: str) -> None:
    """Raise MessageError when ``text`` is blank, too long, or not valid Unicode; the text is never repeated."""
    if len(text) > 4 * MAX_CHARACTERS:
        # before any loop over the text: blanks around a message cost time too
        detail = f"text has {len(text):,} characters with its blanks; send at most {MAX_CHARACTERS:,}"
        raise MessageError(detail, code="text_too_long", field="text")
    length = len(text.strip())
    if length == 0:
        raise MessageError("text is empty or blank; send 1 to 2,000 characters", code="text_blank", field="text")
    if length > MAX_CHARACTERS:
        detail = f"text has {length:,} characters after trimming; send at most {MAX_CHARACTERS:,}"
        raise MessageError(detail, code="text_too_long", field="text")
    if _SURROGATE.search(text):
        raise MessageError("text holds a lone surrogate; send valid Unicode", code="text_not_unicode", field="text")
    if "\x00" in text:
        raise MessageError("text holds a NUL character; remove it", code="text_has_nul", field="text")
