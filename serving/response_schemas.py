"""What callers receive; fields may be added within a version, never removed or given another meaning."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from serving.errors import Problem
from yingda.domain.decision import Acceptance, Outcome, Reason
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.rollout import Arm

Confidence = Annotated[float, Field(ge=0, le=1, description="Calibrated probability that this item is right.")]


class LanguageOut(BaseModel):
    """Detected or given language."""

    code: str = Field(description="ISO 639-1 code, `und` when unknown.")
    confidence: Confidence


class IntentOut(BaseModel):
    """The best intent, also when the engine abstains."""

    code: str
    name: str = Field(description="Display name in the language of the message where the taxonomy has it.")
    category: str
    confidence: Confidence


class RankedIntent(BaseModel):
    """One intent of the ranking."""

    code: str
    confidence: Confidence


class SentimentOut(BaseModel):
    """How the customer feels."""

    label: Sentiment
    confidence: Confidence
    scores: dict[Sentiment, Confidence]


class KeywordOut(BaseModel):
    """A term of the keyword library found in the message."""

    text: str
    intent: str = Field(description="The intent it speaks for.")


class EntityOut(BaseModel):
    """A fact found in the message, masked."""

    type: str
    text: str
    start: int = Field(description="First character in the text as sent.")
    end: int = Field(description="Character after the last.")


class ModelOut(BaseModel):
    """The bundle that decided."""

    version: str
    sha256: str


class ClassifyTiming(BaseModel):
    """Milliseconds spent a message; a batch's shared work is divided evenly."""

    total: float
    tokenize: float
    encode: float
    decide: float


class AnswerTiming(BaseModel):
    """Milliseconds spent a message."""

    total: float


class ClassifyResponse(BaseModel):
    """What a message is about."""

    language: LanguageOut
    intent: IntentOut
    decision: Acceptance = Field(
        description="`accept`: confidence above the promised threshold. `ambiguous`: two intents too close, both in "
        "`ranking`. `abstain`: nothing fits; `intent` is still the best guess."
    )
    ranking: list[RankedIntent] = Field(description="In falling order of confidence.")
    sentiment: SentimentOut
    priority: Priority
    keywords: list[KeywordOut]
    entities: list[EntityOut]
    model: ModelOut
    timing_ms: ClassifyTiming


class ReplyPartsOut(BaseModel):
    """The five parts of the reply; a part may be empty."""

    greeting: str
    confirm: str
    solution: str
    next: str
    closing: str


class TemplateOut(BaseModel):
    """The template version a reply came from."""

    id: str
    version: str


class ReplyOut(BaseModel):
    """What to send to the customer."""

    text: str
    parts: ReplyPartsOut
    template: TemplateOut
    language: str
    subject: str | None = Field(description="Subject line of an e-mail.")
    segments: list[str] = Field(description="The messages that a short message is sent as; joined they are `text`.")
    blocked: list[str] = Field(description="Kinds of personal data for which another reply was held back; this one stands in its place.")


class FaqOut(BaseModel):
    """The FAQ entry that was sent."""

    id: str
    question: str = Field(description="The entry's question in the customer's language where it has it, else in that of the reply.")
    confidence: Confidence


class CandidateOut(BaseModel):
    """A FAQ entry that was considered."""

    id: str
    confidence: Confidence
    similarity: float = Field(description="Raw cosine similarity; never compare it with a confidence.")


class HandoffOut(BaseModel):
    """Whether a person takes over, why, and who."""

    required: bool
    reasons: list[Reason]
    skill: str | None
    priority: Priority
    notify: list[str] = Field(description="Who is told besides the group that takes over.")
    tags: list[str] = Field(description="Tags that the rules set.")
    released: bool = Field(description="False while the conversation waits for a person.")


class RolloutOut(BaseModel):
    """Which arm of a roll-out the message is in, and whether the reply may be sent."""

    arm: Arm = Field(
        description="`automated`: this release answers. `human`: a person. `control`: the release of today. `shadow`: as before."
    )
    release: str = Field(description="The release that decided: the name in the roll-out's plan, else the model's version.")
    send: bool = Field(
        description="False in the arms `human`, `control` and `shadow`: do not send `reply`. There `outcome`, `reply` and `handoff` show "
        "what the release would have done; a person, or the release of today, answers, and no hand-off is opened."
    )
    revision: int | None = Field(description="The revision of the plan that drew the arm; null where nothing is rolled out.")


class ExplanationStep(BaseModel):
    """One line of evidence for the decision."""

    step: str
    detail: str


class RuleStep(BaseModel):
    """A row of the operator's rules that took part in the decision."""

    step: Literal["rule"]
    id: str = Field(description="The row's id.")
    fired: bool = Field(description="True where the row held and set what it sets.")


class AnswerResponse(BaseModel):
    """The whole decision about a message and the reply."""

    outcome: Outcome = Field(
        description="`answered`: a FAQ entry is sent. `clarify`: asks for `missing` facts or between two close "
        "entries. `handoff`: a person takes over. `no_answer`: nothing fits; the reply offers the way to a person."
    )
    reply: ReplyOut
    faq: FaqOut | None = Field(description="Null unless answered.")
    candidates: list[CandidateOut] = Field(description="The best entries, always.")
    classification: ClassifyResponse
    missing: list[str] = Field(description="Facts the reply asks for.")
    handoff: HandoffOut
    second_response: bool = Field(description="Marks the reply after a first dissatisfied message.")
    rollout: RolloutOut
    explanation: list[ExplanationStep | RuleStep] = Field(
        description="Evidence, step by step; one step for each row of the rules that fired."
    )
    answer_id: str = Field(description="ULID of this answer.", examples=["01JD0Z5T9V8M3K7Q2W4X6Y1ABC"])
    stored: bool = Field(
        default=True,
        description="True once the turn is on the disk. False for `dry_run`, and where nothing could be written: the reply holds, "
        "but it is not found again by its `message_id` or `answer_id`.",
    )
    timing_ms: AnswerTiming


class ItemProblem(BaseModel):
    """An item of a batch that failed; pointers count from the whole body."""

    status: int
    problem: Problem


class ClassifyItemResult(BaseModel):
    """An item of a batch that was classified."""

    status: Literal[200]
    result: ClassifyResponse


class AnswerItemResult(BaseModel):
    """An item of a batch that was answered."""

    status: Literal[200]
    result: AnswerResponse


class ClassifyBatchResponse(BaseModel):
    """One result for each item, in order."""

    results: list[ClassifyItemResult | ItemProblem]


class AnswerBatchResponse(BaseModel):
    """One result for each item, in order."""

    results: list[AnswerItemResult | ItemProblem]


class TaxonomyIntent(BaseModel):
    """One intent of the taxonomy."""

    code: str
    names: dict[str, str] = Field(description="Display name by language.")
    kind: str
    priority: Priority
    skill: str
    answerable: bool = Field(description="False where no FAQ entry may close the message on its own.")
    covers: str
    excludes: str


class TaxonomyCategory(BaseModel):
    """First level of the taxonomy with its intents."""

    code: str
    names: dict[str, str]
    intents: list[TaxonomyIntent]


class IntentsResponse(BaseModel):
    """The taxonomy, in the order of its file."""

    version: int
    categories: list[TaxonomyCategory]


class LiveResponse(BaseModel):
    """The process is up."""

    status: Literal["ok"]


class KnowledgeState(BaseModel):
    """The knowledge in use, and since when newer knowledge could not take its place."""

    version: int
    since: datetime = Field(description="When the engine in use was built.")
    failing: str | None = Field(description="Code of what keeps newer knowledge out, such as `knowledge_not_built`; the log says more.")
    failing_since: datetime | None


class BundleFailingOut(BaseModel):
    """Why the bundle on the disk is not the one in use; the log says more."""

    code: str = Field(description="`bundle_refused`, `bundle_not_opened`, or the code of a store that fails.")
    since: datetime


class StoreState(BaseModel):
    """How the store of conversations fares; replies go on while it is away."""

    down_since: datetime | None = Field(description="Since when it is away; null while it answers.")
    code: str | None = Field(description="What is wrong with it, such as `store_unreachable` or `store_full`.")
    waiting: int = Field(description="Turns and feedback that wait for it.")
    unsaved: int = Field(description="Of these, those in no journal either: they end with the process.")
    lost: int = Field(description="Turns that were answered and are recorded nowhere, since the process began.")
    damaged: int = Field(description="Places in journals that could not be read, with what stood there, since the process began.")


class ReadyResponse(BaseModel):
    """The bundle is loaded and has decided its first message."""

    status: Literal["ready"]
    bundle: ModelOut
    bundle_failing: BundleFailingOut | None = Field(default=None, description="Null where the bundle on the disk is the one in use.")
    knowledge: KnowledgeState | None = Field(default=None, description="Null where knowledge is that of the pack and never changes.")
    store: StoreState | None = Field(default=None, description="Null where conversations are kept in the process alone.")
