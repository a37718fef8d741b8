"""Make an ONNX graph small and fast: int8 matrix products, 4-bit or 8-bit word embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from yingda.domain.errors import MaterialError

BLOCK = 32
_MAX_BITS = 8


def quantise_products(source: Path, target: Path) -> None:
    """Dynamic int8 quantisation of all products with constant weights, a scale for each output channel.

    Weights keep 7 bits (``reduce_range``): processors without VNNI add pairs of 8-bit products in 16 bits and
    would overflow.
    """
    quantize_dynamic(
        source,
        target,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        extra_options={"MatMulConstBOnly": True},
    )


def quantise_blocks(table: NDArray[np.float32], *, bits: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Rows [R, D] as unsigned ``bits``-bit blocks of 32 values: numbers [R, D] and scales [R, D / 32].

    As in ggml's Q4_0: the value of greatest magnitude in a block maps to the lowest number exactly, so a table
    that was made that way is recovered without loss.
    """
    half = 1 << (bits - 1)
    blocks = table.reshape(len(table), -1, BLOCK)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    scales = extreme / -half
    safe = np.where(scales == 0, 1.0, scales)
    numbers = np.clip(np.round(blocks / safe[..., None]) + half, 0, 2 * half - 1).astype(np.uint8)
    return numbers.reshape(table.shape), scales.astype(np.float32)


def restore_blocks(numbers: NDArray[np.uint8], scales: NDArray[np.float32], *, bits: int) -> NDArray[np.float32]:
    """Inverse of ``quantise_blocks``."""
    blocks = numbers.reshape(*scales.shape, BLOCK).astype(np.float32) - (1 << (bits - 1))
    return np.asarray((blocks * scales[..., None]).reshape(numbers.shape), np.float32)


def pack_pairs(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two 4-bit numbers a byte, the first in the low half: the layout of ONNX uint4 tensors."""
    return np.asarray(numbers[:, 0::2] | (numbers[:, 1::2] << 4), np.uint8)


def quantise_embeddings(path: Path, *, tolerance: float = 1e-4) -> int:
    """Store the word embeddings of the graph at ``path`` in blocks of 4 bits where that loses nothing, else 8.

    ``tolerance`` is relative to the largest value: half-precision scales of the source round that much.
    Returns the bits used; raises MaterialError when the graph has no embedding look-up.
    """
    model = onnx.load(path)
    node, table = _word_lookup(model)
    values = numpy_helper.to_array(table)
    bits = 4
    numbers, scales = quantise_blocks(values, bits=bits)
    if float(np.abs(restore_blocks(numbers, scales, bits=bits) - values).max()) > tolerance * float(np.abs(values).max()):
        bits = _MAX_BITS
        numbers, scales = quantise_blocks(values, bits=bits)
    _replace(model, node, table, numbers, scales, bits)
    onnx.save(model, path)
    return bits


def _word_lookup(model: onnx.ModelProto) -> tuple[onnx.NodeProto, onnx.TensorProto]:
    """The Gather with the largest table, which is the word embedding."""
    tables = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 2}
    lookups = [node for node in model.graph.node if node.op_type == "Gather" and node.input[0] in tables]
    if not lookups:
        raise MaterialError("the exported graph has no embedding look-up; is the base model a text encoder?")
    node = max(lookups, key=lambda n: tables[n.input[0]].dims[0])
    return node, tables[node.input[0]]


def _replace(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    table: onnx.TensorProto,
    numbers: NDArray[np.uint8],
    scales: NDArray[np.float32],
    bits: int,
) -> None:
    graph = model.graph
    data, scale, zero = (f"{table.name}.{part}" for part in ("blocks", "scales", "zero"))
    zeros = np.full(scales.shape, 1 << (bits - 1), np.uint8)
    packed = pack_pairs(numbers) if bits == 4 else numbers
    zero_points = pack_pairs(zeros) if bits == 4 else zeros
    half = scales.astype(np.float16)
    for array, name in ((packed, data), (half, scale), (zero_points, zero)):
        graph.initializer.append(numpy_helper.from_array(array, name))
    looked_up = f"{node.output[0]}.half"
    replacement = helper.make_node(
        "GatherBlockQuantized",
        [data, node.input[1], scale, zero],
        [looked_up],
        domain="com.microsoft",
        gather_axis=0,
        quantize_axis=1,
        block_size=BLOCK,
        bits=bits,
    )
    cast = helper.make_node("Cast", [looked_up], [node.output[0]], to=onnx.TensorProto.FLOAT)
    position = list(graph.node).index(node)
    graph.node.remove(node)
    graph.node.insert(position, replacement)
    graph.node.insert(position + 1, cast)
    graph.initializer.remove(table)
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
