"""What is left of the candidates once the customer has read one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.domain.decision import Candidate
from yingda.turn import besides


def candidates(**confidences: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(name, confidence, 0.5) for name, confidence in confidences.items())


def test_who_asks_on_does_not_ask_for_what_was_read() -> None:
    found = besides(candidates(freight=0.6, returns=0.25, insurance=0.1), ("returns",))

    assert [(each.id, round(each.confidence, 3)) for each in found] == [("freight", 0.8), ("insurance", 0.1)]


def test_what_is_hardly_likely_stays_so_however_little_is_left() -> None:
    assert besides(candidates(returns=0.9, freight=0.05), ("returns",)) == candidates(freight=0.05)


def test_without_anything_read_nothing_changes() -> None:
    found = candidates(freight=0.6, returns=0.25)

    assert besides(found, ()) == found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(0, 31))
def test_a_confidence_is_never_above_one_and_never_falls(confidences: list[float], read: int) -> None:
    found = tuple(Candidate(str(n), each, 0.5) for n, each in enumerate(confidences))
    tried = [each.id for n, each in enumerate(found) if read >> n & 1]
    before = {each.id: each.confidence for each in found}

    for each in besides(found, tried):
        assert each.id not in tried
        assert before[each.id] <= each.confidence <= 1.0 or each.confidence == pytest.approx(before[each.id])
