"""The rows that every peer may learn from: the pack's training messages and the wordings of its entries."""

from __future__ import annotations

import json
from hashlib import sha256

from evaluation.peers.peer import Lessons, TrainRow
from yingda.domain.knowledge import Pack


def gather_lessons(pack: Pack, *, seed: int) -> Lessons:
    """Training messages in file order, then the wordings of each entry; ``pack.evaluation`` is not looked at."""
    messages = [TrainRow(row.text, row.intent, row.faq) for rows in pack.training.values() for row in rows]
    wordings = [TrainRow(text, entry.intent, entry.id, wording=True) for entry in pack.knowledge.faq.values() for text in entry.texts()]
    rows = (*messages, *wordings)
    told = json.dumps([pack.knowledge.digest, seed, [[row.text, row.intent, row.entry, row.wording] for row in rows]])
    return Lessons(rows, pack.knowledge, seed, sha256(told.encode()).hexdigest())
