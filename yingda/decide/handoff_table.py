"""The policy as the tables a manager reads, in Chinese; docs/handoff.md shows those of the retail pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from yingda.decide.conversation import COUNTERS, ROWS, Effect, Kind
from yingda.domain.handoff import HandoffPolicy, Route
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Reason

_WHEN: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.REQUESTED: "客户要找人工",
        Reason.REPEATED_QUESTION: "同一个问题连续问到第 {repeats} 次",
        Reason.DISSATISFIED: "连续第 {dissatisfied} 次对回答不满意（之前先再答一次：二次响应）",
        Reason.COMPLAINT: "投诉",
        Reason.NEGATIVE_SENTIMENT: "客户愤怒",
        Reason.SECURITY: "账户安全",
        Reason.VIP: "VIP 客户，且有别的原因要转人工",
        Reason.LOW_CONFIDENCE: "连续第 {undecided} 次听不懂客户在问什么",
        Reason.OUT_OF_SCOPE: "连续第 {out_of_scope} 次与业务无关",
        Reason.NEEDS_HUMAN: "命中的问答要求人工处理，或它的回答要用的信息补不齐，且没有别的原因",
    }
)
_PRIORITIES = {Priority.LOW: "低", Priority.MEDIUM: "中", Priority.HIGH: "高"}
_KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.GREETING: "问候（你好）",
        Kind.THANKS: "感谢、告别（谢谢、再见）",
        Kind.SATISFIED: "满意（解决了、找到了）",
        Kind.DISSATISFIED: "不满意（没解决、不是这个）",
        Kind.NEW_QUESTION: "新问题",
        Kind.SAME_QUESTION: "同一个问题再问",
        Kind.FRAGMENT: "对当前问题的补充（单号、那多久到）",
        Kind.HANGING: "接着问、又听不出问什么（然后呢）：第一次",
        Kind.CHOICE: "从给出的问题里选一个（2、第二个）",
        Kind.OUT_OF_SCOPE: "与业务无关",
        Kind.UNDECIDED: "听不懂，只能反问或无答案",
        Kind.ASIDE: "只应一声（好、嗯、？），问是不是机器人，找人工，或说不用（不用转人工）",
    }
)
_EFFECTS = {Effect.KEEP: "不变", Effect.ADD: "+1", Effect.CLEAR: "清零", Effect.ONE: "从 1 开始"}
_COUNTERS = {"repeats": "重复提问", "dissatisfied": "不满意", "out_of_scope": "无关", "undecided": "听不懂"}

Rows = tuple[tuple[str, ...], ...]
"""A table: the first row holds the column names."""


def handoff_table(policy: HandoffPolicy) -> Rows:
    """When a person takes over, who and how soon: reasons with a route in their order, then the others."""
    routes = {route.reason: route for route in policy.routes}
    order = [*(reason for reason in routes if reason in _WHEN), *(reason for reason in _WHEN if reason not in routes)]
    counts = {name: getattr(policy, name) for name in COUNTERS}
    rows = (_row(_WHEN[reason].format(**counts), routes.get(reason, Route(reason))) for reason in order)
    return (("什么时候转人工", "原因", "转给", "优先级", "同时通知"), *rows)


def _row(when: str, route: Route) -> tuple[str, ...]:
    priority = _PRIORITIES[route.priority] if route.priority else "按意图"
    return (when, route.reason.value, route.skill or "按意图", priority, "、".join(route.notify) or "—")


def counter_table() -> Rows:
    """What each kind of message does to each counter."""
    rows = ((_KINDS[kind], *(_EFFECTS[getattr(effects, name)] for name in COUNTERS)) for kind, effects in ROWS.items())
    return (("消息", *(_COUNTERS[name] for name in COUNTERS)), *rows)


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table as GitHub Markdown."""
    head, *body = rows
    lines = (head, ["---"] * len(head), *body)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
