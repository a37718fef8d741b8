"""Yingda (应答): decides what a customer's message is about and writes the reply."""

from yingda.domain.errors import YingdaError
from yingda.domain.message import Message
from yingda.engine import Engine

__all__ = ["Engine", "Message", "YingdaError"]
