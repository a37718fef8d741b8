"""What fuzzing starts from, and what it once found, breaks nothing."""

from __future__ import annotations

import pytest

from tests.fuzz.source import Source, spoilt, text_in
from tests.fuzz.target import TARGETS, TooSlowError, check_of, inputs_of, timed


@pytest.mark.parametrize("name", TARGETS)
def test_no_known_input_breaks_a_target(name: str) -> None:
    check = check_of(name)
    for data in [b"", *inputs_of(name)]:
        check(data)


def test_a_source_gives_the_same_values_for_the_same_bytes_and_small_ones_at_the_end() -> None:
    assert [(s.byte(), s.number(9), s.pick("abc"), s.text(), s.left) for s in (Source(b"\x07\x00\x0c\x04\x02hi!"),)] == [
        (7, 2, "b", "hi", 1)
    ]
    assert [(s.byte(), s.number(9), s.pick("abc"), s.text(), s.rest()) for s in (Source(b""),)] == [(0, 0, "a", "", b"")]
    assert text_in(b"\x00ab", "xyz") == "ab"
    assert text_in(b"\x01\x00\x04", "xyz") == "xy"


def test_a_spoilt_tree_leaves_the_good_one_alone() -> None:
    good = {"a": [1, {"b": "text"}], "c": None}
    found = [spoilt(good, Source(bytes([number, *range(20)]))) for number in range(40)]

    assert good == {"a": [1, {"b": "text"}], "c": None}
    assert sum(one != good for one in found) > 30


def test_an_input_that_takes_too_long_is_told() -> None:
    times = iter([0.0, 1.0, 1.0, 9.0])
    check = timed(lambda _: None, clock=lambda: next(times))

    check(b"")
    with pytest.raises(TooSlowError):
        check(b"")
