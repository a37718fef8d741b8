"""JSON log lines on a stream; they never hold what a customer wrote."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from serving.settings import LogLevel

_LEVELS: dict[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def open_log(stream: TextIO, level: LogLevel = "info") -> FilteringBoundLogger:
    """A logger that writes one JSON object a line to ``stream``; no global state is touched."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        # bound once: what wrap_logger gives binds itself anew for every line
    ).bind()
    return log


def _as_json(line: dict[str, Any], *, default: Callable[[Any], Any]) -> str:
    """One line; what is no JSON is written as ``default`` says."""
    try:
        return msgspec.json.encode(line, enc_hook=default).decode()
    except (TypeError, ValueError, OverflowError):
        # a lone surrogate, an integer of more than 64 bits: the standard library writes them, and no line is lost
        return json.dumps(line, default=default)


def frames(error: BaseException) -> list[str]:
    """Where ``error`` was raised, innermost last; its message is left out because it may quote the customer."""
    stack = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in stack]


class LogBridge(logging.Handler):
    """Passes standard-library records (uvicorn's) on to a JSON log, without exception messages."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record`` as one JSON line."""
        error = record.exc_info[1] if record.exc_info else None
        extra = {"error": type(error).__name__, "frames": frames(error)} if error else {}
        # Further lines are tracebacks and reprs of exceptions, which may quote the customer.
        summary = record.getMessage().partition("\n")[0]
        self._log.log(record.levelno, summary, logger=record.name, **extra)
