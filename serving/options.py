"""Options in the query: a call that writes does not run with one that it does not know."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from serving.errors import FieldError, pointer, validation_problem

_MOST_TOLD = 20
"""Unknown options that a problem lists."""


async def refuse_unknown_options(request: Request) -> None:
    """A dependency: raise a 422 for query parameters that the route does not declare; a mistyped ``dry_run`` would write."""
    known = sorted(set(_declared(request.scope["route"].dependant)))
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        remedy = f"remove it or use one of: {', '.join(known)}" if known else "remove it, for this call takes none"
        raise validation_problem([_refusal(name, remedy) for name in unknown[:_MOST_TOLD]])


def _refusal(name: str, remedy: str) -> FieldError:
    where = pointer([name])  # empty for a name that may be somebody's number
    named = f"query parameter '{name}'" if where else "a query parameter"
    return FieldError(pointer=where, code="extra_forbidden", detail=f"{named} is unknown; {remedy}")


def _declared(dependant: Dependant) -> Iterator[str]:
    """Names of the query parameters of a route and of all that it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _declared(inner)
