"""utterances/*.jsonl: labelled messages for training and for evaluation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from yingda.domain.errors import MessageError
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry, Sentiment, Utterance
from yingda.domain.message import check_text
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog, Place, Word, check_known
from yingda.pack.source import Node
from yingda.text.normalise import normalise

_REQUIRED = ("text", "intent", "faq", "sentiment")
_OPTIONAL = ("also", "style", "lang")


class Labels(NamedTuple):
    """What an utterance may name; a part is None when its file could not be read."""

    intents: Collection[str] | None
    faq: Mapping[str, FaqEntry] | None


class Labelled(NamedTuple):
    """An utterance and its line."""

    utterance: Utterance
    place: Place


def read_utterances(trees: Iterable[Node], labels: Labels, log: MistakeLog) -> tuple[Labelled, ...]:
    """The utterances of one file, their labels checked."""
    lines = (Fields(tree, log, required=_REQUIRED, optional=_OPTIONAL) for tree in trees)
    return tuple(_read_utterance(fields, labels) for fields in lines)


def check_duplicates(training: Iterable[Labelled], evaluation: Iterable[Labelled], log: MistakeLog) -> None:
    """Note texts that stand twice in training, and texts of evaluation that also stand in training."""
    first: dict[str, Labelled] = {}
    for row in training:
        text = normalise(row.utterance.text)
        other = first.setdefault(text, row)
        if text and other is not row:
            same = _label(other.utterance) == _label(row.utterance)
            remedy = "keep one of them" if same else "the labels differ: decide which is right and keep that one"
            log.add(row.place, f"the text is already in training at {other.place}; {remedy}")
    for row in evaluation:
        found = first.get(normalise(row.utterance.text))
        if found is not None and row.utterance.text:
            log.add(row.place, f"the text is also in training at {found.place}; remove it there, it is for evaluation")


def _read_utterance(fields: Fields, labels: Labels) -> Labelled:
    text, intent, entry = fields.word("text"), fields.word("intent"), fields.optional_word("faq")
    also = fields.words("also")
    style, language = fields.optional_word("style"), fields.optional_word("lang")
    _check_text(text, fields.log)
    check_known(intent, labels.intents, fields.log, what="intent", home="taxonomy.yaml")
    for word in (*also, *([] if entry is None else [entry])):
        check_known(word, labels.faq, fields.log, what="entry", home="a faq-*.yaml file")
    if entry is not None:
        _check_entry(entry, intent, labels, fields.log)
    utterance = Utterance(
        text=text.text,
        intent=intent.text,
        faq=None if entry is None else entry.text,
        sentiment=fields.choice("sentiment", Sentiment),
        also=tuple(word.text for word in also),
        style=None if style is None else style.text,
        language=None if language is None else language.text,
    )
    return Labelled(utterance, fields.place)


def _check_text(text: Word, log: MistakeLog) -> None:
    if not text.text:
        return
    try:
        check_text(text.text)
    except MessageError as error:
        log.add(text.place, str(error))
        return
    if not normalise(text.text):
        log.add(text.place, "the text is empty once invisible characters are gone; write a text or remove the line")


def _check_entry(entry: Word, intent: Word, labels: Labels, log: MistakeLog) -> None:
    if intent.text == OUT_OF_SCOPE:
        log.add(entry.place, f"{OUT_OF_SCOPE} cannot have the entry '{entry.text}'; write null or correct the intent")
        return
    owner = (labels.faq or {}).get(entry.text)
    if owner is not None and owner.intent != intent.text and intent.text in (labels.intents or ()):
        log.add(entry.place, f"entry '{entry.text}' belongs to {owner.intent}, not {intent.text}; correct one of them")


def _label(utterance: Utterance) -> tuple[object, ...]:
    return (utterance.intent, utterance.faq, utterance.sentiment, frozenset(utterance.also))


def by_file(rows: Mapping[str, tuple[Labelled, ...]]) -> Mapping[str, tuple[Utterance, ...]]:
    """The utterances alone, by file name."""
    return MappingProxyType({name: tuple(row.utterance for row in file) for name, file in rows.items()})
