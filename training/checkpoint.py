"""The state of a training run on disk: written whole or not at all, taken up only by the same run."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.hardware import device
from training.network import Network, Prototypes
from training.objective import Memory
from training.params import TrainParams


@dataclass
class Run:
    """What one training run holds in memory."""

    network: Network
    prototypes: Prototypes
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: random.Random
    sentiment_weights: Tensor
    memory: Memory
    fingerprint: str
    epoch: int = 0
    best: float = -1.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def fingerprint(data: Path, base: Path, settings: TrainParams, seed: int, more: str = "") -> str:
    """SHA-256 of all that a run depends on: rows, class numbers, base weights, tokenizer, seed, parameters, ``more``."""
    described = {"seed": seed, "train": settings.model_dump(mode="json"), "more": more}
    digest = sha256(json.dumps(described, sort_keys=True).encode())
    rows = [data / name for name in ("fit.jsonl", "entries.jsonl", "select.jsonl", "classes.json")]
    for path in (*rows, *(base / name for name in ("model.safetensors", "tokenizer.json", "config.json"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def save_weights(run: Run, path: Path) -> None:
    """Network and prototypes in one safetensors file."""
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
        "memory": {"vectors": run.memory.vectors, "labels": run.memory.labels},
        "epoch": run.epoch,
        "best": run.best,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
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
    run.memory.vectors, run.memory.labels = state["memory"]["vectors"], state["memory"]["labels"]
    run.epoch, run.best, run.history = int(state["epoch"]), float(state["best"]), list(state["history"])
    run.seconds, run.cpu_seconds = float(state["seconds"]), float(state["cpu_seconds"])
    print(f"going on after epoch {run.epoch}", file=sys.stderr)
