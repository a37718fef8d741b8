"""Batches: items that broke a rule get their problem, the others go through the engine together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from serving.errors import field_errors, problem_of, validation_problem
from serving.request_schemas import Rejected
from serving.response_schemas import ItemProblem

Item = TypeVar("Item")
Result = TypeVar("Result")


async def run_each(
    items: Sequence[Item | Rejected],
    work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
    *,
    request_id: str,
) -> list[Result | ItemProblem]:
    """A result or a problem for each item, in order; ``work`` sees the good items alone and only once."""
    good = [item for item in items if not isinstance(item, Rejected)]
    results = iter(await work(good) if good else ())
    return [
        _item_problem(item, place=place, request_id=request_id) if isinstance(item, Rejected) else next(results)
        for place, item in enumerate(items)
    ]


def _item_problem(item: Rejected, *, place: int, request_id: str) -> ItemProblem:
    error = validation_problem(field_errors(item.errors, at=("items", place)))
    return ItemProblem(status=error.status_code, problem=problem_of(error, request_id=request_id))
