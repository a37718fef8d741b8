"""The same text is encoded once: most of a replay's time is the encoder's, and shops hear the same words again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yingda.runtime import Encodings

_Row = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class Encoder(Protocol):
    """Token ids to the three outputs of the graph, each row for itself."""

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings: ...


class CachedEncoder:
    """An encoder that remembers the last ``size`` token sequences; its outputs are those of ``inner``, bit for bit.

    That holds because a message's result cannot depend on its neighbours (see EncoderSession). Not for several threads.
    """

    def __init__(self, inner: Encoder, *, size: int = 50_000) -> None:
        self._inner, self._size = inner, size
        self._rows: OrderedDict[tuple[int, ...], _Row] = OrderedDict()
        self.asked = 0
        self.encoded = 0

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """Encode messages given as token ids; only what is new reaches the graph."""
        keys = [tuple(row) for row in ids]
        found = {key: self._rows[key] for key in keys if key in self._rows}
        new = [key for key in dict.fromkeys(keys) if key not in found]
        if new:
            out = self._inner.run(new)
            found |= {key: (out.embedding[n], out.intent[n], out.sentiment[n]) for n, key in enumerate(new)}
        self.asked, self.encoded = self.asked + len(keys), self.encoded + len(new)
        for key, row in found.items():
            self._rows[key] = row
            self._rows.move_to_end(key)
        while len(self._rows) > self._size:
            self._rows.popitem(last=False)
        return Encodings(*(np.stack([found[key][part] for key in keys]) for part in range(3)))
