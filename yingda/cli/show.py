"""Answers as people and programs read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from yingda.domain.decision import Answer
from yingda.domain.knowledge import Knowledge


def as_record(answer: Answer) -> dict[str, Any]:
    """The whole decision as plain JSON values."""
    record = asdict(answer)
    del record["masked"]  # for the store; who asks here has the message
    return record


def as_table(answer: Answer, knowledge: Knowledge) -> Table:
    """Reply, intent, sentiment, FAQ entry and confidences for a terminal."""
    classification, language = answer.classification, answer.reply.language
    table = Table(box=SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    intent = knowledge.taxonomy.intents[classification.intent.code]
    table.add_row("回复 reply", Text(answer.reply.text))
    table.add_row("结果 outcome", _outcome(answer))
    table.add_row(
        "意图 intent", f"{intent.name(language)} {intent.code}  {classification.intent.confidence:.2f} ({classification.decision})"
    )
    table.add_row("情绪 sentiment", f"{classification.sentiment.label}  {classification.sentiment.confidence:.2f}")
    for number, candidate in enumerate(answer.candidates[:3]):
        questions = knowledge.faq[candidate.id].question
        line = Text(f"{candidate.confidence:.2f}  {questions.get(language, questions['zh'])} ")
        table.add_row("" if number else "FAQ", line.append(candidate.id, style="dim"))
    if answer.missing:
        table.add_row("缺少 missing", ", ".join(answer.missing))
    if classification.keywords:
        table.add_row("关键词 keywords", Text(", ".join(sorted({hit.text for hit in classification.keywords}))))
    table.add_row("语言 language", f"{classification.language.code}  {classification.language.confidence:.2f}")
    table.add_row("耗时 time", f"{classification.timing.total:.1f} ms")
    return table


def _outcome(answer: Answer) -> str:
    if not answer.handoff.required:
        return str(answer.outcome)
    return f"{answer.outcome} → {answer.handoff.skill} ({', '.join(answer.handoff.reasons)}; {answer.handoff.priority})"
