"""Write the five-part reply for a decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yingda.domain.decision import LanguageGuess, Outcome, Reply, ReplyParts
from yingda.domain.knowledge import FaqEntry, Intent, Knowledge, ReplyTemplate
from yingda.domain.message import Message
from yingda.reply.variables import address, fill, variables_of

SMALL_TALK = frozenset({"GENERAL_GREETING", "GENERAL_THANKS"})


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a reply is about: the outcome, the intent, the entry to send, the questions to offer, facts to ask for."""

    message: Message
    language: str
    outcome: Outcome
    intent: Intent
    entry: FaqEntry | None
    offered: tuple[FaqEntry, ...]
    missing: tuple[str, ...]


_SURE = 0.3
"""Confidence below which a detected language is a guess; English questions have far more."""


def reply_language(guess: LanguageGuess) -> str:
    """Chinese when the customer's language is Chinese, unknown or a mere guess; English, as entries are, for all others."""
    return "zh" if guess.code in ("zh", "und") or guess.confidence < _SURE else "en"


def missing_facts(entry: FaqEntry, knowledge: Knowledge, message: Message, found: Iterable[str]) -> tuple[str, ...]:
    """Facts the entry asks for that neither the request's context nor the message itself (``found``) gives."""
    given = set(found)
    context_of = knowledge.templates.context_of
    return tuple(fact for fact in entry.ask if fact not in given and not message.context.get(context_of.get(fact, ""), "").strip())


def compose(request: ReplyRequest, knowledge: Knowledge) -> Reply:
    """The reply in the request's language; parts that come out empty are left out of the text."""
    template = _template(request, knowledge)
    values = _values(request, knowledge)
    language = request.language
    parts = ReplyParts(
        *(
            fill(part[language], values).strip()
            for part in (template.greeting, template.confirm, template.solution, template.next, template.closing)
        )
    )
    templates = knowledge.templates
    return Reply(parts.text(), parts, templates.id, templates.version, language)


def _template(request: ReplyRequest, knowledge: Knowledge) -> ReplyTemplate:
    outcomes = knowledge.templates.outcomes
    if request.outcome is Outcome.ANSWERED and request.intent.code in SMALL_TALK:
        return outcomes["smalltalk"]
    if request.outcome is Outcome.ANSWERED and request.missing:
        return outcomes["answered_missing"]
    return outcomes[request.outcome.value]


def _values(request: ReplyRequest, knowledge: Knowledge) -> Mapping[str, str]:
    language, customer, facts = request.language, request.message.customer, knowledge.templates.facts
    context = request.message.context
    called = address(customer.name if customer else None, customer.gender if customer else None, language=language)
    # a context value that the caller did not give is called by its name: a customer must never read a placeholder
    values = {name: context.get(name) or name for name in knowledge.policy.context}
    # the operator's promises come later: a request's context can never overwrite them
    values |= knowledge.policy.values_in(language)
    separator = "、" if language == "zh" else ", "
    values |= {
        "称呼": called,
        "客户姓名": called,  # surname and title only, whatever the context holds
        "问题类型": request.intent.name(language),
        "所需信息": separator.join(facts[fact][language] for fact in request.missing),
        "候选问题": "\n".join(f"{n}. {_in_language(entry.question, language)}" for n, entry in enumerate(request.offered, 1)),
    }
    answer = _in_language(request.entry.answer, language) if request.entry else ""
    # an answer may use the same variables, and is filled first so that nothing in a value is filled again
    values["答案"] = fill(answer, {name: values[name] for name in variables_of(answer) if name in values})
    return values


def _in_language(texts: Mapping[str, str], language: str) -> str:
    """The text in ``language``, else in Chinese, which every entry has."""
    return texts.get(language) or texts["zh"]
