"""Fine-tune the encoder on benchmark rows with the functions of ``training.train``, and run it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

from training.batches import collate
from training.checkpoint import Run
from training.examples import IGNORED, SENTIMENTS, Classes, Example
from training.hardware import device
from training.network import Network, load_weights
from training.params import Params, TrainParams
from training.train import start, train_rows
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment
from yingda.runtime import Encodings
from yingda.text.tokenizer import MessageTokenizer

_PAD = 1
_BATCH = 64
_LEAST_STEPS = 300
"""Steps that training takes at least: the epochs of 20,000 rows would be a few dozen steps of a few-shot set."""

_NO_FEELING = SENTIMENTS.index(Sentiment.NEUTRAL)
"""These rows have no sentiment of ours. The weights of that loss need a label, so they get this one and the loss no weight."""


@dataclass(frozen=True)
class Bench:
    """What all data sets share: base weights, parameters, how many rows a trial may use and how many folds are judged (None: all)."""

    base: Path
    params: Params
    trial: int | None = None
    folds: int | None = None

    def tokenizer(self) -> MessageTokenizer:
        """The tokenizer of the base weights."""
        return MessageTokenizer(self.base / "tokenizer.json", max_tokens=self.params.train.max_tokens)

    def base_sha256(self) -> str:
        """Of the base weights, their shape and their tokenizer; raises MaterialError when one is missing."""
        digest = sha256()
        for name in ("model.safetensors", "tokenizer.json", "config.json"):
            try:
                digest.update((self.base / name).read_bytes())
            except OSError as error:
                raise MaterialError(
                    f"{self.base / name} is missing; run `dvc repro base_encoder`, or name the folder with --base"
                ) from error
        return digest.hexdigest()


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned run at its best epoch, and how the training went."""

    run: Run
    facts: Mapping[str, object]

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Unit vectors [C, D] of the classes."""
        return functional.normalize(self.run.prototypes.vectors.detach(), dim=-1).cpu().numpy()

    @property
    def scale(self) -> float:
        """What turns cosines into logits."""
        return float(self.run.prototypes.log_scale.detach().exp())


def example(text: str, *, intent: int = IGNORED, match: int = IGNORED) -> Example:
    """A row for the trainer."""
    return Example(text, intent, match, _NO_FEELING)


def settings_for(params: TrainParams, rows: int, *, trial: bool) -> TrainParams:
    """``params`` for a set of ``rows`` training rows.

    A few-shot set gets as many epochs as 300 steps take (not in a trial), and a contrast memory that it can fill.
    """
    least = 1 if trial else math.ceil(_LEAST_STEPS / math.ceil(rows / params.batch_size))
    changed = {"epochs": max(params.epochs, least), "contrast_memory": min(params.contrast_memory, rows), "sentiment_weight": 0.0}
    return params.model_copy(update=changed)


def fine_tune(bench: Bench, rows: Sequence[Example], chosen: Sequence[Example], classes: Classes, folder: Path, mark: str) -> Tuned:
    """Train on ``rows`` and keep the epoch that matches best on ``chosen``; an interrupted training of this ``mark`` goes on.

    The rows take the part of an entry's own wordings too: their means are the first prototypes.
    """
    settings = settings_for(bench.params.train, len(rows), trial=bench.trial is not None)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(bench.params.seed)
    run = start(settings, bench.base, [], rows, classes, mark)
    facts = train_rows(run, rows, chosen, bench.tokenizer(), folder, bench.params.model_copy(update={"train": settings}))
    load_weights(run.network, run.prototypes, load_file(folder / "weights.safetensors", device=str(device())))
    return Tuned(run, {"layers": settings.layers, "epochs": settings.epochs, **facts})


def encode(network: Network, tokenizer: MessageTokenizer, texts: Sequence[str]) -> Encodings:
    """All outputs for ``texts``, in evaluation mode."""
    network.eval()
    found = []
    with torch.inference_mode():
        for begin in range(0, len(texts), _BATCH):
            part = [example(text) for text in texts[begin : begin + _BATCH]]
            batch = collate(part, tokenizer.encode([row.text for row in part]), pad=_PAD)
            found.append(network(batch.input_ids.to(device()), batch.attention_mask.to(device())))
    return Encodings(*(torch.cat([getattr(o, name) for o in found]).float().cpu().numpy() for name in ("embedding", "intent", "sentiment")))


def clear(folder: Path) -> None:
    """Remove weights and checkpoint of a finished training: only figures stay of a benchmark."""
    for name in ("weights.safetensors", "checkpoint.pt"):
        (folder / name).unlink(missing_ok=True)
