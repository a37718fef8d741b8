"""Which of the readable rows are taken: each text once, and none whose labels contradict each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from training.logs.dataset import LogRow
from training.logs.labels import Candidate, Labels, Reason
from yingda.domain.knowledge import Sentiment


@dataclass(frozen=True, slots=True)
class FileRows:
    """The rows of one file, in order; ``name`` is its name without folder."""

    name: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What became of every row: rows taken, and the candidates of each file with the reason where they were not."""

    rows: tuple[LogRow, ...]
    files: tuple[FileRows, ...]


def select(files: Sequence[FileRows], known: Collection[str]) -> Selection:
    """Settle duplicates and conflicts over all ``files``; ``known`` are the normalised texts of the pack's own messages.

    Of several rows with one text the first is taken, with every label that any of them has. When two of them disagree
    about intent, entry or sentiment, none is taken.
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    for number, file in enumerate(files):
        for place, candidate in enumerate(file.candidates):
            if candidate.labels is not None:
                groups.setdefault(candidate.key(), []).append((number, place))
    verdicts: dict[tuple[int, int], Reason] = {}
    merged: dict[tuple[int, int], Labels] = {}
    for key, places in groups.items():
        labels = merge([found for number, place in places if (found := files[number].candidates[place].labels) is not None])
        if key in known:
            verdicts.update(dict.fromkeys(places, Reason.IN_PACK))
        elif labels is None:
            verdicts.update(dict.fromkeys(places, Reason.CONFLICT))
        else:
            merged[places[0]] = labels
            verdicts.update(dict.fromkeys(places[1:], Reason.DUPLICATE))
    return Selection(tuple(_taken(files, merged)), tuple(_judged(file, number, verdicts) for number, file in enumerate(files)))


def merge(found: Iterable[Labels]) -> Labels | None:
    """One set of labels that agrees with all of ``found``, None when they contradict each other."""
    rows = list(found)
    intents = {row.intent for row in rows}
    entries = {row.faq for row in rows if row.faq_known}
    sentiments = {row.sentiment for row in rows if row.sentiment is not None}
    if len(intents) > 1 or len(entries) > 1 or len(sentiments) > 1:
        return None
    faq = next(iter(entries), None)
    also = tuple(dict.fromkeys(entry for row in rows for entry in row.also if entry != faq))
    return Labels(next(iter(intents)), faq, bool(entries), next(iter(sentiments), None), also)


def _taken(files: Sequence[FileRows], merged: Mapping[tuple[int, int], Labels]) -> Iterable[LogRow]:
    for (number, place), labels in sorted(merged.items()):
        candidate = files[number].candidates[place]
        yield LogRow(
            text=candidate.text or "",
            intent=labels.intent,
            faq=labels.faq,
            faq_known=labels.faq_known,
            sentiment=None if labels.sentiment is None else Sentiment(labels.sentiment),
            also=labels.also,
            source=f"{files[number].name}:{candidate.line}",
        )


def _judged(file: FileRows, number: int, verdicts: Mapping[tuple[int, int], Reason]) -> FileRows:
    judged = (
        replace(candidate, reason=verdicts[number, place]) if (number, place) in verdicts else candidate
        for place, candidate in enumerate(file.candidates)
    )
    return FileRows(file.name, tuple(judged))
