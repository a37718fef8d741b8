"""The findings for programs and spreadsheets: ``audit.json``, ``to_label.csv``, and a few lines for the screen."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.audit.findings import Findings
from training.audit.page import SIGNIFICANT, Subject

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CSV_SUSPECTS = 200
_COLUMNS = ("order", "why", "place", "text", "given", "suggested", "score", "intent", "faq")


def to_json(found: Findings, subject: Subject) -> str:
    """Counts, places and labels; no message is quoted."""
    place = [row.place for row in found.rows]
    tree: dict[str, Any] = {
        "format": 1,
        "pack": {"name": subject.pack, "knowledge_sha256": subject.knowledge.digest},
        "rows_sha256": found.rows_sha256,
        "seed": subject.seed,
        "folds": subject.effort.folds,
        "counts": counts(found),
        "out_of_fold_accuracy": round(found.right_again, 4),
        "suspects": [{**asdict(one), "row": place[one.row]} for one in found.suspects],
        "rivals": [
            {
                "entries": [pair.first, pair.second],
                "share": pair.share,
                "first_as_second": [place[n] for n in pair.first_as_second],
                "second_as_first": [place[n] for n in pair.second_as_first],
            }
            for pair in found.rivals
        ],
        "close_wordings": [{"entries": [pair.first, pair.second], "cosine": pair.cosine} for pair in found.close_wordings],
        "copies": [
            {"places": [c.first.place, c.second.place], "parts": [c.first.part, c.second.part], "cosine": c.cosine} for c in found.copies
        ],
        "contradictions": [{"places": list(one.places), "labels": list(one.labels)} for one in found.contradictions],
        "drift": {
            "stability_index": round(found.stability, 6),
            "intents": [asdict(shift) for shift in found.shifts],
            "new_words": [{**asdict(word), "example": place[word.example]} for word in found.new_words],
        },
        "wanted": [{**asdict(one), "row": place[one.row]} for one in found.wanted],
        "entries": [asdict(one) for one in found.strengths],
    }
    return json.dumps(tree, ensure_ascii=False, indent=1) + "\n"


def counts(found: Findings) -> dict[str, int]:
    """How many of each finding."""
    return {
        "pack_messages": len(found.rows) - found.logs,
        "log_messages": found.logs,
        "asked_engine": found.asked,
        "suspects": len(found.suspects),
        "rivals": len(found.rivals),
        "close_wordings": len(found.close_wordings),
        "copies": len(found.copies),
        "contradictions": len(found.contradictions),
        "shifted_intents": sum(shift.adjusted is not None and shift.adjusted < SIGNIFICANT for shift in found.shifts),
        "new_words": len(found.new_words),
        "wanted": len(found.wanted),
    }


def to_csv(found: Findings) -> str:
    """Log messages to label in their order, then suspect labels to check; ``intent`` and ``faq`` are empty, to be filled in.

    It starts with a byte order mark, without which spreadsheets take it for another encoding.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    lines: list[tuple[str, int, str, str, float]] = [
        *(("label", one.row, found.rows[one.row].label or found.rows[one.row].intent or "", one.guess, one.score) for one in found.wanted),
        *(("check", one.row, one.given, one.suggested, one.quality) for one in found.suspects[:_CSV_SUSPECTS]),
    ]
    for order, (why, number, given, suggested, score) in enumerate(lines, start=1):
        row = found.rows[number]
        writer.writerow((order, why, row.place, _harmless(row.text), _harmless(given), _harmless(suggested), score, "", ""))
    return "\ufeff" + stream.getvalue()


def to_screen(found: Findings, target: Path) -> str:
    """One line a count, then where the report is."""
    lines = [f"{name.replace('_', ' '):<16} {number:>7}" for name, number in counts(found).items()]
    return "\n".join([*lines, f"report: {target / 'audit.html'}"]) + "\n"


def _harmless(text: str) -> str:
    """``text`` that no spreadsheet takes for a formula (CWE-1236): a quote before the sign."""
    return f"'{text}" if text.startswith(_FORMULA) else text
