"""Token ids for the encoder; the tokenizer itself is the Rust one, read from the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from yingda.domain.errors import BundleError


class MessageTokenizer:
    """Turns normalised texts into token ids of at most ``max_tokens``."""

    def __init__(self, path: Path, *, max_tokens: int) -> None:
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for every malformed file
            raise BundleError(f"{path.name} is not a tokenizer file; restore the bundle") from error
        # a hub model may bring settings of its own; length is handled below, and messages are never padded
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, ``<s>`` and ``</s>`` included.

        A text that is too long loses its middle: customers state the matter at the start or ask at the end.
        """
        return [self._fit(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def _fit(self, ids: list[int]) -> list[int]:
        if len(ids) <= self._max_tokens:
            return ids
        head = self._max_tokens // 2
        return ids[:head] + ids[head - self._max_tokens :]
