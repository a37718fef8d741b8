"""What tells two requests of one message_id apart."""

from __future__ import annotations

from hashlib import sha256

from msgspec.json import encode

from yingda.domain.message import Message


def digest_of(message: Message, *, dry_run: bool = False) -> str:
    """SHA-256, in hexadecimal, of the request as compact JSON in UTF-8: every field, in the contract's order, absent or not.

    Stored beside the answer, so this form stays as it is between releases. The time of arrival is no part of it.
    """
    request = {
        "text": message.text,
        "conversation_id": message.conversation_id,
        "message_id": message.message_id,
        "channel": message.channel,
        "language": message.language,
        "customer": message.customer,
        "context": dict(message.context),
        "dry_run": dry_run,
    }
    return sha256(encode(request)).hexdigest()
