"""Gather the parts of a bundle: ``python -m training.bundle --data … --target models/candidate``."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from training.examples import SENTIMENTS, read_classes, read_examples, write_json
from training.origins import origins
from training.params import Params, load_params
from yingda import bundle as layout
from yingda.pack import copy_knowledge, read_knowledge
from yingda.text.fingerprint import write_fingerprints

_DATA_FILES = ("fit.jsonl", "select.jsonl", "calibrate.jsonl", "entries.jsonl")
EFFORT = ("seconds", "cpu_seconds", "threads", "processor")
"""What differs from run to run without changing an answer."""
_PENDING = "# Model card\n\nNot evaluated yet; `dvc repro` writes this card from the evaluation report.\n"


def data_digest(data: Path) -> str:
    """SHA-256 over the rows the models were trained, chosen and calibrated on."""
    total = sha256()
    for name in _DATA_FILES:
        total.update(name.encode() + b"\0" + layout.file_digest(data / name).encode())
    return total.hexdigest()


def trained_texts(data: Path) -> Iterator[str]:
    """The text of every row that the models were trained, chosen and calibrated on; raises MaterialError."""
    for name in _DATA_FILES:
        yield from (row.text for row in read_examples(data / name))


def thresholds(params: Params, promises: dict[str, Any]) -> dict[str, float]:
    """Promised thresholds from calibration, operating ones from the parameters."""
    decide = params.decide
    return {
        "match": promises["match"]["threshold"],
        "intent": promises["intent"]["threshold"],
        "ambiguity": decide.ambiguity,
        "clarify": decide.clarify,
        "angry": promises["angry"]["threshold"],
        "angry_beside": promises["angry_beside"]["threshold"],
    }


def manifest_facts(args: argparse.Namespace, params: Params) -> dict[str, Any]:
    """What the manifest states about the model, besides its files."""
    promises = json.loads((args.calibration / "promises.json").read_text("utf-8"))
    export, proof = (json.loads(path.read_text("utf-8")) for path in (args.export / "export.json", args.proof / "proof.json"))
    training = json.loads((args.weights / "training.json").read_text("utf-8"))
    origin = json.loads((args.base / "origin.json").read_text("utf-8"))
    effort = {name: training.pop(name) for name in EFFORT if name in training}
    return {
        "version": params.version,
        "effort": effort,
        "encoder": {
            "base": origin,
            "layers": params.layers,
            "profile": params.profile,
            "max_tokens": params.train.max_tokens,
            "export": {**export, "proof": proof},
        },
        "thresholds": thresholds(params, promises["promises"]),
        "promise": {"error_budget": params.calibrate.error_budget, "assurance": params.calibrate.assurance, **promises["promises"]},
        "promise_prices": promises["prices"],
        "training": {**training, "params": params.model_dump(mode="json")},
        "data": origins(args.data, params.prepare),
        "data_sha256": data_digest(args.data),
        "knowledge_sha256": read_knowledge(params.prepare.pack).digest,
    }


def gather(args: argparse.Namespace, params: Params) -> None:
    """Copy every part into the target and seal it with a manifest; the target is replaced whole."""
    partial = args.target.with_name(args.target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / layout.KNOWLEDGE).mkdir(parents=True)
    parts = {
        layout.ENCODER: args.export,
        layout.TOKENIZER: args.base,
        layout.LINEAR_GRAMS: args.linear,
        layout.LINEAR_WEIGHTS: args.linear,
        layout.CALIBRATION: args.calibration,
        layout.FAQ_VECTORS: args.calibration,
    }
    for name, source in parts.items():
        shutil.copyfile(source / name, partial / name)
    copy_knowledge(params.prepare.pack, partial / layout.KNOWLEDGE)
    classes = read_classes(args.data / "classes.json")
    labels = {"intents": classes.intents, "matches": classes.matches, "sentiments": list(SENTIMENTS)}
    write_json(partial / layout.LABELS, labels)
    write_fingerprints(partial / layout.TRAINED, trained_texts(args.data))
    (partial / layout.CARD).write_text(_PENDING, "utf-8")
    layout.write_manifest(partial, manifest_facts(args, params))
    shutil.rmtree(args.target, ignore_errors=True)
    partial.rename(args.target)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.bundle", description=__doc__)
    for name in ("--data", "--base", "--weights", "--export", "--linear", "--calibration", "--proof", "--target"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    gather(args, load_params())
    layout.open_bundle(args.target)


if __name__ == "__main__":
    main()
