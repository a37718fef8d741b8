"""Why a stored answer was given: it is decided once more, and what would have flipped it is found by deciding on changed evidence.

Nothing is stored for this beyond the turn itself: the state before it is that of the turn before, and the model's numbers
come back when the text is read again: the original where the vault holds it, of which nothing is told, else the masked one. What
cannot be decided again is told as it was stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from yingda.decide.conversation import LIMITED
from yingda.decide.counterfactual import NAME, STANDS, Decided, Flip, Lever, Value, decided, flips, levers_of, rule_levers
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Verdict, decide
from yingda.decide.ruled import apply_rules, rule_input
from yingda.decide.rules import RuleSet, combined, compile_rules, known_names
from yingda.domain.conversation import NEW, ConversationState, released
from yingda.domain.decision import Answer
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message
from yingda.domain.rules import RuleOutcome
from yingda.engine import Engine
from yingda.replay.history import History, Original, not_kept, past_turn
from yingda.replay.originals import is_masked
from yingda.replay.records import WORDING, ReplayError, Seen
from yingda.replay.run import Decider
from yingda.replay.variants import evidence_of, parts_of
from yingda.store.records import StoredTurn
from yingda.turn import clock_of

MOST_FLIPS = 8
"""Changes told, smallest first."""


class Replayed(StrEnum):
    """What came of deciding once more.

    ``identical``: everything that is seen, scores and reply included. ``same_decision``: all but the reply's wording and
    the facts it asks for, since names and context values are not stored. ``same_decision_masked``: the message was read without the
    personal data taken out of it, and that reading has the same outcome, entry and reasons; its scores are others. Otherwise what
    was stored is told alone: ``other_versions`` when bundle or knowledge have changed, ``text_masked`` when the message reads
    otherwise without its personal data, ``differs`` when something else that is not stored mattered.
    """

    IDENTICAL = "identical"
    SAME_DECISION = "same_decision"
    SAME_DECISION_MASKED = "same_decision_masked"
    OTHER_VERSIONS = "other_versions"
    TEXT_MASKED = "text_masked"
    DIFFERS = "differs"


_SAME = frozenset({Replayed.IDENTICAL, Replayed.SAME_DECISION, Replayed.SAME_DECISION_MASKED})


class TextRead(StrEnum):
    """What was decided again: the message as it was written (nothing was taken out of it, or the vault held the ``original``), or
    ``masked``, as it is stored."""

    ORIGINAL = "original"
    MASKED = "masked"


class Basis(StrEnum):
    """By which versions a decision is explained: those ``in_use``, which decided it; those of then, ``rebuilt`` from the
    store's records; or, where they cannot be had, those of ``today``, which may decide otherwise."""

    IN_USE = "in_use"
    REBUILT = "rebuilt"
    TODAY = "today"


class Because(StrEnum):
    """Why the versions that decided cannot be had."""

    OTHER_BUNDLE = "other_bundle"
    NO_RECORDS = "no_records"
    NOT_REPRODUCED = "not_reproduced"

    def chinese(self) -> str:
        """For operators."""
        return _BECAUSE[self][0]

    def english(self) -> str:
        """Likewise."""
        return _BECAUSE[self][1]


_BECAUSE = {
    Because.OTHER_BUNDLE: ("当时用的是另一个模型包", "another bundle decided it"),
    Because.NO_RECORDS: (
        "当时的知识来自知识包文件，旧版本没有保存",
        "the knowledge is that of a pack's files, of which no earlier version is kept",
    ),
    Because.NOT_REPRODUCED: (
        "按知识记录重建不出当时的知识（例如知识包换过）",
        "the store's records do not give the knowledge of then, for instance because the pack beneath them was changed",
    ),
}


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A row of the rules that fired; ``description`` and ``sets`` are known while the knowledge is the one that decided."""

    id: str
    document: str | None = None
    description: str | None = None
    sets: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Explained:
    """What can be said about a decision besides what was stored.

    ``thresholds`` are the confidences in force, known while the bundle is the one that decided; ``limits`` the counts at
    which the conversation calls a person, known while the knowledge is or can be rebuilt. ``would_flip`` is None where nothing
    could be decided again. With the basis ``today`` it tells what would flip ``today``, the decision that today's versions make
    of the message, and ``because`` why it is not the one of then. Both are about the text that ``text_read`` names.
    """

    replayed: Replayed
    rules: tuple[FiredRule, ...] = ()
    thresholds: Mapping[str, float] | None = None
    limits: Mapping[str, int] | None = None
    would_flip: tuple[Flip, ...] | None = None
    basis: Basis = Basis.IN_USE
    because: Because | None = None
    today: Decided | None = None
    text_read: TextRead = TextRead.ORIGINAL


class Explainable(Decider, Protocol):
    """An engine that says which versions it is."""

    @property
    def identity(self) -> ModelIdentity:
        """The bundle in use."""

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge in use."""


def explain_turn(
    engine: Explainable,
    history: History,
    stored: StoredTurn,
    *,
    then: Explainable | None = None,
    because: Because = Because.NOT_REPRODUCED,
    original: Original = not_kept,
) -> Explained:
    """Why ``stored`` was decided as it was: by ``engine``, which is in use, or by ``then``, that of the knowledge of then.

    Where neither decided it, ``engine`` decides it anew, and ``because`` says why there is no ``then``. A message that was masked is
    read by its ``original``, where that is kept, by what decided it alone: what is found holds no text of it, while rules written
    since could ask it for what was taken out.
    """
    if then is not None and decided_by(then, stored):
        return replace(_explained(then, history, stored, original), basis=Basis.REBUILT)
    if decided_by(engine, stored):
        return _explained(engine, history, stored, original)
    found = _explained(engine, history, stored, not_kept)
    other = stored.facts.bundle != engine.identity.sha256
    return replace(found, basis=Basis.TODAY, because=Because.OTHER_BUNDLE if other else because)


def decided_by(engine: Explainable, stored: StoredTurn) -> bool:
    """True when ``stored`` was decided by these very versions."""
    return (stored.facts.bundle, stored.facts.knowledge) == (engine.identity.sha256, engine.knowledge.digest)


def _explained(engine: Explainable, history: History, stored: StoredTurn, original: Original) -> Explained:
    same_bundle = stored.facts.bundle == engine.identity.sha256
    same_knowledge = stored.facts.knowledge == engine.knowledge.digest
    known = Explained(
        Replayed.OTHER_VERSIONS,
        rules=fired_rules(stored, engine if same_knowledge else None),
        thresholds=asdict(parts_of(engine).model.thresholds) if same_bundle and isinstance(engine, Engine) else None,
        limits={name: int(getattr(engine.knowledge.handoff, name)) for name in LIMITED} if same_knowledge else None,
    )
    try:
        past = past_turn(history, stored, original)
    except ReplayError:  # an answer in the form of another version
        return replace(known, replayed=Replayed.DIFFERS) if same_bundle and same_knowledge else known
    before = past.before or NEW
    before, message = released(before) if past.released else before, past.message()
    (answer,) = engine.answer_many([message], [before])
    known = replace(known, text_read=TextRead.MASKED if past.original is None and is_masked(stored.text) else TextRead.ORIGINAL)
    masked = past.text if past.original is None else stored.text
    if not (same_bundle and same_knowledge):
        flipping = flips_of(engine, message, before, answer, masked=masked) if isinstance(engine, Engine) else None
        return replace(known, would_flip=flipping, today=_told(answer))
    how = _compared(past.served, Seen.of(answer), known.text_read)
    if how not in _SAME or not isinstance(engine, Engine):
        return replace(known, replayed=how)
    return replace(known, replayed=how, would_flip=flips_of(engine, message, before, answer, masked=masked))


def _compared(served: Seen | None, again: Seen, read: TextRead) -> Replayed:
    if served is None:
        return Replayed.DIFFERS
    differing = set(served.differing(again))
    if not differing:
        return Replayed.IDENTICAL
    if differing <= WORDING:
        return Replayed.SAME_DECISION
    if read is TextRead.ORIGINAL:
        return Replayed.DIFFERS
    return Replayed.TEXT_MASKED if differing & {"outcome", "entry", "reasons"} else Replayed.SAME_DECISION_MASKED


def fired_rules(stored: StoredTurn, engine: Explainable | None) -> tuple[FiredRule, ...]:
    """The rule rows that fired, as the stored explanation names them; ``engine`` knows what they say."""
    ids = [id_ for step in stored.answer.get("explanation", ()) if step.get("step") == "rule" for id_ in _fired_ids(step)]
    known: dict[str, FiredRule] = {}
    if ids and isinstance(engine, Engine):
        parts = parts_of(engine)
        for document, rules in zip(parts.knowledge.rules, parts.rules, strict=True):
            for rule in rules.rules:
                known.setdefault(rule.id, FiredRule(rule.id, document.name, rule.description or None, _sets(rule.outcome)))
    return tuple(known.get(id_, FiredRule(id_)) for id_ in ids)


def _fired_ids(step: Mapping[str, Any]) -> list[str]:
    """The rows of a step that fired: one by its id, or in older records all of them in a line of words."""
    if "id" in step:
        return [step["id"]] if step["fired"] else []
    return str(step["detail"]).removesuffix(" fired").split(", ")


def _sets(outcome: RuleOutcome) -> dict[str, Any]:
    fields = {"action": str(outcome.action), "priority": outcome.priority and str(outcome.priority)}
    fields |= {"skill": outcome.skill, "template": outcome.template}
    lists = {"tags": list(outcome.tags), "notify": list(outcome.notify)}
    return {name: value for name, value in (fields | lists).items() if value and value != "none"}


# ---- what would have flipped it ----


@dataclass(frozen=True, slots=True)
class Case:
    """What a decision was made of, and the rules in force."""

    evidence: Evidence
    rules: tuple[RuleSet, ...]


def flips_of(
    engine: Engine, message: Message, before: ConversationState, answer: Answer, *, masked: str | None = None
) -> tuple[Flip, ...] | None:
    """The smallest single changes that flip ``answer``, which ``engine`` gave to ``message``; None where it cannot be told.

    Each was decided with policy and rules. None also where they alone did not decide, so that nothing could be proved.
    ``masked`` is the message without personal data; the message itself unless given.
    """
    parts, masked = parts_of(engine), message.text if masked is None else masked
    evidence = replace(evidence_of(engine, message, before), masked=masked)
    case = Case(evidence, parts.rules)
    base, fired = _ruled(case, parts.knowledge)
    # an entry that lacked a fact was told as a question, and would be whatever else had been otherwise
    unsent = evidence.accepted.id if evidence.accepted and base.outcome is not answer.outcome else None

    def decide_case(moved: Case) -> Decided:
        found = decided(_ruled(moved, parts.knowledge)[0], moved.evidence)
        return replace(found, outcome=str(answer.outcome), entry=None) if unsent and found.entry == unsent else found

    if decide_case(case) != _told(answer):
        return None

    def if_released(moved: Case, _: Value) -> Case:
        # read once more: while a hand-off stands nothing is read in its conversation
        again = evidence_of(engine, message, released(before))
        return replace(moved, evidence=replace(again, masked=masked))

    levers = [_on_case(lever) for lever in levers_of(evidence, parts.knowledge.taxonomy.intents) if lever.name != STANDS]
    if evidence.state.standing is not None:
        levers.append(Lever(STANDS, True, (False,), if_released, NAME))
    levers += rule_levers(fired.rows, lambda moved, row: replace(moved, rules=_without(parts.knowledge, row)))
    return tuple(flips(case, levers, decide_case)[:MOST_FLIPS])


def _told(answer: Answer) -> Decided:
    handoff = answer.handoff
    reasons = tuple(map(str, handoff.reasons))
    return Decided(
        str(answer.outcome), answer.faq.id if answer.faq else None, reasons, handoff.skill, str(handoff.priority), handoff.notify
    )


def _ruled(case: Case, knowledge: Knowledge) -> tuple[Verdict, RuleOutcome]:
    """The verdict of policy and rules, as the engine combines them, and what the rules set."""
    verdict = decide(case.evidence)
    seen = replace(rule_input(case.evidence, verdict), clock=clock_of(knowledge, case.evidence.message))
    found = combined(case.rules, seen)
    return apply_rules(verdict, found, case.evidence), found


def _on_case(lever: Lever[Evidence]) -> Lever[Case]:
    def move(case: Case, value: Value) -> Case:
        return replace(case, evidence=lever.move(case.evidence, value))

    return Lever(lever.name, lever.now, lever.stops, move, lever.unit, lever.continuous)


def _without(knowledge: Knowledge, row: str) -> tuple[RuleSet, ...]:
    """The rules compiled without the row of that id; a document of that row alone is left out."""
    known = known_names(knowledge, skills=knowledge.handoff.skills)
    left = (_less(json.loads(document.text.removeprefix("\ufeff")), row) for document in knowledge.rules)
    return tuple(compile_rules(json.dumps(tree), known=known) for tree in left if tree is not None)


def _less(tree: Any, row: str) -> Any:
    for node in tree["nodes"]:
        content = node.get("content") or {}
        if "rules" in content:
            content["rules"] = [each for each in content["rules"] if each.get("_id") != row]
            if not content["rules"]:
                return None
    return tree
