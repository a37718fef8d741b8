"""Writes that wait share a transaction, and each learns what became of it when it is on the disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing

import pytest

from tests.store_kit import a_turn
from yingda.domain.errors import StoreError
from yingda.store.group_commit import MOST, GroupCommit
from yingda.store.memory import Entry, Outcome, Write
from yingda.store.records import Conflict


class Slow:
    """Writes when it is let; remembers what came together."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go, self.calls, self._error = threading.Event(), threading.Event(), list[list[Entry]](), error

    def write_all(self, entries: Sequence[Entry]) -> list[Outcome]:
        self.calls.append(list(entries))
        self.begun.set()
        assert self.go.wait(60)
        if self._error:
            raise self._error
        return [Conflict() if isinstance(entry, Write) and entry.version else True for entry in entries]


def test_what_waits_while_one_commit_runs_goes_into_the_next_together_and_in_order() -> None:
    slow = Slow()
    with closing(GroupCommit(slow.write_all, patience_s=60)) as writer:
        first = writer.submit([])
        assert slow.begun.wait(60)
        rest = [writer.submit([Write(a_turn(each), each % 2)]) for each in range(8)]
        slow.go.set()

        assert first.result() == []
        told = [call.result() for call in rest]

    assert [len(call) for call in slow.calls] == [0, 8]
    assert [type(outcome) for (outcome,) in told] == [bool, Conflict] * 4, "each learns its own"


def test_a_transaction_does_not_grow_beyond_its_bound() -> None:
    slow = Slow()
    slow.go.set()
    with closing(GroupCommit(slow.write_all, patience_s=60)) as writer:
        writer.write_all([Write(a_turn(1), 0)] * (MOST * 2))

    assert [len(call) for call in slow.calls] == [MOST * 2], "one call is never torn"


def test_a_failure_is_told_to_all_who_wait_and_the_next_go_on() -> None:
    slow = Slow(StoreError("away", code="store_unreachable"))
    slow.go.set()
    with closing(GroupCommit(slow.write_all, patience_s=60)) as writer:
        for _ in range(2):
            with pytest.raises(StoreError, match="away"):
                writer.write_all([Write(a_turn(1), 0)])

    assert len(slow.calls) == 2


def test_who_has_no_patience_is_told_so_and_what_had_not_begun_is_left_out() -> None:
    slow = Slow()
    with closing(GroupCommit(slow.write_all, patience_s=60)) as writer:
        first = writer.submit([])
        assert slow.begun.wait(60)
        with pytest.raises(StoreError) as caught:
            writer.write_all([Write(a_turn(1), 0)], patience_s=1e-9)
        slow.go.set()
        assert first.result() == []

    assert caught.value.code == "store_slow"
    assert slow.calls == [[]]


def test_only_so_many_wait_and_none_after_the_end() -> None:
    slow = Slow()
    writer = GroupCommit(slow.write_all, patience_s=60, room=1)
    first = writer.submit([])
    assert slow.begun.wait(60)
    second = writer.submit([])
    with pytest.raises(StoreError) as caught:
        writer.write_all([])
    slow.go.set()
    assert (first.result(), second.result()) == ([], [])
    writer.close()

    assert caught.value.code == "store_busy"
    with pytest.raises(StoreError):
        writer.write_all([])
