"""Whatever became of a journal's bytes, what is read of it was written, in order, and nothing before the damage is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets.journal import MemoryFile
from yingda.store.lasting.journal import Journal, begin, recover

RECORDS = st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=6)


def written(records: list[bytes]) -> tuple[MemoryFile, Journal, list[int]]:
    file = MemoryFile()
    journal = begin(file)
    frames = journal.append(records, limit=10**6)
    return file, journal, [frame.end for frame in frames]


def read(data: bytes) -> list[bytes]:
    return [frame.payload for frame in recover(MemoryFile(data))[1]]


@given(RECORDS, st.data())
def test_a_cut_takes_only_the_records_it_goes_through(records: list[bytes], data: st.DataObject) -> None:
    file, _, ends = written(records)
    size = data.draw(st.integers(0, len(file.data)))

    assert read(file.read()[:size]) == records[: sum(end <= size for end in ends)]


@given(RECORDS, st.data())
def test_a_bit_that_turned_takes_nothing_that_stands_before_it_and_makes_nothing_up(records: list[bytes], data: st.DataObject) -> None:
    file, _, ends = written(records)
    place = data.draw(st.integers(16, len(file.data) - 1))
    file.data[place] ^= 1 << data.draw(st.integers(0, 7))

    assert read(file.read()) == records[: sum(end <= place for end in ends)]


@given(RECORDS, st.data())
def test_what_is_done_is_not_read_again_and_what_is_not_is(records: list[bytes], data: st.DataObject) -> None:
    file, journal, ends = written(records)
    done = data.draw(st.integers(0, len(records) - 1))
    for end in ends[:done]:
        journal.done(end)

    assert read(file.read()) == records[done:]


@given(RECORDS, st.integers(0, 2**64 - 1))
def test_no_mark_hides_a_record_unless_it_is_where_one_begins(records: list[bytes], mark: int) -> None:
    file, _, ends = written(records)
    file.data[8:16] = mark.to_bytes(8, "big")

    assert read(file.read()) == (records[ends.index(mark) + 1 :] or records if mark in ends else records)
