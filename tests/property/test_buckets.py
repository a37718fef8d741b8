"""Token buckets: never more than the limit in any window, and never less than was promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.buckets import Buckets, read_limits

WINDOW = 60
STEPS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 40), st.integers(1, 4)), max_size=60)


@given(STEPS)
def test_no_caller_gets_more_than_a_full_bucket_and_what_ran_into_it(steps: list[tuple[str, float, int]]) -> None:
    clock = [0.0]
    buckets = Buckets(read_limits("10/minute"), lambda: clock[0])
    tokens = {"a": (10.0, 0.0), "b": (10.0, 0.0)}
    for caller, pause, cost in steps:
        clock[0] += pause
        left, at = tokens[caller]
        left = min(10.0, left + (clock[0] - at) * 10 / WINDOW)
        verdict = buckets.spend(caller, cost)
        if abs(left - cost) > 1e-6:  # what a rounding error decides is not foreseen
            assert verdict.passes == (left >= cost)
        left -= cost if verdict.passes else 0
        tokens[caller] = (left, clock[0])
        assert abs(verdict.remaining - int(left + 1e-6)) <= (0 if abs(left - round(left)) > 1e-6 else 1)
        assert (verdict.retry_after_s > 0) == (not verdict.passes)


@given(STEPS)
def test_who_waits_as_told_passes(steps: list[tuple[str, float, int]]) -> None:
    clock = [0.0]
    buckets = Buckets(read_limits("7/minute; 3/second"), lambda: clock[0])
    for caller, pause, cost in steps:
        cost = min(cost, 3)
        clock[0] += pause
        verdict = buckets.spend(caller, cost)
        if not verdict.passes:
            clock[0] += verdict.retry_after_s
            assert buckets.spend(caller, cost).passes


@given(st.text(max_size=20))
def test_whatever_is_written_as_a_limit_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        limits = read_limits(text)
    except ValueError as error:
        assert "600/minute" in str(error)
    else:
        assert all(limit.amount >= 1 and limit.get_expiry() >= 1 for limit in limits)


def test_a_refusal_by_one_limit_spends_none_of_the_other() -> None:
    clock = [0.0]
    buckets = Buckets(read_limits("2/second; 4/minute"), lambda: clock[0])
    assert [buckets.spend("a").passes for _ in range(4)] == [True, True, False, False]
    clock[0] = 1.0
    assert [buckets.spend("a").passes for _ in range(2)] == [True, True]


def test_callers_with_full_buckets_are_forgotten() -> None:
    clock = [0.0]
    buckets = Buckets(read_limits("5/second"), lambda: clock[0])
    for number in range(50_000):
        clock[0] += 1.0
        buckets.spend(f"address {number}")
    assert len(buckets._full_at) <= 10_001
