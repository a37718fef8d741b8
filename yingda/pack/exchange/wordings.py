"""What a template record would do to the replies of its shop: texts that are never sent, and answers that nobody reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from yingda.domain.knowledge import TemplateSet
from yingda.domain.message import Channel
from yingda.domain.records import Payload
from yingda.reply.guard import personal_data
from yingda.reply.variables import variables_of
from yingda.reply.wording import Wording, continued
from yingda.text.titled_names import holds_titled_name

ANSWER = "答案"
_FIELDS = ("facts", "channels", "tone", "outcomes", "soothing", "person")
_ANSWERING = ("answered", "answered_missing")
_LANGUAGES = ("zh", "en")
_VARIABLE = re.compile(r"\{[^{}]*\}")


def texts_of(payload: Payload) -> Iterator[tuple[str, str]]:
    """Every text of a template record that a customer may read, with its field."""
    for field in _FIELDS:
        yield from _texts(field, payload.get(field))


def private_texts(texts: Iterable[tuple[str, str]], own: Collection[str]) -> Iterator[str]:
    """Those of ``texts`` (field, text) with personal data, each as ``field: what to do``: the guard of replies would let none of them out.

    It judges as that guard does, so what the shop publishes in its policy (``own``) may stand here. A reason never repeats
    what was found.
    """
    for field, text in texts:
        fixed = _VARIABLE.sub("※", text)
        found = personal_data(fixed, own=own, written=fixed, name=None, context={})
        kinds = (*found, "姓名") if holds_titled_name(fixed) and "姓名" not in found else found
        if kinds:
            yield f"{field}: holds personal data ({'、'.join(kinds)}); take it out, or make it a policy variable if it is the shop's"


def answerless(source: TemplateSet, common: TemplateSet) -> Iterator[str]:
    """Channels and languages in which a customer whose question was answered would not read the answer.

    ``source`` is ``common`` itself or a set over it. A reply in the middle of a conversation is looked at, for it has the
    fewest parts.
    """
    for outcome in (name for name in _ANSWERING if name in source.outcomes):
        for language in _LANGUAGES:
            silent = [channel.value for channel in Channel if not _says_answer(Wording(source, common, outcome, channel, language))]
            if silent:
                where = f"in '{language}' on {', '.join(silent)}"
                yield f"outcomes.{outcome}: {where} nobody would read the answer; write {{{ANSWER}}} into confirm, solution or next"


def _says_answer(wording: Wording) -> bool:
    return any(ANSWER in variables_of(text) for text in continued(wording).values())


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(f"{path}.{name}", item)
