"""What callers send: strict schemas that refuse what the contract does not name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from serving.calls import AnswerCall, ClassifyCall
from serving.digest import digest_of
from yingda.domain.errors import MessageError
from yingda.domain.message import Channel, Customer, Message, Tier, check_text

MAX_BATCH = 256
_SURROGATE = re.compile("[\ud800-\udfff]")


def _checked_text(value: str) -> str:
    try:
        check_text(value)
    except MessageError as error:
        raise PydanticCustomError(error.code, "{detail}", {"detail": str(error)}) from None
    return value


def _clean(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "this holds a NUL character; remove it")
    if not value.isascii() and _SURROGATE.search(value):
        raise PydanticCustomError("string_unicode", "this holds a lone surrogate; send valid Unicode")
    return value


Clean = AfterValidator(_clean)
Text = Annotated[
    str,
    AfterValidator(_checked_text),
    Field(
        description="The customer's message: 1 to 2,000 characters after trimming.",
        json_schema_extra={"minLength": 1, "examples": ["快递三天没动了"]},
    ),
]
Language = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$",
        description="BCP 47 tag of the message's language; detected when absent.",
        examples=["zh"],
    ),
]
Id = Annotated[str, Field(min_length=1, max_length=128), Clean]
ShortText = Annotated[str, Field(max_length=100), Clean]
ContextKey = Annotated[str, Field(min_length=1, max_length=64), Clean]
ContextValue = Annotated[str, Field(max_length=500), Clean]


class Strict(BaseModel):
    """What every request is: no coercion, no field that the contract does not name."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ClassifyRequest(Strict):
    """One message to classify."""

    text: Text
    language: Language | None = None
    top_k: int = Field(default=3, ge=1, le=50, description="Length of `ranking`.")

    def call(self) -> ClassifyCall:
        """What is asked of the service."""
        return ClassifyCall(Message(self.text, language=self.language), self.top_k)


class CustomerIn(Strict):
    """Who wrote, as far as the caller knows."""

    id: Id
    name: ShortText | None = Field(default=None, description="Full name; replies use surname and title only.")
    gender: ShortText | None = Field(default=None, description="Chooses the title in the greeting.", examples=["female"])
    tier: Tier = Field(default=Tier.NORMAL, strict=False, description="How the shop ranks the customer.")

    def customer(self) -> Customer:
        """The customer for the engine."""
        return Customer(self.id, name=self.name, gender=self.gender, tier=self.tier)


class AnswerRequest(Strict):
    """One message to answer, with what the caller knows about it."""

    text: Text
    conversation_id: Id | None = Field(
        default=None, description="Names the conversation this message belongs to; without one, nothing before it counts."
    )
    message_id: Id | None = Field(
        default=None,
        description="The caller's name for this message: sent again with the same body, the stored answer comes back and counts once.",
    )
    channel: Channel = Field(default=Channel.WEB, strict=False, description="Where the message came from.")
    language: Language | None = None
    customer: CustomerIn | None = None
    context: dict[ContextKey, ContextValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Values for the pack's context variables.",
        examples=[{"订单号": "DD20260001"}],
    )
    dry_run: bool = Field(
        default=False,
        description="Decide and tell, but store nothing: no turn, no count, no hand-off.",
    )

    def call(self, caller: str | None = None) -> AnswerCall:
        """What is asked of the service by ``caller``."""
        message = Message(
            self.text,
            channel=self.channel,
            language=self.language,
            conversation_id=self.conversation_id,
            message_id=self.message_id,
            customer=self.customer.customer() if self.customer else None,
            context=self.context,
            caller=caller,
        )
        return AnswerCall(message, digest_of(message, dry_run=self.dry_run), self.dry_run)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item of a batch that broke a rule; the others go on without it."""

    errors: Sequence[ErrorDetails]


def _keep_rejected(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        return Rejected(error.errors(include_input=False, include_url=False))


_ClassifyItem = Annotated[ClassifyRequest, WrapValidator(_keep_rejected)] | SkipJsonSchema[InstanceOf[Rejected]]
_AnswerItem = Annotated[AnswerRequest, WrapValidator(_keep_rejected)] | SkipJsonSchema[InstanceOf[Rejected]]


class ClassifyBatchRequest(Strict):
    """Messages to classify together; each succeeds or fails by itself."""

    items: list[_ClassifyItem] = Field(min_length=1, max_length=MAX_BATCH)


class AnswerBatchRequest(Strict):
    """Messages to answer together; each succeeds or fails by itself."""

    items: list[_AnswerItem] = Field(min_length=1, max_length=MAX_BATCH)
