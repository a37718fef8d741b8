"""Batches: items that broke a rule get their problem, the others go through the engine together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from serving.errors import ProblemError, field_errors, problem_of, validation_problem
from serving.request_schemas import Rejected
from serving.response_schemas import ItemProblem

Item = TypeVar("Item")
Result = TypeVar("Result")


async def run_each(
    items: Sequence[Item | Rejected],
    work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | ProblemError]]],
    *,
    request_id: str,
) -> list[Result | ItemProblem]:
    """A result or a problem for each item, in order; ``work`` sees the good items alone and only once."""
    good = [item for item in items if not isinstance(item, Rejected)]
    results = iter(await work(good) if good else ())
    found: list[Result | ItemProblem] = []
    for place, item in enumerate(items):
        result = validation_problem(field_errors(item.errors, at=("items", place))) if isinstance(item, Rejected) else next(results)
        found.append(_item_problem(result, request_id=request_id) if isinstance(result, ProblemError) else result)
    return found


def _item_problem(error: ProblemError, *, request_id: str) -> ItemProblem:
    return ItemProblem(status=error.status_code, problem=problem_of(error, request_id=request_id))
