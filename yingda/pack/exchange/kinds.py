"""Keywords, policy values, templates and rules as payloads of records, and payloads as what the engine reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from yingda.domain.knowledge import Keyword, Knowledge, Policy, ReplyTemplate, TemplateSet
from yingda.domain.records import ImportRow, Payload, RecordKind, canonical_json
from yingda.domain.rules import RuleDocument
from yingda.domain.tone import Tone
from yingda.pack.exchange.entries import node_of, payload_of
from yingda.pack.exchange.lines import json_of
from yingda.pack.mistakes import MistakeLog
from yingda.pack.rules import FOLDER
from yingda.pack.templates import read_templates
from yingda.reply.wording import PARTS

DEFAULT = "default"
"""The id of the template record that all replies fall back to; any other id names an intent, a category or what a rule names."""


# ---- what a pack knows, as records ----


def records_of(knowledge: Knowledge) -> dict[RecordKind, list[ImportRow]]:
    """Every record that a pack's knowledge makes, by kind; lines count the records of a kind."""
    payloads: dict[RecordKind, Iterable[tuple[str, Payload]]] = {
        RecordKind.POLICY: policy_payloads(knowledge.policy).items(),
        RecordKind.TEMPLATE: template_payloads(knowledge.templates).items(),
        RecordKind.KEYWORD: ((key_of(keyword.term), keyword_payload(keyword)) for keyword in knowledge.keywords),
        RecordKind.RULE: ((rule_key(document), json_of(document.text)) for document in knowledge.rules),
        RecordKind.FAQ: ((entry.id, payload_of(entry)) for entry in knowledge.faq.values()),
    }
    return {kind: [ImportRow(n, key, payload) for n, (key, payload) in enumerate(found, 1)] for kind, found in payloads.items()}


def key_of(term: str) -> str:
    """The id of a keyword's record; a path of HTTP cannot hold a slash."""
    return term.strip().replace("/", "／")


def rule_key(document: RuleDocument) -> str:
    """The id of a rule file's record: its name without folder and ending."""
    return document.name.removeprefix(f"{FOLDER}/").removesuffix(".json")


def keyword_payload(keyword: Keyword) -> dict[str, Any]:
    """A line of the keyword library."""
    return {"term": keyword.term, "synonyms": list(keyword.synonyms), "intents": list(keyword.intents)}


def policy_payloads(policy: Policy) -> dict[str, dict[str, Any]]:
    """Every value of the policy, with how it reads in other languages."""
    return {name: {"value": value, "translations": _translations(policy, name)} for name, value in policy.values.items()}


def template_payloads(templates: TemplateSet) -> dict[str, dict[str, Any]]:
    """The set of all replies, and the sets for single intents, categories or rules."""
    common = {
        "id": templates.id,
        "version": templates.version,
        "facts": _copy(templates.facts),
        "context_of": dict(templates.context_of),
        "channels": _copy(templates.channels),
        "tone": _tone(templates.tone),
        "outcomes": _outcomes(templates.outcomes),
        **{name: dict(texts) for name, texts in (("soothing", templates.soothing), ("person", templates.person)) if texts},
    }
    sets = {
        name: {"id": one.id, "version": one.version, "channels": _copy(one.channels), "outcomes": _outcomes(one.outcomes)}
        for name, one in templates.by_intent.items()
    }
    return {DEFAULT: common, **sets}


# ---- records, as what the engine reads ----


def keyword_of(payload: Payload) -> Keyword:
    """The keyword of a checked payload."""
    return Keyword(payload["term"], tuple(payload.get("synonyms", ())), tuple(payload["intents"]))


def policy_of(base: Policy, payloads: Mapping[str, Payload]) -> Policy:
    """The policy ``base`` with the values of records ``{"value", "translations": {language: text}}`` over its own.

    A value that no record tells is the pack's; one that is in use cannot be retired (``Among.broken_since``).
    """
    told = {name: one["value"] for name, one in payloads.items()}
    translations = {language: dict(texts) for language, texts in base.translations.items()}
    for name, one in payloads.items():
        for texts in translations.values():
            texts.pop(name, None)  # a translation of the value before would contradict the new one
        for language, text in one.get("translations", {}).items():
            translations.setdefault(language, {})[name] = text
    return replace(base, values={**base.values, **told}, translations=translations)


def templates_of(base: TemplateSet, payloads: Mapping[str, Payload], policy: Policy | None, log: MistakeLog) -> TemplateSet:
    """The template set that records make, its mistakes noted in ``log``, each with its record and field.

    Where no record speaks for all replies the pack's own set does.
    """
    common = payloads.get(DEFAULT) or template_payloads(replace(base, by_intent={}))[DEFAULT]
    sets = {name: payload for name, payload in payloads.items() if name != DEFAULT}
    return read_templates(node_of({**common, **({"by_intent": sets} if sets else {})}), policy, log)


def rule_of(key: str, payload: Payload) -> RuleDocument:
    """The rule file of a payload; equal payloads give equal bytes."""
    return RuleDocument.of(f"{FOLDER}/{key}.json", canonical_json(payload))


def _translations(policy: Policy, name: str) -> dict[str, str]:
    return {language: texts[name] for language, texts in policy.translations.items() if name in texts}


def _outcomes(outcomes: Mapping[str, ReplyTemplate]) -> dict[str, Any]:
    return {name: {**{part: dict(getattr(one, part)) for part in PARTS}, "channels": _copy(one.channels)} for name, one in outcomes.items()}


def _tone(tone: Tone) -> dict[str, Any]:
    found: dict[str, Any] = {"style": tone.style.value, "emoji": tone.emoji}
    return {**found, **({"pronoun": tone.pronoun} if tone.pronoun else {}), **({"sign_off": dict(tone.sign_off)} if tone.sign_off else {})}


def _copy(value: Any) -> Any:
    """Nested mappings as plain ones."""
    return {name: _copy(item) for name, item in value.items()} if isinstance(value, Mapping) else value
