"""What routes ask of the service: a message with what the caller said about it, and how long the caller waits."""

from __future__ import annotations

from dataclasses import dataclass

from yingda.domain.message import Message


@dataclass(frozen=True, slots=True)
class ClassifyCall:
    """A message to classify, and how many intents to rank."""

    message: Message
    top_k: int = 3


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """A message to answer; ``digest`` tells requests of one message_id apart, ``dry_run`` stores nothing. The service sets the time."""

    message: Message
    digest: str
    dry_run: bool = False


@dataclass(slots=True)
class Ticket:
    """A caller's place in the queue.

    ``expires_at`` is on the clock of time.monotonic(), None for as long as it takes; ``gone`` once the caller left.
    """

    expires_at: float | None = None
    gone: bool = False
