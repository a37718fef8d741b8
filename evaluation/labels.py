"""Whether the knowledge under examination holds what test rows are labelled with: a count of all rows, no estimate.

Accuracy hardly shows that a small intent is gone, for few rows ask for it. Here one row is enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from evaluation.examination import SHOWN, Examination, Example
from evaluation.metrics import Measure
from evaluation.rows import Row, TestFile
from evaluation.tables import table
from yingda.domain.knowledge import Knowledge

NAME = "labels"
METRICS: Mapping[str, str] = MappingProxyType(
    {"labels_lacking": "Share of test messages labelled with an intent or an entry that the knowledge under examination does not hold."}
)


def examine_labels(files: Sequence[TestFile], knowledge: Knowledge) -> Examination:
    """The rows of ``files`` with a label that ``knowledge`` lacks; examples quote them, so the files must be public."""
    rows = [row for file in files for row in file.rows]
    found = [(row, missing) for row in rows if (missing := lacking(row, knowledge))]
    counted = Counter(label for _, missing in found for label in missing)
    return Examination(
        name=NAME,
        measures={"labels_lacking": Measure(len(found) / len(rows) if rows else None, len(rows))},
        facts={"rows": len(rows), "lacking": dict(sorted(counted.items())), "places": [row.place for row, _ in found]},
        page=tuple(_page(counted, rows=len(rows), lacking_rows=len(found))),
        examples={"labels_lacking": tuple(_one_each(found))},
    )


def lacking(row: Row, knowledge: Knowledge) -> tuple[str, ...]:
    """The labels of ``row`` that ``knowledge`` lacks: its intent, then its entries."""
    intents = () if row.intent is None or row.intent in knowledge.taxonomy.intents else (row.intent,)
    entries = dict.fromkeys([*([] if row.faq is None else [row.faq]), *row.also])
    return (*intents, *(entry for entry in entries if entry not in knowledge.faq))


def _one_each(found: Sequence[tuple[Row, tuple[str, ...]]]) -> Iterator[Example]:
    """A message for each label that is lacking, as many as are shown."""
    first: dict[str, Row] = {}
    for row, missing in found:
        for label in missing:
            first.setdefault(label, row)
    for label, row in list(first.items())[:SHOWN]:
        yield Example(row.place, row.text, f"labelled {label}, which the knowledge lacks")


def _page(counted: Mapping[str, int], *, rows: int, lacking_rows: int) -> Iterator[str]:
    yield f"{lacking_rows} of {rows} test messages are labelled with an intent or an entry that the knowledge lacks.\n"
    if counted:
        yield from table(("label", "messages"), ((label, str(number)) for label, number in sorted(counted.items())))
