"""templates.yaml: the wording of replies and the names of the facts a customer is asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from yingda.domain.knowledge import Policy, ReplyTemplate, TemplateSet
from yingda.domain.message import Channel
from yingda.domain.tone import Style, Tone
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog, Place, Word, check_known
from yingda.pack.policy import REPLY_VARIABLES
from yingda.pack.source import Kind, Node
from yingda.pack.variables import check_variables
from yingda.reply.defaults import AUTOMATIC, DEFAULTS
from yingda.reply.values import HAS_VALUE, sure_parts
from yingda.reply.variables import variables_of
from yingda.reply.wording import PARTS, SUBJECT_PART, Wording, offers_person

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
_MORE = tuple(DEFAULTS)
OUTCOMES = frozenset((*_OUTCOMES, *_MORE))
"""Every outcome that may have a template."""
_OPTIONAL = ("context_of", "channels", "tone", "soothing", "person", "by_intent")
_PRONOUNS = ("您", "你")
_NAME = re.compile(r"[\w\u3400-\u9fff][\w\u3400-\u9fff.·-]{0,63}")
"""Names and versions as service teams write them: V1.0-物流查询模板."""

Channels = Mapping[str, Mapping[str, Mapping[str, str]]]
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Known:
    """Variables a text may use, None when the policy could not be read; ``empty`` are those that never have a value there."""

    variables: Collection[str] | None
    log: MistakeLog
    empty: Collection[str] = ()

    def only(self, names: Collection[str]) -> _Known:
        """The same log, with these variables alone."""
        return _Known(None if self.variables is None else names, self.log)

    def of(self, outcome: str) -> _Known:
        """What the texts of ``outcome`` may use; the safe reply uses nothing."""
        return replace(self.among((outcome,)), variables=()) if outcome == "blocked" else self.among((outcome,))

    def among(self, outcomes: Collection[str]) -> _Known:
        """What a text may use that all ``outcomes`` share; the safe reply leaves out what has a variable."""
        return replace(self, empty=[name for name, there in HAS_VALUE.items() if not there.issuperset(outcomes)])

    def check(self, word: Word) -> None:
        """Note every reason to refuse ``word``."""
        for name in (name for name in variables_of(word.text) if name in self.empty):
            where = ", ".join(sorted(HAS_VALUE[name]))
            self.log.add(word.place, f"variable '{{{name}}}' has no value here, and its line would be left out; use it in {where} alone")
        check_variables(word, None if self.variables is None else (*self.variables, *self.empty), self.log)


def read_templates(tree: Node, policy: Policy | None, log: MistakeLog) -> TemplateSet:
    """The template set, its variables checked against ``policy`` unless that could not be read.

    Where ``person`` says which word reaches a person, every automatic reply must offer it in every channel and language.
    """
    top = Fields(tree, log, required=("id", "version", "facts", "outcomes"), optional=_OPTIONAL)
    facts = _read_facts(top)
    known = _Known(None if policy is None else policy.variables() | REPLY_VARIABLES, log)
    outcomes = top.fields("outcomes", required=_OUTCOMES, optional=_MORE)
    found = TemplateSet(
        id=_read_name(top, "id"),
        version=_read_name(top, "version"),
        outcomes=_read_outcomes(outcomes, known),
        facts=facts,
        context_of=_read_context_of(top, facts, policy, log),
        channels=_read_channels(top, known.among(OUTCOMES)),
        tone=_read_tone(top, known.only(policy.values if policy else ())),
        soothing=_read_plain(top, "soothing", known),
        person=_read_plain(top, "person", known),
        by_intent=_read_sets(top, known),
    )
    _check_person(found, () if policy is None else policy.context, outcomes.place if outcomes else top.place, log)
    return found


def _read_name(top: Fields, field: str) -> str:
    word = top.word(field)
    if word.text and not _NAME.fullmatch(word.text):
        top.log.add(
            word.place, f"field '{field}' may hold letters, digits, '.', '-' and '_', 64 at most; write one such as V1.0-物流查询模板"
        )
    return word.text


def _read_facts(top: Fields) -> Mapping[str, Mapping[str, str]]:
    names = tuple(top.named("facts"))
    facts = top.fields("facts", required=names)
    if facts is None:
        return MappingProxyType({})
    words = {name: facts.by_language(name, required=LANGUAGES) for name in names}
    for word in (word for texts in words.values() for word in texts.values()):
        check_variables(word, (), top.log)  # it is itself the value of {所需信息}
    return MappingProxyType({name: _texts(texts) for name, texts in words.items()})


def _read_outcomes(outcomes: Fields | None, known: _Known) -> Mapping[str, ReplyTemplate]:
    if outcomes is None:
        return MappingProxyType({})
    there = [name for name in (*_OUTCOMES, *_MORE) if name in _OUTCOMES or _is_there(outcomes, name)]
    parts = {name: outcomes.fields(name, required=PARTS, optional=("channels",)) for name in there}
    return MappingProxyType({name: _read_template(fields, known.of(name)) for name, fields in parts.items() if fields})


def _read_template(parts: Fields, known: _Known) -> ReplyTemplate:
    words = {part: parts.by_language_or_empty(part, required=LANGUAGES) for part in PARTS}
    for word in (word for part in words.values() for word in part.values()):
        known.check(word)
    return ReplyTemplate(**{part: _texts(texts) for part, texts in words.items()}, channels=_read_channels(parts, known))


def _read_channels(fields: Fields, known: _Known) -> Channels:
    """By channel and part, the wordings that differ there; none is required."""
    if not _is_there(fields, "channels"):
        return MappingProxyType({})
    inner = fields.fields("channels", required=(), optional=tuple(Channel))
    named = [name for name in fields.named("channels") if name in tuple(Channel)] if inner else []
    found = {name: inner.fields(name, required=(), optional=_parts_of(name)) for name in named} if inner else {}
    return MappingProxyType({name: _read_parts(parts, name, known) for name, parts in found.items() if parts})


def _parts_of(channel: str) -> tuple[str, ...]:
    return (*PARTS, SUBJECT_PART) if channel == Channel.EMAIL else PARTS


def _read_parts(parts: Fields, channel: str, known: _Known) -> Mapping[str, Mapping[str, str]]:
    there = [part for part in _parts_of(channel) if _is_there(parts, part)]
    words = {part: parts.by_language_or_empty(part, required=LANGUAGES) for part in there}
    for word in (word for part in words.values() for word in part.values()):
        known.check(word)
    return MappingProxyType({part: _texts(texts) for part, texts in words.items()})


def _read_tone(top: Fields, known: _Known) -> Tone:
    if not _is_there(top, "tone"):
        return Tone()
    fields = top.fields("tone", required=(), optional=("style", "pronoun", "emoji", "sign_off"))
    if fields is None:
        return Tone()
    pronoun = fields.optional_word("pronoun")
    if pronoun and pronoun.text and pronoun.text not in _PRONOUNS:
        known.log.add(pronoun.place, f"field 'pronoun' is '{pronoun.text[:8]}'; use one of: {', '.join(_PRONOUNS)}")
    return Tone(
        style=fields.choice("style", Style) if _is_there(fields, "style") else Style.WARM,
        pronoun=pronoun.text if pronoun and pronoun.text in _PRONOUNS else None,
        emoji=fields.flag("emoji", default=True),
        sign_off=_read_plain(fields, "sign_off", known, variables=True),
    )


def _read_plain(fields: Fields, name: str, known: _Known, *, variables: bool = False) -> Mapping[str, str]:
    """A text by language, without variables unless ``variables``; nothing when the field is absent."""
    if not _is_there(fields, name):
        return _NONE
    words = fields.by_language(name, required=LANGUAGES)
    for word in words.values():
        check_variables(word, known.variables if variables else (), known.log)
    return _texts(words)


def _read_sets(top: Fields, known: _Known) -> Mapping[str, TemplateSet]:
    """Sets of single outcomes: for an intent, for a category, or for a rule that names them."""
    if not _is_there(top, "by_intent"):
        return MappingProxyType({})
    names = tuple(top.named("by_intent"))
    inner = top.fields("by_intent", required=(), optional=names)
    found = {name: inner.fields(name, required=("id", "outcomes"), optional=("version", "channels")) for name in names} if inner else {}
    return MappingProxyType({name: _read_set(fields, top, known) for name, fields in found.items() if fields})


def _read_set(fields: Fields, top: Fields, known: _Known) -> TemplateSet:
    outcomes = fields.fields("outcomes", required=(), optional=(*_OUTCOMES, *_MORE))
    there = [name for name in (*_OUTCOMES, *_MORE) if outcomes and _is_there(outcomes, name)]
    if outcomes and not there:
        known.log.add(outcomes.place, "the set has no outcome; write one such as 'answered', or remove the set")
    parts = {name: outcomes.fields(name, required=PARTS, optional=("channels",)) for name in there} if outcomes else {}
    return TemplateSet(
        id=_read_name(fields, "id"),
        version=_read_name(fields if _is_there(fields, "version") else top, "version"),
        outcomes=MappingProxyType({name: _read_template(part, known.of(name)) for name, part in parts.items() if part}),
        facts=MappingProxyType({}),
        channels=_read_channels(fields, known.among(frozenset(there) - {"blocked"})),
    )


def _check_person(templates: TemplateSet, context: Collection[str], place: Place, log: MistakeLog) -> None:
    if not templates.person:
        return
    for source in (templates, *templates.by_intent.values()):
        for outcome in (name for name in AUTOMATIC if name in source.outcomes):
            _check_offer(Wording(source, templates, outcome, Channel.WEB, "zh"), context, place, log)


def _check_offer(wording: Wording, context: Collection[str], place: Place, log: MistakeLog) -> None:
    """Note where what is surely sent offers no person: a line or part that may be left out does not count."""
    templates = wording.common
    for language in (code for code in LANGUAGES if code in templates.person):
        for channel in Channel:
            there = Wording(wording.source, templates, wording.outcome, channel, language)
            if not offers_person(sure_parts(there.parts(), there.outcome, context), templates.person[language]):
                where = f"outcome '{wording.outcome}' of '{wording.source.id}' on channel '{channel}' in '{language}'"
                log.add(
                    place,
                    f"{where} offers no person; write “{templates.person[language]}” in quotation marks where nothing may be left out",
                )


def _read_context_of(top: Fields, facts: Collection[str], policy: Policy | None, log: MistakeLog) -> Mapping[str, str]:
    context_of = top.scalars("context_of")
    context = None if policy is None else policy.context
    for fact, word in context_of.items():
        check_known(Word(fact, word.place), facts, log, what="fact", home="facts in templates.yaml")
        check_known(word, context, log, what="context variable", home="context in policy.yaml")
    return _texts(context_of)


def _is_there(fields: Fields, name: str) -> bool:
    return any(fields.has(name, kind) for kind in Kind)


def _texts(words: Mapping[str, Word]) -> Mapping[str, str]:
    return MappingProxyType({name: word.text for name, word in words.items()})
