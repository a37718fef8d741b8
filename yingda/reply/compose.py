"""Write the five-part reply for a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from yingda.domain.decision import Outcome, Reply, ReplyParts
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Channel
from yingda.reply.channels import in_channel_form
from yingda.reply.check import is_plain
from yingda.reply.defaults import AUTOMATIC, SOOTHING, SUBJECT, offer
from yingda.reply.emoji import without_emoji
from yingda.reply.guard import personal_data
from yingda.reply.language import FRAMES, in_language, language_among
from yingda.reply.promise import promise_for
from yingda.reply.request import ReplyRequest as ReplyRequest
from yingda.reply.values import LISTS, fact_name, fact_of, own_values, values_for, values_in_answer, without_empty_lists
from yingda.reply.variables import fill_closed, variables_of
from yingda.reply.wording import Wording, continued, in_tone, offers_person, person_word, wording

RECEIVED = "facts_received"
"""Situation in which the customer has read the answer already and gave a fact besides: nothing is held back."""

RESIGNED, SATISFIED = "resigned", "satisfied"
"""Situation in which the customer gives up: nobody says 不客气 to that."""

SMALL_TALK = frozenset({"GENERAL_GREETING", "GENERAL_THANKS"})


def compose(request: ReplyRequest, knowledge: Knowledge) -> Reply:
    """The reply in the request's language and in the form of its channel; parts that come out empty are left out.

    The texts of entries, the answer and the questions offered, are in the customer's own language where the entry has it.

    A context variable that the request does not carry is asked for. A text that would show personal data of the customer is
    not sent: the reply then says so, offers a person, and names the kinds in ``blocked``.
    """
    draft = _draft(request, knowledge)
    found = personal_data(
        "\n".join((draft.parts.text(), draft.subject or "")),
        own=own_values(knowledge.policy),
        written=draft.written,
        name=request.message.customer.name if request.message.customer else None,
        context=request.message.context,
    )
    if found:
        draft = _blocked(request, knowledge)
    templates = draft.wording.source
    reply = Reply(
        draft.parts.text(), draft.parts, templates.id, templates.version, request.language, request.message.channel, draft.subject
    )
    return replace(in_channel_form(reply, draft.own), missing=() if found else draft.missing, blocked=found)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A reply before the last look: ``written`` is all its wording before a value of the request was filled in.

    ``own`` are the texts of entries that stand in it in another language than a frame's, and which.
    """

    wording: Wording
    parts: ReplyParts
    subject: str | None
    missing: tuple[str, ...]
    written: str
    own: Mapping[str, str] = field(default_factory=dict)


def _draft(request: ReplyRequest, knowledge: Knowledge) -> _Draft:
    promise = promise_for(knowledge.policy, request.message.at, language=request.language)
    values = values_for(request, knowledge, promise)
    answer = _answer(request)
    lacking = tuple(name for name in variables_of(answer) if name not in values)
    chosen = _wording(request, knowledge, _outcome(request, promise.situation, lacking))
    texts = chosen.parts() if request.opening else continued(chosen)
    unfilled = {part: [name for name in variables_of(text) if name not in values and name not in LISTS] for part, text in texts.items()}
    lacking = tuple(dict.fromkeys((*lacking, *(name for names in unfilled.values() for name in names))))
    # the reply asks for what it lacks: a customer must never read a placeholder
    kept = {part: "" if unfilled[part] else text for part, text in texts.items()}
    needed = (fact_of(name, knowledge.templates) for name in lacking)
    missing = tuple(dict.fromkeys((*request.missing, *(fact for fact in needed if fact not in request.unasked))))
    told = fill_closed(in_tone(answer, chosen), _values_of_answer(request, knowledge, values))
    values = {**values, **_lists(request, knowledge, missing, told)}
    # a way to a person on a line that is left out is none
    kept = {part: without_empty_lists(text, values) for part, text in kept.items()}
    kept = _completed(kept, request, knowledge, chosen, asks=bool(missing) and any(unfilled.values()))
    parts = {part: _finished(text, values, request) for part, text in kept.items()}
    subject = chosen.subject()
    written = "\n".join((*kept.values(), answer, *values["候选问题"].split("\n"), *own_values(knowledge.policy)))
    return _Draft(chosen, ReplyParts(**parts), subject and fill_closed(subject, values), missing, written, _own_texts(request, told))


_APOLOGETIC = (
    "smalltalk",
    "smalltalk_standing",
    "second_response",
    "second_response_plain",
    "blocked",
    "heard",
    "identity",
    "nudged",
    "resigned",
    "satisfied",
)
"""Outcomes that apologise themselves, or have nothing to apologise for."""


def _outcome(request: ReplyRequest, situation: str, lacking: tuple[str, ...]) -> str:
    """Name of the template; ``situation`` is that of a hand-off at this hour."""
    answered, small = request.outcome is Outcome.ANSWERED, request.intent.code in SMALL_TALK
    if request.situation == SATISFIED:
        return "smalltalk_standing" if request.standing else SATISFIED
    if answered and lacking and request.situation != RECEIVED:
        return "ask"
    if answered and small and request.situation == RESIGNED and not request.standing:
        return RESIGNED
    if answered and small:
        return "smalltalk_standing" if request.standing else "smalltalk"
    if request.situation is not None and not request.standing:
        return request.situation
    if request.standing:
        return "handoff_standing_closed" if situation == "handoff_closed" else "handoff_standing"
    if request.outcome is Outcome.HANDOFF:
        return situation
    if request.second_response:
        return "second_response"
    return "answered_missing" if answered and request.missing else request.outcome.value


def _wording(request: ReplyRequest, knowledge: Knowledge, outcome: str) -> Wording:
    return wording(knowledge.templates, request.intent, outcome, request.message.channel, request.language, named=request.template)


def _answer(request: ReplyRequest) -> str:
    return in_language(request.entry.answer, request.texts_in) if request.entry else ""


def _values_of_answer(request: ReplyRequest, knowledge: Knowledge, values: Mapping[str, str]) -> Mapping[str, str]:
    """``values`` as the answer says them."""
    if not request.entry or not request.entry_language:
        return values
    return values_in_answer(values, knowledge.policy, language_among(request.entry.answer, request.entry_language))


def _own_texts(request: ReplyRequest, answer: str) -> Mapping[str, str]:
    """The ``answer`` and the questions offered that are in a language of their own, with that language."""
    if not request.entry_language:
        return {}
    said = [(answer, request.entry.answer)] if request.entry else []
    said += [(in_language(entry.question, request.texts_in), entry.question) for entry in request.offered]
    found = {text: language_among(texts, request.texts_in) for text, texts in said}
    return {text: language for text, language in found.items() if language not in FRAMES}


def _lists(request: ReplyRequest, knowledge: Knowledge, missing: tuple[str, ...], answer: str) -> Mapping[str, str]:
    """The variables that hold a text of their own."""
    language, separator = request.language, "、" if request.language == "zh" else ", "
    others = [entry for entry in request.offered if entry is not request.entry]
    return {
        "答案": answer,
        "所需信息": separator.join(fact_name(fact, knowledge, language) for fact in missing),
        "候选问题": "\n".join(f"{n}. {in_language(entry.question, request.texts_in)}" for n, entry in enumerate(others, 1)),
    }


def _completed(parts: dict[str, str], request: ReplyRequest, knowledge: Knowledge, chosen: Wording, *, asks: bool) -> dict[str, str]:
    """``parts`` with what every reply owes: a word to the upset, the question for what is missing, the way to a person."""
    templates, language = knowledge.templates, request.language
    completed = dict(parts)
    if request.soothing and chosen.outcome not in _APOLOGETIC:
        sorry = in_tone(templates.soothing.get(language) or SOOTHING[language], chosen)
        completed["confirm"] = _joined(sorry, parts["confirm"], language)
    if asks:
        question = _wording(request, knowledge, "ask").parts()["solution"]
        completed["next"] = _joined(completed["next"], question, language)
    person = person_word(templates, language)
    if chosen.outcome in AUTOMATIC and not offers_person(completed, person):
        sentence = offer(person, language=language, spoken=request.message.channel is Channel.PHONE)
        completed["next"] = _joined(completed["next"], in_tone(sentence, chosen), language)
    return completed


def _joined(left: str, right: str, language: str) -> str:
    """Both texts, on one line where the first ends a sentence."""
    if not left or not right:
        return left or right
    return f"{left}{'' if language == 'zh' else ' '}{right}" if left[-1] in "。！？.!?" else f"{left}\n{right}"


def _finished(text: str, values: Mapping[str, str], request: ReplyRequest) -> str:
    """``text`` filled, without the lines whose list came out empty, and without emoji for a customer who is upset."""
    filled = fill_closed(without_empty_lists(text, values), values).strip()
    return without_emoji(filled) if request.soothing else filled


def _blocked(request: ReplyRequest, knowledge: Knowledge) -> _Draft:
    """The safe reply in place of another: no variable, so nothing of the customer can be in it."""
    chosen = Wording(knowledge.templates, knowledge.templates, "blocked", request.message.channel, request.language)
    texts = chosen.parts()
    # what a channel adds to every reply (尊敬的王女士) is left out as well
    parts = {part: text if not variables_of(text) and is_plain(text) else "" for part, text in texts.items()}
    parts = _completed(parts, request, knowledge, chosen, asks=False)
    subject = chosen.subject()
    plain = subject if subject is None or not variables_of(subject) else SUBJECT[request.language]
    return _Draft(chosen, ReplyParts(**parts), plain, (), "")
