"""Trained network in, one small ONNX graph out, with proof: ``python -m training.export --weights … --target DIR``."""

from __future__ import annotations

import argparse
import copy
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

from training.examples import IGNORED, SENTIMENTS, Example, read_classes, read_examples, write_json
from training.network import Network, Prototypes, load_network, load_weights
from training.params import load_params
from training.quantise import quantise_embeddings, quantise_products
from training.smooth import smooth
from yingda.domain.errors import MaterialError
from yingda.runtime.session import OUTPUTS, EncoderSession
from yingda.text.tokenizer import MessageTokenizer

GRAPH = "encoder.onnx"
_EXACT = 1e-3
"""Largest difference allowed between torch and the float graph: both compute in float32, in another order."""
_ALONE = 32
"""Messages that are also answered one by one."""
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


def strip_origin(path: Path) -> None:
    """Take out of the graph at ``path`` what tells how it was made: stack traces of the exporter with paths of the machine, names of
    its modules, notes of the quantiser. They are a fiftieth of the file, and nothing that runs the graph reads them."""
    model = onnx.load(path)
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(model, path)


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
    """Messages to compare the graphs on: rows, their token ids, unit class vectors [C, D], number of intents I."""

    rows: Sequence[Example]
    ids: Sequence[Sequence[int]]
    vectors: NDArray[np.float32]
    intents: int


def prove(network: Network, float_graph: Path, small_graph: Path, proof: Proof, *, allowed_loss: float) -> dict[str, float]:
    """Compare torch, float graph and int8 graph on messages; raises MaterialError when one strays too far.

    The float graph must say what torch says, the int8 graph may lose ``allowed_loss`` (a share of the rows) of each
    head's accuracy, and a message must get the same answer alone and among others.
    """
    ids, width = proof.ids, proof.vectors.shape[1]
    by_torch, by_float, by_small = run_torch(network, ids), run_graph(float_graph, ids), run_graph(small_graph, ids)
    difference = float(np.abs(by_torch - by_float).max())
    cosines = (by_torch[:, :width] * by_small[:, :width]).sum(1)
    alone = np.concatenate([run_graph(small_graph, [row]) for row in ids[:_ALONE]])
    if difference > _EXACT or float(cosines.mean()) < _CLOSE:
        raise MaterialError(f"export differs from torch: float graph by {difference:.2g}, mean int8 cosine {cosines.mean():.3f}")
    if not np.array_equal(alone, by_small[:_ALONE]):
        raise MaterialError("the int8 graph answers a message alone and among others differently; serve no such graph")
    before, after = head_accuracies(by_torch, proof), head_accuracies(by_small, proof)
    for head, accuracy in before.items():
        if accuracy - after[head] > allowed_loss:
            loss = f"int8 costs {accuracy - after[head]:.4f} of {head}, {allowed_loss} is allowed"
            raise MaterialError(f"{loss}; try another export.smoothing")
    return {
        "messages": len(ids),
        "float_max_difference": round(difference, 7),
        "int8_min_cosine": round(float(cosines.min()), 4),
        "int8_mean_cosine": round(float(cosines.mean()), 4),
        **{f"float_{head}": round(accuracy, 4) for head, accuracy in before.items()},
        **{f"int8_{head}": round(accuracy, 4) for head, accuracy in after.items()},
    }


def head_accuracies(outputs: NDArray[np.float32], proof: Proof) -> dict[str, float]:
    """Accuracy of each head alone, before any fusion, over the rows that have its label; ``outputs`` [N, D + I + S]."""
    width = proof.vectors.shape[1]
    match = (outputs[:, :width] @ proof.vectors.T).argmax(1).tolist()
    intent = outputs[:, width : width + proof.intents].argmax(1).tolist()
    sentiment = outputs[:, width + proof.intents :].argmax(1).tolist()
    rows = proof.rows
    right = {
        "match_accuracy": [m == row.match or m in row.also for m, row in zip(match, rows, strict=True) if row.match != IGNORED],
        "intent_accuracy": [i == row.intent for i, row in zip(intent, rows, strict=True) if row.intent != IGNORED],
        "sentiment_accuracy": [s == row.sentiment for s, row in zip(sentiment, rows, strict=True) if row.sentiment != IGNORED],
    }
    if unproven := [head for head, found in right.items() if not found]:
        raise MaterialError(f"no row to judge {', '.join(unproven)} on; label some of the rows")
    return {head: float(np.mean(found)) for head, found in right.items()}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    for name in ("--data", "--base", "--weights", "--target"):
        parser.add_argument(name, type=Path, required=True)
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.ERROR)
    params, classes = load_params(), read_classes(args.data / "classes.json")
    torch.set_num_threads(params.train.threads)
    network = load_network(args.base, layers=params.layers, intents=len(classes.intents), sentiments=len(SENTIMENTS), dropout=0.0)
    weights = load_file(args.weights)
    prototypes = Prototypes(weights["prototypes.vectors"], params.train.entry_scale)
    load_weights(network, prototypes, weights)
    tokenizer = MessageTokenizer(args.base / "tokenizer.json", max_tokens=params.train.max_tokens)
    # judged on rows the network never saw; what smoothing is fitted to may be rows it did see
    judged = [row for part in ("select", "calibrate") for row in read_examples(args.data / f"{part}.jsonl")]
    watched = read_examples(args.data / "fit.jsonl")[:: params.export.every]
    vectors = nn.functional.normalize(prototypes.vectors.detach(), dim=-1).numpy()
    proof = Proof(judged, tokenizer.encode([row.text for row in judged]), vectors, len(classes.intents))
    args.target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        float_graph, small_graph = Path(scratch) / "float.onnx", Path(scratch) / GRAPH
        smoothed = copy.deepcopy(network)
        smooth(smoothed, tokenizer.encode([row.text for row in watched]), strength=params.export.smoothing)
        export_float(smoothed, float_graph)
        quantise_products(float_graph, small_graph)
        bits = quantise_embeddings(small_graph)
        strip_origin(small_graph)
        facts = prove(network, float_graph, small_graph, proof, allowed_loss=params.export.allowed_loss)
        (args.target / GRAPH).write_bytes(small_graph.read_bytes())
    write_json(args.target / "export.json", {**facts, "embedding_bits": bits, "onnxruntime": onnxruntime.__version__})
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
