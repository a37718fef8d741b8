"""Where entries wait for the store: in the journal of this process, in those of processes that died, or in memory alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import RLock

from yingda.domain.errors import StoreError
from yingda.store.lasting.files import Files
from yingda.store.lasting.journal import Frame, Journal, begin, read_record, recover, write_record
from yingda.store.lasting.waiting import Held, Waiting
from yingda.store.memory import Entry, Recalled, Write
from yingda.store.records import Conflict, Duplicate, IdUsed


class Keeping:
    """What waits, on the disk where the disk takes it; ``lock`` is held by whoever looks or changes."""

    def __init__(self, files: Files, *, limit: int, unsaved: int) -> None:
        self.files, self.limit, self._room = files, limit, unsaved
        self.lock = RLock()
        self.waiting = Waiting()
        self.lost = self.refused = self.damaged = 0
        self._own: Journal | None = None
        self._orphans: set[Journal] = set()

    @property
    def size(self) -> int:
        """Bytes of journals in use."""
        return sum(journal.size for journal in (*self._orphans, *([self._own] if self._own else [])))

    def open(self) -> None:
        """Take over what processes left that are gone, and begin a journal."""
        with self.lock, suppress(OSError):
            for file in self.files.orphans():
                with suppress(OSError):
                    self._adopt(*recover(file))
        with self.lock, suppress(OSError):  # tried again when something has to wait
            self._journal()

    def _adopt(self, journal: Journal, frames: Sequence[Frame], damaged: int) -> None:
        self.damaged += damaged
        if not frames:
            journal.close()
            return
        self._orphans.add(journal)
        for frame in frames:
            try:
                self.waiting.add(Held(read_record(frame.payload), journal, frame.end))
            except (StoreError, ValueError):  # of a newer version: a person can read it
                self._set_aside(frame.payload)
                journal.done(frame.end)

    def refusal(self, write: Write, known: Recalled | None) -> StoreError | None:
        """Why the turn may not wait, by what waits and what is ``known`` of its conversation."""
        turn = write.turn
        if known is not None and known.turn is not None:
            return Duplicate(known.turn)
        if self.waiting.turn(turn.turn_id) is not None:
            return IdUsed()
        return Conflict() if known is not None and known.version not in (0, write.version) else None

    def save(self, entries: Sequence[Entry]) -> bool:
        """Let the entries wait on the disk, all or none; False where it would not take them."""
        if not entries:
            return True
        try:
            journal = self._journal()
            frames = journal.append([write_record(entry) for entry in entries], limit=self.limit)
        except OSError:
            return False
        for entry, frame in zip(entries, frames, strict=True):
            self.waiting.add(Held(entry, journal, frame.end))
        return True

    def remember(self, writes: Sequence[Write]) -> None:
        """Let the turns wait in this process; where there is no room they are lost, and counted."""
        for write in writes:
            if self.waiting.unsaved < self._room:
                self.waiting.add(Held(write))
            else:
                self.lost += 1

    def done(self, held: Held) -> None:
        """The entry waits no longer."""
        self.waiting.drop(held)
        if held.source is not None and held.source.done(held.end):
            self._orphans.discard(held.source)
            self._own = None if held.source is self._own else self._own

    def tidy(self) -> None:
        """Let go of what the disk would not let go before."""
        if self._own is not None and self._own.tidy():
            self._own = None

    def refuse(self, held: Held) -> None:
        """The store will never take the entry: keep it where a person finds it."""
        self._set_aside(write_record(held.entry))
        self.done(held)

    def close(self) -> None:
        """Let go of the files; what waits in them is for whoever starts next."""
        with self.lock:
            for journal in (*self._orphans, *([self._own] if self._own else [])):
                with suppress(OSError):
                    journal.close()
            self._orphans.clear()
            self._own = None

    def _journal(self) -> Journal:
        if self._own is None:
            file = self.files.create()
            try:
                self._own = begin(file)
            except OSError:
                with suppress(OSError):
                    file.remove()
                raise
        return self._own

    def _set_aside(self, payload: bytes) -> None:
        self.refused += 1
        with suppress(OSError):
            self.files.set_aside(payload)
