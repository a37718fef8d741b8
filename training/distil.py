"""Make a shallower encoder of a trained one: ``python -m training.distil --data DIR --base DIR --teacher DIR --target DIR``.

The student starts from evenly spaced layers of the teacher and all of its heads, then learns from the labels and
from the teacher's answers: distributions of all three heads (Hinton et al. 2015, arXiv:1503.02531) and the
embedding itself. A profile as deep as the teacher needs no student: the teacher's weights are passed on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from training.batches import Batch, collate
from training.checkpoint import fingerprint
from training.examples import SENTIMENTS, Classes, Example, read_classes, read_examples, write_json
from training.hardware import device, precision
from training.network import Network, Outputs, Prototypes, load_network, load_weights
from training.params import DistilParams, Params, load_params
from training.train import Extra, train_rows, wrap
from yingda.bundle import file_digest
from yingda.domain.errors import MaterialError
from yingda.text.tokenizer import MessageTokenizer

_PAD = 1
_AT_ONCE = 64


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of N rows: embeddings [N, D] and logits [N, C], [N, I], [N, S], in half precision."""

    embedding: Tensor
    match: Tensor
    intent: Tensor
    sentiment: Tensor


def spaced_layers(layers: int, teacher: int) -> list[int]:
    """Numbers of ``layers`` layers of ``teacher``, evenly spaced, the last one among them."""
    return [round((i + 1) * teacher / layers) - 1 for i in range(layers)]


def ask_teacher(network: Network, prototypes: Prototypes, rows: Sequence[Example], tokenizer: MessageTokenizer) -> Lessons:
    """The teacher's answers to undisturbed ``rows``, in evaluation mode."""
    network.eval()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].text))
    parts: list[tuple[Tensor, ...]] = []
    with torch.no_grad(), precision():
        for first in range(0, len(order), _AT_ONCE):
            chunk = [rows[i] for i in order[first : first + _AT_ONCE]]
            batch = collate(chunk, tokenizer.encode([row.text for row in chunk]), pad=_PAD)
            outputs = network(batch.input_ids.to(device()), batch.attention_mask.to(device()))
            answers = (outputs.embedding, prototypes(outputs.embedding), outputs.intent, outputs.sentiment)
            parts.append(tuple(answer.half().cpu() for answer in answers))
    back = torch.argsort(torch.tensor(order))
    return Lessons(*(torch.cat(columns)[back] for columns in zip(*parts, strict=True)))


def imitation(lessons: Lessons, params: DistilParams) -> Extra:
    """The loss of straying from ``lessons``: divergence of the heads at a temperature, and distance of embeddings."""

    def divergence(student: Tensor, teacher: Tensor) -> Tensor:
        heat = params.temperature
        wanted = functional.log_softmax(teacher.to(student.device).float() / heat, dim=-1)
        said = functional.log_softmax(student.float() / heat, dim=-1)
        return functional.kl_div(said, wanted, reduction="batchmean", log_target=True) * heat**2

    def extra(outputs: Outputs, logits: Tensor, batch: Batch) -> Tensor:
        places = torch.tensor(batch.rows)
        heads = divergence(logits, lessons.match[places]) + divergence(outputs.intent, lessons.intent[places])
        heads = heads + divergence(outputs.sentiment, lessons.sentiment[places])
        teacher = lessons.embedding[places].to(logits.device).float()
        apart = 1.0 - functional.cosine_similarity(outputs.embedding.float(), teacher, dim=-1).mean()
        return params.heads_weight * heads + params.embedding_weight * apart

    return extra


def student_of(teacher: Network, base: Path, layers: int, classes: Classes, dropout: float) -> Network:
    """A network of ``layers`` layers that starts as the teacher without the layers between."""
    student = load_network(base, layers=layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=dropout)
    elders = teacher.layers()
    for mine, number in zip(student.layers(), spaced_layers(layers, len(elders)), strict=True):
        mine.load_state_dict(elders[number].state_dict())
    for name in ("encoder.embeddings", "projection", "intent", "sentiment"):
        student.get_submodule(name).load_state_dict(teacher.get_submodule(name).state_dict())
    return student.to(device())


def distil(data: Path, base: Path, teacher: Path, target: Path, params: Params, layers: int) -> dict[str, object]:
    """Train a student of ``layers`` layers; returns what happened."""
    classes, settings = read_classes(data / "classes.json"), params.train
    torch.set_num_threads(settings.threads)
    torch.manual_seed(params.seed)
    rows, entries, chosen = (read_examples(data / f"{part}.jsonl") for part in ("fit", "entries", "select"))
    weights = load_file(teacher)
    network = load_network(base, layers=settings.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=settings.dropout)
    prototypes = Prototypes(weights["prototypes.vectors"], settings.entry_scale)
    load_weights(network.to(device()), prototypes.to(device()), weights)
    tokenizer = MessageTokenizer(base / "tokenizer.json", max_tokens=settings.max_tokens)
    lessons = ask_teacher(network, prototypes, [*rows, *entries], tokenizer)
    own = settings.model_copy(update={"layers": layers, "epochs": params.distil.epochs, "encoder_rate": params.distil.encoder_rate})
    mark = fingerprint(data, base, own, params.seed, more=json.dumps(params.distil.model_dump()) + file_digest(teacher))
    run = wrap(student_of(network, base, layers, classes, settings.dropout), prototypes, own, [*rows, *entries], mark)
    changed = params.model_copy(update={"train": own})
    return train_rows(run, [*rows, *entries], chosen, tokenizer, target, changed, extra=imitation(lessons, params.distil))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.distil", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="folder the train stage wrote")
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--layers", type=int, help="depth of the student; default: that of the profile in params.yaml")
    args = parser.parse_args(argv)
    params = load_params()
    layers = args.layers or params.layers
    if not 1 <= layers <= params.train.layers:
        raise MaterialError(f"a student of {layers} layers cannot be made of a teacher of {params.train.layers}")
    args.target.mkdir(parents=True, exist_ok=True)
    if layers == params.train.layers:
        shutil.copyfile(args.teacher / "weights.safetensors", args.target / "weights.safetensors")
        shutil.copyfile(args.teacher / "training.json", args.target / "training.json")
        return
    facts = distil(args.data, args.base, args.teacher / "weights.safetensors", args.target, params, layers)
    taught = json.loads((args.teacher / "training.json").read_text("utf-8"))
    effort = {name: round(float(str(facts[name])) + float(taught.get(name, 0.0)), 1) for name in ("seconds", "cpu_seconds")}
    write_json(args.target / "training.json", {**facts, **effort, "teacher_layers": params.train.layers})
    (args.target / "checkpoint.pt").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
