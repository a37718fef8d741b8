"""Schemas of conversations, decisions and feedback: what callers send and receive."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from serving.request_schemas import Clean, Id, Strict
from yingda.domain.decision import Outcome, Reason

MAX_COMMENT = 1000

ReplayedWord = Literal["identical", "same_decision", "same_decision_masked", "other_versions", "text_masked", "differs"]
Label = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class FeedbackRequest(Strict):
    """What somebody thought of an answer; the same feedback sent again counts once."""

    answer_id: Id
    message_id: Id | None = Field(
        default=None, description="Your id of this feedback: sent again it counts once, with another body it is 409."
    )
    rating: int | None = Field(default=None, ge=1, le=5, description="1 (poor) to 5 (good).")
    helpful: bool | None = None
    reasons: list[Label] = Field(default_factory=list, max_length=16)
    correct_intent: Label | None = Field(default=None, description="Code of the intent that would have been right.")
    correct_faq: Label | None = Field(default=None, description="Id of the entry that would have been right.")
    comment: Annotated[str, Field(max_length=MAX_COMMENT), Clean] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> FeedbackRequest:
        if self.rating is None and self.helpful is None and self.correct_intent is None and self.correct_faq is None:
            raise PydanticCustomError("says_nothing", "send rating, helpful, correct_intent or correct_faq")
        return self


class FeedbackResponse(BaseModel):
    """The feedback is durable."""

    answer_id: str
    counted: bool = Field(description="False when the same feedback was stored before.")


class ReleaseRequest(Strict):
    """Who gives the conversation back to the bot."""

    by: Id = Field(description="Name or id of the agent, for the record.")


class ReleaseResponse(BaseModel):
    """The bot may speak again."""

    conversation_id: str
    released: bool = Field(description="Always true; releasing twice does no harm.")


class OriginalOut(BaseModel):
    """What the customer wrote, unmasked, and the shop's id of them."""

    text: str
    customer: str | None


class TurnOut(BaseModel):
    """One message of a conversation and what was decided; the text is masked."""

    answer_id: str
    at: datetime
    message_id: str | None
    text: str
    reply: str
    outcome: Outcome
    intent: str
    sentiment: str
    faq: str | None
    reasons: list[Reason]
    original: OriginalOut | None = Field(
        default=None, description="Only with `unmask=true`; null where no original was kept, as before vault keys were configured."
    )


class ProfileOut(BaseModel):
    """What the agent learns of the customer: never the name or the id."""

    tier: str = Field(description="`vip`, `normal` or `potential`.")
    address: str = Field(description="Surname and title (王女士); empty where they are not known.")


class TranscriptTurnOut(BaseModel):
    """One turn as the agent sees it, masked; a reply that was not sent is none."""

    at: datetime | None
    text_masked: str
    outcome: str
    intent: str
    sentiment: str
    faq: str | None = None
    reply_text: str = ""


class HandoffPackageOut(BaseModel):
    """What the agent is given, as it was written when the person was called; what an older version did not write is null or empty.

    Words are those of the version that wrote it, so that a newer one's package can be read.
    """

    model_config = ConfigDict(extra="allow")

    reasons: list[str] = []
    skill: str | None = Field(default=None, description="The group that takes over.")
    priority: str | None = Field(default=None, description="How soon: `high`, `medium` or `low`.")
    notify: list[str] = Field(default=[], description="Who is to be told besides, such as `supervisor`.")
    tags: list[str] = Field(default=[], description="Tags set by the operator's rules.")
    summary: str = Field(default="", description="First question, strongest feeling and last question in the customer's words, masked.")
    customer: ProfileOut | None = None
    transcript: list[TranscriptTurnOut] = []
    intents: list[str] = Field(default=[], description="Codes in order, repetitions in a row told once.")
    sentiments: list[str] = Field(default=[], description="One a turn.")
    suggested: list[str] = Field(default=[], description="Entries worth sending that the customer has not read.")
    tried: list[str] = Field(default=[], description="Entries the customer has read, small talk aside.")
    facts: list[str] = Field(default=[], description="Kinds of fact that the customer gave, such as `order_no`; never their values.")


class HandoffRecordOut(BaseModel):
    """A hand-off: why, since when, what the agent was given, and when it was released."""

    reasons: list[Reason]
    opened_at: datetime
    released_at: datetime | None
    released_by: str | None
    package: HandoffPackageOut


class ConversationResponse(BaseModel):
    """A conversation as it is stored."""

    conversation_id: str
    standing: list[Reason] = Field(description="Reasons for which a person has the conversation; empty when the bot has it.")
    turns: list[TurnOut]
    handoffs: list[HandoffRecordOut]


class VersionsOut(BaseModel):
    """What decided."""

    release: str | None
    bundle_sha256: str | None
    knowledge: str | None


class ThresholdsOut(BaseModel):
    """Confidences from which the engine acts."""

    match: float
    intent: float
    ambiguity: float
    clarify: float
    angry: float
    angry_beside: float = Field(description="Confidence from which anger is a further reason of a hand-off that is urgent without it.")


class FiredRuleOut(BaseModel):
    """A row of the operator's rules that fired."""

    id: str
    document: str | None = Field(description="Name of the rule document; null once the knowledge has changed.")
    description: str | None
    sets: dict[str, Any] = Field(description="What the row sets: action, priority, skill, template, tags, notify.")


class DecidedOut(BaseModel):
    """What would be decided."""

    outcome: Outcome
    entry: str | None
    reasons: list[Reason]
    skill: str | None
    priority: str | None
    notify: list[str]


class FlipOut(BaseModel):
    """One change that alone would have flipped the decision."""

    change: str = Field(description="What would move.", examples=["match_confidence", "repeats_so_far", "tier", "rule vip-complaint"])
    now: float | int | str | bool
    then: float | int | str | bool
    size: float = Field(description="How large the change is; comparable between changes, smallest first.")
    zh: str
    en: str
    after: DecidedOut


class BasisReasonOut(BaseModel):
    """Why the versions that decided cannot be had."""

    code: Literal["other_bundle", "no_records", "not_reproduced"]
    zh: str
    en: str


class DecisionResponse(BaseModel):
    """A decision with its evidence, as it was made, and what would have flipped it."""

    answer_id: str
    conversation_id: str
    at: datetime
    text: str = Field(description="The customer's message, masked.")
    versions: VersionsOut
    answer: dict[str, Any] = Field(description="The answer as it was served.")
    state: dict[str, Any] = Field(description="The conversation after the decision.")
    keywords: list[dict[str, Any]] = Field(description="Words of the keyword library found in the message, with the intent they speak for.")
    rules: list[FiredRuleOut] = Field(description="Rows of the operator's rules that fired, in their order.")
    thresholds: ThresholdsOut | None = Field(description="Confidences in force; null once another bundle is in use.")
    limits: dict[str, int] | None = Field(description="Counts that call a person; null where the knowledge of then cannot be had.")
    basis: Literal["in_use", "rebuilt", "today"] = Field(
        description="By which versions the decision is explained: those `in_use`, which decided it; those of then, `rebuilt` from the "
        "records of the store; or those of `today`, where the ones of then cannot be had."
    )
    basis_reason: BasisReasonOut | None = Field(description="Why it is `today`'s; null otherwise.")
    today: DecidedOut | None = Field(
        description="With the basis `today`: what would be decided now, which `would_flip` is about; null otherwise."
    )
    replayed: ReplayedWord = Field(
        description="Deciding the stored message once more: `identical` in everything seen; `same_decision` in all but the reply's "
        "wording and the facts asked for, since names and context values are not stored; `same_decision_masked`: without its personal "
        "data the message has the same outcome, entry and reasons, with other scores; `other_versions`: see `basis`; `text_masked`: "
        "without its personal data it is decided otherwise; `differs` for something else that is not stored."
    )
    text_read: Literal["original", "masked"] = Field(
        description="What was decided once more, and what `would_flip` and `today` are about: the message as it was written, which is "
        "never shown here, or the `masked` text, where personal data was taken out, and no original is kept or the basis is `today`."
    )
    would_flip: list[FlipOut] | None = Field(
        description="The smallest single changes that flip the decision, each proved by deciding again; null unless the same was decided."
    )
