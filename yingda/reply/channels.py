"""The last form of a reply: paragraphs in an e-mail, numbered short messages, words for a voice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, replace

from yingda.domain.decision import Reply, ReplyParts
from yingda.domain.message import Channel
from yingda.reply.emoji import without_emoji
from yingda.reply.sms import segments
from yingda.reply.speech import speakable_with

_ENDS = "。！？；，】.!?;,]"


def in_channel_form(reply: Reply, own: Mapping[str, str]) -> Reply:
    """``reply`` as its channel carries it; web, app and WeChat take it as it is.

    ``own`` are texts in it that are in another language than the reply, and which.
    """
    match reply.channel:
        case Channel.EMAIL:
            return replace(reply, text=reply.parts.text("\n\n"))
        case Channel.SMS:
            sent = segments(without_emoji(_in_one(astuple(reply.parts), reply.language)))
            return replace(reply, text="".join(sent), segments=sent)
        case Channel.PHONE:
            parts = ReplyParts(*(speakable_with(part, own, language=reply.language) for part in astuple(reply.parts)))
            return replace(reply, text=_in_one(parts.text().split("\n"), reply.language), parts=parts)
        case _:
            return reply


def _in_one(pieces: Iterable[str], language: str) -> str:
    """One paragraph; a piece that ends no sentence, such as a list, keeps its line."""
    text = ""
    for piece in (piece for piece in pieces if piece):
        gap = "" if language == "zh" else " "
        text += (gap if text[-1] in _ENDS else "\n") + piece if text else piece
    return text
