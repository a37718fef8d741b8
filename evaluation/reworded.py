"""Messages that two engines treat alike and answer in other words: an edited answer, template or policy value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluation.comparison import Pairs, sent
from evaluation.conversations.play import Played


@dataclass(frozen=True, slots=True)
class Reworded:
    """A message with the same outcome and entry on both sides and another reply; texts are None where they may not leave their file."""

    place: str
    came: str
    text: str | None
    champion: str | None
    candidate: str | None


def reworded(files: Sequence[Pairs], turns: Sequence[tuple[Played, Played]] = ()) -> tuple[Reworded, ...]:
    """The rows of ``files``, then ``turns`` of conversations, which may be quoted; in the order they were asked.

    Rows carry no time and turns a fixed one, so no greeting of the hour differs by itself.
    """
    return (*_rows(files), *_turns(turns))


def _rows(files: Sequence[Pairs]) -> Iterator[Reworded]:
    for file in files:
        for before, after in zip(file.champion, file.candidate, strict=True):
            one, other = before.answer.reply.text, after.answer.reply.text
            if sent(before) == sent(after) and one != other:
                texts = (before.row.text, one, other) if file.public else (None, None, None)
                entry = before.answer.faq
                yield Reworded(before.row.place, _came(before.answer.outcome, None if entry is None else entry.id), *texts)


def _turns(turns: Sequence[tuple[Played, Played]]) -> Iterator[Reworded]:
    for before, after in turns:
        same = (before.outcome, before.faq, before.reasons) == (after.outcome, after.faq, after.reasons)
        if same and before.reply != after.reply:
            place = f"{before.scenario} · {before.number}"
            yield Reworded(place, _came(before.outcome, before.faq), before.text, before.reply, after.reply)


def _came(outcome: str, entry: str | None) -> str:
    return str(outcome) if entry is None else f"{outcome} {entry}"
