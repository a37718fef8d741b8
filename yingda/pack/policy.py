"""policy.yaml: what the shop promises, and which variables come with a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Policy
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import Kind, Node

REPLY_VARIABLES = frozenset({"答案", "候选问题", "所需信息", "称呼"})
"""Variables the reply itself fills; no policy may define them."""


def read_policy(tree: Node, log: MistakeLog) -> Policy:
    """The policy in file order; values stay as they are written, so ``9:00`` and ``007`` survive."""
    top = Fields(tree, log, required=("version", "values", "context"), optional=("translations",))
    top.number("version")
    values, context = top.scalars("values"), top.scalars("context")
    for name, word in (*values.items(), *context.items()):
        if name in REPLY_VARIABLES:
            log.add(word.place, f"variable '{name}' is filled by the reply itself; choose another name")
    for name in context:
        if name in values:
            log.add(context[name].place, f"variable '{name}' stands under values and context; keep one")
    translations = _read_translations(top, values, log)
    return Policy(
        values=MappingProxyType({name: word.text for name, word in values.items()}),
        context=MappingProxyType({name: word.text for name, word in context.items()}),
        translations=translations,
    )


def _read_translations(top: Fields, names: Collection[str], log: MistakeLog) -> Mapping[str, Mapping[str, str]]:
    """By language, values that read differently there; only names that ``values`` defines may be translated."""
    if not top.has("translations", Kind.MAPPING):
        return MappingProxyType({})
    inner = top.fields("translations", required=(), optional=tuple(top.named("translations")))
    found = {language: inner.scalars(language) for language in top.named("translations")} if inner else {}
    for words in found.values():
        for name, word in words.items():
            if name not in names:
                log.add(word.place, f"'{name}' is translated but does not stand under values; add it there or remove it")
    plain = {code: MappingProxyType({name: word.text for name, word in words.items()}) for code, words in found.items()}
    return MappingProxyType(plain)
