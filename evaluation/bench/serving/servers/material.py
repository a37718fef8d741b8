"""What every peer knows: labels, entries and their answers, read from the JSON file named by ``BENCH_MATERIAL``.

Nothing here imports yingda: a peer runs on its own Python.
"""
# mypy: ignore-errors

import json
import os
from pathlib import Path

MATERIAL = json.loads(Path(os.environ["BENCH_MATERIAL"]).read_text(encoding="utf-8"))
INTENTS, SENTIMENTS, ENTRIES, MATCHES = MATERIAL["intents"], MATERIAL["sentiments"], MATERIAL["entries"], MATERIAL["matches"]
ANSWERS = {entry["id"]: entry["answer"] for entry in ENTRIES}
WIDTH = 384
BASE = os.environ.get("BENCH_BASE", "")
BUNDLE = Path(os.environ.get("BENCH_BUNDLE", ""))


def reply(intent, intent_confidence, sentiment, match, match_confidence):
    """The full reply: what a caller needs to send an answer. All arguments are numbers of classes or plain floats."""
    name = MATCHES[match]
    return {
        "intent": INTENTS[intent],
        "intent_confidence": float(intent_confidence),
        "sentiment": SENTIMENTS[sentiment],
        "faq": name,
        "confidence": float(match_confidence),
        "reply": ANSWERS.get(name, "请稍候，我为您转接人工客服。"),
    }
