"""handoff.yaml: when a person takes over and who, as a manager sets it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields as fields_of

from yingda.domain.handoff import Framing, HandoffPolicy, Negation, Route, WordList, Words
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Reason
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog, Word, check_known
from yingda.pack.source import Kind, Node
from yingda.text.normalise import normalise

FILE = "handoff.yaml"
MOST = 1000
"""Highest count or number of hours; more would switch a row off without saying so."""

_DEFAULT = HandoffPolicy()
_COUNTS = ("repeats", "dissatisfied", "out_of_scope", "undecided", "requests")
_BESIDE = ("nouns", "polite")
"""Lists whose words say nothing by themselves, and may stand in another list too."""
_TOPICS = ("person", "complaint", "security", "dissatisfied", "satisfied", "acknowledged", "identity", "nudged", "resigned")


def read_handoff(tree: Node, log: MistakeLog, *, skills: Collection[str] | None = None) -> HandoffPolicy:
    """The policy; what the file leaves out has its default.

    A route may name the groups that the file itself lists, and ``skills``: those of the pack's taxonomy.
    """
    top = Fields(tree, log, required=("version",), optional=("counts", "idle_hours", "groups", "routes", "words"))
    top.number("version")
    counts = _read_counts(top)
    return HandoffPolicy(
        repeats=counts["repeats"],
        dissatisfied=counts["dissatisfied"],
        out_of_scope=counts["out_of_scope"],
        undecided=counts["undecided"],
        requests=counts["requests"],
        idle_hours=_positive(top, "idle_hours", _DEFAULT.idle_hours),
        words=_read_words(top, log),
        routes=_read_routes(top, skills, log),
    )


def _read_counts(top: Fields) -> dict[str, int]:
    inner = top.fields("counts", required=(), optional=_COUNTS) if _stands(top, "counts") else None
    return {name: _positive(inner, name, getattr(_DEFAULT, name)) for name in _COUNTS}


def _positive(fields: Fields | None, name: str, default: int) -> int:
    """A whole number from 1 to MOST, else ``default``."""
    if fields is None or not _stands(fields, name):
        return default
    before, value = fields.node(name, Kind.NUMBER), fields.number(name)
    if before is None or 1 <= value <= MOST:
        return value or default
    if value or before.text.strip("0") == "":
        fields.log.add(before.place, f"field '{name}' is {before.text}; write a whole number from 1 to {MOST}")
    return default


def _stands(fields: Fields, name: str) -> bool:
    """True when the field is there, of whatever kind."""
    return any(fields.has(name, kind) for kind in Kind)


# ---- who takes over ----


def _read_routes(top: Fields, skills: Collection[str] | None, log: MistakeLog) -> tuple[Route, ...]:
    groups = set(top.scalars("groups")) if _stands(top, "groups") else set()
    if not _stands(top, "routes"):
        return _DEFAULT.routes
    seen = FirstSeen(log, "reason")
    lines = top.records("routes", required=("reason",), optional=("skill", "priority", "notify"))
    return tuple(_read_route(line, groups | set(skills or ()), seen) for line in lines)


def _read_route(line: Fields, known: Collection[str], seen: FirstSeen) -> Route:
    reason, skill = line.choice("reason", Reason), line.optional_word("skill")
    seen.add(Word(reason.value, line.place))
    notify = line.words("notify") if _stands(line, "notify") else ()
    for word in (*((skill,) if skill else ()), *notify):
        check_known(word, known, line.log, what="group", home=f"'groups' in {FILE}")
    priority = line.choice("priority", Priority) if _stands(line, "priority") else None
    return Route(reason, skill.text if skill and skill.text else None, priority, tuple(word.text for word in notify))


# ---- words ----


def _read_words(top: Fields, log: MistakeLog) -> Words:
    optional = (*_TOPICS, "exceptions", "negation", "framing")
    inner = top.fields("words", required=(), optional=optional) if _stands(top, "words") else None
    if inner is None:
        return _DEFAULT.words
    default = _DEFAULT.words
    seen = FirstSeen(log, "word")
    lists = {name: _read_list(inner, name, getattr(default, name), seen) for name in _TOPICS}
    exceptions = _read_phrases(inner, "exceptions", seen) if _stands(inner, "exceptions") else default.exceptions
    negation, framing = _read_negation(inner, default.negation), _read_framing(inner, default.framing)
    return Words(**lists, exceptions=exceptions, negation=negation, framing=framing)


def _read_list(words: Fields, name: str, default: WordList, seen: FirstSeen) -> WordList:
    parts = tuple(field.name for field in fields_of(WordList))
    inner = words.fields(name, required=(), optional=parts) if _stands(words, name) else None
    if inner is None:
        return default
    found = {part: _read_phrases(inner, part, seen) if _stands(inner, part) else () for part in parts}
    return WordList(**found)


def _read_negation(words: Fields, default: Negation) -> Negation:
    parts = tuple(field.name for field in fields_of(Negation))
    inner = words.fields("negation", required=(), optional=parts) if _stands(words, "negation") else None
    if inner is None:
        return default
    seen = {part: FirstSeen(words.log, "word") for part in parts}
    found = {part: _read_phrases(inner, part, seen[part]) if _stands(inner, part) else getattr(default, part) for part in parts}
    return Negation(**found)


def _read_framing(words: Fields, default: Framing) -> Framing:
    parts = tuple(field.name for field in fields_of(Framing))
    inner = words.fields("framing", required=(), optional=parts) if _stands(words, "framing") else None
    if inner is None:
        return default
    # a closing may be a lead as well: 你直接告诉我
    seen = {part: FirstSeen(words.log, "word") for part in parts}
    return Framing(**{part: _read_phrases(inner, part, seen[part]) if _stands(inner, part) else () for part in parts})


def _read_phrases(fields: Fields, name: str, seen: FirstSeen) -> tuple[str, ...]:
    """Words as messages are compared with them: normalised, in small letters, each once."""
    found = []
    for word in fields.words(name):
        plain = normalise(word.text).casefold()
        if word.text and not any(char.isalnum() for char in plain):
            fields.log.add(word.place, f"an item of '{name}' holds no letter or digit; write a word")
            continue
        seen.add(word, key=f"{name} {plain}" if name in _BESIDE else plain)
        found.append(plain)
    return tuple(word for word in found if word)
