"""FastAPI on the bundle's own encoder.onnx: identical weights, what a careful engineer would write around them."""
# mypy: ignore-errors

from fastapi import FastAPI
from graph import Graph
from one_at_a_time import lifespan
from pydantic import BaseModel

graph = Graph()


class Message(BaseModel):
    text: str


app = FastAPI(lifespan=lifespan)


@app.post("/answer")
def answer(message: Message):
    return graph.answer(message.text)
