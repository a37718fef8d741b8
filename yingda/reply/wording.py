"""Which wording applies: the set for an intent or a rule, then the channel's, then everybody's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from yingda.domain.decision import ReplyParts
from yingda.domain.knowledge import Intent, ReplyTemplate, TemplateSet
from yingda.domain.message import Channel
from yingda.reply.defaults import DEFAULTS, PERSON, SUBJECT
from yingda.reply.emoji import without_emoji
from yingda.reply.variables import variables_of

PARTS = tuple(field.name for field in fields(ReplyParts))
SUBJECT_PART = "subject"
CHAT = frozenset({Channel.WEB, Channel.APP, Channel.WECHAT})
"""Where an emoji is welcome."""

_BY_ITSELF = frozenset({Channel.EMAIL, Channel.SMS})
_GREETED = re.compile(r"\{问候\}[，,。.！!、]?\s*")
_SHOP = "店铺名称"
"""A greeting that names the shop introduces it, once."""
_FAREWELLS = frozenset({"answered", "answered_missing"})
"""Outcomes whose closing is a farewell alone; that of a hand-off says more, that of small talk offers a person."""
_QUOTES = "“”\"'‘’「」『』"


@dataclass(frozen=True, slots=True)
class Wording:
    """The templates of one outcome on one channel in one language, and the set they are of."""

    source: TemplateSet
    common: TemplateSet
    outcome: str
    channel: Channel
    language: str

    def parts(self) -> dict[str, str]:
        """The five parts before anything is filled."""
        return {part: self._text(part) for part in PARTS}

    def subject(self) -> str | None:
        """The subject of an e-mail; None on other channels."""
        if self.channel is not Channel.EMAIL:
            return None
        return self._text(SUBJECT_PART) or SUBJECT[self.language]

    def _text(self, part: str) -> str:
        own = outcome_template(self.source, self.outcome) or outcome_template(self.common, self.outcome) or DEFAULTS[self.outcome]
        places = [layer.get(self.channel.value, {}).get(part) for layer in (own.channels, self.source.channels, self.common.channels)]
        texts = next((texts for texts in places if texts is not None), None)
        if texts is None:
            texts = {} if part == SUBJECT_PART else getattr(own, part)
        return in_tone(_in_language(texts, self.language), self)


def wording(templates: TemplateSet, intent: Intent, outcome: str, channel: Channel, language: str, *, named: str | None) -> Wording:
    """The wording a rule names, else that of the intent, its category, or all; a set without the outcome leaves it to all."""
    sets = templates.by_intent
    ruled = next((found for key, found in sets.items() if named is not None and named in (key, found.id)), None)
    chosen = next(
        (found for found in (ruled, sets.get(intent.code), sets.get(intent.category)) if found and outcome in found.outcomes), None
    )
    return Wording(chosen or templates, templates, outcome, channel, language)


def continued(wording: Wording) -> dict[str, str]:
    """The parts of a reply in the middle of a conversation: nobody is greeted again, and no answer ends with a farewell.

    Letters and short messages keep their form, for each stands by itself.
    """
    parts = wording.parts()
    if wording.channel in _BY_ITSELF:
        return parts
    rest = _GREETED.sub("", parts["greeting"])
    if rest != parts["greeting"]:
        parts["greeting"] = "" if _SHOP in variables_of(rest) else rest[:1].upper() + rest[1:]
    if wording.outcome in _FAREWELLS:
        parts["closing"] = ""
    return parts


def outcome_template(templates: TemplateSet, outcome: str) -> ReplyTemplate | None:
    """The template of ``outcome`` in this set alone."""
    return templates.outcomes.get(outcome)


def in_tone(text: str, wording: Wording) -> str:
    """``text`` with the brand's pronoun, and without emoji where the channel or the brand has none."""
    tone = wording.common.tone
    if tone.pronoun == "你":
        text = text.replace("您", "你")
    elif tone.pronoun == "您":
        text = re.sub("你(?![们們])", "您", text)
    return text if tone.emoji and wording.channel in CHAT else without_emoji(text)


def person_word(templates: TemplateSet, language: str) -> str:
    """The word that reaches a person (人工, agent)."""
    return templates.person.get(language) or PERSON[language]


def offers_person(parts: Mapping[str, str], person: str) -> bool:
    """True when one of the unfilled ``parts`` tells the customer to say ``person``, set in quotation marks."""
    return any(re.search(f"[{_QUOTES}]{re.escape(person)}[{_QUOTES}]", text) for text in parts.values())


def _in_language(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language, texts.get("zh", ""))
