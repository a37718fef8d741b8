"""An engine that answers as told, and a small pack to examine it with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.outcomes import Judged
from evaluation.rows import Row
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    Handoff,
    IntentScore,
    LanguageGuess,
    Outcome,
    Reply,
    ReplyParts,
    SentimentScore,
    Timing,
)
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge, Policy, Priority, Sentiment, Taxonomy, TemplateSet
from yingda.domain.message import Message

RETAIL = Path(__file__).parents[1] / "data" / "packs" / "retail"

ENTRIES = {"ship-when": "SHIP", "cancel-how": "CANCEL", "coupon-use": "COUPON"}
"""Entries of the small pack and their intents."""


@dataclass(frozen=True)
class Said:
    """What the fake engine says about one message."""

    entry: str = "ship-when"
    confidence: float = 0.99
    accepted: bool = True
    outcome: Outcome = Outcome.ANSWERED
    intent: str = "SHIP"
    intent_confidence: float = 0.99
    sentiment: Sentiment = Sentiment.NEUTRAL
    milliseconds: float = 2.0
    reply: str = ""


def make_answer(said: Said) -> Answer:
    """The engine's whole answer for what it is told to say."""
    best = Candidate(said.entry, said.confidence, 0.9)
    intent = IntentScore(said.intent, said.intent_confidence)
    classification = Classification(
        language=LanguageGuess("zh", 1.0),
        intent=intent,
        decision=Acceptance.ACCEPT,
        ranking=(intent,),
        sentiment=SentimentScore(said.sentiment, 0.9, {said.sentiment: 0.9}),
        priority=Priority.LOW,
        keywords=(),
        entities=(),
        timing=Timing(said.milliseconds, 0.1, 1.0, 0.1),
    )
    return Answer(
        outcome=said.outcome,
        reply=Reply(said.reply, ReplyParts("", "", said.reply, "", ""), "fake", "1", "zh"),
        faq=best if said.outcome is Outcome.ANSWERED else None,
        accepted=best if said.accepted else None,
        candidates=(best,),
        classification=classification,
        missing=(),
        handoff=Handoff(False, (), None, Priority.LOW),
        explanation=(),
    )


def make_row(text: str = "多久发货", **fields: object) -> Row:
    """A row about dispatch; ``fields`` replaces what differs."""
    row: dict[str, object] = {
        "text": text,
        "intent": "SHIP",
        "faq": "ship-when",
        "sentiment": Sentiment.NEUTRAL,
        "place": "test-1.jsonl:1",
    }
    return Row(**(row | fields))  # type: ignore[arg-type]


def make_judged(row: Row | None = None, **said: object) -> Judged:
    """A row and what the engine said about it."""
    return Judged(row or make_row(), make_answer(Said(**said)))  # type: ignore[arg-type]


_IDENTITY = ModelIdentity("2026.1", "b" * 64)
_NOTHING_KNOWN = Knowledge(Taxonomy(1, (), {}), {}, Policy({}, {}), (), TemplateSet("", "", {}, {}), digest="d" * 64)


@dataclass
class FakeEngine:
    """Says about each text what ``says`` holds, else the default."""

    says: Mapping[str, Said] = field(default_factory=dict)
    otherwise: Said = Said()
    identity: ModelIdentity = _IDENTITY
    knowledge: Knowledge = _NOTHING_KNOWN

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """One answer a message, in order, whatever was said before."""
        return [make_answer(self.says.get(message.text, self.otherwise)) for message in messages]


@dataclass(frozen=True)
class FakeOpener:
    """Opens any bundle as the same engine."""

    engine: FakeEngine

    def __call__(self, bundle: Path, *, pack: Path | None = None) -> FakeEngine:
        return self.engine


def write_pack(root: Path, exams: Mapping[str, Sequence[Mapping[str, object]]]) -> Path:
    """A pack of three entries at ``root`` with these evaluation files; returns ``root``."""
    (root / "utterances").mkdir(parents=True)
    for name in ("policy.yaml", "templates.yaml"):
        shutil.copy(RETAIL / name, root / name)
    _write(root / "taxonomy.yaml", {"version": 1, "language": "zh", "categories": [_category()]})
    _write(root / "keywords.yaml", {"version": 1, "keywords": [{"term": "发货", "intents": ["SHIP"]}]})
    _write(root / "faq-all.yaml", [_entry(code, intent) for code, intent in ENTRIES.items()])
    for name, rows in exams.items():
        write_rows(root / "utterances" / name, rows)
    return root


def write_gates(path: Path) -> Path:
    """The two gates that any pack can be held against; returns ``path``."""
    bound = {"suite": "test", "metric": "match_accuracy_lower_bound", "at_least": 0.95}
    wrong = {"suite": "test", "metric": "wrong_automatic_answers", "at_most": 0.05}  # which 59 rows can show
    _write(path, {"gates": [bound, wrong]})
    return path


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A JSON Lines file; returns ``path``."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def exam(count: int) -> list[dict[str, object]]:
    """Labelled messages over the three entries, in turn."""
    kinds = list(ENTRIES.items())
    return [
        {"text": f"第{number}个问题", "intent": intent, "faq": entry, "sentiment": "neutral", "style": "plain"}
        for number in range(count)
        for entry, intent in [kinds[number % len(kinds)]]
    ]


def knows(rows: Sequence[Mapping[str, object]]) -> FakeEngine:
    """An engine that says exactly what ``rows`` are labelled with."""
    says = {str(row["text"]): Said(entry=str(row["faq"]), intent=str(row["intent"])) for row in rows}
    return FakeEngine(says)


def _write(path: Path, tree: object) -> None:
    path.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")  # JSON is YAML


def _category() -> dict[str, object]:
    codes = (*ENTRIES.values(), "OUT_OF_SCOPE")
    fixed = {"zh": "意图", "kind": "none", "priority": "low", "skill": "presales", "is": "是", "not": "否"}
    return {"code": "SHOP", "zh": "店铺", "intents": [{"code": code, **fixed} for code in codes]}


def _entry(code: str, intent: str) -> dict[str, object]:
    return {"id": code, "intent": intent, "question": {"zh": code}, "similar": {"zh": []}, "answer": {"zh": "好的"}}
