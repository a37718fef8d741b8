"""The profile of a reply: stopwatches count what is theirs, the figures add up, and each stage's code is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from evaluation.bench.profile import TIMED, Profile, Stage, profile_of, report

FACTS = {"commit": "abc", "machine": {"processor": "x", "cores": 2}, "versions": {"Python": "3"}, "gone": []}


def timed() -> Any:
    """The script of the server, not run."""
    spec = spec_from_file_location("timed_serve", TIMED)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_stage_has_its_code() -> None:
    module = timed()
    assert [target for targets in module.TARGETS.values() for target in targets if module.place(target) is None] == []
    assert module.place("serving.app:Nothing.at_all") is None


def test_a_stage_does_not_count_what_is_within_it() -> None:
    watch = timed().Watch()
    inner = watch.plain("inner", lambda: sum(range(300_000)))
    outer = watch.plain("outer", lambda: [inner(), inner()])

    assert outer() == [sum(range(300_000))] * 2
    (inside, calls, _), (outside, once, within) = watch.totals()["inner"], watch.totals()["outer"]
    assert (calls, once, within) == (2, 1, 2)
    assert 0 <= outside < inside


def test_a_stage_that_waits_counts_its_own_steps_returns_and_raises_as_before() -> None:
    watch = timed().Watch()

    async def work(fails: bool) -> str:
        await asyncio.sleep(0)
        if fails:
            raise KeyError
        return "done"

    stepped: Callable[[bool], Awaitable[str]] = watch.stepped("work", work)

    async def story() -> list[Any]:
        return list(await asyncio.gather(stepped(False), stepped(True), return_exceptions=True))

    done, failed = asyncio.run(story())
    assert (done, type(failed)) == ("done", KeyError)
    assert watch.totals()["work"][1] == 4, "two steps each"


def test_a_stage_that_is_given_up_ends() -> None:
    watch = timed().Watch()
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async def story() -> None:
        task = asyncio.create_task(watch.stepped("work", work)())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(story())
    assert ended == ["work"]


def test_stopwatches_are_taken_off_the_stages_and_what_no_stage_holds_is_the_rest() -> None:
    counted: dict[str, Any] = {
        "requests": 10,
        "cpu_ns": 2_000_000,
        "watching_ns": [1_000.0, 500.0],
        "stages": {"a": [500_000, 20, 0], "b": [300_000, 10, 20]},
    }

    found = profile_of("fresh", counted, {"requests": 10, "cpu_ns": 1_500_000})

    assert found.stages == [Stage("a", 48.0, 2.0), Stage("b", 28.0, 1.0)]
    assert (found.plain_us, found.timed_us, found.rest_us) == (150.0, 200.0, 124.0)


def test_the_report_has_a_row_a_stage_and_says_what_is_gone() -> None:
    profiles = [
        Profile("fresh", 1_000, 200.0, 250.0, 50.0, [Stage("encode", 150.0, 1.0)]),
        Profile("refused", 1_000, 20.0, 25.0, 20.0, []),
    ]

    text = report(profiles, {**FACTS, "gone": ["a:b"]})

    assert "| encode | 150 (60 %) | – |" in text
    assert "| **whole** | **250** | **25** |" in text
    assert "gone from the code, so that others hold their time: a:b." in text
