"""What is wrong with a record among the others of its shop, and what a change would break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from yingda.decide.rules import KnownNames, RuleSet, compile_rules, crossings, known_names
from yingda.domain.errors import PackError
from yingda.domain.knowledge import Knowledge, Policy, TemplateSet
from yingda.domain.records import KnowledgeSnapshot, Payload, RecordId, RecordKind
from yingda.domain.rules import RuleDocument, RuleError
from yingda.pack.exchange.entries import answers_of, check_entry, names_of, node_of
from yingda.pack.exchange.kinds import DEFAULT, rule_of, template_payloads, templates_of
from yingda.pack.exchange.shop import CONVERT, knowledge_of
from yingda.pack.exchange.syntax import line_of, line_of_finding
from yingda.pack.exchange.wordings import answerless, private_texts, texts_of
from yingda.pack.keywords import read_keywords
from yingda.pack.mistakes import MistakeLog, Place
from yingda.pack.policy import REPLY_VARIABLES
from yingda.pack.source import Kind, Node
from yingda.reply.check import check_template
from yingda.reply.hours import duration
from yingda.reply.values import own_values
from yingda.reply.variables import variables_of
from yingda.text.normalise import normalise

MOST = 8
"""Uses of a thing that are named when it would vanish; one line a use."""

_PARTS = frozenset(CONVERT) - {RecordKind.TEMPLATE}


class Among:
    """The records of ``snapshot`` as one shop; entries are left out of it where only the names of the shop are asked for."""

    def __init__(self, base: Knowledge, snapshot: KnowledgeSnapshot) -> None:
        self._base, self._snapshot = base, snapshot

    def check(self, id_: RecordId, payload: Payload) -> list[str]:
        """What is wrong with a payload that stands here as ``id_``, each as ``field: what to do``."""
        match id_.kind:
            case RecordKind.FAQ:
                return check_entry(payload, names_of(self.knowledge)) or list(private_texts(answers_of(payload), self._published))
            case RecordKind.KEYWORD:
                return _keyword(payload, self._base) or list(self._elsewhere(id_.key, payload))
            case RecordKind.POLICY:
                return list(_value(id_.key, payload, self._base))
            case RecordKind.TEMPLATE:
                return self._template(id_.key, payload)
            case RecordKind.RULE:
                return self._ruled(rule_of(id_.key, payload))[0]

    def warnings(self, id_: RecordId, payload: Payload) -> list[str]:
        """What is odd about a payload that may be saved, each with an example where there is one."""
        return self._ruled(rule_of(id_.key, payload))[1] if id_.kind is RecordKind.RULE else []

    def broken_since(self, before: Among) -> list[str]:
        """What no longer works, that did ``before``: names that are still used, and templates that no longer fit."""
        if self._templates[1] and not before._templates[1]:
            return [f"template {reason}" for reason in self._templates[1][:MOST]]
        reasons = [*self._unanswerable(before), *self._unworded(before), *self._unruled(before)]
        if before.knowledge.faq and not self.knowledge.faq:
            reasons.append("faq: this is the last entry, and nothing could be answered without one; write another first")
        return reasons[:MOST]

    # ---- the shop ----

    @cached_property
    def knowledge(self) -> Knowledge:
        """What the shop knows; with the pack's templates where those of the records do not fit together."""
        convert = {kind: CONVERT[kind] for kind in CONVERT if kind in _PARTS}
        return replace(knowledge_of(self._base, self._snapshot, convert=convert), templates=self._templates[0])

    @cached_property
    def _names(self) -> KnownNames:
        return known_names(self.knowledge, skills=self._base.handoff.skills)

    @cached_property
    def _templates(self) -> tuple[TemplateSet, list[str]]:
        """The template set, the pack's own where the records do not fit together, and why they do not."""
        if RecordKind.TEMPLATE not in self._snapshot.managed:
            return self._base.templates, []
        log, held = MistakeLog(), self._snapshot.of(RecordKind.TEMPLATE)
        found = templates_of(self._base.templates, held, self._policy, log)
        wrong = _mistakes(log)
        return (self._base.templates if wrong else found), wrong

    @cached_property
    def _policy(self) -> Policy:
        """The policy alone, without reading all else that the shop knows."""
        return knowledge_of(self._base, self._snapshot, convert={RecordKind.POLICY: CONVERT[RecordKind.POLICY]}).policy

    @cached_property
    def _published(self) -> tuple[str, ...]:
        """What the shop says of itself: its hotline is nobody's telephone."""
        return own_values(self._policy)

    # ---- one kind each ----

    def _elsewhere(self, key: str, payload: Payload) -> Iterator[str]:
        """Words that stand in another record; however it is written, a word stands in the library once."""
        owners = self._owners
        for field, word in (("term", payload["term"]), *(("synonyms", word) for word in payload.get("synonyms", ()))):
            others = [owner for owner in owners.get(_folded(word), ()) if owner != key]
            if others:
                yield f"{field}: '{word}' stands in the record '{others[0]}' already; keep one of them"

    @cached_property
    def _owners(self) -> Mapping[str, list[str]]:
        owners: dict[str, list[str]] = {}
        for key, one in self._snapshot.of(RecordKind.KEYWORD).items():
            for word in (one["term"], *one.get("synonyms", ())):
                owners.setdefault(_folded(word), []).append(key)
        return owners

    def _template(self, key: str, payload: Payload) -> list[str]:
        log, held = MistakeLog(), dict(self._snapshot.of(RecordKind.TEMPLATE))
        found = templates_of(self._base.templates, {**held, key: payload}, self._policy, log)
        prefix = "" if key == DEFAULT else f"by_intent.{key}."
        reasons = [reason.removeprefix(prefix) for reason in _mistakes(log)]
        if key == DEFAULT and "by_intent" in payload:
            reasons.append("by_intent: a set for an intent is a record of its own; save it under the intent's code")
        if reasons:
            return reasons
        source = found if key == DEFAULT else found.by_intent[key]
        return [*private_texts(texts_of(payload), self._published), *answerless(source, found)][:MOST]

    def _ruled(self, document: RuleDocument) -> tuple[list[str], list[str]]:
        """Why a rule file is refused, by itself and beside the others, and what is odd about one that is not."""
        reasons, warnings = _refused(document, self._names)
        if reasons:
            return reasons, warnings
        documents = {one.name: one for one in self.knowledge.rules if not _refused(one, self._names)[0]} | {document.name: document}
        files = {name: compile_rules(documents[name].text, known=self._names) for name in sorted(documents)}
        tags = [(f"row '{rule.outcome.rows[0]}', tags", tag) for rule in files[document.name].rules for tag in rule.outcome.tags]
        if private := list(private_texts(tags, self._published)):
            return private[:MOST], warnings
        found = crossings(files, self._names, of=document.name)
        told = [(one.finding.blocks, line_of_finding(one.finding, "" if one.file == document.name else f"{one.file}, ")) for one in found]
        return [line for blocks, line in told if blocks], [*warnings, *(line for blocks, line in told if not blocks)]

    # ---- what a change would break ----

    def _unanswerable(self, before: Among) -> Iterator[str]:
        """Entries that use a variable or a fact which is gone."""
        now, then = self.knowledge, before.knowledge
        variables = self._retired_values(before)
        facts = then.templates.facts.keys() - now.templates.facts.keys()
        if not variables and not facts:
            return
        for entry in now.faq.values():
            used = {name for text in entry.answer.values() for name in variables_of(text)} & variables
            yield from (f"faq/{entry.id}: its answer still uses {{{name}}}; change the entry first" for name in sorted(used))
            yield from (f"faq/{entry.id}: it still asks for '{fact}'; change the entry first" for fact in entry.ask if fact in facts)

    def _retired_values(self, before: Among) -> frozenset[str]:
        """Policy values that are told no more; the pack may still have one, but what it says was replaced long ago."""
        now, then = (shop._snapshot.of(RecordKind.POLICY).keys() for shop in (self, before))
        return frozenset(then - now)

    def _unworded(self, before: Among) -> Iterator[str]:
        """Templates, and the service hours, that use a value which is gone; and the set of all replies, where that is gone."""
        if DEFAULT in before._snapshot.of(RecordKind.TEMPLATE) and DEFAULT not in self._snapshot.of(RecordKind.TEMPLATE):
            yield f"template/{DEFAULT}: every reply needs it; publish another text in its place, or roll it back"
        gone = self._retired_values(before)
        if not gone:
            return
        for key, payload in template_payloads(self.knowledge.templates).items():
            used = {name for _, text in texts_of(payload) for name in variables_of(text)} & gone
            yield from (f"template/{key}: it still uses {{{name}}}; change the template first" for name in sorted(used))
        hours = self._base.policy.service_hours
        if hours and hours.response in gone:
            yield f"policy/{hours.response}: the service hours tell from it when somebody answers; publish another value in its place"

    def _unruled(self, before: Among) -> Iterator[str]:
        """Rules that name a keyword or a template set which is gone."""
        now, then = self._names, before._names
        gone = set(then.keywords or ()) - set(now.keywords or ()) or set(then.templates) - set(now.templates)
        for document in self.knowledge.rules if gone else ():
            yield from (f"{document.name}: {reason}" for reason in _refused(document, now)[0])


def _keyword(payload: Payload, knowledge: Knowledge) -> list[str]:
    line = Node(Kind.LIST, Place("keyword", 1), items=(node_of(payload),))
    top = {"version": Node(Kind.NUMBER, Place("keyword", 1), text="1"), "keywords": line}
    log = MistakeLog()
    read_keywords(Node(Kind.MAPPING, Place("keyword", 1), fields=top), knowledge.taxonomy.intents, log)
    return _mistakes(log)


def _value(name: str, payload: Payload, base: Knowledge) -> Iterator[str]:
    """What is wrong with a policy value ``{"value", "translations"}``."""
    if check_template(f"{{{name}}}", None):
        yield "id: a variable is named by up to 31 letters, Chinese characters and digits, a digit never first; rename it"
    if name in REPLY_VARIABLES or name in base.policy.context:
        yield f"id: '{name}' is filled by the reply or comes with the request; choose another name"
    for field in sorted(payload.keys() - {"value", "translations"}):
        yield f"{field}: unknown field; write value and translations"
    texts = {"value": payload.get("value")}
    translations = payload.get("translations", {})
    if isinstance(translations, Mapping):
        texts |= {f"translations.{language}": text for language, text in translations.items()}
    else:
        yield "translations: must be a mapping of languages; write {en: …}"
    for field, text in texts.items():
        yield from _wrong_text(field, text)
    hours = base.policy.service_hours
    if hours and name == hours.response and isinstance(texts["value"], str) and duration(texts["value"]) is None:
        yield "value: the service hours need it to work out a time; write it as 2 小时 or 30 分钟"


def _wrong_text(field: str, text: object) -> Iterator[str]:
    if not isinstance(text, str) or not text.strip():
        yield f"{field}: must be a text that is not empty; write it in quotes"
    else:
        yield from (f"{field}: {reason}" for reason in check_template(text, ()))


def _refused(document: RuleDocument, names: KnownNames) -> tuple[list[str], list[str]]:
    """Why a rule file is refused, and what is odd about one that is not."""
    try:
        rules: RuleSet = compile_rules(document.text, known=names)
    except RuleError as error:
        return [line_of(mistake.where, mistake.detail) for mistake in error.mistakes], []
    lines = [(finding.blocks, line_of_finding(finding)) for finding in rules.findings]
    return [line for blocks, line in lines if blocks], [line for blocks, line in lines if not blocks]


def _mistakes(log: MistakeLog) -> list[str]:
    """What the log holds, each as ``field: what to do``."""
    try:
        log.raise_if_any()
    except PackError as error:
        return list(dict.fromkeys(f"{mistake.file or 'record'}: {mistake.detail}" for mistake in error.mistakes))
    return []


def _folded(word: str) -> str:
    return normalise(word).casefold()
