"""policy.yaml: what the shop promises, when it answers, and which variables come with a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Policy
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog, Word
from yingda.pack.service_hours import read_service_hours
from yingda.pack.source import Kind, Node
from yingda.reply.check import check_template
from yingda.reply.hours import duration

HANDOFF_VARIABLES = frozenset({"上班时间", "承诺时间"})
"""Variables that have a value only where a person is called outside the hours, or just before they end."""
REPLY_VARIABLES = frozenset({"答案", "候选问题", "所需信息", "称呼", "问候", "尊称", "落款"}) | HANDOFF_VARIABLES
"""Variables the reply itself fills; no policy may define them."""


def read_policy(tree: Node, log: MistakeLog) -> Policy:
    """The policy in file order; values stay as they are written, so ``9:00`` and ``007`` survive."""
    top = Fields(tree, log, required=("version", "values", "context"), optional=("translations", "service_hours"))
    top.number("version")
    values, context = top.scalars("values"), top.scalars("context")
    for name, word in (*values.items(), *context.items()):
        if name in REPLY_VARIABLES:
            log.add(word.place, f"variable '{name}' is filled by the reply itself; choose another name")
    for name in context:
        if name in values:
            log.add(context[name].place, f"variable '{name}' stands under values and context; keep one")
    _check_plain(values, log)
    translations = _read_translations(top, values, log)
    hours = read_service_hours(top, values, log)
    promise = values.get(hours.response) if hours else None
    if promise and duration(promise.text) is None:
        log.add(promise.place, "service_hours needs this value to work out a time; write it as 2 小时 or 30 分钟")
    return Policy(
        values=MappingProxyType({name: word.text for name, word in values.items()}),
        context=MappingProxyType({name: word.text for name, word in context.items()}),
        translations=translations,
        service_hours=hours,
    )


def _check_plain(values: Mapping[str, Word], log: MistakeLog) -> None:
    """A value is put into texts as it is, and so may hold no variable and nothing that a text may not hold."""
    for word in values.values():
        for reason in check_template(word.text, ()):
            log.add(word.place, reason)


def _read_translations(top: Fields, names: Collection[str], log: MistakeLog) -> Mapping[str, Mapping[str, str]]:
    """By language, values that read differently there; only names that ``values`` defines may be translated."""
    if not top.has("translations", Kind.MAPPING):
        return MappingProxyType({})
    inner = top.fields("translations", required=(), optional=tuple(top.named("translations")))
    found = {language: inner.scalars(language) for language in top.named("translations")} if inner else {}
    for words in found.values():
        _check_plain(words, log)
        for name, word in words.items():
            if name not in names:
                log.add(word.place, f"'{name}' is translated but does not stand under values; add it there or remove it")
    plain = {code: MappingProxyType({name: word.text for name, word in words.items()}) for code, words in found.items()}
    return MappingProxyType(plain)
