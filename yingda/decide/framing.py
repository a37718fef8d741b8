"""What a message asks, without the clauses in which the customer only talks to the bot (你好，不用转人工，请问…).

Such a clause frames the question and is no part of it. Which words frame is data (``Words.framing``); what is taken off has to stand at
the start or behind the last mark, and is never a request, a complaint or a refusal of the matter itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from yingda.decide.wording import BETWEEN, Topic, Wording, wording_of
from yingda.domain.handoff import Words

LEAST = 2
"""Han characters, letters or digits that a question holds at least; less is no question that a frame could stand around."""

LONGEST_CLOSING = 64
"""Characters at the end of a text among which its last frame is looked for."""

_MARK = r"[\s,，。.!！?？;；~～…、:：—-]"
_PARTICLE = r"[啊呀哈呢哦呗嘛啦咯哇噢喔嗯]"
_REFUSED = rf"(?:客服|服务|的?帮助|for now|please|吧|了|{_PARTICLE})*"
"""What may stand behind the person that is refused (不用转人工客服了啊)."""

_BEFORE = r"(?:i\s|那|也|就|都|我|先|暂时|这次|现在|你|您)*"
"""What may stand before the refusal (那就先不用转人工)."""

_GOES_ON = r"(?!的|(?<=下)[单载架次个周午面降楼雨班月半])"
"""Where a lead is no frame: it is what is spoken of (想问的不是…), or its 下 begins another word (请问下单…)."""

_CONTENT = re.compile(r"[^\W_]")
_NEVER = r"(?!)"


class Framing:
    """The framing words of a policy, compiled; threads may share it."""

    def __init__(self, words: Words) -> None:
        framing = words.framing
        self._wording: Wording = wording_of(words)
        call = rf"(?:{_any_of(framing.calls)}){_PARTICLE}*+"
        lead = rf"(?:{_any_of(framing.leads)}){_GOES_ON}"
        refusal = _refusal(words)
        # a call and a refusal end their clause, or another frame begins behind them; a lead may run into its question
        ended = rf"(?:{_MARK}|\Z|(?={lead})|(?={call}(?:{_MARK}|\Z|{lead})))"
        self._opening = re.compile(rf"(?:(?:{lead}|(?:{call}|{refusal}){ended}){_MARK}*+)++", re.IGNORECASE)
        closing = rf"(?:{_any_of(framing.closings)}){_PARTICLE}*+"
        self._closing = re.compile(rf"(?<!{_MARK}){_MARK}++(?:{closing}|{refusal}){_MARK}*+\Z", re.IGNORECASE)
        self._polite = re.compile(rf"(?:{_any_of(words.satisfied.polite)}|{_PARTICLE}|[\W_])*+\Z", re.IGNORECASE)

    def question(self, text: str) -> str:
        """The question that normalised ``text`` asks: a stretch of it, ``text`` itself where nothing frames it or nothing would be left.

        Polite words alone are nothing (不用转人工，谢谢). Idempotent. What ``text`` asserts (Mentions) the question asserts too, and only a
        person may be denied outside of it.
        """
        rest = self._without_frames(text)
        if rest == text or len(_CONTENT.findall(rest)) < LEAST or self._polite.match(rest):
            return text
        whole, left = self._wording.find(text), self._wording.find(rest)
        kept = whole.asserted <= left.asserted and whole.denied - {Topic.PERSON} <= left.denied
        return rest if kept else text

    def _without_frames(self, text: str) -> str:
        rest = text
        while True:
            opening = self._opening.match(rest)
            shorter = rest[opening.end() :] if opening else rest
            if closing := self._closing.search(shorter, max(0, len(shorter) - LONGEST_CLOSING)):
                shorter = shorter[: closing.start()] + _asking(shorter[closing.start() :])
            if shorter == rest:
                return rest
            rest = shorter


@lru_cache(maxsize=8)
def framing_of(words: Words) -> Framing:
    """The compiled form of ``words``, made once."""
    return Framing(words)


def _asking(tail: str) -> str:
    """The mark of the question, where one stands at the head of ``tail``."""
    return tail[0] if tail[0] in "?？!！" else ""


def _refusal(words: Words) -> str:
    """A person refused, before (不用转人工) or behind (人工就不用了)."""
    negation = words.negation
    refusing = _any_of([word for word in negation.refusing if not word.startswith(tuple(negation.unless))])
    person = _any_of([*words.person.phrases, *words.person.nouns])
    behind = _any_of([*negation.after, *negation.ends])
    between = rf"(?:(?:{_any_of(negation.between)})\s?){{0,{BETWEEN}}}"
    return rf"{_BEFORE}(?:(?:{refusing})\s?{between}(?:{person}){_REFUSED}|(?:{person})(?:{behind}){_REFUSED})"


def _any_of(words: Sequence[str]) -> str:
    """A pattern for any of ``words``, the longest first; Latin ones as whole words. Words with a gap are left out."""
    plain = sorted({word.lower() for word in words if "…" not in word and ".." not in word}, key=lambda word: (-len(word), word))
    return "|".join(rf"{re.escape(word)}(?![a-z0-9])" if word[-1:].isascii() else re.escape(word) for word in plain) or _NEVER
