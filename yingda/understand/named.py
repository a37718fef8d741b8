"""Facts that customers call by a name the shop knows (顺丰, 圆通): a word list of the pack, found in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from yingda.domain.knowledge import Knowledge


class Named(NamedTuple):
    """A fact in a text: its kind, the value it stands for, and where it stands, end exclusive."""

    fact: str
    value: str
    start: int
    end: int


class NamedFacts:
    """The names of ``knowledge.policy.spoken``, compiled; threads may share it. The longest name that begins first is meant."""

    def __init__(self, knowledge: Knowledge) -> None:
        policy, facts = knowledge.policy, {variable: fact for fact, variable in knowledge.templates.context_of.items()}
        # what only looks like a name is found as well, so that it hides the name in it
        found: dict[str, tuple[str, str] | None] = {word.lower(): None for word in policy.unspoken}
        for variable, values in policy.spoken.items():
            for value, words in values.items():
                for word in (value, *words):
                    found.setdefault(word.lower(), (facts.get(variable, variable), value))
        self._meant = list(found.values())
        self._automaton = AhoCorasick(list(found), matchkind=MatchKind.LeftmostLongest) if found else None

    def find(self, text: str) -> Iterator[Named]:
        """The names in ``text`` as it was written, in order, never overlapping; a Latin one is a whole word."""
        lower = text.lower()
        if self._automaton is None or len(lower) != len(text):  # few letters change their length; none of them is in a name
            return
        for number, start, end in self._automaton.find_matches_as_indexes(lower):
            meant = self._meant[number]
            if meant is not None and _is_whole(lower, start, end):
                yield Named(*meant, start, end)


def _is_whole(lower: str, start: int, end: int) -> bool:
    """False for a Latin word that goes on to the left or to the right."""
    left = start > 0 and _is_latin(lower[start]) and _is_latin(lower[start - 1])
    right = end < len(lower) and _is_latin(lower[end - 1]) and _is_latin(lower[end])
    return not (left or right)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()
