"""``robustness.yaml`` of a pack: hand-written cases, for evaluation alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from evaluation.errors import EvaluationError
from yingda.domain.decision import Outcome
from yingda.domain.errors import MessageError, Mistake, PackError
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import check_text
from yingda.pack.fields import Fields
from yingda.pack.mistakes import FirstSeen, MistakeLog, Word, check_known
from yingda.pack.source import Kind as NodeKind
from yingda.pack.source import Node, read_yaml
from yingda.text.normalise import normalise

CASES = "robustness.yaml"
"""Name of the file in a pack's folder; a pack may do without it."""

_VERSION = 1
_REQUIRED = ("id", "kind", "texts")
_EXPECTATIONS = ("answers", "never", "outcome_not", "calmer", "angrier")


class CaseKind(StrEnum):
    """What a case examines."""

    NEGATION = "negation"
    CORRECTION = "correction"
    KEYWORD_TRAP = "keyword_trap"
    MIXED_LANGUAGE = "mixed_language"
    TIME = "time"
    MOOD = "mood"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Case:
    """One or two messages and what is expected of the last.

    ``answers`` are the entries that would be right where an answer is due (a person, too, where the pack leaves the entry
    to one), ``never`` those that would be wrong. The mood may not become calmer where ``stays_upset``, nor angrier where
    ``stays_calm``.
    """

    id: str
    kind: CaseKind
    texts: tuple[str, ...]
    answers: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    outcome_not: tuple[Outcome, ...] = ()
    stays_upset: bool = False
    stays_calm: bool = False

    @property
    def before(self) -> str | None:
        """The message without the change; None where the case has but one message."""
        return self.texts[0] if self.is_directional else None

    @property
    def text(self) -> str:
        """The message examined."""
        return self.texts[-1]

    @property
    def is_directional(self) -> bool:
        """True for a pair, a directional test; false for a minimum-function test."""
        return len(self.texts) > 1


def read_cases(path: Path, knowledge: Knowledge) -> tuple[Case, ...]:
    """The cases of the file at ``path``, checked against ``knowledge``; none when there is no such file.

    Raises EvaluationError with every mistake in it, each with its line and case.
    """
    if not path.exists():
        return ()
    log = MistakeLog()
    tree = read_yaml(path.parent, path.name, log)
    reader = _CaseReader(knowledge, FirstSeen(log, "case"), FirstSeen(log, "message"))
    cases = [] if tree is None else [reader.read(node, f"case {n}") for n, node in enumerate(_records(tree, log), start=1)]
    mistakes = sorted({*_noted(log), *reader.mistakes}, key=lambda mistake: (mistake.line, mistake.detail))
    if mistakes:
        lines = "\n".join(f"{path}:{mistake.line}: {mistake.detail}" for mistake in mistakes)
        raise EvaluationError(f"{path}: {len(mistakes)} mistake(s); correct each line named here:\n{lines}")
    return tuple(cases)


def _records(tree: Node, log: MistakeLog) -> tuple[Node, ...]:
    fields = Fields(tree, log, required=("version", "cases"))
    if fields.has("version", NodeKind.NUMBER) and fields.number("version") != _VERSION:
        log.add(fields.place, f"field 'version' is {fields.number('version')}; this program reads version {_VERSION}")
    cases = fields.node("cases", NodeKind.LIST)
    if cases is not None and not cases.items:
        log.add(cases.place, "field 'cases' is empty; write a case or remove the file")
    return () if cases is None else cases.items


def _noted(log: MistakeLog) -> tuple[Mistake, ...]:
    try:
        log.raise_if_any()
    except PackError as error:
        return error.mistakes
    return ()


class _CaseReader:
    """Reads one case after the other and gathers their mistakes, each with the case's name."""

    def __init__(self, knowledge: Knowledge, names: FirstSeen, texts: FirstSeen) -> None:
        self.mistakes: list[Mistake] = []
        self._knowledge = knowledge
        self._names = names
        self._texts = texts

    def read(self, node: Node, number: str) -> Case:
        log = MistakeLog()
        case = self._read(Fields(node, log, required=_REQUIRED, optional=_EXPECTATIONS))
        name = f"case '{case.id}'" if case.id else number
        self.mistakes += [Mistake(found.file, found.line, f"{name}: {found.detail}") for found in _noted(log)]
        return case

    def _read(self, fields: Fields) -> Case:
        name, texts = fields.word("id"), fields.words("texts")
        self._names.add(name)
        _check_texts(fields, texts)
        if texts:
            self._texts.add(texts[-1], key=normalise(texts[-1].text))
        case = Case(
            id=name.text,
            kind=fields.choice("kind", CaseKind),
            texts=tuple(word.text for word in texts),
            answers=self._entries(fields, "answers"),
            never=self._entries(fields, "never"),
            outcome_not=_outcomes(fields),
            stays_upset=_excludes(fields, "calmer"),
            stays_calm=_excludes(fields, "angrier"),
        )
        _check_expectation(fields, case)
        return case

    def _entries(self, fields: Fields, name: str) -> tuple[str, ...]:
        words = fields.words(name)
        for word in words:
            check_known(word, self._knowledge.faq, fields.log, what="entry", home="a faq-*.yaml file")
        return tuple(word.text for word in words)


def _check_texts(fields: Fields, texts: tuple[Word, ...]) -> None:
    if fields.has("texts", NodeKind.LIST) and not 1 <= len(texts) <= 2:
        fields.log.add(fields.place, f"field 'texts' holds {len(texts)} messages; write one, or the one before and the one after")
    for word in texts:
        if word.text:
            _check_text(word, fields.log)
    if len(texts) == 2 and normalise(texts[0].text) == normalise(texts[1].text):
        fields.log.add(fields.place, "both messages read the same to the engine; change the second or remove one")


def _check_text(word: Word, log: MistakeLog) -> None:
    try:
        check_text(word.text)
    except MessageError as error:
        log.add(word.place, str(error))


def _outcomes(fields: Fields) -> tuple[Outcome, ...]:
    words = fields.words("outcome_not")
    for word in words:
        if word.text and word.text not in list(Outcome):
            fields.log.add(word.place, f"unknown outcome '{word.text}'; use one of: {', '.join(Outcome)}")
    return tuple(Outcome(word.text) for word in words if word.text in list(Outcome))


def _excludes(fields: Fields, name: str) -> bool:
    """True when ``name`` is there and false, the only value it may have."""
    if fields.flag(name, default=False):
        fields.log.add(fields.place, f"field '{name}' may only be false; write false or remove it")
    return fields.has(name, NodeKind.FLAG)


def _check_expectation(fields: Fields, case: Case) -> None:
    present = [name for name in _EXPECTATIONS if fields.has(name, NodeKind.LIST) or fields.has(name, NodeKind.FLAG)]
    if not present:
        fields.log.add(fields.place, f"nothing is expected; write one of: {', '.join(_EXPECTATIONS)}")
    for name in present:
        if fields.has(name, NodeKind.LIST) and not fields.words(name):
            fields.log.add(fields.place, f"field '{name}' is empty; fill it or remove it")
    if (case.stays_upset or case.stays_calm) and not case.is_directional:
        fields.log.add(fields.place, "a change of mood needs two messages; write the one before and the one after")
    for entry in case.answers:
        if entry in case.never:
            fields.log.add(fields.place, f"entry '{entry}' is both right and wrong; remove it from 'answers' or 'never'")
    if set(case.outcome_not) == set(Outcome):
        fields.log.add(fields.place, "every outcome is ruled out; leave one in")
    if case.answers and Outcome.ANSWERED in case.outcome_not:
        fields.log.add(fields.place, "an answer is both wanted and ruled out; remove 'answers' or the outcome answered")
