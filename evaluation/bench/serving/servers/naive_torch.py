"""FastAPI and transformers: one fine-tuned model a task, three forward passes a message.

Two sequence classifiers and an embedding model on the base encoder. The classifiers' heads are not trained: their cost does
not depend on their weights.
"""
# mypy: ignore-errors

import torch
from fastapi import FastAPI
from material import BASE, INTENTS, MATCHES, SENTIMENTS, WIDTH, reply
from one_at_a_time import lifespan
from pydantic import BaseModel
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

torch.set_num_threads(1)
torch.manual_seed(1)
tokenizer = AutoTokenizer.from_pretrained(BASE)
intents = AutoModelForSequenceClassification.from_pretrained(BASE, num_labels=len(INTENTS)).eval()
sentiments = AutoModelForSequenceClassification.from_pretrained(BASE, num_labels=len(SENTIMENTS)).eval()
encoder = AutoModel.from_pretrained(BASE, add_pooling_layer=False).eval()
entries = torch.nn.functional.normalize(torch.randn(len(MATCHES), WIDTH))


class Message(BaseModel):
    text: str


app = FastAPI(lifespan=lifespan)


@app.post("/answer")
def answer(message: Message):
    batch = tokenizer("query: " + message.text, return_tensors="pt", truncation=True, max_length=128)
    with torch.inference_mode():
        intent = intents(**batch).logits[0].softmax(-1).max(-1)
        sentiment = sentiments(**batch).logits[0].argmax(-1)
        states = encoder(**batch).last_hidden_state[0]
        match = (entries @ torch.nn.functional.normalize(states.mean(0), dim=0)).max(-1)
    return reply(int(intent.indices), intent.values, int(sentiment), int(match.indices), match.values)
