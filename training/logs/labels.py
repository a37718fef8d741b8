"""From a raw row to a labelled, masked message, or to the reason why not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from training.logs.mapping import NONE, Annotation, Label, LogMapping, words
from training.logs.source import RawRow
from yingda.domain.errors import MessageError
from yingda.domain.knowledge import OUT_OF_SCOPE, Knowledge, Sentiment
from yingda.domain.message import MAX_CHARACTERS, check_text
from yingda.text.masking import mask, mask_counted
from yingda.text.normalise import normalise

_EXAMPLE = 60
_LINE_ENDS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNSEEN = ("Cc", "Cf", "Cs")


class Reason(StrEnum):
    """Why a row was not taken."""

    BAD_ROW = "bad_row"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    NO_LABEL = "no_label"
    LABEL_NOT_MAPPED = "label_not_mapped"
    LABEL_SKIPPED = "label_skipped"
    NOT_ANNOTATED = "not_annotated"
    UNSURE = "unsure"
    UNKNOWN_INTENT = "unknown_intent"
    UNKNOWN_ENTRY = "unknown_entry"
    ENTRY_OF_OTHER_INTENT = "entry_of_other_intent"
    UNKNOWN_SENTIMENT = "unknown_sentiment"
    DUPLICATE = "duplicate"
    IN_PACK = "duplicate_of_the_pack"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a row says about its message, before or after it was checked."""

    intent: str | None
    faq: str | None
    faq_known: bool
    sentiment: str | None
    also: tuple[str, ...] = ()


class RefusedRowError(Exception):
    """Carries the reason, and a detail that is safe to show."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row as far as it was understood.

    ``text`` is masked, None where there is none or too much; ``labels`` is None when ``reason`` says why.
    """

    line: int
    text: str | None
    labels: Labels | None
    reason: Reason | None = None
    detail: str = ""
    masked: Mapping[str, int] = field(default_factory=dict)

    def key(self) -> str:
        """What decides whether two texts are the same."""
        return normalise(self.text or "")


class RowReader:
    """Reads the rows of one import."""

    def __init__(self, knowledge: Knowledge, mapping: LogMapping, annotations: Mapping[str, Annotation] | None) -> None:
        self._knowledge = knowledge
        self._mapping = mapping
        self._annotations = annotations

    def read(self, row: RawRow) -> Candidate:
        """``row`` with its text masked and its labels checked against the pack."""
        if row.fields is None:
            return Candidate(row.line, None, None, Reason.BAD_ROW)
        try:
            text, masked = clean(row.fields.get(self._mapping.columns.text))
        except RefusedRowError as refused:
            return Candidate(row.line, None, None, refused.reason, refused.detail)
        try:
            labels = self._checked(self._labels(row.fields))
        except RefusedRowError as refused:
            return Candidate(row.line, text, None, refused.reason, refused.detail, masked)
        return Candidate(row.line, text, labels, masked=masked)

    def _labels(self, fields: Mapping[str, object]) -> Labels:
        if self._annotations is not None:
            return self._annotated(fields)
        columns = self._mapping.columns
        label, faq = _word(fields.get(columns.intent)), _word(fields.get(columns.faq))
        sentiment, also = _word(fields.get(columns.sentiment)), _words(fields.get(columns.also))
        says_faq = columns.faq in fields
        if self._mapping.labels and label is not None:
            mapped = self._mapped(label)
            return Labels(mapped.intent, mapped.faq if mapped.says_faq else faq, mapped.says_faq or says_faq, sentiment, also)
        return Labels(label, faq, says_faq, sentiment, also)

    def _mapped(self, label: str) -> Label:
        found = self._mapping.labels.get(label)
        if found is None:
            raise RefusedRowError(Reason.LABEL_NOT_MAPPED, shown(label))
        if found == "skip" or not isinstance(found, Label):
            raise RefusedRowError(Reason.LABEL_SKIPPED, shown(label))
        return found

    def _annotated(self, fields: Mapping[str, object]) -> Labels:
        id_ = _word(fields.get(self._mapping.columns.id))
        found = (self._annotations or {}).get(id_ or "")
        if found is None:
            raise RefusedRowError(Reason.NOT_ANNOTATED)
        if not found.is_sure and self._mapping.unsure == "skip":
            raise RefusedRowError(Reason.UNSURE)
        return Labels(found.intent, found.faq, True, found.sentiment, found.also)

    def _checked(self, labels: Labels) -> Labels:
        """``labels`` in the pack's words; the intent follows from the entry where it is missing."""
        entries, intents = self._knowledge.faq, self._knowledge.taxonomy.intents
        for entry in (labels.faq, *labels.also):
            if entry is not None and entry not in entries:
                raise RefusedRowError(Reason.UNKNOWN_ENTRY, shown(entry))
        owner = None if labels.faq is None else entries[labels.faq].intent
        intent = labels.intent or owner
        if intent is None and self._annotations is None:
            raise RefusedRowError(Reason.NO_LABEL)
        # an annotator may have found that a message cannot be decided: nothing should answer it
        if intent is not None and intent not in intents:
            raise RefusedRowError(Reason.UNKNOWN_INTENT, shown(intent))
        if owner is not None and owner != intent:
            raise RefusedRowError(Reason.ENTRY_OF_OTHER_INTENT, f"{labels.faq} belongs to {owner}, not {intent}")
        also = tuple(entry for entry in labels.also if entry != labels.faq)
        # no entry answers what is out of scope: that needs no column
        return Labels(
            intent, labels.faq, labels.faq_known or labels.faq is not None or intent == OUT_OF_SCOPE, self._sentiment(labels), also
        )

    def _sentiment(self, labels: Labels) -> Sentiment | None:
        if labels.sentiment is None:
            return None
        found = self._mapping.sentiments.get(labels.sentiment, labels.sentiment)
        if found not in list(Sentiment):
            raise RefusedRowError(Reason.UNKNOWN_SENTIMENT, shown(labels.sentiment))
        return Sentiment(found)


def clean(value: object) -> tuple[str, Mapping[str, int]]:
    """The text of a row, composed (NFC), on one line, without what cannot be seen, masked; and what was masked.

    Raises RefusedRowError for a text that is no text, empty or too long.
    """
    if not isinstance(value, str):
        raise RefusedRowError(Reason.EMPTY if value is None else Reason.BAD_ROW)
    if len(value) > 4 * MAX_CHARACTERS:
        raise RefusedRowError(Reason.TOO_LONG, f"{len(value):,} characters, at most {MAX_CHARACTERS:,}")
    masked = mask_counted(unicodedata.normalize("NFC", _visible(value)).strip())
    try:
        check_text(masked.text)
    except MessageError as error:
        is_long = error.code == "text_too_long"
        raise RefusedRowError(Reason.TOO_LONG if is_long else Reason.EMPTY, str(error) if is_long else "") from error
    if not normalise(masked.text):
        raise RefusedRowError(Reason.EMPTY)
    return masked.text, masked.counts


def shown(text: str) -> str:
    """``text`` masked, then cut, so that no half of a number is left at the end."""
    whole = mask(_visible(text[: 4 * MAX_CHARACTERS]))
    return whole if len(whole) <= _EXAMPLE else whole[:_EXAMPLE] + "…"


def _visible(text: str) -> str:
    """``text`` on one line, without control characters and lone surrogates, which no file can hold."""
    return "".join(char for char in _LINE_ENDS.sub(" ", text) if unicodedata.category(char) not in _UNSEEN)


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    word = str(value).strip()
    return None if word in ("", NONE) else word


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(word for item in value if (word := _word(item)) is not None))
    return words(value) if isinstance(value, str) else ()
