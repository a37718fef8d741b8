"""What a caller may do; API keys and OAuth tokens carry the same names."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """A right that a call asks for."""

    CLASSIFY = "classify"
    ANSWER = "answer"
    FEEDBACK = "feedback"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    OPS = "ops"
    DATA_UNMASK = "data:unmask"


NAMES = ", ".join(Scope)
"""All scopes, for messages."""
