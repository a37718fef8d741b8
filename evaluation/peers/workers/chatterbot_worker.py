"""ChatterBot: answers with what followed the most similar statement it knows (edit distance, SQLite).

It compares a message with every statement one by one, so it is given the entries' wordings alone: with all training messages
one answer takes seconds. Its default tagger needs a language model of spaCy that its package does not bring, so the tagger that
only lowers case is used; the search by text does not read its result.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.peers.workers.protocol import Answer, Answering, Worker, main


def fit(lessons: Mapping[str, Any], folder: Path) -> None:
    """Write a database of wordings, each with its entry as the response."""
    (folder / "statements.sqlite3").unlink(missing_ok=True)
    trainer = import_module("chatterbot.trainers").ListTrainer(_bot(folder), show_training_progress=False)
    for row in lessons["rows"]:
        if row["wording"]:
            trainer.train([row["text"], row["entry"]])


def load(lessons: Mapping[str, Any], folder: Path) -> Answering:
    """The bot on that database; it learns nothing from what it is asked."""
    bot = _bot(folder)
    intent_of = {row["entry"]: row["intent"] for row in lessons["rows"] if row["wording"]}

    def answer(text: str) -> Answer:
        said = bot.get_response(text)
        entry = said.text if said.text in intent_of and said.confidence > 0 else None
        return (entry, intent_of.get(entry, lessons["settings"]["otherwise"]), float(said.confidence))

    def answering(texts: Sequence[str]) -> list[Answer]:
        return [answer(text) for text in texts]

    return answering


def _bot(folder: Path) -> Any:
    logging.disable(logging.CRITICAL)  # its log quotes every message
    language = import_module("chatterbot.languages").CHI
    return import_module("chatterbot").ChatBot(
        "peer",
        database_uri=f"sqlite:///{folder / 'statements.sqlite3'}",
        logic_adapters=[{"import_path": "chatterbot.logic.BestMatch", "search_algorithm_name": "text_search"}],
        tagger=import_module("chatterbot.tagging").LowercaseTagger,
        tagger_language=language,
        read_only=True,
    )


if __name__ == "__main__":
    sys.exit(main(Worker(("chatterbot",), fit, load), sys.argv[1:]))
