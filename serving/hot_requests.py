"""Bodies of the two hot routes, read without pydantic where there can be no doubt about them.

A reader takes a subset of what the schemas of serving/request_schemas.py take, and understands it in the same way; None means
that somebody else has to look: the body may still be good. What can differ between readers of JSON, and why it cannot here:

- a key named twice: msgspec keeps the last. Written again, the request has as many colons as the body, unless a key was lost
  or a colon was written as an escape; then nothing is taken.
- NUL: written as an escape, for a raw one is no JSON; such escapes are not taken.
- lone surrogates, other encodings than UTF-8, a byte order mark, NaN, numbers with a fraction, unknown fields, depth: msgspec
  refuses them.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Decoder, Encoder

from serving.calls import AnswerCall, ClassifyCall
from serving.digest import digest_of
from yingda.domain.errors import MessageError
from yingda.domain.message import Channel, Customer, Message, Tier

# `\Z`, not `$`: Python's `$` also stands before a final line end, that of the contract's patterns does not.
_Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}\Z")]
_Id = Annotated[str, Meta(min_length=1, max_length=128)]
_ShortText = Annotated[str, Meta(max_length=100)]
_ContextKey = Annotated[str, Meta(min_length=1, max_length=64)]
_ContextValue = Annotated[str, Meta(max_length=500)]
_Context = Annotated[dict[_ContextKey, _ContextValue], Meta(max_length=32)]

_ESCAPED_NUL: Final = b"\\u0000"
_ESCAPED_COLON: Final = b"\\u003"  # and its last digit, which has two cases


class _Classify(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    text: str
    language: _Language | UnsetType | None = UNSET
    top_k: Annotated[int, Meta(ge=1, le=50)] | UnsetType = UNSET


class _Customer(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    id: _Id
    name: _ShortText | UnsetType | None = UNSET
    gender: _ShortText | UnsetType | None = UNSET
    tier: Tier | UnsetType = UNSET


class _Answer(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    conversation_id: _Id | UnsetType | None = UNSET
    message_id: _Id | UnsetType | None = UNSET
    channel: Channel | UnsetType = UNSET
    language: _Language | UnsetType | None = UNSET
    customer: _Customer | UnsetType | None = UNSET
    context: _Context | UnsetType = UNSET
    dry_run: bool | UnsetType = UNSET


_encode: Final = Encoder().encode
_decode_classify: Final = Decoder(_Classify).decode
_decode_answer: Final = Decoder(_Answer).decode


def read_classify(body: bytes) -> ClassifyCall | None:
    """The call of /v1/classify that ``body`` plainly is, else None."""
    try:
        request = _decode_classify(body)
        message = Message(request.text, language=request.language or None)
    except (ValueError, RecursionError, MessageError):
        return None
    if not _is_plain(body, request):
        return None
    return ClassifyCall(message) if request.top_k is UNSET else ClassifyCall(message, request.top_k)


def read_answer(body: bytes, caller: str | None = None) -> AnswerCall | None:
    """The call of /v1/answer that ``body`` of ``caller`` plainly is, else None."""
    try:
        request = _decode_answer(body)
        message = _message(request, caller)
    except (ValueError, RecursionError, MessageError):
        return None
    if not _is_plain(body, request):
        return None
    dry_run = request.dry_run is True
    return AnswerCall(message, digest_of(message, dry_run=dry_run), dry_run)


def _message(request: _Answer, caller: str | None) -> Message:
    # An absent field is falsy, and so are those whose value may be null only when they are null: none of them may be empty.
    return Message(
        request.text,
        channel=request.channel or Channel.WEB,
        language=request.language or None,
        conversation_id=request.conversation_id or None,
        message_id=request.message_id or None,
        customer=_customer(request.customer) if request.customer else None,
        context=request.context or {},
        caller=caller,
    )


def _customer(request: _Customer) -> Customer:
    return Customer(
        request.id,
        # these two may be empty, which is not the same as absent
        name=None if request.name is UNSET else request.name,
        gender=None if request.gender is UNSET else request.gender,
        tier=request.tier or Tier.NORMAL,
    )


def _is_plain(body: bytes, request: Struct) -> bool:
    """True when ``request`` is all that ``body`` says: no key was lost, no NUL written as an escape."""
    if _ESCAPED_NUL in body or _ESCAPED_COLON in body:
        return False
    # every pair has one colon, and those inside strings are written as they are, in both
    return body.count(b":") == _encode(request).count(b":")
