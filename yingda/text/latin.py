"""Which of seven languages a Latin text is in: the model of py3langid, cut down to these languages and read in milliseconds.

Lui and Baldwin (2012), "langid.py: An Off-the-shelf Language Identification Tool": naive Bayes over byte n-grams, which an
Aho-Corasick automaton finds. ``training.languages`` takes the tables from py3langid; the arithmetic is py3langid's to the last bit.
"""

from __future__ import annotations

import math
import unicodedata
from array import array
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

MODEL = Path(__file__).with_name("latin.safetensors")

CELLS = 16
"""Bytes whose transitions stand together: rows of the automaton differ in few of their 16 blocks, and equal blocks are kept once."""


class LatinIdentifier:
    """Languages of texts by F features and S states.

    ``weights`` [F, L] and ``prior`` [L] are log probabilities. The state after ``byte`` in state s is
    ``cells[blocks[rows[s], byte // 16], byte % 16]``; ``features`` [S] is what a state has just read, -1 for nothing.
    """

    def __init__(
        self,
        languages: tuple[str, ...],
        *,
        weights: NDArray[np.float16],
        prior: NDArray[np.float32],
        rows: NDArray[np.uint16],
        blocks: NDArray[np.uint16],
        cells: NDArray[np.uint32],
        features: NDArray[np.int32],
    ) -> None:
        self.languages = languages
        self._weights, self._prior = weights, prior
        # arrays of the standard library are read item by item faster than numpy's and take no more room; numbers are places in the next one
        self._rows = array("I", (rows.astype(np.uint32) * CELLS).tobytes())
        self._blocks = array("I", (blocks.astype(np.uint32) * CELLS).tobytes())
        self._cells, self._features = array("I", cells.tobytes()), array("i", features.tobytes())

    @classmethod
    def load(cls, path: Path = MODEL) -> LatinIdentifier:
        """The identifier whose tables are at ``path``."""
        with safe_open(path, framework="numpy") as file:
            tables = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, it has keys alone
            return cls(tuple(file.metadata()["languages"].split()), **tables)

    def classify(self, text: str) -> tuple[str, float]:
        """The likeliest language of ``text`` and its probability among the languages; all are alike where the text says nothing."""
        shares = self.shares(text)
        best = int(shares.argmax())
        return self.languages[best], float(shares[best])

    def shares(self, text: str) -> NDArray[np.float32]:
        """The probability [L] of each language."""
        data = _bytes_of(text)
        scores = self._scores(self._found(data))
        scores *= 1.0 / math.sqrt(len(data) or 1)  # a temperature that keeps long texts from being all too certain
        np.exp(scores - scores.max(), out=scores)
        scores /= scores.sum()
        return scores

    def _scores(self, found: Counter[int]) -> NDArray[np.float32]:
        if not found:
            return np.zeros(len(self.languages), np.float32)
        numbers = np.fromiter(found.keys(), np.intp, len(found))
        counts = np.fromiter(found.values(), np.float32, len(found))
        return np.asarray(np.log1p(counts) @ self._weights[numbers] + self._prior, np.float32)

    def _found(self, data: bytes) -> Counter[int]:
        """How often each feature is in ``data``, in the order of their first places."""
        rows, blocks, cells, features = self._rows, self._blocks, self._cells, self._features
        state, found = 0, []
        for byte in data:
            state = cells[blocks[rows[state] + (byte >> 4)] + (byte & 15)]
            feature = features[state]
            if feature >= 0:
                found.append(feature)
        return Counter(found)


def _bytes_of(text: str) -> bytes:
    lower = text.lower() if text.isupper() else text
    return unicodedata.normalize("NFC", lower).encode("utf-8", "surrogatepass")
