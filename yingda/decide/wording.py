"""What a message asks for in so many words, and what it takes back (不用转人工): a safety net below the model.

One pass of an automaton over all phrases (Aho and Corasick 1975) finds the mentions; negation is judged as in NegEx
(Chapman et al. 2001): a trigger right before or behind the phrase, and pseudo-triggers (怎么不转人工) that negate nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from yingda.domain.handoff import WordList, Words

LONGEST_ALONE = 40
"""Characters up to which a message may be one word said again and again (人工！人工！！)."""

BETWEEN = 2
"""Most words that may stand between a negation and what it takes back."""

GAP = 8
"""Most characters, all of one sentence, that the … of a phrase may stand for."""

_GAP = re.compile(r"…|\.\.+")
"""A gap as it is written, and as normalisation leaves it."""

_SENTENCE = "。!?;"
"""Marks that a gap does not cross."""

_CLAUSE = _SENTENCE + ",、"
"""Marks that the gap of an exception does not cross: 我担心,号被盗了 is no fear of what may come."""

_DONE = "了啦咯喽咧嘞喇"
"""了 as it is also written at the end of a word."""

_END = rf"[了啦吧啊呀呢哦哈的]*(?:[\s{_CLAUSE.replace('?', '')}~….]|\Z)"
"""Where a clause ends, particles aside. It does not where it asks: 人工不用?"""

_BLANK = r"(?:(?<=[a-z])\s)?"
_BARE = "不"
"""The negation that urging words turn into a demand; in 还不用转人工 they do not."""

_FILLING = re.compile(r"[\W_]+|[啊呀吧呢哦呗嘛啦哈亲]")
_ASKED = re.compile(r"\s?(?:吗|么|没|不|嘛|是不是|\?)")
_NEVER = re.compile(r"(?!)")


class Topic(StrEnum):
    """What words may speak of."""

    PERSON = "person"
    COMPLAINT = "complaint"
    SECURITY = "security"
    DISSATISFIED = "dissatisfied"
    SATISFIED = "satisfied"
    ACKNOWLEDGED = "acknowledged"
    IDENTITY = "identity"
    NUDGED = "nudged"
    RESIGNED = "resigned"


@dataclass(frozen=True, slots=True)
class Mentions:
    """Topics that a message asserts, and those it mentions only to take them back."""

    asserted: frozenset[Topic] = frozenset()
    denied: frozenset[Topic] = frozenset()


SILENT = Mentions()
"""No word of the policy stands in the message."""


class _Role(StrEnum):
    """What a word of the automaton is there for; the last three are the lists of Negation that stand before a phrase."""

    PHRASE = "phrase"
    END = "end"
    NOUN = "noun"
    EXCEPTION = "exception"
    REFUSING = "refusing"
    DENYING = "denying"
    LACKING = "lacking"


class _Mark(NamedTuple):
    """What a word of the automaton stands for; ``rest`` is what must follow one that is only the head of a phrase."""

    role: _Role
    topic: Topic | None = None
    rest: re.Pattern[str] | None = None


class _Hit(NamedTuple):
    """A word in a text, end exclusive; a negation has no topic, and its end lies behind the words that may follow it."""

    role: _Role
    topic: Topic | None
    start: int
    end: int


class Wording:
    """The words of a policy, compiled; threads may share it."""

    def __init__(self, words: Words) -> None:
        lists: dict[Topic, WordList] = {topic: getattr(words, topic.value) for topic in Topic}
        marked = list(_marked(lists, words))
        self._marks = [mark for _, mark in marked]
        self._automaton = AhoCorasick([word for word, _ in marked])
        self._alone = {topic: _repeated(found.alone, found.polite) for topic, found in lists.items() if found.alone}
        self._polite = {topic: _only(found.polite) for topic, found in lists.items() if found.ends}
        self._vetoes = {topic: _either(found.vetoes) for topic, found in lists.items() if found.vetoes}
        between = _either(words.negation.between)
        # a blank only between Latin words: in 不用 转人工 and 订单取消 转人工 it ends a clause
        self._between = re.compile(rf"(?:{_BLANK}(?:{between.pattern})){{0,{BETWEEN}}}{_BLANK}")
        self._unless = tuple(word.lower() for word in words.negation.unless)
        self._urging = tuple(word.lower() for word in words.negation.urging)
        ends = rf"(?:{_either(words.negation.ends).pattern}){_END}"
        self._after = re.compile(rf"{_BLANK}(?:{_either(words.negation.after).pattern}|{ends})")
        self._despite = _either(words.negation.despite)

    def find(self, text: str) -> Mentions:
        """What the normalised ``text`` asserts and denies; a topic asserted once is asserted, whatever else takes it back."""
        lower = text.lower().replace("’", "'")
        asserted, denied = self._alone_in(lower), set[Topic]()
        hits = self._hits(lower)
        negations = [hit for hit in hits if hit.topic is None]
        for hit in hits:
            if hit.topic is None:
                continue
            if self._is_negated(lower, hit, negations):
                denied.update({hit.topic} - {Topic.SATISFIED})  # 勾不上了 is a matter, nothing that is taken back
            elif hit.role is not _Role.NOUN:
                asserted.add(hit.topic)
        return Mentions(frozenset(asserted), frozenset(denied - asserted)) if asserted or denied else SILENT

    def _alone_in(self, lower: str) -> set[Topic]:
        if len(lower) > LONGEST_ALONE:
            return set()
        bare = _FILLING.sub("", lower)
        if not bare and lower:
            return {Topic.ACKNOWLEDGED}  # marks and particles alone: ？, 。。。, 哦
        return {topic for topic, pattern in self._alone.items() if pattern.match(bare)}

    def _hits(self, lower: str) -> list[_Hit]:
        """Words of the policy in the text: none inside a longer Latin word or an exception, none that are asked (解决了吗)."""
        found = self._automaton.find_matches_as_indexes(lower, overlapping=True)
        if not any(self._marks[number].topic for number, _, _ in found):
            return []
        read = (_read(lower, self._marks[number], start, end) for number, start, end in found)
        hits = [hit for hit in read if hit is not None]
        barred = [hit for hit in hits if hit.role is _Role.EXCEPTION]
        return [kept for hit in hits if (kept := self._kept(lower, hit, barred)) is not None]

    def _kept(self, lower: str, hit: _Hit, barred: Sequence[_Hit]) -> _Hit | None:
        if any(bar.start < hit.end and hit.start < bar.end for bar in barred):
            return None
        if hit.topic is None:
            return self._negation(lower, hit)
        asked = hit.topic is Topic.SATISFIED and _ASKED.match(lower, hit.end) is not None
        return None if asked or self._is_silenced(lower, hit, hit.topic) else hit

    def _is_silenced(self, lower: str, hit: _Hit, topic: Topic) -> bool:
        """True for the end of a message that goes on, and for a phrase beside a word that vetoes it (解决了，但…)."""
        if hit.role is _Role.END and not self._polite[topic].match(lower, hit.end):
            return True
        vetoes = self._vetoes.get(topic) if hit.role is not _Role.NOUN else None
        return vetoes is not None and bool(vetoes.search(lower, 0, hit.start) or vetoes.search(lower, hit.end))

    def _negation(self, lower: str, hit: _Hit) -> _Hit | None:
        """The negation with the words that may follow it; None where it only looks like one."""
        start = hit.start
        # 要不要转人工 and 有没有人工 ask, they take nothing back
        asks = start > 0 and lower[start] in "不没" and lower[start - 1 : start] == lower[start + 1 : start + 2]
        urged = lower[start : hit.end] == _BARE and lower.endswith(self._urging, 0, start)
        if asks or urged or lower.endswith(self._unless, 0, start):
            return None
        following = self._between.match(lower, hit.end)
        return _Hit(hit.role, None, start, following.end() if following else hit.end)

    def _is_negated(self, lower: str, hit: _Hit, negations: Sequence[_Hit]) -> bool:
        if self._after.match(lower, hit.end):
            return True
        before = {one.role for one in negations if one.start < hit.start <= one.end and _applies(one.role, hit)}
        demanded = _Role.REFUSING not in before and self._despite.match(lower, hit.end) is not None
        return bool(before) and not demanded


@lru_cache(maxsize=8)
def wording_of(words: Words) -> Wording:
    """The compiled form of ``words``, made once."""
    return Wording(words)


def _marked(lists: dict[Topic, WordList], words: Words) -> Iterator[tuple[str, _Mark]]:
    """Each word as it is looked for, with what it stands for."""
    for topic, found in lists.items():
        yield from _phrases(found.phrases, _Role.PHRASE, topic)
        yield from _phrases(found.ends, _Role.END, topic)
        yield from ((word.lower(), _Mark(_Role.NOUN, topic)) for word in found.nouns)
    negation = words.negation
    yield from _phrases(words.exceptions, _Role.EXCEPTION, None)
    yield from ((word.lower(), _Mark(_Role.REFUSING)) for word in negation.refusing)
    yield from ((word.lower(), _Mark(_Role.DENYING)) for word in negation.denying)
    yield from ((word.lower(), _Mark(_Role.LACKING)) for word in negation.lacking)


def _phrases(words: Sequence[str], role: _Role, topic: Topic | None) -> Iterator[tuple[str, _Mark]]:
    """Phrases as they are looked for: the head before a gap, and a 了 at the end in each of its forms."""
    ends = _CLAUSE if role is _Role.EXCEPTION else _SENTENCE
    for word in words:
        forms = [word[:-1] + done for done in _DONE] if word.endswith("了") else [word]
        for form in forms:
            head, *pieces = _GAP.split(form.lower())
            gaps = "".join(rf"[^{ends}]{{0,{GAP}}}?{re.escape(piece)}" for piece in pieces)
            yield head, _Mark(role, topic, re.compile(gaps) if gaps else None)


def _read(lower: str, mark: _Mark, start: int, end: int) -> _Hit | None:
    """The word in the text, with what follows its head; None inside a longer Latin word, or where the rest is missing."""
    if mark.rest is not None:
        following = mark.rest.match(lower, end)
        if following is None:
            return None
        end = following.end()
    return _Hit(mark.role, mark.topic, start, end) if _is_whole(lower, start, end) else None


def _applies(role: _Role, hit: _Hit) -> bool:
    """Whether a negation of ``role`` may take back ``hit``: see Negation."""
    if role is _Role.REFUSING:
        return True
    if role is _Role.DENYING:
        return hit.role is not _Role.NOUN
    return hit.topic is not Topic.PERSON


def _either(words: Sequence[str]) -> re.Pattern[str]:
    """Any of ``words``, the longest first; Latin ones as whole words."""
    latin = r"(?<![a-z]){}(?![a-z])"
    forms = sorted({word.lower() for word in words}, key=lambda word: (-len(word), word))
    return re.compile("|".join(latin.format(re.escape(w)) if w.isascii() else re.escape(w) for w in forms)) if forms else _NEVER


def _only(words: Sequence[str]) -> re.Pattern[str]:
    """Nothing but ``words``, marks and particles up to the end of the text."""
    return re.compile(rf"(?:{_either(words).pattern}|{_FILLING.pattern})*+\Z")


def _repeated(words: Sequence[str], polite: Sequence[str]) -> re.Pattern[str]:
    """At least one of ``words``, and nothing but them and ``polite`` ones up to the end of a bare text."""
    whole = _longest_first(words)
    if not whole:
        return _NEVER
    # possessive, the longest first: linear in the text, whatever words stand in the lists
    return re.compile(rf"(?=.*?(?:{'|'.join(whole)}))(?:{'|'.join(_longest_first((*words, *polite)))})*+\Z")


def _longest_first(words: Sequence[str]) -> list[str]:
    """The bare forms of ``words`` as patterns."""
    bare = {_FILLING.sub("", word.lower()) for word in words} - {""}
    return [re.escape(form) for form in sorted(bare, key=lambda form: (-len(form), form))]


def _is_whole(lower: str, start: int, end: int) -> bool:
    """False for a Latin word that goes on to the left or to the right."""
    left = start > 0 and _is_latin(lower[start]) and _is_latin(lower[start - 1])
    right = end < len(lower) and _is_latin(lower[end - 1]) and _is_latin(lower[end])
    return not (left or right)


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()
