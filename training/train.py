"""Fine-tune the shared encoder: ``python -m training.train --data DIR --base DIR --target DIR``.

One pass over a message feeds three cross-entropies: match class (cosine softmax over prototypes), intent and
sentiment. A checkpoint after every epoch makes the stage resumable: an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.batches import Batch, batches, collate, load_tokenizer
from training.examples import IGNORED, SENTIMENTS, Classes, Example, read_classes, read_examples, write_json
from training.network import Network, Prototypes, load_network
from training.params import Params, TrainParams, load_params

_PAD = 1


@dataclass
class Run:
    """What one training run holds in memory."""

    network: Network
    prototypes: Prototypes
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: random.Random
    sentiment_weights: Tensor
    fingerprint: str
    epoch: int = 0
    best: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


def bf16_is_fast() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere autocast would only slow training down."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # a private name, so it may go in another torch: without it training is slower, not wrong
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def device() -> torch.device:
    """The GPU when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def embed(network: Network, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Unit embeddings [N, D] of ``texts``, in evaluation mode."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            part = [Example(t, 0, 0, 0) for t in texts[start : start + 64]]
            batch = collate(part, [e.ids for e in tokenizer.encode_batch([e.text for e in part])], pad=_PAD)
            rows.append(network(batch.input_ids.to(device()), batch.attention_mask.to(device())).embedding)
    return torch.cat(rows)


def first_prototypes(network: Network, tokenizer: Tokenizer, rows: Sequence[Example], classes: Classes) -> Tensor:
    """Mean embedding of each class's rows, after centring the projection on the mean of all of them.

    Raw e5 cosines crowd between 0.9 and 1.0; the centred space spreads them out.
    """
    vectors = embed(network, tokenizer, [row.text for row in rows])
    network.projection.bias.data = -vectors.mean(0)
    centred = functional.normalize(vectors + network.projection.bias.data, dim=-1)
    sums = torch.zeros(len(classes.matches), centred.shape[1], device=centred.device)
    numbers = torch.tensor([row.match for row in rows], device=centred.device)
    known = numbers != IGNORED
    sums.index_add_(0, numbers[known], centred[known])
    return functional.normalize(sums, dim=-1)


def sentiment_weights(rows: Sequence[Example]) -> Tensor:
    """Inverse square root of class frequency, mean 1: angry and positive are rare."""
    counts = torch.bincount(torch.tensor([r.sentiment for r in rows if r.sentiment != IGNORED]), minlength=len(SENTIMENTS))
    weights = counts.clamp(min=1).float().rsqrt()
    return weights / weights.mean()


def start(params: TrainParams, base: Path, rows: Sequence[Example], entries: Sequence[Example], classes: Classes, mark: str) -> Run:
    """A fresh run: base weights, prototypes from the rows' own embeddings, AdamW with linear warm-up and decay."""
    network = load_network(base, layers=params.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=params.dropout).to(
        device()
    )
    tokenizer = load_tokenizer(str(base / "tokenizer.json"), params.max_tokens)
    none = [row for row in rows if row.match != IGNORED and classes.matches[row.match].startswith("none:")]
    prototypes = Prototypes(first_prototypes(network, tokenizer, [*entries, *none], classes), params.entry_scale).to(device())
    encoder = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [*network.projection.parameters(), *network.intent.parameters(), *network.sentiment.parameters(), *prototypes.parameters()]
    groups = [{"params": encoder, "lr": params.encoder_rate}, {"params": heads, "lr": params.head_rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=params.weight_decay)
    steps = params.epochs * math.ceil((len(rows) + len(entries)) / params.batch_size)
    warm = max(1, int(steps * params.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min((s + 1) / warm, max(0.0, (steps - s) / max(1, steps - warm))))
    return Run(network, prototypes, optimiser, schedule, random.Random(), sentiment_weights(rows).to(device()), mark)


def loss_of(run: Run, batch: Batch, params: TrainParams) -> Tensor:
    """Weighted sum of the three cross-entropies."""
    with torch.autocast(device().type, torch.bfloat16, enabled=bf16_is_fast()):
        outputs = run.network(batch.input_ids.to(device()), batch.attention_mask.to(device()))
        logits = run.prototypes(outputs.embedding)
    smoothing = params.label_smoothing
    match, intent, sentiment = (label.to(device()) for label in (batch.match, batch.intent, batch.sentiment))
    total = params.intent_weight * functional.cross_entropy(outputs.intent.float(), intent, label_smoothing=smoothing)
    # a batch without any label for a head has no loss there: cross_entropy would make it NaN
    if bool((match != IGNORED).any()):
        total = total + functional.cross_entropy(logits.float(), match, ignore_index=IGNORED, label_smoothing=smoothing)
    if bool((sentiment != IGNORED).any()):
        feeling = functional.cross_entropy(outputs.sentiment.float(), sentiment, run.sentiment_weights, ignore_index=IGNORED)
        total = total + params.sentiment_weight * feeling
    return total


def train_epoch(run: Run, examples: Sequence[Example], tokenizer: Tokenizer, params: TrainParams, progress: Progress) -> float:
    """One pass over ``examples``; returns the mean loss."""
    run.network.train()
    count = math.ceil(len(examples) / params.batch_size)
    task = progress.add_task(f"epoch {run.epoch + 1}/{params.epochs}", total=count)
    total = 0.0
    dealt = batches(examples, tokenizer, size=params.batch_size, noise=params.noise_share, generator=run.generator, pad=_PAD)
    for batch in dealt:
        loss = loss_of(run, batch, params)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
        run.optimiser.step()
        run.schedule.step()
        run.optimiser.zero_grad()
        total += loss.item()
        progress.advance(task)
    return total / count


def match_accuracy(run: Run, rows: Sequence[Example], tokenizer: Tokenizer) -> float:
    """Share of ``rows`` whose best match class is right."""
    with torch.inference_mode():
        best = run.prototypes(embed(run.network, tokenizer, [r.text for r in rows])).argmax(-1).tolist()
    right: list[bool] = [b == r.match or b in r.also for b, r in zip(best, rows, strict=True)]
    return float(sum(right) / len(rows))


def save_weights(run: Run, path: Path) -> None:
    """Network and prototypes in one safetensors file, written whole or not at all."""
    state = {f"network.{k}": v for k, v in run.network.state_dict().items()}
    state |= {f"prototypes.{k}": v for k, v in run.prototypes.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in state.items()}, partial)
    partial.replace(path)


def save_checkpoint(run: Run, path: Path) -> None:
    """All state needed to go on after an interrupt."""
    state = {
        "network": run.network.state_dict(),
        "prototypes": run.prototypes.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "schedule": run.schedule.state_dict(),
        "epoch": run.epoch,
        "best": run.best,
        "history": run.history,
        "fingerprint": run.fingerprint,
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def resume(run: Run, path: Path) -> None:
    """Take up the state of ``path``, unless there is none or it was made from other data or parameters."""
    if not path.is_file():
        return
    # weights_only refuses every object but tensors and plain values
    state = torch.load(path, map_location=device(), weights_only=True)
    if state["fingerprint"] != run.fingerprint:
        return
    run.network.load_state_dict(state["network"])
    run.prototypes.load_state_dict(state["prototypes"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.schedule.load_state_dict(state["schedule"])
    run.epoch, run.best, run.history = int(state["epoch"]), float(state["best"]), list(state["history"])
    print(f"going on after epoch {run.epoch}", file=sys.stderr)


def fingerprint(data: Path, base: Path, params: Params) -> str:
    """SHA-256 of all that a run depends on: rows, class numbers, base weights, tokenizer, seed and parameters."""
    settings = {"seed": params.seed, "train": params.train.model_dump(mode="json")}
    digest = sha256(json.dumps(settings, sort_keys=True).encode())
    rows = [data / name for name in ("fit.jsonl", "entries.jsonl", "select.jsonl", "classes.json")]
    for path in (*rows, *(base / name for name in ("model.safetensors", "tokenizer.json", "config.json"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def train(
    data: Path, base: Path, target: Path, params: Params, *, checkpoint: Callable[[Run, Path], None] = save_checkpoint
) -> dict[str, object]:
    """Train to the last epoch, keep the epoch that matches best on the selection rows; returns what happened.

    ``checkpoint`` is called after every epoch to save the run's state.
    """
    settings, classes = params.train, read_classes(data / "classes.json")
    torch.set_num_threads(settings.threads)
    torch.manual_seed(params.seed)
    rows, entries, chosen = (read_examples(data / f"{part}.jsonl") for part in ("fit", "entries", "select"))
    run = start(settings, base, rows, entries, classes, fingerprint(data, base, params))
    tokenizer = load_tokenizer(str(base / "tokenizer.json"), settings.max_tokens)
    target.mkdir(parents=True, exist_ok=True)
    state = target / "checkpoint.pt"
    resume(run, state)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        while run.epoch < settings.epochs:
            torch.manual_seed(params.seed + run.epoch)
            run.generator.seed(params.seed + run.epoch)
            loss = train_epoch(run, [*rows, *entries], tokenizer, settings, progress)
            accuracy = match_accuracy(run, chosen, tokenizer)
            run.epoch += 1
            run.history.append({"epoch": run.epoch, "loss": loss, "selection_accuracy": accuracy})
            progress.console.print(f"epoch {run.epoch}: loss {loss:.4f}, match accuracy on selection rows {accuracy:.4f}")
            if accuracy > run.best:
                run.best = accuracy
                save_weights(run, target / "weights.safetensors")
            checkpoint(run, state)
    return {"history": run.history, "precision": "bfloat16" if bf16_is_fast() else "float32", "device": device().type}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    args = parser.parse_args(argv)
    facts = train(args.data, args.base, args.target, load_params())
    (args.target / "checkpoint.pt").unlink(missing_ok=True)
    write_json(args.target / "training.json", facts)


if __name__ == "__main__":
    main()
