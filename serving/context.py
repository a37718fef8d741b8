"""What is known about the request being served, kept in its ASGI scope."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

_KEY = "yingda.request"


@dataclass(slots=True)
class RequestContext:
    """Ids for logs and problems; ``scopes`` is None where no keys are configured, so everything is allowed.

    ``code`` is that of the problem it ended in.
    """

    request_id: str
    trace_id: str | None = None
    key_id: str | None = None
    scopes: frozenset[str] | None = None
    code: str | None = None


def attach(scope: Scope, context: RequestContext) -> None:
    """Make ``context`` the one of ``scope``."""
    scope[_KEY] = context


def context_of(scope: Scope) -> RequestContext:
    """The context attached to ``scope``."""
    context = scope[_KEY]
    assert isinstance(context, RequestContext)
    return context
