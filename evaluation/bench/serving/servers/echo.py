"""FastAPI as it comes: a message is parsed and told back."""
# mypy: ignore-errors

from fastapi import FastAPI
from pydantic import BaseModel


class Message(BaseModel):
    text: str


app = FastAPI()


@app.post("/answer")
async def answer(message: Message):
    return {"text": message.text}
