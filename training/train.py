"""Fine-tune the shared encoder: ``python -m training.train --data DIR --base DIR --target DIR``.

One pass over a message feeds all losses (``training/objective.py``): match class, intent, sentiment, and a contrast
between messages. A checkpoint after every epoch makes the stage resumable: an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from training.batches import Batch, batches, collate
from training.checkpoint import Run, fingerprint, resume, save_checkpoint, save_weights
from training.examples import IGNORED, SENTIMENTS, Classes, Example, read_classes, read_examples, write_json
from training.hardware import bf16_is_fast, device, precision
from training.network import Network, Outputs, Prototypes, load_network
from training.objective import Memory, task_loss
from training.params import Params, TrainParams, load_params
from training.processor import processor_name
from yingda.text.tokenizer import MessageTokenizer

_PAD = 1

Extra = Callable[[Outputs, Tensor, Batch], Tensor]
"""A further loss of outputs, match logits [B, C] and the batch, as distillation has one."""


def embed(network: Network, tokenizer: MessageTokenizer, texts: Sequence[str]) -> Tensor:
    """Unit embeddings [N, D] of ``texts``, in evaluation mode."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            part = [Example(t, 0, 0, 0) for t in texts[start : start + 64]]
            batch = collate(part, tokenizer.encode([e.text for e in part]), pad=_PAD)
            rows.append(network(batch.input_ids.to(device()), batch.attention_mask.to(device())).embedding)
    return torch.cat(rows)


def first_prototypes(network: Network, tokenizer: MessageTokenizer, rows: Sequence[Example], classes: Classes) -> Tensor:
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


def optimiser_of(
    network: Network, prototypes: Prototypes, params: TrainParams, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with linear warm-up and decay over ``steps``; heads learn faster than the encoder."""
    encoder = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [*network.projection.parameters(), *network.intent.parameters(), *network.sentiment.parameters(), *prototypes.parameters()]
    groups = [{"params": encoder, "lr": params.encoder_rate}, {"params": heads, "lr": params.head_rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=params.weight_decay, fused=True)
    warm = max(1, int(steps * params.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min((s + 1) / warm, max(0.0, (steps - s) / max(1, steps - warm))))
    return optimiser, schedule


def start(params: TrainParams, base: Path, rows: Sequence[Example], entries: Sequence[Example], classes: Classes, mark: str) -> Run:
    """A fresh run: base weights, and prototypes from the rows' own embeddings."""
    network = load_network(base, layers=params.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=params.dropout).to(
        device()
    )
    tokenizer = MessageTokenizer(base / "tokenizer.json", max_tokens=params.max_tokens)
    none = [row for row in rows if row.match != IGNORED and classes.matches[row.match].startswith("none:")]
    prototypes = Prototypes(first_prototypes(network, tokenizer, [*entries, *none], classes), params.entry_scale).to(device())
    return wrap(network, prototypes, params, [*rows, *entries], mark)


def wrap(network: Network, prototypes: Prototypes, params: TrainParams, rows: Sequence[Example], mark: str) -> Run:
    """A run of ``network`` over ``rows`` that has not begun."""
    optimiser, schedule = optimiser_of(network, prototypes, params, params.epochs * math.ceil(len(rows) / params.batch_size))
    weights = sentiment_weights(rows).to(device())
    return Run(network, prototypes, optimiser, schedule, random.Random(), weights, Memory(params.contrast_memory), mark)


def loss_of(run: Run, batch: Batch, params: TrainParams, extra: Extra | None = None) -> Tensor:
    """The loss of one batch, and ``extra`` of it when there is one."""
    with precision():
        outputs = run.network(batch.input_ids.to(device()), batch.attention_mask.to(device()))
    logits = run.prototypes(outputs.embedding.float())
    total = task_loss(outputs, logits, batch, run.memory, params, run.sentiment_weights)
    return total if extra is None else total + extra(outputs, logits, batch)


def train_epoch(
    run: Run, examples: Sequence[Example], tokenizer: MessageTokenizer, params: TrainParams, progress: Progress, extra: Extra | None = None
) -> float:
    """One pass over ``examples``; returns the mean loss."""
    run.network.train()
    count = math.ceil(len(examples) / params.batch_size)
    task = progress.add_task(f"epoch {run.epoch + 1}/{params.epochs}", total=count)
    total = 0.0
    dealt = batches(examples, tokenizer, size=params.batch_size, noise=params.noise_share, generator=run.generator, pad=_PAD)
    for batch in dealt:
        loss = loss_of(run, batch, params, extra)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
        run.optimiser.step()
        run.schedule.step()
        run.optimiser.zero_grad()
        total += loss.item()
        progress.advance(task)
    return total / count


def match_accuracy(run: Run, rows: Sequence[Example], tokenizer: MessageTokenizer) -> float:
    """Share of ``rows`` with a match label whose best match class is right."""
    rows = [row for row in rows if row.match != IGNORED]
    with torch.inference_mode():
        best = run.prototypes(embed(run.network, tokenizer, [r.text for r in rows])).argmax(-1).tolist()
    right: list[bool] = [b == r.match or b in r.also for b, r in zip(best, rows, strict=True)]
    return float(sum(right) / len(rows))


def train_rows(
    run: Run,
    rows: Sequence[Example],
    chosen: Sequence[Example],
    tokenizer: MessageTokenizer,
    target: Path,
    params: Params,
    *,
    extra: Extra | None = None,
    checkpoint: Callable[[Run, Path], None] = save_checkpoint,
) -> dict[str, object]:
    """Train ``run`` to its last epoch and keep the epoch that matches best on the ``chosen`` rows.

    ``checkpoint`` is called after every epoch to save the run's state. Returns what happened.
    """
    settings, state = params.train, target / "checkpoint.pt"
    target.mkdir(parents=True, exist_ok=True)
    resume(run, state)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        while run.epoch < settings.epochs:
            began, began_cpu = time.perf_counter(), time.process_time()
            torch.manual_seed(params.seed + run.epoch)
            run.generator.seed(params.seed + run.epoch)
            loss = train_epoch(run, rows, tokenizer, settings, progress, extra)
            accuracy = match_accuracy(run, chosen, tokenizer)
            run.epoch += 1
            run.history.append({"epoch": run.epoch, "loss": loss, "selection_accuracy": accuracy})
            run.seconds, run.cpu_seconds = run.seconds + time.perf_counter() - began, run.cpu_seconds + time.process_time() - began_cpu
            progress.console.print(f"epoch {run.epoch}: loss {loss:.4f}, match accuracy on selection rows {accuracy:.4f}")
            if accuracy > run.best:
                run.best = accuracy
                save_weights(run, target / "weights.safetensors")
            checkpoint(run, state)
    return facts_of(run, len(rows), settings)


def facts_of(run: Run, rows: int, settings: TrainParams) -> dict[str, object]:
    """What the card says of a finished run: rows, history, precision, device, and time of training."""
    return {
        "rows": rows,
        "history": run.history,
        "precision": "bfloat16" if bf16_is_fast() else "float32",
        "device": device().type,
        "seconds": round(run.seconds, 1),
        "cpu_seconds": round(run.cpu_seconds, 1),
        "threads": settings.threads,
        "processor": processor_name(),
    }


def train(
    data: Path, base: Path, target: Path, params: Params, *, checkpoint: Callable[[Run, Path], None] = save_checkpoint
) -> dict[str, object]:
    """Train on the fit rows and the entries' own wordings; returns what happened."""
    settings, classes = params.train, read_classes(data / "classes.json")
    torch.set_num_threads(settings.threads)
    torch.manual_seed(params.seed)
    rows, entries, chosen = (read_examples(data / f"{part}.jsonl") for part in ("fit", "entries", "select"))
    run = start(settings, base, rows, entries, classes, fingerprint(data, base, settings, params.seed))
    tokenizer = MessageTokenizer(base / "tokenizer.json", max_tokens=settings.max_tokens)
    return train_rows(run, [*rows, *entries], chosen, tokenizer, target, params, checkpoint=checkpoint)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    args = parser.parse_args(argv)
    facts = train(args.data, args.base, args.target, load_params())
    write_json(args.target / "training.json", facts)
    (args.target / "checkpoint.pt").unlink(missing_ok=True)  # last: a kill before it costs nothing


if __name__ == "__main__":
    main()
