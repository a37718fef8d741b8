"""A journal: records appended to a file, each with its length and checksum, known to be on the disk before anyone is told.

A file is a header and frames. The header is a magic word and a mark: the offset of the first record that waits (5 bytes) behind the
last 3 bytes of its checksum, so that no mark counts for another record. A frame is length and CRC-32 of its payload (big-endian, 4
bytes each) and the payload, a JSON object in UTF-8. What does not check out is passed over up to the next frame that does: a frame
begins with a zero byte, which JSON never holds, so that no text within a record can be taken for one. Behind the last that checks out
the file is cut: only a record that nobody was told about can be torn.
"""

from __future__ import annotations

import errno
import json
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from zlib import crc32

from yingda.domain.errors import StoreError
from yingda.store.base import dump_json
from yingda.store.codec import decode, encode
from yingda.store.lasting.files import JournalFile
from yingda.store.memory import Entry, Write
from yingda.store.records import Feedback

MAGIC = b"YDJRNL1\n"
_HEADER, _FRAME = struct.Struct(">8sQ"), struct.Struct(">II")
_START = re.compile(rb"\0(?!\0\0\0)(?=[\0-\x0f][\0-\xff]{6}\{)")
"""Where a frame of less than 1 MiB may begin; longer ones are not looked for behind damage, so that looking takes no minutes."""
_PLACE_BITS = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """A record as it lies in the file, from ``start`` to ``end``."""

    start: int
    end: int
    payload: bytes

    @property
    def mark(self) -> int:
        """What the header says when this is the first record that waits."""
        return (crc32(self.payload) & 0xFFFFFF) << _PLACE_BITS | self.start


class Journal:
    """Records in one file that wait for the store; not for several threads at once."""

    def __init__(self, file: JournalFile, *, size: int, own: bool) -> None:
        self._file, self._size, self._own = file, size, own
        self._outstanding: dict[int, int] = {}

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size

    def append(self, payloads: Sequence[bytes], *, limit: int) -> list[Frame]:
        """Write all records or none; on the disk when it returns.

        Raises OSError where the disk will not take them or the file would grow beyond ``limit`` bytes. What a failed write
        left behind is overwritten by the next, and is no record until then.
        """
        frames, at = [], self._size
        for payload in payloads:
            end = at + _FRAME.size + len(payload)
            frames.append(Frame(at, end, payload))
            at = end
        if at > limit:
            raise OSError(errno.ENOSPC, "the journal is full")
        try:
            self._file.write(b"".join(_frame(payload) for payload in payloads), self._size)
        except OSError:
            with suppress(OSError):
                self._file.cut(self._size)
            raise
        self._size = at
        self.wait_for(frames)
        return frames

    def wait_for(self, frames: Sequence[Frame]) -> None:
        """Know these records of the file as not in the store yet."""
        self._outstanding.update((frame.end, frame.mark) for frame in frames)

    def done(self, end: int) -> bool:
        """The record that ends there is in the store; True when the file is of no more use.

        That the disk may not take the note does no harm: a record that is found again is in the store already.
        """
        del self._outstanding[end]
        with suppress(OSError):
            if self._outstanding:
                self._file.note(_header(next(iter(self._outstanding.values()))), 0)
            elif self._own:
                self._empty()
            else:
                self._file.remove()
        return not self._outstanding and not self._own

    def tidy(self) -> bool:
        """Let go of what is in the store where the disk would not before; True when the file is of no more use."""
        with suppress(OSError):
            if self._own and not self._outstanding and self._size > _HEADER.size:
                self._empty()
        return not self._outstanding and not self._own

    def _empty(self) -> None:
        # in this order: a mark behind the end of the file would hide what is written next
        self._file.write(_header(0), 0)
        self._size = _HEADER.size
        try:
            self._file.cut(_HEADER.size)
        except OSError:
            self._own = False  # or what is in the store, and may be erased there, would stand behind what is written next
            self._file.remove()

    def close(self) -> None:
        """Let go of the file; one that holds nothing goes."""
        if self._outstanding:
            self._file.close()
        else:
            self._file.remove()


def begin(file: JournalFile) -> Journal:
    """A journal in a new file; raises OSError."""
    file.write(_header(0), 0)
    return Journal(file, size=_HEADER.size, own=True)


def recover(file: JournalFile) -> tuple[Journal, list[Frame], int]:
    """The journal that a process left in ``file``, the records in it that may not be in the store, and the places damaged before the last.

    Raises OSError. A torn end is cut. A file of another kind holds no records. Where the mark fits no record, it or what stood there is
    damaged, and all records that can be read wait again: those that are in the store are found there by their ids.
    """
    data = file.read()
    frames, damaged = _frames(data)
    mark = _HEADER.unpack_from(data)[1] if len(data) >= _HEADER.size else 0
    first = next((place for place, frame in enumerate(frames) if frame.mark == mark), 0)
    waiting = frames[first:]
    journal = Journal(file, size=waiting[-1].end if waiting else _HEADER.size, own=False)
    if waiting and journal.size < len(data):
        with suppress(OSError):  # a torn end that stays is passed over again; the records before it are not to wait for a better disk
            file.cut(journal.size)
    journal.wait_for(waiting)
    return journal, waiting, damaged


def write_record(entry: Entry) -> bytes:
    """``entry`` as the journal keeps it."""
    kind = "feedback" if isinstance(entry, Feedback) else "turn"
    return dump_json({kind: encode(entry)}).encode()


def read_record(payload: bytes) -> Entry:
    """The entry written as ``payload``; raises StoreError where a newer version wrote it, or something else."""
    try:
        record = json.loads(payload)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise StoreError("a record of the journal cannot be read; was it written by a newer version?", code="store_too_new")
    return decode(Feedback, record["feedback"]) if "feedback" in record else decode(Write, record.get("turn"))


def _header(mark: int) -> bytes:
    return _HEADER.pack(MAGIC, mark)


def _frame(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), crc32(payload)) + payload


def _frames(data: bytes) -> tuple[list[Frame], int]:
    """All records of a file that check out, and at how many places others, or what stood there, do not."""
    found: list[Frame] = []
    damaged, at = 0, _HEADER.size
    while True:
        frame = _frame_at(data, at)
        if frame is None:
            # the header may have lost bytes, too
            frame = _next(data, at if found else 0)
            damaged += frame is not None
        if frame is None:
            return found, damaged
        found.append(frame)
        at = frame.end


def _frame_at(data: bytes, at: int) -> Frame | None:
    if at + _FRAME.size > len(data):
        return None
    length, checksum = _FRAME.unpack_from(data, at)
    begin, end = at + _FRAME.size, at + _FRAME.size + length
    if not length or end > len(data) or crc32(memoryview(data)[begin:end]) != checksum:
        return None
    return Frame(at, end, data[begin:end])


def _next(data: bytes, at: int) -> Frame | None:
    """The first record behind ``at`` that checks out."""
    return next((frame for match in _START.finditer(data, at) if (frame := _frame_at(data, match.start()))), None)
