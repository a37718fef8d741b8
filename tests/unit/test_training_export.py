"""The exported graph computes the same and tells nothing of where it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from training.export import strip_origin

TRACE = 'File "somebody/training/export.py", line 84, in export_float'


def talkative_graph(path: Path) -> None:
    """A graph that adds one, and tells in every part of it where it comes from."""
    node = helper.make_node("Add", ["x", "one"], ["y"], doc_string=TRACE)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    one = numpy_helper.from_array(np.ones(2, np.float32), "one")
    graph = helper.make_graph([node], "adds", ends[:1], ends[1:], [one], doc_string=TRACE)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10, doc_string=TRACE)
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.metadata_props.add(key="pkg.torch.onnx.stack_trace", value=TRACE)
    onnx.save(model, path)


def test_a_stripped_graph_names_no_place_and_computes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    talkative_graph(path)
    assert path.read_bytes().count(b"somebody") >= 9

    strip_origin(path)

    assert b"somebody" not in path.read_bytes()
    (result,) = onnxruntime.InferenceSession(path).run(None, {"x": np.asarray([1, 2], np.float32)})
    np.testing.assert_array_equal(result, [2, 3])
