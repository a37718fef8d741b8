"""``conversations/*.jsonl`` of a pack: conversations of several turns, for evaluation alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from evaluation.errors import EvaluationError
from yingda.domain.decision import Outcome, Reason
from yingda.domain.errors import MessageError, PackError
from yingda.domain.knowledge import Knowledge, Priority
from yingda.domain.message import Channel, Tier, check_text
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog, Word, check_known
from yingda.pack.source import Kind, read_json_lines

FOLDER = "conversations"
"""Folder of the files in a pack; a pack may do without it."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a turn may come to: any of ``outcomes``, any of ``faq`` where an entry is sent, exactly ``reasons``.

    ``faq`` is empty and ``priority`` None where nothing is demanded of them.
    """

    outcomes: tuple[Outcome, ...]
    faq: tuple[str, ...]
    reasons: tuple[Reason, ...]
    priority: Priority | None
    note: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the customer; the same ``message_id`` twice is one message delivered again."""

    text: str
    message_id: str | None
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Scenario:
    """One conversation from its first message."""

    id: str
    title: str
    tier: Tier
    channel: Channel
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """The conversations of one file, and the SHA-256 of its bytes."""

    name: str
    sha256: str
    scenarios: tuple[Scenario, ...]


def read_scenarios(root: Path, knowledge: Knowledge) -> tuple[ScenarioFile, ...]:
    """Every conversation of the pack at ``root``, by file; raises EvaluationError with every mistake."""
    log, names = MistakeLog(), sorted(f"{FOLDER}/{path.name}" for path in (root / FOLDER).glob("*.jsonl"))
    reader = _Reader(knowledge.faq, log)
    found = {name: tuple(reader.read(Fields(tree, log, required=_SCENARIO)) for tree in read_json_lines(root, name, log)) for name in names}
    try:
        log.raise_if_any()
    except PackError as error:
        lines = "\n".join(str(mistake) for mistake in error.mistakes)
        raise EvaluationError(f"{root / FOLDER}: {len(error.mistakes)} mistake(s); correct each line named here:\n{lines}") from None
    for name, scenarios in found.items():
        if not scenarios:
            raise EvaluationError(f"{root / name}: holds no conversation; write one or remove the file")
    return tuple(ScenarioFile(name, sha256((root / name).read_bytes()).hexdigest(), scenarios) for name, scenarios in found.items())


_SCENARIO = ("id", "title", "customer", "channel", "turns")


class _Reader:
    def __init__(self, entries: Collection[str], log: MistakeLog) -> None:
        self._entries, self._log, self._ids = entries, log, FirstSeen(log, "conversation")

    def read(self, fields: Fields) -> Scenario:
        name, customer = fields.word("id"), fields.fields("customer", required=("tier",))
        self._ids.add(name)
        turns = tuple(self._turn(turn) for turn in fields.records("turns", required=("text", "expect"), optional=("message_id",)))
        if fields.has("turns", Kind.LIST) and not turns:
            self._log.add(fields.place, "field 'turns' is empty; write a turn")
        told: dict[str, str] = {}
        for turn in turns:
            if turn.message_id and told.setdefault(turn.message_id, turn.text) != turn.text:
                self._log.add(fields.place, f"message_id '{turn.message_id}' stands for two texts; give each message its own")
        tier = customer.choice("tier", Tier) if customer else Tier.NORMAL
        return Scenario(name.text, fields.word("title").text, tier, fields.choice("channel", Channel), turns)

    def _turn(self, fields: Fields) -> Turn:
        text, message_id = fields.word("text"), fields.optional_word("message_id")
        self._check_text(text)
        expect = fields.fields("expect", required=("outcome", "faq", "handoff_reasons"), optional=("note", "priority"))
        return Turn(text.text, message_id.text if message_id else None, self._expectation(expect) if expect else _NOTHING)

    def _expectation(self, fields: Fields) -> Expectation:
        outcomes = self._members(fields, "outcome", Outcome)
        if fields.has("outcome", Kind.LIST) and not outcomes:
            self._log.add(fields.place, "field 'outcome' is empty; name at least one")
        entries = () if fields.has("faq", Kind.NULL) else fields.words("faq")
        for word in entries:
            check_known(word, self._entries, self._log, what="entry", home="a faq-*.yaml file")
        note = fields.optional_word("note")
        return Expectation(
            outcomes=tuple(Outcome(name) for name in outcomes),
            faq=tuple(word.text for word in entries),
            reasons=tuple(Reason(name) for name in self._members(fields, "handoff_reasons", Reason)),
            priority=fields.choice("priority", Priority) if fields.has("priority", Kind.TEXT) else None,
            note=note.text if note else "",
        )

    def _members(self, fields: Fields, name: str, kind: type[StrEnum]) -> tuple[str, ...]:
        words = fields.words(name)
        for word in words:
            check_known(word, list(kind), self._log, what=name, home=f"the contract, which knows {', '.join(kind)}")
        return tuple(word.text for word in words if word.text in list(kind))

    def _check_text(self, word: Word) -> None:
        try:
            if word.text:
                check_text(word.text)
        except MessageError as error:
            self._log.add(word.place, str(error))


_NOTHING = Expectation((), (), (), None, "")
