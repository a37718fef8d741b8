"""Texts as numbers: enough to recognise a text that somebody holds, too little to read one.

A bundle keeps the fingerprints of the rows that its models and its calibration saw, so that an evaluation notices test
messages among them. Whoever guesses a text can check the guess, so a fingerprint is no way to keep short secrets;
personal data must be masked before training, as the import of logs does.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from yingda.domain.errors import BundleError
from yingda.text.normalise import normalise

Fingerprints = NDArray[np.uint64]

_BYTES = 8
"""Among a million trained texts, a million new ones meet a fingerprint by chance with a probability below 1e-7."""
_ARRAY = "rows"


def fingerprints(texts: Iterable[str]) -> Fingerprints:
    """The fingerprint [N] of each text, in order: the first 8 bytes of BLAKE2b (RFC 7693) of its normalised form.

    Normalising is part of it, for a text in another width or script is the same text to the engine.
    """
    return np.fromiter((_fingerprint(normalise(text)) for text in texts), np.uint64)


def write_fingerprints(path: Path, texts: Iterable[str]) -> None:
    """Write the fingerprints of ``texts`` to ``path``: one array, ascending, each once."""
    save_file({_ARRAY: np.unique(fingerprints(texts))}, path)


def read_fingerprints(path: Path) -> Fingerprints:
    """The fingerprints [N] of the file ``path``, ascending; raises BundleError."""
    try:
        found = load_file(path)[_ARRAY]
    except (OSError, SafetensorError, KeyError) as error:
        raise BundleError(f"{path}: holds no fingerprints of trained texts; restore the bundle") from error
    if found.dtype != np.uint64 or found.ndim != 1:
        raise BundleError(f"{path}: its fingerprints have another form than this version of Yingda reads; rebuild the bundle")
    return found


def _fingerprint(normalised: str) -> int:
    return int.from_bytes(blake2b(normalised.encode()).digest()[:_BYTES], "little")
