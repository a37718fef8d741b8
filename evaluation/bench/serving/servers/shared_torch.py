"""FastAPI and transformers: one encoder pass in torch, heads of scikit-learn on the embedding.

The heads hold drawn numbers instead of fitted ones: their cost does not depend on their weights.
"""
# mypy: ignore-errors

import numpy as np
import torch
from fastapi import FastAPI
from material import BASE, INTENTS, MATCHES, SENTIMENTS, WIDTH, reply
from one_at_a_time import lifespan
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

torch.set_num_threads(1)
drawn = np.random.default_rng(1)


def head(classes):
    made = LogisticRegression()
    made.coef_ = drawn.standard_normal((classes, WIDTH), np.float32)
    made.intercept_ = np.zeros(classes, np.float32)
    made.classes_ = np.arange(classes)
    return made


tokenizer = AutoTokenizer.from_pretrained(BASE)
encoder = AutoModel.from_pretrained(BASE, add_pooling_layer=False).eval()
intents, sentiments, matches = (head(len(names)) for names in (INTENTS, SENTIMENTS, MATCHES))


class Message(BaseModel):
    text: str


app = FastAPI(lifespan=lifespan)


@app.post("/answer")
def answer(message: Message):
    batch = tokenizer("query: " + message.text, return_tensors="pt", truncation=True, max_length=128)
    with torch.inference_mode():
        row = torch.nn.functional.normalize(encoder(**batch).last_hidden_state.mean(1)).numpy()
    intent, sentiment, match = (model.predict_proba(row)[0] for model in (intents, sentiments, matches))
    return reply(int(intent.argmax()), intent.max(), int(sentiment.argmax()), int(match.argmax()), match.max())
