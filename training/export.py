"""Trained network in, one small ONNX graph out, with proof: ``python -m training.export --weights … --target DIR``."""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.batches import load_tokenizer
from training.examples import SENTIMENTS, Example, read_classes, read_examples, write_json
from training.network import Network, load_network
from training.params import load_params
from training.quantise import quantise_embeddings, quantise_products
from yingda.domain.errors import MaterialError
from yingda.runtime.session import OUTPUTS, EncoderSession

GRAPH = "encoder.onnx"
_EXACT = 1e-3
"""Largest difference allowed between torch and the float graph: both compute in float32, in another order."""
_CLOSE = 0.97
"""Least mean cosine allowed between embeddings of torch and of the int8 graph: a broken graph is far below. What
rounding costs in accuracy is measured beside it, and the evaluation judges the int8 graph alone."""


class _Served(nn.Module):
    """The network as it is served: one message of any length at a time, so no mask."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.network.encoder(input_ids=input_ids).last_hidden_state.mean(1)
        embedding = nn.functional.normalize(self.network.projection(hidden), dim=-1)
        return embedding, self.network.intent(hidden), self.network.sentiment(hidden)


def export_float(network: Network, path: Path) -> None:
    """Write the float32 graph with a free number of tokens."""
    encoder = cast(PreTrainedModel, network.encoder)
    encoder.config._attn_implementation = "eager"
    sample = torch.tensor([[0, 5, 6, 7, 8, 2]])
    tokens = {"input_ids": {1: torch.export.Dim("tokens", min=2, max=512)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            _Served(network).eval(),
            (sample,),
            dynamo=True,
            input_names=["input_ids"],
            output_names=list(OUTPUTS),
            dynamic_shapes=tokens,
            opset_version=20,
            verbose=False,
        )
    if program is None:
        raise MaterialError("the network could not be exported to ONNX")
    program.save(str(path))
    graph = onnx.load(path)
    del graph.graph.value_info[:]  # the exporter leaves shapes from before it transposed weights
    onnx.save(graph, path)


def run_torch(network: Network, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Embedding, intent and sentiment side by side [N, D + I + S], by torch."""
    served = _Served(network).eval()
    with torch.inference_mode():
        return np.concatenate([torch.cat(served(torch.tensor([row])), 1).numpy() for row in ids])


def run_graph(path: Path, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """The same by ONNX Runtime, through the session that serves."""
    encodings = EncoderSession(path).run(ids)
    return np.concatenate([encodings.embedding, encodings.intent, encodings.sentiment], 1)


@dataclass(frozen=True)
class Proof:
    """Messages to compare the graphs on: rows, their token ids, and the unit class vectors [C, D]."""

    rows: Sequence[Example]
    ids: Sequence[Sequence[int]]
    vectors: NDArray[np.float32]


def prove(network: Network, float_graph: Path, small_graph: Path, proof: Proof) -> dict[str, float]:
    """Compare torch, float graph and int8 graph on messages; raises MaterialError when they disagree too much."""
    ids, width = proof.ids, proof.vectors.shape[1]
    by_torch, by_float, by_small = run_torch(network, ids), run_graph(float_graph, ids), run_graph(small_graph, ids)
    difference = float(np.abs(by_torch - by_float).max())
    cosines = (by_torch[:, :width] * by_small[:, :width]).sum(1)
    if difference > _EXACT or float(cosines.mean()) < _CLOSE:
        raise MaterialError(f"export differs from torch: float graph by {difference:.2g}, mean int8 cosine {cosines.mean():.3f}")
    return {
        "messages": len(ids),
        "float_max_difference": round(difference, 7),
        "int8_min_cosine": round(float(cosines.min()), 4),
        "int8_mean_cosine": round(float(cosines.mean()), 4),
        "float_match_accuracy": round(nearest_class_accuracy(by_torch[:, :width], proof), 4),
        "int8_match_accuracy": round(nearest_class_accuracy(by_small[:, :width], proof), 4),
    }


def nearest_class_accuracy(embeddings: NDArray[np.float32], proof: Proof) -> float:
    """Share of messages whose nearest class vector is a right one: the dense view alone, before any fusion."""
    best = (embeddings @ proof.vectors.T).argmax(1).tolist()
    right = [b == row.match or b in row.also for b, row in zip(best, proof.rows, strict=True)]
    return float(np.mean(right))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    for name in ("--data", "--base", "--weights", "--target"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.ERROR)
    params = load_params().train
    classes = read_classes(args.data / "classes.json")
    network = load_network(
        args.base, layers=params.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=params.dropout
    )
    weights = load_file(args.weights)
    prefix = "network."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    tokenizer = load_tokenizer(str(args.base / "tokenizer.json"), params.max_tokens)
    rows = read_examples(args.data / "select.jsonl")
    vectors = nn.functional.normalize(weights["prototypes.vectors"], dim=-1).numpy()
    proof = Proof(rows, [tokenizer.encode(row.text).ids for row in rows], vectors)
    args.target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        float_graph, small_graph = Path(scratch) / "float.onnx", Path(scratch) / GRAPH
        export_float(network, float_graph)
        quantise_products(float_graph, small_graph)
        bits = quantise_embeddings(small_graph)
        facts = prove(network, float_graph, small_graph, proof)
        (args.target / GRAPH).write_bytes(small_graph.read_bytes())
    write_json(args.target / "export.json", {**facts, "embedding_bits": bits, "onnxruntime": onnxruntime.__version__})
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
