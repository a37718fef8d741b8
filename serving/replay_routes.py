"""A replay over HTTP: what changed rules or entries would have told the customers of a while ago."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from fastapi import APIRouter, Response

from serving import replay_schemas as schemas
from serving.auth import needs
from serving.body import StrictRoute
from serving.contract import BODY, GUARDED, problems
from serving.errors import FieldError, ProblemError, validation_problem
from serving.keys import Scope
from serving.routes import ServiceDependency, as_json
from serving.service import Engine, Service
from yingda.domain.rules import RuleError
from yingda.store.memory import Memory
from yingda.text.masking import mask

if TYPE_CHECKING:  # at run time imported where a replay runs: they bring the model runtime, which printing the contract does not need
    from yingda.replay.report import Difference

PASS = 8
"""Messages decided before others get their turn: customers who write meanwhile wait for no more than these."""

READ = 50
"""Conversations read likewise."""

router = APIRouter(route_class=StrictRoute, tags=["operate"])

_busy: WeakSet[Service] = WeakSet()


@router.post(
    "/v1/replay",
    operation_id="replay",
    summary="Try rules or entries on past messages",
    response_model=schemas.ReplayResponse,
    responses=problems(*GUARDED, *BODY),
    dependencies=[needs(Scope.OPS)],
)
async def replay(body: schemas.ReplayRequest, service: ServiceDependency) -> Response:
    """Decides stored messages again, with today's configuration and the changed one, and tells the difference; changes nothing.

    Messages are read as they are stored, masked: rules and entries of the caller could ask an original for what was taken out.
    One replay runs at a time, between customers' messages. Larger ones are the work of `yingda replay`.
    """
    since, until = _time("since", body.since), _time("until", body.until) if body.until else None
    if (body.rules is None) == (body.faq is None):
        raise validation_problem([_refused("", "one_change", "send either rules or faq")])
    if service in _busy:
        raise ProblemError(503, "replay_busy", "another replay runs; try again later", headers={"Retry-After": "10"})
    _busy.add(service)
    try:
        return as_json(await _run(service, _replay(service.engine, service.memory, body, since, until)))
    finally:
        _busy.discard(service)


async def _run(service: Service, work: Generator[None, None, schemas.ReplayResponse]) -> schemas.ReplayResponse:
    """What ``work`` returns; each of its steps waits its turn among the requests of customers."""
    found = None
    while found is None:
        found = await service.take_turn(partial(_step, work))
    return found


def _step(work: Generator[None, None, schemas.ReplayResponse], _: Memory) -> schemas.ReplayResponse | None:
    try:
        next(work)
    except StopIteration as done:
        found: schemas.ReplayResponse = done.value
        return found
    return None


def _replay(
    engine: Engine, memory: Memory, body: schemas.ReplayRequest, since: datetime, until: datetime | None
) -> Generator[None, None, schemas.ReplayResponse]:
    from yingda.replay.history import conversations, stored_turns
    from yingda.replay.records import ReplayError
    from yingda.replay.report import compare
    from yingda.replay.run import Run, replay_in_passes

    deciders = _configurations(engine, body)
    yield
    turns = []
    try:
        stored = yield from stored_turns(memory, since=since, until=until, limit=body.limit + 1)
        for number, conversation in enumerate(conversations(memory, stored), 1):
            turns += conversation
            if number % READ == 0:
                yield
    except ReplayError as error:
        raise ProblemError(422, "replay_refused", str(error)) from None
    run = Run.of(sorted(turns, key=lambda turn: (turn.at, turn.turn_id))[: body.limit])
    steps = []
    for chunk in run.chunks:
        steps += yield from replay_in_passes(deciders, chunk, most=PASS)
    difference = compare(steps, before="current", after="changed", examples=body.examples)
    return _response(difference, complete=len(turns) <= body.limit)


def _configurations(engine: Engine, body: schemas.ReplayRequest) -> dict[str, Any]:
    """The engine in use and the changed one; raises a 422 ProblemError with every mistake of the change."""
    from yingda.engine import Engine as RealEngine
    from yingda.replay.variants import EntriesRefused, sharing_readings, with_entries, with_rules

    if not isinstance(engine, RealEngine):
        raise ProblemError(503, "replay_unavailable", "the engine in use cannot be changed for a replay; use `yingda replay`")
    try:
        if body.rules is not None:
            changed = with_rules(engine, "rules", json.dumps(body.rules, ensure_ascii=False))
        else:
            changed = with_entries(engine, body.faq or ())
    except RuleError as error:
        raise validation_problem([_refused("/rules", "rule_refused", str(mistake)) for mistake in error.mistakes]) from None
    except RecursionError:
        raise validation_problem([_refused("/rules", "rule_refused", "the document is nested too deeply; flatten it")]) from None
    except EntriesRefused as error:
        mistakes = [_refused(f"/faq/{mistake.place}", "entry_refused", mistake.reason) for mistake in error.mistakes]
        raise validation_problem(mistakes) from None
    return dict(sharing_readings({"current": engine, "changed": changed}))


def _response(difference: Difference, *, complete: bool) -> schemas.ReplayResponse:
    fields = difference.fields(mask=mask)
    examples = fields.pop("examples")
    kinds = [
        {"kind": kind, "examples": [{**each, "answer_id": each["turn_id"]} for each in some]}  # what callers know a turn by
        for kind, some in examples.items()
    ]
    return schemas.ReplayResponse.model_validate({**fields, "complete": complete, "examples": kinds})


def _time(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        detail = "this is no time with offset; write it like 2026-11-01T00:00:00+08:00"
        raise validation_problem([_refused(f"/{name}", "time_invalid", detail)])
    return found


def _refused(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)
