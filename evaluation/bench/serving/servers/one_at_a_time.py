"""FastAPI's thread pool cut to one thread: on one core, messages in turn are faster than messages that fight for it."""
# mypy: ignore-errors

from contextlib import asynccontextmanager

import anyio.to_thread


@asynccontextmanager
async def lifespan(app):  # noqa: ARG001
    """Give to ``FastAPI(lifespan=...)``."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = 1
    yield
