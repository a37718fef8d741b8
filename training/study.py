"""Studies that tell what data and depth are worth: ``python -m training.study NAME --data DIR --base DIR --target DIR``.

``held-out`` trains without a fifth of the entries and matches against them by their texts alone. ``learning-curve``
trains on growing shares of the pack's rows, then with its latest wave, then with the logs. ``depth`` measures students
of several depths in float32 and int8. Each writes ``NAME.json``, which the model card shows; finished parts are kept,
so an interrupted study goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from training.distil import distil
from training.examples import (
    IGNORED,
    LOG_STYLE,
    SENTIMENTS,
    Classes,
    Example,
    read_classes,
    read_examples,
    write_classes,
    write_examples,
    write_json,
)
from training.export import Proof, export_float, head_accuracies, run_graph
from training.hardware import device
from training.network import Prototypes, load_network, load_weights
from training.params import Params, load_params
from training.quantise import quantise_embeddings, quantise_products
from training.smooth import smooth
from training.train import embed, train
from yingda.bundle import file_digest
from yingda.domain.errors import MaterialError
from yingda.pack import read_knowledge, read_training
from yingda.retrieve.space import NONE_PREFIX
from yingda.runtime import EncoderSession
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer

SHARES = (0.25, 0.5, 0.75, 1.0)
DEPTHS = (4, 6, 8)
_HELD_OUT = 0.2
_TIMED = 300
_REPEATS = 3
_GOAL = 0.95

Floats = NDArray[np.float32]


def split_entries(classes: Classes, share: float, seed: int) -> frozenset[str]:
    """Names of the entries that training shall not see, drawn by ``seed``."""
    entries = [name for name in classes.matches if not name.startswith(NONE_PREFIX)]
    return frozenset(random.Random(seed).sample(entries, round(share * len(entries))))


def without(classes: Classes, names: frozenset[str]) -> tuple[Classes, dict[int, int]]:
    """``classes`` without the match classes ``names``, and the new number of each number that is left."""
    kept = [number for number, name in enumerate(classes.matches) if name not in names]
    left = Classes(
        classes.intents, tuple(classes.matches[number] for number in kept), tuple(classes.match_intents[number] for number in kept)
    )
    return left, {old: new for new, old in enumerate(kept)}


def renumber(rows: Iterable[Example], numbers: dict[int, int]) -> list[Example]:
    """Rows whose class is left, under its new number; rows of a class that is gone are left out."""
    return [
        replace(row, match=numbers.get(row.match, IGNORED), also=tuple(numbers[also] for also in row.also if also in numbers))
        for row in rows
        if row.match == IGNORED or row.match in numbers
    ]


def coverage_at(goal: float, confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Largest share of rows, most confident first, of which at least ``goal`` are right: known only in hindsight."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(accuracy >= goal)
    return float((good[-1] + 1) / len(order)) if len(good) else 0.0


class Workshop:
    """Data, base weights and parameters of a study, and the folder its parts are kept in."""

    def __init__(self, data: Path, base: Path, target: Path, params: Params) -> None:
        self.data, self.base, self.target, self.params = data, base, target, params
        self.classes = read_classes(data / "classes.json")
        self.tokenizer = MessageTokenizer(base / "tokenizer.json", max_tokens=params.train.max_tokens)

    def rows(self, *parts: str) -> list[Example]:
        """Rows of the parts of the split."""
        return [row for part in parts for row in read_examples(self.data / f"{part}.jsonl")]

    def train_on(self, name: str, classes: Classes, parts: dict[str, list[Example]]) -> dict[str, torch.Tensor]:
        """Weights trained on ``parts`` (fit, entries, select); a part of the study trained before is taken as it is."""
        folder = self.target / "parts" / f"{name}-{self._mark(parts)}"
        write_classes(folder / "data/classes.json", classes)
        for part, rows in parts.items():
            write_examples(folder / f"data/{part}.jsonl", rows)
        if not (folder / "training.json").is_file():
            write_json(folder / "training.json", train(folder / "data", self.base, folder, self.params))
            (folder / "checkpoint.pt").unlink(missing_ok=True)
        return load_file(folder / "weights.safetensors")

    def _mark(self, parts: Mapping[str, Sequence[Example]]) -> str:
        """Short digest of rows and settings: a part trained on others is not taken for this one."""
        rows = {part: [asdict(row) for row in found] for part, found in parts.items()}
        facts = [rows, self.params.train.model_dump(mode="json"), self.params.seed]
        return sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:12]

    def embed(self, weights: dict[str, torch.Tensor], classes: Classes, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Embeddings [N, D] of ``texts`` and unit class vectors [C, D] by ``weights``."""
        network = load_network(
            self.base, layers=self.params.train.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=0.0
        ).to(device())
        prototypes = Prototypes(weights["prototypes.vectors"], self.params.train.entry_scale)
        load_weights(network, prototypes, weights)
        vectors = torch.nn.functional.normalize(prototypes.vectors.detach(), dim=-1)
        return embed(network, self.tokenizer, texts).cpu().numpy(), vectors.numpy()


def held_out(shop: Workshop) -> dict[str, Any]:
    """Top-1 of messages about entries that training did not see, among these alone and among all entries."""
    hidden = split_entries(shop.classes, _HELD_OUT, shop.params.seed)
    left, numbers = without(shop.classes, hidden)
    weights = shop.train_on("held-out", left, {part: renumber(shop.rows(part), numbers) for part in ("fit", "entries", "select")})
    names = sorted(hidden)
    judged = [row for row in shop.rows("select", "calibrate") if row.match != IGNORED and shop.classes.matches[row.match] in hidden]
    faq = read_knowledge(shop.params.prepare.pack).faq
    wordings = [(name, normalise(text)) for name in names for text in faq[name].texts()]
    vectors, trained = shop.embed(weights, left, [*(row.text for row in judged), *(text for _, text in wordings)])
    messages, texts = vectors[: len(judged)], vectors[len(judged) :]
    owners = np.asarray([names.index(name) for name, _ in wordings])
    means = np.stack([texts[owners == number].mean(0) for number in range(len(names))])
    new = means / np.linalg.norm(means, axis=1, keepdims=True)
    entries = [number for number, name in enumerate(left.matches) if not name.startswith(NONE_PREFIX)]
    everything = np.concatenate([new, trained[entries]])
    titles = [*names, *(left.matches[number] for number in entries)]

    def top1(space: Floats) -> float:
        best = [titles[number] for number in (messages @ space.T).argmax(1).tolist()]
        right = [shop.classes.matches[row.match] for row in judged]
        also = [{shop.classes.matches[number] for number in row.also} for row in judged]
        return float(np.mean([b == r or b in a for b, r, a in zip(best, right, also, strict=True)]))

    settings = shop.params.train
    return {
        "entries": len(names),
        "rows": len(judged),
        "layers": settings.layers,
        "epochs": settings.epochs,
        "top1_by_text_alone": round(top1(new), 4),
        "top1": round(top1(everything), 4),
    }


def growing_sets(fit: Sequence[Example], wave: Collection[str], seed: int) -> dict[str, list[Example]]:
    """Growing training sets by name, each within the next: shares of the pack without ``wave``, with it, with the logs.

    ``wave`` holds the normalised texts of the latest wave of messages.
    """
    logs = [row for row in fit if row.style == LOG_STYLE]
    late = [row for row in fit if row.style != LOG_STYLE and row.text in wave]
    early = [row for row in fit if row.style != LOG_STYLE and row.text not in wave]
    order = random.Random(seed).sample(range(len(early)), len(early))
    sets = {f"{share:.0%}": [early[i] for i in sorted(order[: round(share * len(early))])] for share in SHARES}
    if late:
        sets["with the latest wave"] = early + late
    if logs:
        sets["with the logs"] = early + late + logs
    return sets


def learning_curve(shop: Workshop, wave: Collection[str]) -> list[dict[str, Any]]:
    """The encoder alone, trained on growing sets of rows; ``wave`` as ``growing_sets`` takes it."""
    entries, select, judged = (shop.rows(part) for part in ("entries", "select", "calibrate"))
    points = []
    for number, (name, rows) in enumerate(growing_sets(shop.rows("fit"), wave, shop.params.seed).items()):
        weights = shop.train_on(f"curve-{number}", shop.classes, {"fit": rows, "entries": entries, "select": select})
        top1, coverage = _judge(shop, weights, judged)
        points.append(
            {
                "trained_on": name,
                "rows": len(rows),
                "layers": shop.params.train.layers,
                "epochs": shop.params.train.epochs,
                "select_top1": round(_judge(shop, weights, select)[0], 4),
                "calibrate_top1": round(top1, 4),
                "calibrate_coverage_at_95": round(coverage, 4),
            }
        )
        write_json(shop.target / "learning-curve.json", points)
    return points


def wave_texts(pack: Path, files: Sequence[str]) -> frozenset[str]:
    """Normalised texts of the pack's training files ``files``; the reader names one that is not there."""
    training = read_training(pack).training
    if unknown := [name for name in files if name not in training]:
        raise MaterialError(f"{pack} has no training file {', '.join(unknown)}; it has {', '.join(training)}")
    return frozenset(normalise(row.text) for name in files for row in training[name])


def _judge(shop: Workshop, weights: dict[str, torch.Tensor], rows: Sequence[Example]) -> tuple[float, float]:
    vectors, trained = shop.embed(weights, shop.classes, [row.text for row in rows])
    scores = float(weights["prototypes.log_scale"].exp()) * vectors @ trained.T
    entries = sum(not name.startswith(NONE_PREFIX) for name in shop.classes.matches)
    answerable = np.asarray([0 <= row.match < entries for row in rows])
    best = scores[:, :entries].argmax(1)
    right = np.asarray([b == row.match or b in row.also for b, row in zip(best.tolist(), rows, strict=True)])[answerable]
    odds = np.exp(scores - scores.max(1, keepdims=True))
    confidence = (odds[np.arange(len(best)), best] / odds.sum(1))[answerable]
    return float(right.mean()), coverage_at(_GOAL, confidence, right)


def depth(shop: Workshop, teacher: Path, depths: Sequence[int] = DEPTHS) -> list[dict[str, Any]]:
    """Accuracy, size and time of the trained network and of its students, each in float32 and in int8."""
    rows: list[dict[str, Any]] = []
    mark = sha256(f"{file_digest(teacher)} {shop.params.distil.model_dump_json()}".encode()).hexdigest()[:12]
    for layers in (shop.params.train.layers, *depths):
        folder = shop.target / "parts" / f"depth-{layers}-{mark}"
        weights = teacher
        if layers != shop.params.train.layers:
            weights = folder / "weights.safetensors"
            if not (folder / "training.json").is_file():
                write_json(folder / "training.json", distil(shop.data, shop.base, teacher, folder, shop.params, layers))
                (folder / "checkpoint.pt").unlink(missing_ok=True)
        epochs = shop.params.train.epochs if weights == teacher else shop.params.distil.epochs
        rows += [{"layers": layers, "epochs": epochs, **figures} for figures in _measure(shop, load_file(weights), layers)]
        write_json(shop.target / "depth.json", rows)
    return rows


def _measure(shop: Workshop, weights: dict[str, torch.Tensor], layers: int) -> list[dict[str, Any]]:
    network = load_network(shop.base, layers=layers, intents=len(shop.classes.intents), sentiments=len(SENTIMENTS), dropout=0.0)
    prototypes = Prototypes(weights["prototypes.vectors"], shop.params.train.entry_scale)
    load_weights(network, prototypes, weights)
    judged, watched = shop.rows("calibrate"), shop.rows("fit")[:: shop.params.export.every]
    vectors = torch.nn.functional.normalize(prototypes.vectors.detach(), dim=-1).numpy()
    proof = Proof(judged, shop.tokenizer.encode([row.text for row in judged]), vectors, len(shop.classes.intents))
    smooth(network, shop.tokenizer.encode([row.text for row in watched]), strength=shop.params.export.smoothing)
    with TemporaryDirectory() as scratch:
        whole, small = Path(scratch) / "whole.onnx", Path(scratch) / "small.onnx"
        export_float(network, whole)
        quantise_products(whole, small)
        for graph in (whole, small):
            quantise_embeddings(graph)
        return [_figures(graph, precision, proof) for graph, precision in ((whole, "float32"), (small, "int8"))]


def _figures(graph: Path, precision: str, proof: Proof) -> dict[str, Any]:
    accuracies = head_accuracies(run_graph(graph, proof.ids), proof)
    return {
        "precision": precision,
        "size_mb": round(graph.stat().st_size / 1e6, 1),
        "cpu_ms": round(cpu_milliseconds(graph, proof.ids[:_TIMED]), 2),
        "calibrate_top1": round(accuracies["match_accuracy"], 4),
        "calibrate_intent": round(accuracies["intent_accuracy"], 4),
        "calibrate_sentiment": round(accuracies["sentiment_accuracy"], 4),
    }


def cpu_milliseconds(graph: Path, ids: Sequence[Sequence[int]]) -> float:
    """Processor time a message takes, the least of several passes over ``ids``: other work only ever adds to it."""
    session = EncoderSession(graph)
    session.run(ids[:8])
    passes = []
    for _ in range(_REPEATS):
        began = time.process_time()
        session.run(ids)
        passes.append(time.process_time() - began)
    return 1000 * min(passes) / len(ids)


def _asked(params: Params, args: argparse.Namespace) -> Params:
    """``params`` with the depth and the epochs of the command line; students of ``depth`` have their own."""
    if args.study == "depth":
        changed = {} if args.epochs is None else {"epochs": args.epochs}
        return params.model_copy(update={"distil": params.distil.model_copy(update=changed)})
    changed = {name: value for name in ("layers", "epochs") if (value := getattr(args, name)) is not None}
    return params.model_copy(update={"train": params.train.model_copy(update=changed)})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.study", description=__doc__)
    parser.add_argument("study", choices=["held-out", "learning-curve", "depth"])
    parser.add_argument("--data", type=Path, default=Path("data/processed"))
    parser.add_argument("--base", type=Path, default=Path("models/base"))
    parser.add_argument("--teacher", type=Path, default=Path("models/checkpoints/weights.safetensors"))
    parser.add_argument("--target", type=Path, default=Path("models/studies"))
    parser.add_argument("--layers", type=int, help="held-out, learning-curve: depth of the networks; default: that of params.yaml")
    parser.add_argument("--epochs", type=int, help="default: that of params.yaml")
    parser.add_argument("--wave", nargs="*", default=[], metavar="FILE", help="learning-curve: the pack's latest training files")
    args = parser.parse_args(argv)
    if args.study == "depth" and args.layers is not None:
        parser.error("depth measures several depths and takes no --layers")
    params = load_params()
    params = _asked(params, args)
    torch.set_num_threads(params.train.threads)
    shop = Workshop(args.data, args.base, args.target, params)
    studies: dict[str, Callable[[], object]] = {
        "held-out": lambda: held_out(shop),
        "learning-curve": lambda: learning_curve(shop, wave_texts(params.prepare.pack, args.wave)),
        "depth": lambda: depth(shop, args.teacher),
    }
    found = studies[args.study]()
    write_json(args.target / f"{args.study}.json", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
