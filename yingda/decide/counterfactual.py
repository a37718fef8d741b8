"""The smallest change that would flip a decision: one number, count or name moved at a time, each proved by deciding again.

A counterfactual explanation in the sense of Wachter, Mittelstadt and Russell 2018 (Counterfactual explanations without
opening the black box), restricted to single changes so that a person can act on each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import nextafter
from typing import Any, Generic, TypeVar

from yingda.decide.conversation import LIMITED
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Verdict
from yingda.domain.conversation import released
from yingda.domain.decision import Acceptance, SentimentScore
from yingda.domain.knowledge import Intent, Sentiment
from yingda.domain.message import Customer, Tier

Value = float | int | str | bool

COUNT, NAME, LIMIT, ROW = 0.2, 0.5, 0.3, 1.0
"""Sizes that make changes comparable, by convention: one message more, another tier, another limit, a rule row less. A
confidence counts by how far it moves, in [0, 1]."""

STANDS = "hand_off_stands"
"""The lever of a hand-off that stands; without it the message may also be read otherwise, which the evidence alone does not tell."""

_HALVINGS = 30
"""Bisections between two confidences: the point where a decision flips is known to 1e-9."""

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Decided:
    """What can flip: outcome, entry sent, and the hand-off with its reasons, group, priority and who is told."""

    outcome: str
    entry: str | None = None
    reasons: tuple[str, ...] = ()
    skill: str | None = None
    priority: str | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lever(Generic[Subject]):
    """One thing that could have been otherwise.

    ``stops`` are the values to try, ``move`` is the subject with another value, ``unit`` the size of a step of 1 (or of any
    change of a name). A ``continuous`` lever is followed between two stops to where the decision flips.
    """

    name: str
    now: Value
    stops: tuple[Value, ...]
    move: Callable[[Subject, Value], Subject]
    unit: float = 1.0
    continuous: bool = False

    def size(self, value: Value) -> float:
        """How large the change to ``value`` is."""
        if isinstance(value, bool | str) or isinstance(self.now, bool | str):
            return self.unit
        return abs(value - self.now) * self.unit


@dataclass(frozen=True, slots=True)
class Flip:
    """A change that flips the decision: what moves from where to where, its size, and what is decided then."""

    name: str
    now: Value
    then: Value
    size: float
    before: Decided
    after: Decided

    def chinese(self) -> str:
        """One line for an operator."""
        name = f"规则 {self.name.removeprefix(_RULE)}" if self.name.startswith(_RULE) else _CHINESE.get(self.name, self.name)
        moved = f"{_in_chinese(_shown(self.now, self.then))} → {_in_chinese(_shown(self.then, self.now))}"
        told = []
        for field, was, now in _effect(self.before, self.after):
            say = _plain if field in ("entry", "skill") else _in_chinese  # names of the shop's own
            told.append(f"{_CHINESE[field]} {say(was)} → {say(now)}")
        return f"{name} {moved}：{'，'.join(told)}"

    def english(self) -> str:
        """The same line in English."""
        moved = f"{_shown(self.now, self.then)} → {_shown(self.then, self.now)}"
        told = (f"{field} {_plain(was)} → {_plain(now)}" for field, was, now in _effect(self.before, self.after))
        return f"{self.name.replace('_', ' ')} {moved}: {', '.join(told)}"


def flips(subject: Subject, levers: Iterable[Lever[Subject]], decide: Callable[[Subject], Decided]) -> list[Flip]:
    """Every single change that flips the decision, smallest first: for each lever, the smallest to each other decision.

    ``decide`` must be pure; each flip was decided with it. Changes that flip nothing are left out.
    """
    before = decide(subject)
    found: list[Flip] = []
    for lever in levers:
        found += _flips_of(subject, lever, decide, before)
    return sorted(found, key=lambda flip: (flip.size, flip.name, str(flip.then)))


def _flips_of(subject: Subject, lever: Lever[Subject], decide: Callable[[Subject], Decided], before: Decided) -> list[Flip]:
    best: dict[Decided, Value] = {}
    for stop in sorted((stop for stop in lever.stops if stop != lever.now), key=lever.size):
        after = decide(lever.move(subject, stop))
        if after != before and after not in best:  # a nearer stop has led there before
            best[after] = _nearest(subject, lever, decide, after, stop) if lever.continuous else stop
    return [Flip(lever.name, lever.now, value, lever.size(value), before, after) for after, value in best.items()]


def _nearest(subject: Subject, lever: Lever[Subject], decide: Callable[[Subject], Decided], after: Decided, stop: Value) -> float:
    """A value as near to now as can be told at which the decision is still ``after``."""
    far, near = float(stop), float(lever.now)
    if decide(lever.move(subject, nextafter(far, near))) != after:
        return far  # a threshold, most of the time
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        if decide(lever.move(subject, middle)) == after:
            far = middle
        else:
            near = middle
    return far


def decided(verdict: Verdict, evidence: Evidence) -> Decided:
    """What can flip of a verdict of the policy."""
    handoff, entry = verdict.handoff, evidence.accepted if verdict.outcome == "answered" else None
    reasons = tuple(map(str, handoff.reasons))
    return Decided(str(verdict.outcome), entry.id if entry else None, reasons, handoff.skill, str(handoff.priority), handoff.notify)


def explain(evidence: Evidence, *, decide: Callable[[Evidence], Verdict], intents: Mapping[str, Intent]) -> list[Flip]:
    """The single changes that flip what ``decide`` (the policy, or a stand-in) says of ``evidence``, smallest first.

    ``intents`` is the taxonomy: with another entry accepted, its intent decides.
    """
    return flips(evidence, levers_of(evidence, intents), lambda moved: decided(decide(moved), moved))


def levers_of(evidence: Evidence, intents: Mapping[str, Intent]) -> list[Lever[Evidence]]:
    """What could have been otherwise in ``evidence``: confidences, the conversation so far, the customer's tier, the limits."""
    thresholds, feeling = evidence.thresholds, evidence.classification.sentiment
    anger = feeling.confidence if feeling.label is Sentiment.ANGRY else feeling.scores.get(Sentiment.ANGRY, 0.0)
    levers = [
        _confidence(
            "intent_confidence", evidence.classification.intent.confidence, thresholds.intent, partial(_with_intent, intents=intents)
        ),
        _confidence("complaint_confidence", evidence.complaint, thresholds.intent, _with_complaint),
        _confidence("anger", anger, thresholds.angry, _with_anger, thresholds.angry_beside),
    ]
    if evidence.best is not None and evidence.candidates and evidence.best.id == evidence.candidates[0].id:
        match = partial(_with_match, intents=intents)
        levers.insert(0, _confidence("match_confidence", evidence.candidates[0].confidence, thresholds.match, match))
    for name in LIMITED:
        now, limit = int(getattr(evidence.state, name)), int(getattr(evidence.policy, name))
        counts = range(max(now, limit) + 1)
        levers.append(Lever(f"{name}_so_far", now, tuple(counts), partial(_with_count, name=name), COUNT))
        limits = range(1, max(now + 2, limit) + 2)
        levers.append(Lever(f"{name}_limit", limit, tuple(limits), partial(_with_limit, name=name), LIMIT))
    levers.append(Lever("tier", str(evidence.tier), tuple(map(str, Tier)), _with_tier, NAME))
    if evidence.state.standing is not None:
        levers.append(Lever(STANDS, True, (False,), _without_standing, NAME))
    return levers


def rule_levers(fired: Sequence[str], without: Callable[[Subject, str], Subject]) -> list[Lever[Subject]]:
    """A lever for each rule row that fired; ``without`` is the subject as if the row of that id were not there."""

    def lever(row: str) -> Lever[Subject]:
        return Lever(f"{_RULE}{row}", "on", ("off",), lambda subject, _: without(subject, row), ROW)

    return [lever(row) for row in fired]


def _confidence(
    name: str, now: float, threshold: float, move: Callable[[Evidence, Value], Evidence], further: float | None = None
) -> Lever[Evidence]:
    """Stops at the threshold, and a ``further`` one, right below each, and at both ends."""
    at = (threshold, nextafter(threshold, 0.0), *((further, nextafter(further, 0.0)) if further else ()))
    return Lever(name, now, (*at, 0.0, 1.0), move, continuous=True)


def _with_match(evidence: Evidence, value: Value, *, intents: Mapping[str, Intent]) -> Evidence:
    first = replace(evidence.candidates[0], confidence=float(value))
    accepted = evidence.best if float(value) >= evidence.thresholds.match else None
    code = accepted.intent if accepted else evidence.classification.intent.code
    return replace(evidence, candidates=(first, *evidence.candidates[1:]), accepted=accepted, intent=intents[code])


def _with_intent(evidence: Evidence, value: Value, *, intents: Mapping[str, Intent]) -> Evidence:
    about = evidence.classification
    score = replace(about.intent, confidence=float(value))
    sure = Acceptance.ACCEPT if float(value) >= evidence.thresholds.intent else Acceptance.ABSTAIN
    moved = replace(about, intent=score, decision=sure, ranking=(score, *about.ranking[1:]))
    code = evidence.accepted.intent if evidence.accepted else score.code
    return replace(evidence, classification=moved, intent=intents[code])


def _with_complaint(evidence: Evidence, value: Value) -> Evidence:
    return replace(evidence, complaint=float(value))


def _with_anger(evidence: Evidence, value: Value) -> Evidence:
    """Anger becomes the label only where it outweighs the one found; otherwise the label stays."""
    feeling = evidence.classification.sentiment
    angry = feeling.label is Sentiment.ANGRY or float(value) >= max(feeling.confidence, evidence.thresholds.angry)
    scores = {**feeling.scores, Sentiment.ANGRY: float(value)}
    moved = SentimentScore(Sentiment.ANGRY, float(value), scores) if angry else replace(feeling, scores=scores)
    return replace(evidence, classification=replace(evidence.classification, sentiment=moved))


def _with_count(evidence: Evidence, value: Value, *, name: str) -> Evidence:
    moved: dict[str, Any] = {name: int(value)}
    return replace(evidence, state=replace(evidence.state, **moved))


def _with_limit(evidence: Evidence, value: Value, *, name: str) -> Evidence:
    moved: dict[str, Any] = {name: int(value)}
    return replace(evidence, policy=replace(evidence.policy, **moved))


def _with_tier(evidence: Evidence, value: Value) -> Evidence:
    customer = evidence.message.customer or Customer(id="unknown")
    return replace(evidence, message=replace(evidence.message, customer=replace(customer, tier=Tier(str(value)))))


def _without_standing(evidence: Evidence, _: Value) -> Evidence:
    return replace(evidence, state=released(evidence.state))


_RULE = "rule "
_CHINESE = {
    "match_confidence": "匹配置信度",
    "intent_confidence": "意图置信度",
    "complaint_confidence": "投诉概率",
    "anger": "愤怒程度",
    "tier": "客户等级",
    "hand_off_stands": "转人工未解除",
    "repeats_so_far": "此前重复次数",
    "dissatisfied_so_far": "此前不满意次数",
    "out_of_scope_so_far": "此前超出范围次数",
    "undecided_so_far": "此前无法判断次数",
    "repeats_limit": "重复次数上限",
    "dissatisfied_limit": "不满意次数上限",
    "out_of_scope_limit": "超出范围次数上限",
    "undecided_limit": "无法判断次数上限",
    "outcome": "结果",
    "entry": "条目",
    "reasons": "转人工原因",
    "skill": "技能组",
    "priority": "优先级",
    "notify": "通知",
}
_CHINESE_VALUES = {
    "True": "是",
    "False": "否",
    "on": "生效",
    "off": "不生效",
    "answered": "回答",
    "clarify": "反问",
    "handoff": "转人工",
    "no_answer": "无法回答",
    "low": "低",
    "medium": "中",
    "high": "高",
    "normal": "普通",
    "potential": "潜在",
    "vip": "VIP",
    "supervisor": "主管",
    "on_duty": "值班",
    "requested": "客户要求",
    "repeated_question": "重复提问",
    "dissatisfied": "不满意",
    "complaint": "投诉",
    "negative_sentiment": "愤怒",
    "security": "账户安全",
    "low_confidence": "无法判断",
    "out_of_scope": "超出范围",
    "needs_human": "条目要求人工",
    "channel_closed": "渠道关闭",
    "rule": "规则",
}


def _shown(value: Value, other: Value) -> str:
    """As few decimals as tell the two apart, two at least."""
    if not isinstance(value, float) or not isinstance(other, float):
        return str(value)
    digits = next((digits for digits in range(2, 9) if round(value, digits) != round(other, digits)), 9)
    return f"{value:.{digits}f}"


def _effect(before: Decided, after: Decided) -> list[tuple[str, object, object]]:
    """What is different: field, before and after."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in ("outcome", "entry", "reasons", "skill", "priority", "notify"))
    return [(name, was, now) for name, was, now in pairs if was != now]


def _plain(value: object) -> str:
    return "+".join(value) if isinstance(value, tuple) and value else str(value) if value else "–"


def _in_chinese(value: object) -> str:
    """Words that have a Chinese name; ids, groups and numbers as they are."""
    return "+".join(_CHINESE_VALUES.get(word, word) for word in _plain(value).split("+"))
