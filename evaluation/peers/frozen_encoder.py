"""A frozen sentence encoder and logistic regressions on its embeddings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.peers.classes import Reader, match_class
from evaluation.peers.peer import Lessons, LocalPeer, Prediction
from yingda.bundle import file_digest

_BATCH = 32
_MOST_TOKENS = 128
_KEPT = "embeddings.npy"


class EncoderPeer(LocalPeer):
    """The base model as it is, mean-pooled and not tuned, as libraries for sentence embeddings use it."""

    name = "encoder"
    note = "frozen base encoder (transformers, float32), mean pooling, standardised, logistic regressions with C = 0.1"
    packages: Mapping[str, str] = {"torch": "torch", "transformers": "transformers", "scikit-learn": "sklearn"}

    def __init__(self, base: Path) -> None:
        self._base = base

    def available(self) -> str | None:
        """None, or the package or folder that is missing."""
        if not (self._base / "config.json").is_file():
            return f"{self._base}: there is no base encoder; make it with `python -m training.base_encoder {self._base}`"
        return super().available()

    def version(self) -> str:
        """Versions of the packages, and which base encoder it is: what was learnt with another one is void."""
        return f"{super().version()}, {base_name(self._base)}"

    def fit(self, lessons: Lessons, folder: Path, /) -> None:
        """Embed the rows, or take the embeddings of an earlier run from ``folder``, then fit both regressions."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self._load()
        rows = self._kept([row.text for row in lessons.rows], folder / _KEPT)

        def head(labels: Sequence[str]) -> Any:
            return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, random_state=lessons.seed)).fit(rows, labels)

        self._match, self._intent = head([match_class(row) for row in lessons.rows]), head([row.intent for row in lessons.rows])
        self._reader = Reader(self._match.classes_.tolist(), self._intent.classes_.tolist())
        self._torch.set_num_threads(1)  # from here on it answers one message at a time, on one thread like every peer

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """The likeliest class; its probability is the confidence."""
        rows = self._embed(texts)
        return self._reader.read(self._match.predict_proba(rows), self._intent.predict_proba(rows))

    def _load(self) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._torch: Any = torch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self._base)
        self._model: Any = AutoModel.from_pretrained(self._base, add_pooling_layer=False).eval()
        self._prefix = _prefix(self._base)

    def _kept(self, texts: Sequence[str], path: Path) -> NDArray[np.float32]:
        if path.is_file():
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        by_length = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        parts = [by_length[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        found = np.concatenate([self._embed([texts[number] for number in part]) for part in parts])
        rows = np.empty_like(found)
        rows[by_length] = found
        with path.with_suffix(".partial").open("wb") as draft:
            np.save(draft, rows, allow_pickle=False)
        path.with_suffix(".partial").replace(path)
        return rows

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings [N, D]."""
        told = [self._prefix + text for text in texts]
        batch = self._tokenizer(told, return_tensors="pt", padding=True, truncation=True, max_length=_MOST_TOKENS)
        with self._torch.inference_mode():
            states = self._model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"][:, :, None]
        mean = (states * mask).sum(1) / mask.sum(1)
        return np.asarray(self._torch.nn.functional.normalize(mean).numpy(), np.float32)


def base_name(base: Path) -> str:
    """``base`` and the beginning of the SHA-256 of its weights; the name alone where there are none."""
    weights = base / "model.safetensors"
    return f"base {file_digest(weights)[:12]}" if weights.is_file() else "base"


def _prefix(base: Path) -> str:
    """What the model's makers put before a text: "query: " for E5 (Wang et al. 2022, arXiv:2212.03533), else nothing."""
    origin = base / "origin.json"
    try:
        model = json.loads(origin.read_text(encoding="utf-8"))["model"] if origin.is_file() else ""
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(f"{origin}: is damaged; make the base encoder again with `python -m training.base_encoder {base}`") from error
    return "query: " if "e5" in model.lower() else ""
