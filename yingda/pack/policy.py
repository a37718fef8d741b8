"""policy.yaml: what the shop promises, and which variables come with a request."""

from __future__ import annotations

from types import MappingProxyType

from yingda.domain.knowledge import Policy
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import Node

REPLY_VARIABLES = frozenset({"答案", "候选问题", "所需信息", "称呼"})
"""Variables the reply itself fills; no policy may define them."""


def read_policy(tree: Node, log: MistakeLog) -> Policy:
    """The policy in file order; values stay as they are written, so ``9:00`` and ``007`` survive."""
    top = Fields(tree, log, required=("version", "values", "context"))
    top.number("version")
    values, context = top.scalars("values"), top.scalars("context")
    for name, word in (*values.items(), *context.items()):
        if name in REPLY_VARIABLES:
            log.add(word.place, f"variable '{name}' is filled by the reply itself; choose another name")
    for name in context:
        if name in values:
            log.add(context[name].place, f"variable '{name}' stands under values and context; keep one")
    return Policy(
        values=MappingProxyType({name: word.text for name, word in values.items()}),
        context=MappingProxyType({name: word.text for name, word in context.items()}),
    )
