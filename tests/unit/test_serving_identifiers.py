"""ULIDs and error pointers."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from serving.errors import pointer
from serving.identifiers import UlidSource, request_id


@given(st.lists(st.integers(1, 2**48 - 1), min_size=2, max_size=20))
def test_ulids_rise_whatever_the_clock_does(clock: list[int]) -> None:
    ticks = iter(clock)
    source = UlidSource(now_ms=lambda: next(ticks))
    made = [source() for _ in clock]
    assert made == sorted(set(made))
    assert {len(each) for each in made} == {26}


def test_a_ulid_starts_with_its_time() -> None:
    assert UlidSource(now_ms=lambda: 1_469_918_176_385)().startswith("01ARYZ6S41")


def test_fresh_request_ids_never_come_twice() -> None:
    made = [request_id(None) for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert {request_id(each) for each in made} == set(made)


def test_processes_make_request_ids_of_their_own() -> None:
    before = request_id(None)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, request_id(None).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = os.read(reading, 32).decode(), [request_id(None) for _ in range(1_000)]
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 32
    assert theirs not in [before, *ours]


@given(st.lists(st.text() | st.integers(0, 255)))
def test_a_pointer_holds_safe_tokens_alone(location: list[str | int]) -> None:
    assert all(char.isascii() and (char.isalnum() or char in "_.-/") for char in pointer(location))


def test_a_pointer_stops_above_an_unsafe_key() -> None:
    assert pointer(["items", 3, "context", "我的密码", "x"]) == "/items/3/context"
