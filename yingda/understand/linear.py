"""The character n-gram view: a multinomial logistic regression over match classes, beside the encoder.

It sees what a subword encoder blurs (exact words, typos that keep most characters, product terms), so the two
views err on different messages and their product is better than either.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from yingda.domain.errors import BundleError
from yingda.probability import ranges


def mark_ends(text: str) -> str:
    """``text`` in lower case between marks, so that n-grams know where a message starts and ends."""
    return f"\x02{text.lower()}\x03"


def all_grams(text: str, *, longest: int) -> list[str]:
    """All character n-grams of 1 to ``longest`` characters in marked ``text``, short ones first, with repeats."""
    marked = mark_ends(text)
    return [marked[i : i + size] for size in range(1, longest + 1) for i in range(len(marked) - size + 1)]


def grams(text: str, *, longest: int) -> Counter[str]:
    """Counts of all character n-grams of 1 to ``longest`` characters in marked ``text``."""
    return Counter(all_grams(text, longest=longest))


@dataclass(frozen=True)
class LinearWeights:
    """Sparse int8 weights by gram (CSR: ``indptr`` [F+1], ``classes`` and ``weights`` [nnz]), ``idf`` [F], ``bias`` [C]."""

    vocabulary: dict[str, int]
    longest: int
    idf: NDArray[np.float32]
    indptr: NDArray[np.int32]
    classes: NDArray[np.int16]
    weights: NDArray[np.int8]
    scale: float
    bias: NDArray[np.float32]


class LinearView:
    """Log probabilities of the match classes by character n-grams (TF-IDF with sublinear counts, unit length)."""

    def __init__(self, weights: LinearWeights) -> None:
        self._weights = weights

    @classmethod
    def load(cls, grams_file: Path, weights_file: Path) -> LinearView:
        """Read the two files of the bundle that hold the view."""
        try:
            described = json.loads(grams_file.read_text("utf-8"))
            arrays = load_file(weights_file)
            vocabulary = {gram: i for i, gram in enumerate(described["grams"])}
            scale, longest = float(described["scale"]), int(described["longest"])
            return cls(LinearWeights(vocabulary, longest, scale=scale, **arrays))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise BundleError(f"{grams_file.name} or {weights_file.name} is unreadable; restore the bundle") from error

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Log probabilities [N, C] of normalised ``texts``."""
        logits = np.stack([self._logits(text) for text in texts])
        peak = logits.max(1, keepdims=True)
        return np.asarray(logits - peak - np.log(np.exp(logits - peak).sum(1, keepdims=True)), np.float32)

    def _logits(self, text: str) -> NDArray[np.float32]:
        view = self._weights
        counts = Counter(map(view.vocabulary.get, all_grams(text, longest=view.longest)))
        counts.pop(None, None)
        if not counts:
            return view.bias
        features = np.array(list(counts), np.int64)
        values = view.idf[features]
        for place, count in enumerate(counts.values()):
            if count > 1:  # hardly a gram comes twice
                values[place] *= 1.0 + math.log(count)
        values *= view.scale / np.sqrt(np.add.reduce(values * values))
        starts = view.indptr[features]
        lengths = view.indptr[features + 1] - starts
        flat = ranges(starts, lengths)  # positions of all stored weights of these grams, without a Python loop over grams
        products = view.weights[flat] * np.repeat(values, lengths)
        return np.asarray(view.bias + np.bincount(view.classes[flat], products, minlength=len(view.bias)), np.float32)
