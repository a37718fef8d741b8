"""Labelled messages to examine the engine with: a pack's own, and further files kept elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from evaluation.errors import EvaluationError
from yingda.domain.errors import MessageError
from yingda.domain.knowledge import OUT_OF_SCOPE, Knowledge, Pack, Sentiment, Utterance
from yingda.domain.message import check_text
from yingda.text.normalise import normalise

_REQUIRED = ("text", "intent", "faq", "sentiment")


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled message; ``place`` is its file and line, ``sure`` None where nobody said.

    ``intent`` is None where the message alone does not tell it. ``faq`` may be None while ``also`` names entries:
    then no entry is asked for, yet these would not be wrong. ``category`` is the taxonomy's, of ``intent``.
    """

    text: str
    intent: str | None
    faq: str | None
    sentiment: Sentiment
    place: str
    also: tuple[str, ...] = ()
    style: str | None = None
    language: str | None = None
    sure: bool | None = None
    category: str | None = None

    def accepts(self, entry: str | None) -> bool:
        """True when answering with ``entry`` would be right."""
        return entry is not None and (entry == self.faq or entry in self.also)


@dataclass(frozen=True, slots=True)
class TestFile:
    """The rows of one file, in order, and the SHA-256 of its bytes."""

    __test__ = False  # the name must not make pytest collect it

    name: str
    sha256: str
    rows: tuple[Row, ...]


def pack_files(root: Path, pack: Pack) -> tuple[TestFile, ...]:
    """The evaluation files of the pack at ``root``; their places count messages, not lines. Raises EvaluationError."""
    if not any(name.startswith("test-") for name in pack.evaluation):
        raise EvaluationError(f"{root / 'utterances'}: the pack has no test-*.jsonl; write one or name another pack")
    files = tuple(_pack_file(root / "utterances" / name, rows, pack.knowledge) for name, rows in pack.evaluation.items())
    _check_once(files, root)
    return files


def _check_once(files: Iterable[TestFile], root: Path) -> None:
    """Raise EvaluationError at a message that stands twice: copies prove nothing more, and every bound would count them as rows."""
    first: dict[str, str] = {}
    for row in (row for file in files for row in file.rows):
        place = first.setdefault(normalise(row.text), row.place)
        if place != row.place:
            raise EvaluationError(f"{root / 'utterances'}: {row.place} repeats the message of {place}; remove one of them")


def read_extra(path: Path, knowledge: Knowledge) -> TestFile:
    """A further file of labelled messages, checked against ``knowledge``; other fields of a row are ignored.

    The name keeps the file's folder and no more of its path. Raises EvaluationError at the first bad row.
    """
    name = f"{path.resolve().parent.name}/{path.name}"
    if not _is_writable(name):
        raise EvaluationError(f"{name.encode(errors='replace').decode()}: the name of file or folder is not UTF-8; rename it")
    try:
        data = path.read_bytes()
        text = data.decode()
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror}); name a file of labelled messages") from error
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: is not UTF-8; save it as UTF-8") from error
    lines = enumerate(text.split("\n"), start=1)  # splitlines() would also cut at U+2028 inside a text
    rows = tuple(_RowReader(path, name, number, knowledge).read(line) for number, line in lines if line.strip())
    return _not_empty(TestFile(name, sha256(data).hexdigest(), rows), path)


def _pack_file(path: Path, utterances: tuple[Utterance, ...], knowledge: Knowledge) -> TestFile:
    rows = tuple(_pack_row(u, f"{path.name}:{number}", knowledge) for number, u in enumerate(utterances, start=1))
    return _not_empty(TestFile(path.name, sha256(path.read_bytes()).hexdigest(), rows), path)


def _pack_row(labelled: Utterance, place: str, knowledge: Knowledge) -> Row:
    return Row(
        text=labelled.text,
        intent=labelled.intent,
        faq=labelled.faq,
        sentiment=labelled.sentiment,
        place=place,
        also=labelled.also,
        style=labelled.style,
        language=labelled.language,
        category=_category(labelled.intent, knowledge),
    )


def _category(intent: str | None, knowledge: Knowledge) -> str | None:
    found = None if intent is None else knowledge.taxonomy.intents.get(intent)
    return None if found is None else found.category


def _not_empty(file: TestFile, path: Path) -> TestFile:
    if not file.rows:
        raise EvaluationError(f"{path}: the test set is empty; fill it or leave it out")
    return file


def _is_writable(text: str) -> bool:
    """False for text with half a character, which no report could be written with."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Reads one line; errors name the file and line, never the text."""

    path: Path
    name: str
    number: int
    knowledge: Knowledge

    def read(self, line: str) -> Row:
        fields = self._object(line)
        row = Row(
            text=self._message(fields),
            intent=self._label(fields, "intent"),
            faq=self._label(fields, "faq"),
            sentiment=self._sentiment(fields),
            place=f"{self.name}:{self.number}",
            also=self._also(fields),
            style=self._label(fields, "style"),
            language=self._label(fields, "lang"),
            sure=self._sure(fields),
        )
        self._check_labels(row)
        return replace(row, category=_category(row.intent, self.knowledge))

    def _object(self, line: str) -> Mapping[str, object]:
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._mistake("is not valid JSON; write one object a line") from error
        if not isinstance(fields, dict):
            raise self._mistake("is no JSON object; write one object a line")
        missing = [name for name in _REQUIRED if name not in fields]
        if missing:
            raise self._mistake(f"field '{missing[0]}' is missing; add it")
        return fields

    def _message(self, fields: Mapping[str, object]) -> str:
        text = fields["text"]
        if not isinstance(text, str):
            raise self._mistake("field 'text' is no text; write one")
        try:
            check_text(text)
        except MessageError as error:
            raise self._mistake(str(error)) from error
        return text

    def _label(self, fields: Mapping[str, object], name: str) -> str | None:
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise self._mistake(f"field '{name}' must be a text or null")
        if value is not None and not _is_writable(value):
            raise self._mistake(f"field '{name}' holds half a character; write it anew")
        return value

    def _sentiment(self, fields: Mapping[str, object]) -> Sentiment:
        value = fields["sentiment"]
        if not isinstance(value, str) or value not in list(Sentiment):
            raise self._mistake(f"unknown sentiment {value!r}; use one of: {', '.join(Sentiment)}")
        return Sentiment(value)

    def _also(self, fields: Mapping[str, object]) -> tuple[str, ...]:
        value = fields.get("also") or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._mistake("field 'also' must be a list of entries")
        return tuple(value)

    def _sure(self, fields: Mapping[str, object]) -> bool | None:
        value = fields.get("sure")
        if value is not None and not isinstance(value, bool):
            raise self._mistake("field 'sure' must be true or false")
        return value

    def _check_labels(self, row: Row) -> None:
        if row.intent is not None and row.intent not in self.knowledge.taxonomy.intents:
            raise self._mistake(f"unknown intent '{row.intent}'; correct it or evaluate against the pack it is for")
        for entry in (*row.also, *([] if row.faq is None else [row.faq])):
            if entry not in self.knowledge.faq:
                raise self._mistake(f"unknown entry '{entry}'; correct it or evaluate against the pack it is for")
        if row.intent == OUT_OF_SCOPE and row.faq is not None:
            raise self._mistake(f"{OUT_OF_SCOPE} cannot have the entry '{row.faq}'; write null or correct the intent")

    def _mistake(self, detail: str) -> EvaluationError:
        return EvaluationError(f"{self.path}:{self.number}: {detail}")
