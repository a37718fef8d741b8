"""Rasa open source 3.6: DIET for intents, a response selector for entries (Bunk et al. 2020, arXiv:2004.09936).

An entry is a retrieval intent ``INTENT/entry``, the way Rasa answers FAQ; a message without an entry has its intent alone.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.peers.workers.protocol import Answer, Answering, Worker, main
from evaluation.peers.workers.sampling import sampled

_PIPELINE: list[dict[str, Any]] = [
    {"name": "JiebaTokenizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "DIETClassifier", "entity_recognition": False, "constrain_similarities": True},
    {"name": "ResponseSelector", "constrain_similarities": True},
]


def fit(lessons: Mapping[str, Any], folder: Path) -> None:
    """Train through Rasa's own command, the one way that stayed the same through the 3.x releases."""
    labels: dict[str, list[str]] = {}
    for text, label in sampled(lessons["rows"], _label, messages=lessons["settings"]["messages"], seed=lessons["seed"]):
        labels.setdefault(label, []).append(" ".join(text.split()))
    examples = [{"intent": label, "examples": [{"text": text} for text in texts]} for label, texts in labels.items()]
    responses = {f"utter_{label}": [{"text": label}] for label in labels if "/" in label}
    intents = sorted({label.split("/")[0] for label in labels})
    learning = {"epochs": lessons["settings"]["epochs"], "random_seed": lessons["seed"]}
    pipeline = [{**part, **learning} if "constrain_similarities" in part else part for part in _PIPELINE]
    _write(folder / "nlu.yml", {"version": "3.1", "nlu": examples})
    _write(folder / "domain.yml", {"version": "3.1", "intents": intents, "responses": responses})
    _write(folder / "config.yml", {"recipe": "default.v1", "assistant_id": "peer", "language": "zh", "pipeline": pipeline})
    command = ["train", "nlu", "--nlu", "nlu.yml", "--domain", "domain.yml", "--config", "config.yml"]
    done = [sys.executable, "-m", "rasa", *command, "--out", "model", "--fixed-model-name", "peer"]
    subprocess.run(done, cwd=folder, check=True, stdin=subprocess.DEVNULL)


def _label(row: Mapping[str, Any]) -> str:
    return str(row["intent"] if row["entry"] is None else f"{row['intent']}/{row['entry']}")


def load(_material: Mapping[str, Any], folder: Path) -> Answering:
    """Rasa's agent on the trained model; it parses one message at a time."""
    agent = import_module("rasa.core.agent").Agent.load(str(folder / "model" / "peer.tar.gz"))
    loop = asyncio.new_event_loop()

    def answering(texts: Sequence[str]) -> list[Answer]:
        return [_read(loop.run_until_complete(agent.parse_message(text))) for text in texts]

    return answering


def _read(parsed: Mapping[str, Any]) -> Answer:
    intent = (parsed["intent"]["name"] or "").split("/")[0]
    found = parsed.get("response_selector", {}).get("default", {}).get("response", {})
    key = found.get("intent_response_key")
    return (key.split("/", 1)[1] if key else None, intent, float(found.get("confidence") or 0.0))


def _write(path: Path, tree: Mapping[str, Any]) -> None:
    """A line a key, its value as JSON, which is YAML: Rasa looks for its keys at the beginning of lines."""
    path.write_text("".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in tree.items()), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Worker(("rasa",), fit, load), sys.argv[1:]))
