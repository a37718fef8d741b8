"""What a short message means in its conversation: a choice among offered questions, facts asked for, or a fragment.

A third of real shop messages say nothing on their own (那多久到, 可以吗, 2, an order number). They are rules about wording,
not about meaning, so a table of patterns decides, and the model reads a fragment only together with the open question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from yingda.decide.wording import Mentions, Wording
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import FACTS_IN_TEXT, Entity

LONGEST_FRAGMENT = 8
"""Han characters and words of other scripts up to which a message is a fragment; longer ones name their matter themselves."""

LONGEST_WORDLESS = 2
"""Words of other scripts up to which a message without a Han character tells no language: ok, agent, an order number."""

_NUMBERS = {name: n for n, names in enumerate(("1一", "2二两", "3三", "4四", "5五")) for name in names}
_ORDINALS = {
    name: n for n, names in enumerate(("first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th")) for name in names.split()
}
_CHOICE = re.compile(
    r"(?:我?(?:选|要|问|想问)?(?:的)?(?:是|就是|应该是)?)?第?([1-5一二两三四五])(?:个|条|项|种|号)?(?:问题)?"
    r"(?:[,，]? ?谢谢|吧|呢|的)?[.。、,，!！~ ]*"
)
_ENGLISH_CHOICE = re.compile(r"(?:the |number |no\.? ?|option )?([1-5]|[a-z]+|\d[a-z]{2})(?: one)?(?:,? please)?[.! ]*", re.IGNORECASE)
_LABELS = re.compile(
    r"订单号码?|订单编号|订单|物流单号|快递单号|运单号|单号|编号|号码|商品|金额|价格|手机号|手机|电话"
    r"|收货地址|收件地址|地址|发票|开票|抬头|公司名称|公司全称|单位名称|照片|图片|截图"
    r"|物流公司|快递公司|发生时间|时间|日期|你好|您好|这个|我的|是|为|给你|给您|发你|发您|在这|[\W_]"
    r"|(?<![A-Za-z])(?:my|the|this|here|is|it|s|its|was|order|number|num|no|id|tracking|parcel|package|phone|amount|photo|date|time|carrier"
    r"|hi|hello|sure|ok|yes|please)(?![A-Za-z])",
    re.IGNORECASE,
)
_BOUGHT = re.compile(
    r"买的|下的单|下单的|拍的|付的款?|发的货?|寄的|收到的?|签收的?|退的|换的|申请的|我|在你们?家|就|是|那[件个单]|左右|大概|吧|的|了"
    r"|(?<![A-Za-z])(?:i|we|on|at|bought|ordered|paid|received|got|placed|made)(?![A-Za-z])",
    re.IGNORECASE,
)
"""What stands around a fact that is said in passing: 就上周买的那件, I ordered it yesterday."""
_POINTING = re.compile(
    r"(?:那么|那|这个|那个|这|它|就|然后|所以|还有|之后|接下来|后面|再|的话|也|都|一般|大概|大约|具体|到底|真的|一共|还|得|需要|需|要|会|能|可以|可|行|好|对|是"
    r"|不|没|有|多久|多长时间|多少|几天|什么时候|啥时候|怎么|怎样|办|弄|做|咋|为什么|为啥|哪里|哪儿|哪个|哪|在|什么|啥|到|查|看|找|用|来|去|了|吗|嘛|么|呢|吧|啊|呀|的"
    r"|\b(?:and|then|so|how|long|much|many|when|why|where|which|what|about|is|it|that|this|can|could|i|do|does|really|next|now|ok)\b|[\W_])+",
    re.IGNORECASE,
)
"""Words that only point at something said before, and ask about it: 可以吗, 那多久, 然后呢."""
_ASKS = re.compile("[?？吗么呢]")
_UNIT = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_CLAUSE = re.compile(r"[^\s,，。!！?？;；~～…]+[\s,，。!！?？;；~～…]*")

NO_WORDINGS: Mapping[str, str] = MappingProxyType({})


class Manner(StrEnum):
    """How a message is to be read."""

    ALONE = "alone"
    CHOICE = "choice"
    FACTS = "facts"
    ONLY_FACTS = "only_facts"


@dataclass(frozen=True, slots=True)
class InContext:
    """A message in its conversation: ``entry`` is the one chosen or asked about, ``facts`` are the kinds newly given.

    ONLY_FACTS are facts that no open question asks for, and that say something by themselves (an order number).
    """

    manner: Manner = Manner.ALONE
    entry: str | None = None
    facts: tuple[str, ...] = ()


def read_in_context(
    original: str,
    text: str,
    state: ConversationState,
    entities: Sequence[Entity],
    wanted: Collection[str],
    *,
    wordings: Mapping[str, str] = NO_WORDINGS,
) -> InContext:
    """How to read ``original`` (``text`` normalised).

    ``wanted`` are the facts that the open question's entry asks for or its answer lacks, ``wordings`` maps the offered questions
    as they were shown, normalised, to their entries.
    """
    if state.standing is not None:
        return InContext()
    chosen = wordings.get(text) or _chosen(text, state.offered)
    if chosen is not None:
        return InContext(Manner.CHOICE, chosen)
    given = tuple(dict.fromkeys(entity.type for entity in entities))
    in_passing = FACTS_IN_TEXT.isdisjoint(given)
    left = _without(original, entities)
    if not given or _LABELS.sub("", _BOUGHT.sub(" ", left) if in_passing else left):
        return InContext(facts=given)
    # whatever comes while an answer waits for a fact is about that answer
    waits = state.question is not None and state.requests > 0 and state.question.about not in state.tried
    useful = given if waits else tuple(fact for fact in given if fact in wanted)
    if state.question is not None and useful:
        return InContext(Manner.FACTS, state.question.about, useful)
    if in_passing:
        # 昨天, 顺丰: more of what was answered, or read as any other text
        adds = state.question is not None and state.question.about in state.tried and not _ASKS.search(original)
        return InContext(Manner.FACTS, state.question.about, given) if adds and state.question else InContext(facts=given)
    return InContext(Manner.ONLY_FACTS, facts=given)


def is_fragment(text: str) -> bool:
    """True when normalised ``text`` is too short to name a matter; bare marks are no fragment."""
    return 0 < len(_UNIT.findall(text)) <= LONGEST_FRAGMENT


def only_points(text: str) -> bool:
    """True for a short normalised ``text`` that asks about something and names nothing: a fragment, whatever else it may look like."""
    return is_fragment(text) and _POINTING.fullmatch(text) is not None


def tells_no_language(text: str) -> bool:
    """True for what every customer may write: marks, numbers, one or two foreign words."""
    return _HAN.search(text) is None and len(_UNIT.findall(text)) <= LONGEST_WORDLESS


def read_together(question: str, fragment: str) -> str:
    """The open question and the fragment as one text for the model."""
    return f"{question}，{fragment}"


def without_asides(text: str, wording: Wording) -> str:
    """Normalised ``text`` without the clauses that only take something back (不需要人工，运费多少 asks about 运费); else ``text``."""
    if not wording.find(text).denied:
        return text
    clauses = _CLAUSE.findall(text)
    kept = [clause for clause in clauses if not _is_aside(wording.find(clause))]
    return "".join(kept).strip() if 0 < len(kept) < len(clauses) else text


def _is_aside(mentions: Mentions) -> bool:
    return bool(mentions.denied) and not mentions.asserted


def _chosen(text: str, offered: Sequence[str]) -> str | None:
    place = _place(text) if offered else None
    return offered[place] if place is not None and place < len(offered) else None


def _place(text: str) -> int | None:
    """The place that a message names, from 0."""
    if match := _CHOICE.fullmatch(text):
        return _NUMBERS[match.group(1)]
    if match := _ENGLISH_CHOICE.fullmatch(text):
        word = match.group(1).lower()
        return _ORDINALS.get(word, _NUMBERS.get(word))
    return None


def _without(original: str, entities: Sequence[Entity]) -> str:
    """``original`` without its entities, which never overlap."""
    kept, at = [], 0
    for entity in sorted(entities, key=lambda each: each.start):
        kept.append(original[at : entity.start])
        at = entity.end
    return "".join([*kept, original[at:]])
