"""Schemas of a replay: the change to try, and what it would change."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from serving.request_schemas import Clean, Strict
from yingda.domain.decision import Outcome, Reason

MAX_TURNS = 5_000
MAX_ENTRIES = 500

_TIME_FORM: dict[str, Any] = {"format": "date-time", "examples": ["2026-11-01T00:00:00+08:00"]}
Time = Annotated[str, Field(max_length=40, description="RFC 3339 with offset.", json_schema_extra=_TIME_FORM), Clean]


class ReplayRequest(Strict):
    """Which stored messages to decide again, and with what: either rules or entries."""

    since: Time
    until: Time | None = Field(default=None, description="The time before which messages are read.")
    limit: int = Field(default=1_000, ge=1, le=MAX_TURNS, description="Messages at most, the first of that time.")
    rules: dict[str, Any] | None = Field(default=None, description="A GoRules JDM document, in place of all rules in use.")
    faq: list[dict[str, Any]] | None = Field(
        default=None, min_length=1, max_length=MAX_ENTRIES, description="Entries as in /v1/faq, added to those in use or in place of them."
    )
    examples: int = Field(default=3, ge=1, le=20, description="Messages shown for each kind of change.")


class SideOut(BaseModel):
    """One configuration in numbers."""

    outcomes: dict[Outcome, int]
    handoffs: int = Field(description="Hand-offs begun; one that stands counts once.")
    reasons: dict[Reason, int]
    minutes: float = Field(description="Minutes of agents that these hand-offs take, at 6 each.")


class MoveOut(BaseModel):
    """How many messages move from one outcome to another."""

    before: Outcome
    after: Outcome
    turns: int


class PairOut(BaseModel):
    """A count before and after."""

    before: int
    after: int


class IntentChangeOut(BaseModel):
    """One intent, as decided today."""

    intent: str
    turns: int
    changed: int
    answered: PairOut
    handed_off: PairOut


class SeenOut(BaseModel):
    """A decision as customers and agents notice it; the reply is masked."""

    outcome: Outcome
    intent: str
    sentiment: str
    entry: str | None
    reasons: list[Reason]
    skill: str | None
    priority: str
    tags: list[str] = Field(description="Tags that rules set.")
    notify: list[str] = Field(description="Who is told besides.")
    missing: list[str]
    second_response: bool
    template: str = Field(description="Id of the reply's template.")
    blocked: list[str] = Field(description="Kinds of personal data that kept another reply from being sent.")
    reply: str
    best: str | None = Field(description="The entry that fits best.")
    scores: list[float] = Field(description="Confidences of intent and sentiment, then confidence and similarity of the best entry.")


class ExampleOut(BaseModel):
    """A message that would be told something else; masked."""

    answer_id: str
    at: datetime
    text: str
    differs_in: list[str]
    before: SeenOut
    after: SeenOut


class KindOut(BaseModel):
    """Examples of one kind of change, such as `answered -> handoff`."""

    kind: str
    examples: list[ExampleOut]


class ReplayResponse(BaseModel):
    """What the change would have changed: today's configuration and the changed one, both over the same messages."""

    turns: int
    conversations: int
    changed: int = Field(description="Messages that would be told something else.")
    complete: bool = Field(description="False when `limit` left messages out.")
    before: SideOut
    after: SideOut
    moves: list[MoveOut]
    aspects: dict[str, int] = Field(description="In how many messages each part of the decision differs.")
    intents: list[IntentChangeOut] = Field(description="The most changed first.")
    examples: list[KindOut]
