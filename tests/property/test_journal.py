"""Whatever became of a journal's bytes, what is read of it was written, once, in order, and what the damage did not touch is there."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.targets.journal import MemoryFile
from yingda.store.lasting.journal import Journal, begin, recover

HEADER = 16
OBJECTS = st.binary(max_size=30).map(lambda data: b'{"turn":"' + data.hex().encode() + b'"}')
RECORDS = st.lists(OBJECTS, min_size=1, max_size=6, unique=True)


def written(records: list[bytes]) -> tuple[MemoryFile, Journal, list[int]]:
    file = MemoryFile()
    journal = begin(file)
    frames = journal.append(records, limit=10**7)
    return file, journal, [frame.end for frame in frames]


def read(data: bytes) -> list[bytes]:
    return [frame.payload for frame in recover(MemoryFile(data))[1]]


def damaged(data: bytes) -> int:
    return recover(MemoryFile(data))[2]


def untouched(records: list[bytes], ends: list[int], start: int, stop: int) -> list[bytes]:
    """The records of which no byte stands from ``start`` to before ``stop``."""
    starts = [HEADER, *ends]
    return [each for each, begins, ends_ in zip(records, starts, ends, strict=False) if ends_ <= start or begins >= stop]


@given(RECORDS, st.data())
def test_a_cut_takes_only_the_records_it_goes_through(records: list[bytes], data: st.DataObject) -> None:
    file, _, ends = written(records)
    size = data.draw(st.integers(0, len(file.data)))

    assert read(file.read()[:size]) == records[: sum(end <= size for end in ends)]
    assert damaged(file.read()[:size]) == 0, "a torn end is what a killed process leaves"


@given(RECORDS, st.data())
def test_a_byte_that_changed_anywhere_takes_the_record_it_is_in_and_no_other(records: list[bytes], data: st.DataObject) -> None:
    file, _, ends = written(records)
    place = data.draw(st.integers(0, len(file.data) - 1))
    file.data[place] ^= data.draw(st.integers(1, 255))

    assert read(file.read()) == untouched(records, ends, place, place + 1)
    assert damaged(file.read()) == int(HEADER <= place < (ends[-2] if len(ends) > 1 else 0))


@given(RECORDS, st.data())
def test_a_range_that_is_gone_takes_the_records_it_goes_through_and_no_other(records: list[bytes], data: st.DataObject) -> None:
    file, journal, ends = written(records)
    done = data.draw(st.integers(0, len(records) - 1))
    for end in ends[:done]:
        journal.done(end)
    start = data.draw(st.integers(0, len(file.data) - 1))
    stop = data.draw(st.integers(start + 1, len(file.data)))
    del file.data[start:stop]

    found = read(file.read())

    assert found == [each for each in records if each in found], "in order, once, and nothing that was not written"
    assert [each for each in untouched(records, ends, start, stop) if each not in records[:done]] == [
        each for each in found if each in untouched(records, ends, start, stop) and each not in records[:done]
    ]


@given(RECORDS, st.data(), st.binary(min_size=1, max_size=40))
@example([b'{"turn":"a"}', b'{"turn":"b"}'], None, b"\0\0\0\x0c")
def test_bytes_that_came_between_hide_nothing(records: list[bytes], data: st.DataObject | None, more: bytes) -> None:
    file, _, ends = written(records)
    place = data.draw(st.sampled_from([HEADER, *ends])) if data else ends[0]
    file.data[place:place] = more

    assert read(file.read()) == records


@given(RECORDS, st.data())
def test_what_is_done_is_not_read_again_and_what_is_not_is(records: list[bytes], data: st.DataObject) -> None:
    file, journal, ends = written(records)
    done = data.draw(st.integers(0, len(records) - 1))
    for end in ends[:done]:
        journal.done(end)

    assert read(file.read()) == records[done:]


@given(RECORDS, st.integers(0, 2**64 - 1) | st.integers(0, 300))
def test_no_mark_hides_a_record_unless_it_is_that_of_one(records: list[bytes], mark: int) -> None:
    file = written(records)[0]
    marks = [frame.mark for frame in recover(MemoryFile(file.read()))[1]]
    file.data[8:16] = mark.to_bytes(8, "big")

    assert read(file.read()) == (records[marks.index(mark) :] if mark in marks else records)


def test_a_long_record_behind_damage_is_found_up_to_a_mebibyte() -> None:
    long = b'{"turn":"' + b"x" * (2**20 - 20) + b'"}'
    file = written([b'{"turn":1}', long, b'{"turn":2}'])[0]
    file.data[20] ^= 1

    assert read(file.read()) == [long, b'{"turn":2}']
    assert damaged(file.read()) == 1


def test_a_hole_of_zeros_is_one_place() -> None:
    file, _, ends = written([b'{"turn":%d}' % number for number in range(5)])
    file.data[ends[0] : ends[2]] = bytes(ends[2] - ends[0])
    file.data[ends[2] : ends[2]] = bytes(2**20)

    assert read(file.read()) == [b'{"turn":%d}' % number for number in (0, 3, 4)]
    assert damaged(file.read()) == 1
