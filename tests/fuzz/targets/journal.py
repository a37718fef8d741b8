"""Journals: whatever a crash or a bad disk left of one, a start takes over turns as they were told, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tests.fuzz.source import Source
from tests.store_kit import NOON, a_turn, handed_over
from yingda.domain.errors import StoreError
from yingda.domain.takeover import Reason
from yingda.store.lasting.files import JournalFile
from yingda.store.lasting.journal import _frame, _header, begin, read_record, write_record
from yingda.store.lasting.keeping import Keeping
from yingda.store.memory import Entry, Write
from yingda.store.records import Feedback, HandoffOpened

WORDS = ["YDJRNL1\n", '{"turn":', '{"feedback":', "\x00\x00\x00\x00"]
MOST_BYTES = 4096


class MemoryFile:
    """A JournalFile in memory."""

    def __init__(self, data: bytes = b"") -> None:
        self.data, self.is_removed = bytearray(data), False

    def read(self) -> bytes:
        """See JournalFile."""
        return bytes(self.data)

    def write(self, data: bytes, at: int) -> None:
        """See JournalFile."""
        self.data += bytes(max(0, at - len(self.data)))
        self.data[at : at + len(data)] = data

    note = write

    def cut(self, size: int) -> None:
        """See JournalFile."""
        del self.data[size:]

    def remove(self) -> None:
        """See JournalFile."""
        self.is_removed = True

    def close(self) -> None:
        """See JournalFile."""


class MemoryFiles:
    """Files in memory: one journal that somebody left."""

    def __init__(self, left: MemoryFile) -> None:
        self.left, self.aside = left, list[bytes]()

    def create(self) -> JournalFile:
        """See Files."""
        return MemoryFile()

    def orphans(self) -> Iterator[JournalFile]:
        """See Files."""
        yield self.left

    def set_aside(self, data: bytes) -> None:
        """See Files."""
        self.aside.append(data)


@cache
def _entries() -> list[Entry]:
    turns = [a_turn(number) for number in range(1, 5)]
    opened = handed_over(6)
    return [
        *(Write(turn, version) for version, turn in enumerate(turns)),
        Write(opened, 0, HandoffOpened((Reason.REQUESTED,), NOON, {"x": [1]})),
        Feedback(answer_id=turns[0].turn_id, digest="d" * 64, at=NOON, helpful=True),
    ]


@cache
def _whole() -> bytes:
    """A good journal with all entries in it."""
    file = MemoryFile()
    begin(file).append([write_record(entry) for entry in _entries()], limit=10**6)
    return file.read()


SEEDS = [b"\x00" + bytes(range(30)), b"\x01\x10\x00", b"\x02{}", b'\x02{"turn":{"turn":[]}}', b"\x02[[", b"\x03\x00\x10", b"\x04\xff"]


def check(data: bytes) -> None:
    """Raise what must not be."""
    source = Source(data)
    way = source.byte() % 5
    if way == 2:  # a record that checks out and says anything, as a newer version might have written it
        _check_record(source.rest())
        return
    files = MemoryFiles(MemoryFile(_damaged(source, way)))
    keeping = Keeping(files, limit=10**6, unsaved=10)
    keeping.open()
    known = {write_record(entry) for entry in _entries()}
    taken = [write_record(held.entry) for held in keeping.waiting.first(100)]
    assert set(taken) <= known, "a record was read that nobody wrote"
    assert set(files.aside) <= known
    if way == 3:  # torn at its end alone: what was whole before is there
        whole = sum(1 for end in _ends() if end <= len(files.left.data))
        assert len(keeping.waiting) == whole
    keeping.close()


def _ends() -> list[int]:
    ends, at = [], len(_header(0))
    for entry in _entries():
        at += len(_frame(write_record(entry)))
        ends.append(at)
    return ends


def _damaged(source: Source, way: int) -> bytes:
    good = bytearray(_whole())
    if way == 0:
        return source.rest()
    if way == 3:
        return bytes(good[: len(good) - 1 - source.number(len(good) - 1)])
    while source.left:
        place = source.number(len(good) - 1)
        if way == 1:
            good[place] ^= 1 << source.byte() % 8
        else:
            good[place : place + source.byte()] = source.take(source.byte() % 16)
            good = good or bytearray(1)
    return bytes(good)


def _check_record(payload: bytes) -> None:
    files = MemoryFiles(MemoryFile(_header(16) + _frame(payload)))
    keeping = Keeping(files, limit=10**6, unsaved=10)
    keeping.open()
    try:
        read_record(payload)
    except (StoreError, ValueError):
        assert files.aside == ([payload] if payload else [])
    else:
        assert len(keeping.waiting) == 1
