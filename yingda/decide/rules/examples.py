"""A message that shows a finding: what rules would see of it, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass

from yingda.decide.rules.columns import STEPS, Column
from yingda.decide.rules.names import KnownNames
from yingda.decide.rules.space import Box, Space
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Clock, RuleInput

_TIERS = {Tier.VIP: "VIP 客户", Tier.NORMAL: "普通客户", Tier.POTENTIAL: "潜在客户"}
_CHANNELS = {
    Channel.WEB: "网页",
    Channel.APP: "App ",
    Channel.WECHAT: "微信",
    Channel.EMAIL: "邮件",
    Channel.SMS: "短信",
    Channel.PHONE: "电话",
}
_USUAL_CLOCK, _USUAL_CONFIDENCE = Clock(10, 3, False, True), 0.9
_FEELINGS = {Sentiment.POSITIVE: "情绪愉快", Sentiment.NEGATIVE: "情绪不满", Sentiment.ANGRY: "情绪愤怒"}
_OUTCOMES = {
    Outcome.CLARIFY: "系统拟反问",
    Outcome.HANDOFF: "系统拟转人工",
    Outcome.NO_ANSWER: "系统没有答案",
}


@dataclass(frozen=True, slots=True)
class Example:
    """An input that rules can be asked about, and how it reads in Chinese."""

    seen: RuleInput
    text: str


def example_of(box: Box, space: Space, known: KnownNames) -> Example:
    """An example from ``box``, as ordinary as the box allows."""
    values = {field: _ordinary(mask, space.columns[field]) for field, mask in space.values(box).items()}
    seen = _input(values, space.words(box), known)
    return Example(seen, _text(seen, frozenset(values), known))


def _ordinary(mask: int, column: Column) -> int:
    """The usual value of a column, else the first one that is left; an unknown time only if nothing else is."""
    return column.usual if mask >> column.usual & 1 else (mask & -mask).bit_length() - 1


def _input(values: dict[str, int], keywords: tuple[str, ...], known: KnownNames) -> RuleInput:
    intent = tuple(known.intents)[values.get("intent", 0)]
    return RuleInput(
        intent=intent,
        category=known.intents[intent],
        tier=tuple(Tier)[values.get("tier", tuple(Tier).index(Tier.NORMAL))],
        sentiment=tuple(Sentiment)[values.get("sentiment", tuple(Sentiment).index(Sentiment.NEUTRAL))],
        channel=tuple(Channel)[values.get("channel", tuple(Channel).index(Channel.WECHAT))],
        outcome=tuple(Outcome)[values.get("outcome", 0)],
        keywords=keywords,
        clock=_clock(values),
        confidence=values["confidence"] / STEPS if "confidence" in values else _USUAL_CONFIDENCE,
        standing=bool(values.get("standing", 0)),
        **{name: values.get(name, 0) for name in ("repeats", "dissatisfied", "undecided", "out_of_scope")},
    )


def _clock(values: dict[str, int]) -> Clock | None:
    usual = _USUAL_CLOCK
    hour, weekday = values.get("hour", usual.hour), values.get("weekday", usual.weekday - 1)
    holiday, open_ = values.get("holiday", usual.holiday), values.get("open", usual.open)
    if hour == 24 or weekday == 7 or holiday == 2 or open_ == 2:  # each is the number of the unknown time
        return None
    return Clock(hour, weekday + 1, bool(holiday), bool(open_))


def _text(seen: RuleInput, fields: frozenset[str], known: KnownNames) -> str:
    """The example in words: who, where, about what; of the rest only what the table looks at and is not ordinary."""
    parts = [f"{_TIERS[seen.tier]}在{_CHANNELS[seen.channel]}上说「{known.titles.get(seen.intent, seen.intent)}」的事"]
    if seen.sentiment in _FEELINGS:
        parts.append(_FEELINGS[seen.sentiment])
    parts += [f"提到“{word}”" for word in seen.keywords]
    parts += _time(seen.clock, fields)
    counted = (
        (seen.repeats, "同一问题已连续问 {} 次"),
        (seen.dissatisfied, "已连续 {} 次不满意"),
        (seen.undecided, "已连续 {} 条无法判断"),
        (seen.out_of_scope, "已连续 {} 条超出范围"),
    )
    parts += [wording.format(count) for count, wording in counted if count]
    if seen.standing:
        parts.append("已转人工尚未结束")
    if seen.outcome is not Outcome.ANSWERED:
        parts.append(_OUTCOMES[seen.outcome])
    if seen.confidence != _USUAL_CONFIDENCE:
        parts.append(f"把握 {seen.confidence:g}")
    return "，".join(parts)


def _time(clock: Clock | None, fields: frozenset[str]) -> list[str]:
    if clock == _USUAL_CLOCK or not fields & {"hour", "weekday", "holiday", "open"}:
        return []
    if clock is None:
        return ["时间不明"]
    said = [f"周{'一二三四五六日'[clock.weekday - 1]} {clock.hour} 点"] if fields & {"hour", "weekday"} else []
    if clock.holiday:
        said.append("节假日")
    if "open" in fields:
        said.append("营业时间内" if clock.open else "非营业时间")
    return said
