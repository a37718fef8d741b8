"""Quantised embeddings: nothing lost where the source had 4 bits, little lost in 8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.quantise import BLOCK, pack_pairs, quantise_blocks, quantise_embeddings, restore_blocks
from yingda.domain.errors import MaterialError

Floats = NDArray[np.float32]


def q4_table(seed: int, *, rows: int = 6, width: int = 2 * BLOCK) -> Floats:
    """A table as ggml's Q4_0 writes it: a half-precision scale a block, and one value of each block at its end."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(0, 16, (rows, width // BLOCK, BLOCK))
    numbers[..., generator.integers(BLOCK)] = 0
    scales = generator.normal(size=(rows, width // BLOCK, 1)).astype(np.float16).astype(np.float32)
    return np.asarray((numbers - 8) * scales, np.float32).reshape(rows, width)


def any_table(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=(5, 3 * BLOCK)).astype(np.float32)


@given(st.integers(0, 10_000))
def test_4_bits_recover_a_q4_0_table_exactly(seed: int) -> None:
    table = q4_table(seed)

    numbers, scales = quantise_blocks(table, bits=4)

    np.testing.assert_array_equal(restore_blocks(numbers, scales, bits=4), table)
    assert numbers.max() <= 15


@pytest.mark.parametrize("bits", [4, 8])
@given(st.integers(0, 10_000))
def test_no_value_is_off_by_more_than_a_step(bits: int, seed: int) -> None:
    table = any_table(seed)

    numbers, scales = quantise_blocks(table, bits=bits)

    step = np.repeat(np.abs(scales), BLOCK, axis=1)
    error = np.abs(restore_blocks(numbers, scales, bits=bits) - table)
    # half a step, but for a value at the far end of its block, where the numbers end one step early
    assert (error <= step * (1 + 1e-5)).all()
    assert (error <= 0.51 * step).mean() > 0.9


def test_8_bits_lose_a_hundredth_of_a_block_at_most() -> None:
    table = any_table(1)

    error = np.abs(restore_blocks(*quantise_blocks(table, bits=8), bits=8) - table)

    assert (error.reshape(-1, BLOCK).max(1) <= np.abs(table).reshape(-1, BLOCK).max(1) / 100).all()


def test_a_block_of_zeros_stays_zero() -> None:
    table = np.zeros((2, BLOCK), np.float32)

    np.testing.assert_array_equal(restore_blocks(*quantise_blocks(table, bits=4), bits=4), table)


def test_shapes_are_rows_by_values_and_rows_by_blocks() -> None:
    numbers, scales = quantise_blocks(any_table(1), bits=8)

    assert numbers.shape == (5, 96)
    assert scales.shape == (5, 3)


def test_pairs_are_packed_with_the_first_number_in_the_low_half() -> None:
    packed = pack_pairs(np.asarray([[1, 2, 15, 0], [0, 15, 8, 8]], np.uint8))

    np.testing.assert_array_equal(packed, [[0x21, 0x0F], [0xF0, 0x88]])


def lookup_graph(path: Path, table: Floats) -> Path:
    """A graph that looks rows of ``table`` up, as an encoder does first."""
    node = helper.make_node("Gather", ["words", "input_ids"], ["rows"])
    ids = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, [1, "tokens"])
    rows = helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "lookup", [ids], [rows], [numpy_helper.from_array(table, "words")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def look_up(path: Path, ids: list[int]) -> Floats:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input_ids": np.asarray([ids], np.int64)})[0][0], np.float32)


def test_a_4_bit_source_is_stored_in_4_bits_and_looked_up_exactly(tmp_path: Path) -> None:
    table = q4_table(4)
    path = lookup_graph(tmp_path / "g.onnx", table)

    assert quantise_embeddings(path) == 4

    np.testing.assert_allclose(look_up(path, [0, 5, 3]), table[[0, 5, 3]], rtol=2e-3)  # products in half precision


def test_any_other_source_is_stored_in_8_bits(tmp_path: Path) -> None:
    table = any_table(4)
    path = lookup_graph(tmp_path / "g.onnx", table)

    assert quantise_embeddings(path) == 8

    assert np.abs(look_up(path, [0, 4]) - table[[0, 4]]).max() <= np.abs(table).max() / 100


def test_a_graph_without_a_look_up_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    onnx.save(helper.make_model(helper.make_graph([node], "none", ends[:1], ends[1:])), tmp_path / "g.onnx")

    with pytest.raises(MaterialError, match="no embedding look-up"):
        quantise_embeddings(tmp_path / "g.onnx")
