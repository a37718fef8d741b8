"""One message through the bundle's own encoder.onnx: tokens, embedding and heads in one graph, then the nearest entry."""
# mypy: ignore-errors

import json

import numpy as np
import onnxruntime
from material import BUNDLE, MATCHES, reply
from safetensors.numpy import load_file
from tokenizers import Tokenizer

_OUTPUTS = ("sentence_embedding", "intent_logits", "sentiment_logits")


def softmax(logits):
    scaled = np.exp(logits - logits.max())
    return scaled / scaled.sum()


class Graph:
    """The encoder on one thread, without spinning, as Yingda itself runs it."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(BUNDLE / "encoder.onnx"), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(BUNDLE / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(128)
        self.entries = load_file(BUNDLE / "faq.safetensors")["classes"]
        labels = json.loads((BUNDLE / "labels.json").read_text(encoding="utf-8"))
        assert len(self.entries) == len(MATCHES) == len(labels["matches"])

    def answer(self, text):
        """The full reply to ``text``."""
        ids = np.asarray([self.tokenizer.encode(text).ids], np.int64)
        embedding, intent, sentiment = (found[0] for found in self.session.run(_OUTPUTS, {"input_ids": ids}))
        intent, match = softmax(intent), softmax(20 * (self.entries @ embedding))
        return reply(int(intent.argmax()), intent.max(), int(sentiment.argmax()), int(match.argmax()), match.max())
