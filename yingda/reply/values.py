"""What each ``{变量}`` of a reply stands for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from yingda.domain.knowledge import Knowledge, Policy, TemplateSet
from yingda.reply.check import is_plain
from yingda.reply.greeting import salutation
from yingda.reply.hours import local
from yingda.reply.promise import Promise
from yingda.reply.request import ReplyRequest
from yingda.reply.variables import address, fill, variables_of

LISTS = frozenset({"答案", "所需信息", "候选问题"})
"""Variables that hold a text of their own; a line in which they are all empty is left out."""

FILLED = LISTS | {"称呼", "客户姓名", "问候", "尊称", "问题类型", "落款", "上班时间", "承诺时间"}
"""Variables that every reply fills by itself."""

_HANDED = ("handoff", "handoff_closed", "handoff_late", "handoff_standing", "handoff_standing_closed")
_LATER = frozenset({"handoff_closed", "handoff_late", "handoff_standing_closed"})
_ANSWERED = ("answered", "answered_missing", "smalltalk")
HAS_VALUE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # not in `ask` and `facts_received`, where the answer may lack a value and would show its placeholder
        "答案": frozenset((*_ANSWERED, "second_response", "smalltalk_standing", "resigned")),
        "所需信息": frozenset(("answered_missing", "ask", "facts_received", *_HANDED)),
        "候选问题": frozenset(
            (
                *(*_ANSWERED, "clarify", "no_answer", "second_response", "fragment", "ask", *_HANDED),
                *("facts_received", "resigned", "smalltalk_standing"),
            )
        ),
        "上班时间": _LATER,
        "承诺时间": _LATER,
    }
)
"""Outcomes in which a variable may have a value; in every other one it is always empty. All other variables are the same everywhere."""

ALWAYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"答案": frozenset(_ANSWERED), "所需信息": frozenset({"answered_missing"}), "候选问题": frozenset({"clarify"})}
)
"""Outcomes in which one of ``LISTS`` is never empty."""

_LONGEST_VALUE = 200
"""Characters of the longest context value that is put into a reply; names of goods are the longest."""


def values_for(request: ReplyRequest, knowledge: Knowledge, promise: Promise) -> dict[str, str]:
    """Every variable that has a value, except ``LISTS``; a context variable that the request does not carry has none."""
    language, customer, context = request.language, request.message.customer, request.message.context
    tone = knowledge.templates.tone
    called = address(customer.name if customer else None, customer.gender if customer else None, language=language)
    if called == "您" and tone.pronoun:
        called = tone.pronoun
    at = None if request.soothing or request.message.at is None else local(knowledge.policy, request.message.at)
    values = {name: " ".join(context[name].split()) for name in knowledge.policy.context if usable(context.get(name, ""))}
    # the operator's promises come later: a request's context can never overwrite them
    values |= knowledge.policy.values_in(language)
    return values | {
        "称呼": called,
        "客户姓名": called,  # surname and title only, whatever the context holds
        "问候": salutation(called, at, language=language, style=tone.style, pronoun=tone.pronoun),
        "尊称": _formal(called, language),
        "问题类型": request.intent.name(language),
        "落款": fill(tone.sign_off.get(language, ""), knowledge.policy.values_in(language)),
        "上班时间": promise.opens,
        "承诺时间": promise.by,
    }


def values_in_answer(values: Mapping[str, str], policy: Policy, language: str) -> dict[str, str]:
    """``values`` as they read in an entry's own text in ``language``, where the policy translates them."""
    own = policy.translations.get(language, {})
    return {**values, **{name: text for name, text in own.items() if name not in FILLED}}


def without_empty_lists(text: str, values: Mapping[str, str]) -> str:
    """``text`` before it is filled, without the lines whose ``LISTS`` are all empty, and without what announces them."""
    lines: list[str] = []
    for line in text.split("\n"):
        if not _is_empty_list(line, values):
            lines.append(line)
        elif lines and lines[-1].endswith(("：", ":")):
            lines.pop()  # it announces what is not there
    return "\n".join(lines)


def _is_empty_list(line: str, values: Mapping[str, str]) -> bool:
    lists = [values[name] for name in variables_of(line) if name in LISTS]
    return bool(lists) and not any(lists)


def sure_parts(parts: Mapping[str, str], outcome: str, context: Collection[str]) -> dict[str, str]:
    """What is left of unfilled ``parts`` in the poorest reply: without ``context``, and with every list empty that may be."""
    values = {name: "…" if outcome in ALWAYS[name] else "" for name in LISTS}
    kept = {part: "" if any(name in context for name in variables_of(text)) else text for part, text in parts.items()}
    return {part: without_empty_lists(text, values) for part, text in kept.items()}


def usable(value: str) -> bool:
    """True for a context value that can stand in a reply: not blank, not long, and nothing that reads as a template."""
    return bool(value.strip()) and len(value) <= _LONGEST_VALUE and is_plain(value.replace("\t", " "))


def own_values(policy: Policy) -> tuple[str, ...]:
    """Everything the shop publishes about itself, in all languages."""
    return (*policy.values.values(), *(value for texts in policy.translations.values() for value in texts.values()))


def fact_of(variable: str, templates: TemplateSet) -> str:
    """The fact that gives a context variable its value; the variable's own name where there is none."""
    return next((fact for fact, name in templates.context_of.items() if name == variable), variable)


def fact_name(fact: str, knowledge: Knowledge, language: str) -> str:
    """A fact, or a context variable without one, as the customer reads it."""
    texts = knowledge.templates.facts.get(fact)
    return texts[language] if texts else fact


def _formal(called: str, language: str) -> str:
    """How an e-mail addresses the customer, without the mark behind it."""
    if language != "zh":
        return f"Dear {called or 'customer'}"
    return "尊敬的客户" if called in ("您", "你") else f"尊敬的{called}"
