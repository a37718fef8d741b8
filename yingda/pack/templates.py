"""templates.yaml: the wording of replies and the names of the facts a customer is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Policy, ReplyTemplate, TemplateSet
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog, Word, check_known
from yingda.pack.policy import REPLY_VARIABLES
from yingda.pack.source import Node
from yingda.pack.variables import check_variables

LANGUAGES = ("zh", "en")
"""Every reply can be written in these; further languages are welcome."""

_OUTCOMES = (
    "answered",
    "answered_missing",
    "smalltalk",
    "clarify",
    "handoff",
    "no_answer",
)
_PARTS = ("greeting", "confirm", "solution", "next", "closing")


def read_templates(tree: Node, policy: Policy | None, log: MistakeLog) -> TemplateSet:
    """The template set, its variables checked against ``policy`` unless that could not be read."""
    top = Fields(tree, log, required=("id", "version", "facts", "outcomes"), optional=("context_of",))
    facts = _read_facts(top)
    variables = None if policy is None else policy.variables() | REPLY_VARIABLES
    return TemplateSet(
        id=top.word("id").text,
        version=top.word("version").text,
        outcomes=_read_outcomes(top, variables, log),
        facts=facts,
        context_of=_read_context_of(top, facts, policy, log),
    )


def _read_facts(top: Fields) -> Mapping[str, Mapping[str, str]]:
    names = tuple(top.named("facts"))
    facts = top.fields("facts", required=names)
    if facts is None:
        return MappingProxyType({})
    return MappingProxyType({name: _texts(facts.by_language(name, required=LANGUAGES)) for name in names})


def _read_outcomes(top: Fields, variables: Collection[str] | None, log: MistakeLog) -> Mapping[str, ReplyTemplate]:
    outcomes = top.fields("outcomes", required=_OUTCOMES)
    parts = {name: outcomes.fields(name, required=_PARTS) for name in _OUTCOMES} if outcomes else {}
    templates = {name: _read_template(fields, variables, log) for name, fields in parts.items() if fields}
    return MappingProxyType(templates)


def _read_template(parts: Fields, variables: Collection[str] | None, log: MistakeLog) -> ReplyTemplate:
    words = {part: parts.by_language_or_empty(part, required=LANGUAGES) for part in _PARTS}
    for word in (word for part in words.values() for word in part.values()):
        check_variables(word, variables, log)
    return ReplyTemplate(**{part: _texts(texts) for part, texts in words.items()})


def _read_context_of(top: Fields, facts: Collection[str], policy: Policy | None, log: MistakeLog) -> Mapping[str, str]:
    context_of = top.scalars("context_of")
    context = None if policy is None else policy.context
    for fact, word in context_of.items():
        check_known(Word(fact, word.place), facts, log, what="fact", home="facts in templates.yaml")
        check_known(word, context, log, what="context variable", home="context in policy.yaml")
    return _texts(context_of)


def _texts(words: Mapping[str, Word]) -> Mapping[str, str]:
    return MappingProxyType({name: word.text for name, word in words.items()})
