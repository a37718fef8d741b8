"""ULIDs, ids that callers send, and error pointers."""

from __future__ import annotations

import os
import uuid
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import pointer
from serving.identifiers import UlidSource, honoured, request_id


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
    made = [request_id(None) for _ in range(20_000)]
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


@pytest.mark.parametrize(
    "sent",
    [
        *("13812345678", "r-13812345678", "138-1234-5678", "1.3.8.1.2.3", "330106199001011234", "E12345678", "lin_123456", "123456"),
        *("00000000000000000000013812345678", "13812345678aaaaaaaaaaaaaaaaaaaaa", "00000000-0000-4000-8000-013812345678"),
        *(
            "330106199001011234aaaaaaaaaaaaaa",
            "057181234567aaaaaaaaaaaaaaaaaaaa",
            "00000000-0000-0000-0000-00000000000a",
            "1541815603606036480",
        ),
    ],
)
def test_an_id_that_may_be_somebodys_number_is_not_repeated(sent: str) -> None:
    assert request_id(sent) != sent


@pytest.mark.parametrize(
    "sent", ["r-7", "shop-app.42", "2026-w47", "12345", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "0af7651916cd43dd8448eb211c80319c"]
)
def test_a_name_or_an_id_drawn_at_random_is_repeated(sent: str) -> None:
    assert request_id(sent) == sent


def test_hardly_any_id_drawn_at_random_is_taken_for_a_number() -> None:
    random, made = Random(7), UlidSource()
    drawn = [str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in range(2000)]
    drawn += [f"{random.getrandbits(128):032x}" for _ in range(2000)]
    drawn += [made() for _ in range(200)]
    assert sum(request_id(each) != each for each in drawn) < 0.02 * len(drawn)


@pytest.mark.parametrize(
    ("trace", "parent", "is_honoured"),
    [
        ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True),
        ("00000000000000000000013812345678", "00f067aa0ba902b7", False),
        ("13812345678aaaaaaaaaaaaaaaaaaaaa", "00f067aa0ba902b7", False),
        ("4bf92f3577b34da6a3ce929d0e0e4736", "0000013812345678", False),
    ],
)
def test_a_trace_goes_on_unless_its_ids_may_be_somebodys_number(trace: str, parent: str, is_honoured: bool) -> None:
    sent = f"00-{trace}-{parent}-01"
    assert honoured(sent) == (sent if is_honoured else None)
    assert honoured("00-x-y-01") is honoured(None) is None
