"""One ONNX graph: token ids in, embedding, intent logits and sentiment logits out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from yingda.domain.errors import BundleError

OUTPUTS = ("sentence_embedding", "intent_logits", "sentiment_logits")


@dataclass(frozen=True, slots=True)
class Encodings:
    """For N messages: unit embeddings [N, D], intent logits [N, I], sentiment logits [N, S]; all float32."""

    embedding: NDArray[np.float32]
    intent: NDArray[np.float32]
    sentiment: NDArray[np.float32]

    def row(self, number: int) -> Encodings:
        """The encodings of one message, each [1, …], in memory of their own: whoever keeps them keeps no others."""
        if len(self.embedding) == 1:
            return self
        return Encodings(*(part[number : number + 1].copy() for part in (self.embedding, self.intent, self.sentiment)))


class EncoderSession:
    """An ONNX Runtime session on one thread.

    Messages run one by one at their true length: on a CPU, batches of short texts gain little over single ones
    and lose it again to padding; a message's result cannot depend on its neighbours either.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # without the arena every message would ask the system for memory anew; one message's activations are small
        options.enable_cpu_mem_arena = True
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class an error code, all derived from Exception alone
            raise BundleError(f"{path.name} cannot be loaded by ONNX Runtime; restore the bundle") from error

    def run(self, ids: Sequence[Sequence[int]]) -> Encodings:
        """Encode messages given as token ids."""
        rows = [self._session.run(OUTPUTS, {"input_ids": np.asarray([row], np.int64)}) for row in ids]
        embedding, intent, sentiment = (np.concatenate(column) for column in zip(*rows, strict=True))
        return Encodings(embedding, intent, sentiment)
