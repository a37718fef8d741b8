"""Rows as the trainers see them: normalised text and class numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from training.logs.dataset import LogRow
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry, Knowledge, Sentiment, Utterance

IGNORED = -100
"""Class number of a label that a row does not have; cross-entropy skips it."""

SENTIMENTS = tuple(Sentiment)
LOG_STYLE = "log"
"""Style of a row that comes from a log and not from the pack."""
_FEW = 3
"""An intent needs this many messages without an entry before it gets a class for them."""


@dataclass(frozen=True)
class Classes:
    """Class numbers of the bundle: intents, sentiments, and match classes.

    A match class is a FAQ entry, or ``none:INTENT`` for messages of that intent that no entry answers.
    """

    intents: tuple[str, ...]
    matches: tuple[str, ...]
    match_intents: tuple[str, ...]

    def match_of(self, faq: str | None, intent: str) -> int:
        """Number of the match class, or IGNORED for an intent too rare to have a class without an entry."""
        name = faq or f"none:{intent}"
        return self.matches.index(name) if name in self.matches else IGNORED

    def evidence_of(self, faq: str | None, intent: str) -> int:
        """``match_of``, but what no entry answers counts as out of scope where its intent has no class of its own.

        It is evidence for abstaining all the same, so IGNORED is left for rows of which nobody knows the entry.
        """
        match = self.match_of(faq, intent)
        return match if match != IGNORED or faq is not None else self.match_of(None, OUT_OF_SCOPE)


@dataclass(frozen=True)
class Example:
    """One training row; ``also`` lists further right match classes."""

    text: str
    intent: int
    match: int
    sentiment: int
    also: tuple[int, ...] = ()
    style: str = ""


class Labels(Protocol):
    """A labelled row, from the pack or from logs."""

    @property
    def faq(self) -> str | None: ...
    @property
    def intent(self) -> str | None: ...


def build_classes(knowledge: Knowledge, rows: Iterable[Labels]) -> Classes:
    """Entries in file order, then a class without an entry for each intent that has enough such rows."""
    # nobody said which entry answers a row whose entry is unknown: it speaks for no class
    unanswered = Counter(row.intent for row in rows if row.faq is None and getattr(row, "faq_known", True))
    none = [code for code in knowledge.taxonomy.intents if unanswered[code] >= _FEW]
    entries = list(knowledge.faq.values())
    return Classes(
        intents=tuple(knowledge.taxonomy.intents),
        matches=(*(e.id for e in entries), *(f"none:{code}" for code in none)),
        match_intents=(*(e.intent for e in entries), *none),
    )


def example_of(row: Utterance, classes: Classes, text: str) -> Example:
    """``row`` with its normalised ``text`` as class numbers."""
    also = tuple(classes.matches.index(entry) for entry in row.also if entry in classes.matches)
    return Example(
        text=text,
        intent=classes.intents.index(row.intent),
        match=classes.evidence_of(row.faq, row.intent),
        sentiment=SENTIMENTS.index(row.sentiment),
        also=also,
        style=row.style or row.language or "",
    )


def example_of_log(row: LogRow, classes: Classes, text: str) -> Example:
    """A row of a log dataset as class numbers; what its annotator left open is IGNORED."""
    match = classes.evidence_of(row.faq, row.intent or OUT_OF_SCOPE) if row.faq is not None or row.faq_known else IGNORED
    return Example(
        text=text,
        intent=classes.intents.index(row.intent) if row.intent else IGNORED,
        match=match,
        sentiment=SENTIMENTS.index(Sentiment(row.sentiment)) if row.sentiment else IGNORED,
        also=tuple(classes.matches.index(entry) for entry in row.also if entry in classes.matches),
        style=LOG_STYLE,
    )


def examples_of_entry(entry: FaqEntry, classes: Classes, texts: Sequence[str]) -> list[Example]:
    """The entry's own wordings as rows without a sentiment label."""
    intent, match = classes.intents.index(entry.intent), classes.matches.index(entry.id)
    return [Example(text, intent, match, IGNORED, style="faq") for text in texts]


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as readable JSON through a temporary file, so that no half-written file is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")
    partial.replace(path)


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text("".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in examples), "utf-8")
    partial.replace(path)


def read_examples(path: Path) -> list[Example]:
    """Rows written by ``write_examples``."""
    lines = [line for line in _read(path).split("\n") if line]  # splitlines() would also cut at U+2028 inside a text
    return [Example(**{**row, "also": tuple(row["also"])}) for row in map(json.loads, lines)]


def write_classes(path: Path, classes: Classes) -> None:
    """Write the class numbers as JSON."""
    write_json(path, asdict(classes))


def read_classes(path: Path) -> Classes:
    """Class numbers written by ``write_classes``."""
    fields = json.loads(_read(path))
    return Classes(**{name: tuple(values) for name, values in fields.items()})


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise MaterialError(f"{path} is missing; run `dvc repro prepare`") from error
