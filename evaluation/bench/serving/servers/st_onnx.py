"""FastAPI and sentence-transformers on ONNX Runtime, int8: one shared encoder pass, heads in numpy on the embedding.

``BENCH_ONNX`` is a folder made by ``prepare_st_onnx.py``: the base encoder, exported and quantised by sentence-transformers. The
heads hold drawn numbers instead of fitted ones: their cost does not depend on their weights.
"""
# mypy: ignore-errors

import os

import numpy as np
import onnxruntime
import torch
from fastapi import FastAPI
from material import INTENTS, MATCHES, SENTIMENTS, WIDTH, reply
from one_at_a_time import lifespan
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

torch.set_num_threads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
encoder = SentenceTransformer(
    os.environ["BENCH_ONNX"],
    backend="onnx",
    device="cpu",
    model_kwargs={"file_name": os.environ["BENCH_ONNX_FILE"], "provider": "CPUExecutionProvider", "session_options": options},
)
drawn = np.random.default_rng(1)
intents, sentiments, matches = (drawn.standard_normal((WIDTH, len(names)), np.float32) for names in (INTENTS, SENTIMENTS, MATCHES))


def softmax(logits):
    scaled = np.exp(logits - logits.max())
    return scaled / scaled.sum()


class Message(BaseModel):
    text: str


app = FastAPI(lifespan=lifespan)


@app.post("/answer")
def answer(message: Message):
    row = encoder.encode("query: " + message.text, normalize_embeddings=True, show_progress_bar=False)
    intent, sentiment, match = (softmax(row @ weights) for weights in (intents, sentiments, matches))
    return reply(int(intent.argmax()), intent.max(), int(sentiment.argmax()), int(match.argmax()), match.max())
