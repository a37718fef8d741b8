"""What a pack knows: taxonomy, FAQ entries, policy, keywords, templates, and labelled utterances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from yingda.domain.handoff import HandoffPolicy
from yingda.domain.labels import Priority as Priority
from yingda.domain.labels import Sentiment as Sentiment
from yingda.domain.rules import RuleDocument
from yingda.domain.service_hours import ServiceHours
from yingda.domain.tone import Tone

OUT_OF_SCOPE = "OUT_OF_SCOPE"


DISPLEASED = frozenset({Sentiment.NEGATIVE, Sentiment.ANGRY})
"""The feelings that a service team must not overlook."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent of the two-level taxonomy; ``answerable`` is false where no entry may close it on its own."""

    code: str
    category: str
    names: Mapping[str, str]
    kind: str
    priority: Priority
    skill: str
    covers: str
    excludes: str
    answerable: bool = True

    def name(self, language: str) -> str:
        """The display name in ``language``, else in Chinese."""
        return self.names.get(language) or self.names["zh"]


@dataclass(frozen=True, slots=True)
class Category:
    """First level of the taxonomy."""

    code: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """All categories and intents, in file order."""

    version: int
    categories: tuple[Category, ...]
    intents: Mapping[str, Intent]


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One answer the shop gives, with the question it answers in each language it is written in."""

    id: str
    intent: str
    question: Mapping[str, str]
    similar: Mapping[str, tuple[str, ...]]
    answer: Mapping[str, str]
    ask: tuple[str, ...] = ()
    needs_human: bool = False

    def texts(self) -> tuple[str, ...]:
        """Every wording a customer's message is compared with: questions first, then similar wordings."""
        questions = [text for _, text in sorted(self.question.items(), key=lambda item: item[0] != "zh")]
        return (*questions, *(text for texts in self.similar.values() for text in texts))


@dataclass(frozen=True, slots=True)
class Policy:
    """What the shop promises (``values``) and which ``{变量}`` come from the request instead (``context``).

    ``translations`` holds, by language, the values that read differently there: 48 小时 is 48 hours.
    ``service_hours`` says when people answer; None means that the shop does not say. ``spoken`` holds, by context variable, the values
    that customers name in their messages, each with what else they call it; ``unspoken`` are longer words that only look like one.
    """

    values: Mapping[str, str]
    context: Mapping[str, str]
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    service_hours: ServiceHours | None = None
    spoken: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    unspoken: tuple[str, ...] = ()

    def values_in(self, language: str) -> Mapping[str, str]:
        """Every value as it reads in ``language``."""
        return {**self.values, **self.translations.get(language, {})}

    def variables(self) -> frozenset[str]:
        """Every variable name a text of this pack may use."""
        return frozenset(self.values) | frozenset(self.context)


@dataclass(frozen=True, slots=True)
class Keyword:
    """A term with its synonyms; each occurrence is evidence for the intents named."""

    term: str
    synonyms: tuple[str, ...]
    intents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplyTemplate:
    """The wording of the five parts for one outcome, by language: 问候语 问题确认 解决方案 后续引导 结束语.

    ``channels`` holds, by channel and part (``subject`` is one of e-mail's), the wordings that differ there.
    """

    greeting: Mapping[str, str]
    confirm: Mapping[str, str]
    solution: Mapping[str, str]
    next: Mapping[str, str]
    closing: Mapping[str, str]
    channels: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """One version of all reply templates.

    ``facts`` names what the customer is asked for, by language; ``context_of`` names the policy's context variable
    that already holds a fact, for those facts that have one. ``channels`` holds, by channel and part, the wording that all
    outcomes share there. ``soothing`` is said first to a customer who is angry or complains. ``person`` is the word that
    reaches a person, by language. ``by_intent`` holds sets of single outcomes for an intent, a category or a rule.
    """

    id: str
    version: str
    outcomes: Mapping[str, ReplyTemplate]
    facts: Mapping[str, Mapping[str, str]]
    context_of: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    channels: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=lambda: MappingProxyType({}))
    tone: Tone = field(default_factory=Tone)
    soothing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    person: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    by_intent: Mapping[str, TemplateSet] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled message; ``faq`` is the entry whose answer closes it, ``also`` further right entries."""

    text: str
    intent: str
    faq: str | None
    sentiment: Sentiment
    also: tuple[str, ...] = ()
    style: str | None = None
    language: str | None = None

    def accepts(self, entry: str | None) -> bool:
        """True when answering with ``entry`` would be right."""
        return entry is not None and (entry == self.faq or entry in self.also)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything decisions and replies need from a pack; ``digest`` is the SHA-256 of the files it was read from."""

    taxonomy: Taxonomy
    faq: Mapping[str, FaqEntry]
    policy: Policy
    keywords: tuple[Keyword, ...]
    templates: TemplateSet
    digest: str
    handoff: HandoffPolicy = field(default_factory=HandoffPolicy)
    rules: tuple[RuleDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class Pack:
    """A whole domain pack: knowledge and, by file name, the utterances for training and for evaluation."""

    knowledge: Knowledge
    training: Mapping[str, tuple[Utterance, ...]] = field(default_factory=lambda: MappingProxyType({}))
    evaluation: Mapping[str, tuple[Utterance, ...]] = field(default_factory=lambda: MappingProxyType({}))
