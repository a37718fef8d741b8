"""Yingda (应答): decides what a customer's message is about and writes the reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yingda.domain.errors import YingdaError
from yingda.domain.message import Message

if TYPE_CHECKING:
    from yingda.engine import Engine

__all__ = ["Engine", "Message", "YingdaError"]


def __getattr__(name: str) -> Any:
    """The engine on first use: importing ``yingda.domain`` alone must not load numpy and ONNX Runtime."""
    if name == "Engine":
        from yingda.engine import Engine

        return Engine
    raise AttributeError(f"module 'yingda' has no attribute {name!r}")
