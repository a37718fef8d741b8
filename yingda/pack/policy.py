"""policy.yaml: what the shop promises, when it answers, and which variables come with a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Policy
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog, Word, check_known
from yingda.pack.service_hours import read_service_hours
from yingda.pack.source import Kind, Node
from yingda.reply.check import check_template
from yingda.reply.hours import duration

REPLY_VARIABLES = frozenset({"答案", "候选问题", "所需信息", "称呼", "问候", "尊称", "落款", "上班时间", "承诺时间"})
"""Variables the reply itself fills; no policy may define them."""
SHORTEST_NAME = 2
"""Characters of the shortest name by which a fact is known."""


def read_policy(tree: Node, log: MistakeLog) -> Policy:
    """The policy in file order; values stay as they are written, so ``9:00`` and ``007`` survive."""
    top = Fields(tree, log, required=("version", "values", "context"), optional=("translations", "service_hours", "spoken", "unspoken"))
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
        spoken=_read_spoken(top, context, log),
        unspoken=_names(top.words("unspoken") if _stands(top, "unspoken") else (), FirstSeen(log, "word")),
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


def _read_spoken(top: Fields, context: Collection[str], log: MistakeLog) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """By context variable, the values customers name and what else they call each; a name means one thing alone."""
    if not _stands(top, "spoken"):
        return MappingProxyType({})
    variables = top.named("spoken")
    inner, seen = top.fields("spoken", required=(), optional=tuple(variables)), FirstSeen(log, "name")
    found = {}
    for variable, node in variables.items():
        check_known(Word(variable, node.place), context, log, what="context variable", home="context in policy.yaml")
        values = inner.fields(variable, required=(), optional=tuple(inner.named(variable))) if inner else None
        if values is not None and inner is not None:
            found[variable] = MappingProxyType({value: _names_of(values, value, seen) for value in inner.named(variable)})
    return MappingProxyType(found)


def _names_of(values: Fields, value: str, seen: FirstSeen) -> tuple[str, ...]:
    node = values.node(value, Kind.LIST)
    if node is None:
        return ()
    _check_plain({value: Word(value, node.place)}, values.log)
    return _names([Word(value, node.place), *values.words(value)], seen)[1:]


def _names(words: Collection[Word], seen: FirstSeen) -> tuple[str, ...]:
    """Names as they are written, each once, whatever the case; one character alone would be found everywhere."""
    for word in words:
        if word.text and len(word.text.strip()) < SHORTEST_NAME:
            seen.log.add(word.place, f"name '{word.text}' is too short to be found safely; write at least {SHORTEST_NAME} characters")
        seen.add(word, key=word.text.lower())
    return tuple(word.text for word in words if word.text)


def _stands(fields: Fields, name: str) -> bool:
    """True when the field is there, of whatever kind."""
    return any(fields.has(name, kind) for kind in Kind)
