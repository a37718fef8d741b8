"""A memory that goes on while its database is away, and tells what has been written only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Event, Lock, Thread

from yingda.domain.conversation import ConversationState
from yingda.domain.errors import StoreError
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.failures import is_away
from yingda.store.group_commit import GroupCommit
from yingda.store.health import StoreHealth
from yingda.store.lasting.breaker import Breaker
from yingda.store.lasting.drain import drain
from yingda.store.lasting.keeping import Keeping
from yingda.store.lasting.recent import Recent
from yingda.store.lasting.waiting import Held, handoffs_after
from yingda.store.memory import Entry, NotStored, Outcome, Recalled, SoFar, Write
from yingda.store.one_by_one import OneByOne
from yingda.store.records import Feedback, Reused, StoredHandoff, StoredTurn

BATCH = 64
"""Records drained in one transaction."""

PACE_S = 1.0
"""Seconds between two looks at a store that is away."""

DRAIN_S = 10.0
"""Seconds that draining has patience with one transaction: nobody waits for it."""

_LOST = 4096


class LastingMemory(OneByOne):
    """A Memory over ``stored`` that answers from this process and writes to a journal while the database is away.

    ``watch`` starts the thread that looks after what waits; without it ``tend`` has to be called. Threads may share it, but
    turns of one conversation come one after the other, as a dialogue sends them.
    """

    def __init__(self, stored: SqlMemory, *, writer: GroupCommit, breaker: Breaker, keeping: Keeping, recent: Recent | None = None) -> None:
        self._sql, self._writer, self.breaker, self._keeping = stored, writer, breaker, keeping
        self._recent = recent or Recent()
        self._lost: OrderedDict[str, None] = OrderedDict()
        self._drained = self._moved = 0
        self._tending, self._closed = Lock(), Event()
        self._thread: Thread | None = None
        keeping.open()
        for write in keeping.waiting.writes():  # of processes that are gone
            self._recent.keep(write)
        if len(keeping.waiting):
            breaker.news.set()

    @property
    def store(self) -> Store:
        """The database."""
        return self._sql.store

    # ---- what a reply needs ----

    def recall_all(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        """See Memory; what waits counts as written."""
        keeping = self._keeping
        with keeping.lock:
            waiting = [keeping.waiting.recall(*each) for each in asked]
        places = [place for place, held in enumerate(waiting) if held is None or (asked[place][1] and held.turn is None)]
        found = self._look([asked[place] for place in places])
        known = dict(zip(places, found, strict=True))
        return [_newest(held, known.get(place)) for place, held in enumerate(waiting)]

    def _look(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        if not asked:
            return []
        try:
            found = self.breaker.ask(lambda: self._sql.recall_all(asked))
        except StoreError as error:
            if not is_away(error):
                raise
            with self._keeping.lock:
                return [self._recent.recall(*each) for each in asked]
        with self._keeping.lock:
            for (name, _), each in zip(asked, found, strict=True):
                if each.turn is not None:
                    self._recent.found(each.turn)
                if each.version and not self._keeping.waiting.has(name):
                    self._recent.note(name, each.state, each.version)
        return found

    def remember_all(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """See Memory; True of the store or of the journal. A turn behind one that waits waits too, and none overtakes."""
        with self._keeping.lock:
            behind = [self._keeping.waiting.has(write.turn.conversation_id) for write in writes]
        ahead = [write for write, waits in zip(writes, behind, strict=True) if not waits]
        outcomes = self._write(ahead)
        if outcomes is None:
            return self._hold(writes)
        told = iter(outcomes)
        held = iter(self._hold([write for write, waits in zip(writes, behind, strict=True) if waits]))
        return [next(held) if waits else next(told) for waits in behind]

    def _write(self, writes: Sequence[Write]) -> list[StoreError | None] | None:
        """What became of the turns in the store; None where it is away."""
        if not writes:
            return []
        try:
            outcomes = self.breaker.call(lambda: self._writer.write_all(writes))
        except StoreError as error:
            if is_away(error):
                return None
            raise
        with self._keeping.lock:
            for write, outcome in zip(writes, outcomes, strict=True):
                if outcome is True:
                    self._recent.keep(write)
        return [outcome if isinstance(outcome, StoreError) else None for outcome in outcomes]

    def _hold(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """Let the turns wait; those of one conversation one after the other."""
        names = {write.turn.conversation_id for write in writes} | {write.turn.turn_id for write in writes}
        with self._keeping.lock:
            if len(names) == len(writes) * 2:
                return self._hold_together(writes)
            return [outcome for write in writes for outcome in self._hold_together([write])]

    def _hold_together(self, writes: Sequence[Write]) -> list[StoreError | None]:
        outcomes: list[StoreError | None] = [self._keeping.refusal(write, self._known(write.turn)) for write in writes]
        taken = [write for write, refusal in zip(writes, outcomes, strict=True) if refusal is None]
        saved = self._keeping.save(taken)
        if not saved:
            self._keeping.remember(taken)
        for write in taken:
            self._recent.keep(write)
            if not saved:
                self._lost[write.turn.turn_id] = None
                if len(self._lost) > _LOST:
                    self._lost.popitem(last=False)
        self.breaker.news.set()
        return [NotStored() if refusal is None and not saved else refusal for refusal in outcomes]

    def _known(self, turn: StoredTurn) -> Recalled:
        recent = self._recent.recall(turn.conversation_id, turn.message_id)
        waiting = self._keeping.waiting.recall(turn.conversation_id, turn.message_id)
        return recent if waiting is None else _newest(waiting, recent)

    def so_far(self, conversation_id: str) -> SoFar:
        """See Memory; while the store is away the last turns alone."""
        try:
            return SoFar(self.turns(conversation_id), self.handoffs(conversation_id))
        except StoreError as error:
            if not is_away(error):
                raise
        with self._keeping.lock:
            return self._recent.so_far(conversation_id)

    def holds(self, turn_id: str, /) -> bool:
        """See Memory."""
        with self._keeping.lock:
            held = self._keeping.waiting.turn(turn_id)
            return held.source is not None if held else turn_id not in self._lost

    def add_feedback(self, feedback: Feedback) -> bool:
        """See Memory; while the store is away it waits, and whether there is such an answer shows when it is written.

        Raises StoreError where no disk takes it: nothing is lost by asking for it again.
        """
        with self._keeping.lock:
            behind = self._keeping.waiting.turn(feedback.answer_id) is not None
        if not behind:
            try:
                (outcome,) = self.breaker.call(lambda: self._writer.write_all([feedback]))
            except StoreError as error:
                if not is_away(error):
                    raise
            else:
                if isinstance(outcome, StoreError):
                    raise outcome
                return outcome
        with self._keeping.lock:
            for one in self._keeping.waiting.feedback(feedback.answer_id):
                if one.digest == feedback.digest:
                    if not one.says_the_same(feedback):
                        raise Reused
                    return False
            if not self._keeping.save([feedback]):
                raise StoreError("neither the store nor the journal can be written; send the feedback again", code="store_away")
        self.breaker.news.set()
        return True

    # ---- what can wait for the store ----

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """See Memory."""
        with self._keeping.lock:  # first: what is written in between is found once, in the store
            waiting = self._keeping.waiting.turns(conversation_id)
        stored = self.breaker.ask(lambda: self._sql.turns(conversation_id))
        known = {turn.turn_id for turn in stored}
        return [*stored, *(turn for turn in waiting if turn.turn_id not in known)]

    def turn(self, turn_id: str) -> StoredTurn | None:
        """See Memory."""
        with self._keeping.lock:
            held = self._keeping.waiting.turn(turn_id)
            if held is not None and isinstance(held.entry, Write):
                return held.entry.turn
        return self.breaker.ask(lambda: self._sql.turn(turn_id))

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """See Memory; what waits comes when it is written."""
        return self._sql.turns_since(since)

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """See Memory."""
        with self._keeping.lock:
            waiting = self._keeping.waiting.writes_of(conversation_id)
        return handoffs_after(self.breaker.ask(lambda: self._sql.handoffs(conversation_id)), waiting)

    def feedback(self, answer_id: str) -> list[Feedback]:
        """See Memory."""
        with self._keeping.lock:
            waiting = self._keeping.waiting.feedback(answer_id)
        stored = self.breaker.ask(lambda: self._sql.feedback(answer_id))
        return [*stored, *(one for one in waiting if one.digest not in {each.digest for each in stored})]

    def release(self, conversation_id: str, *, by: str, at: datetime) -> ConversationState:
        """See Memory; raises StoreError while the store is away, for whoever releases can do so again."""
        self._settled(lambda: self._keeping.waiting.has(conversation_id))
        state = self.breaker.ask(lambda: self._sql.release(conversation_id, by=by, at=at))
        with self._keeping.lock:
            self._recent.release(conversation_id, state, by=by, at=at)
        return state

    def forget_before(self, when: datetime) -> int:
        """See Memory; raises StoreError while something waits, for that would come back."""
        self._settled(lambda: len(self._keeping.waiting) > 0)
        count = self.breaker.call(lambda: self._sql.forget_before(when))
        with self._keeping.lock:
            self._recent.forget_all()
        return count

    def erase_customer(self, customer: str) -> int:
        """See Memory; raises StoreError while something waits, for that would come back."""
        self._settled(lambda: len(self._keeping.waiting) > 0)
        count = self.breaker.call(lambda: self._sql.erase_customer(customer))
        with self._keeping.lock:
            self._recent.forget_all()
        return count

    # ---- looking after it ----

    def health(self) -> StoreHealth | None:
        """See Memory."""
        since, code = self.breaker.away or (None, None)
        keeping = self._keeping
        with keeping.lock:
            return StoreHealth(
                down_since=since,
                code=code,
                waiting=len(keeping.waiting),
                unsaved=keeping.waiting.unsaved,
                journal_bytes=keeping.size,
                journal_limit=keeping.limit,
                lost=keeping.lost,
                drained=self._drained,
                moved=self._moved,
                refused=keeping.refused,
                damaged=keeping.damaged,
            )

    def tend(self) -> bool:
        """One look at the store: where it answers, what waits is written. False where it is away."""
        with self._tending:
            try:
                while batch := self._first():
                    self._drain(batch)
                if self.breaker.away is not None:
                    self._write_long([])
                with self._keeping.lock:
                    self._keeping.tidy()
            except Exception as error:
                self.breaker.trip(error.code if isinstance(error, StoreError) else "store_broken")
                return False
            self.breaker.close()
            return True

    def watch(self, pace_s: float = PACE_S) -> None:
        """Tend from now on, in a thread: at once when something waits, and every ``pace_s`` seconds while the store is away."""
        self._thread = Thread(target=self._run, args=(pace_s,), name="store-tender", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what can be written at once; what cannot be is in the journal for whoever starts next."""
        self._closed.set()
        self.breaker.news.set()
        if self._thread is not None:
            self._thread.join(DRAIN_S)
        if self.breaker.away is None:
            self.tend()
        self._writer.close()
        self._keeping.close()
        self._sql.close()

    def _run(self, pace_s: float) -> None:
        news, well = self.breaker.news, True
        while not self._closed.is_set():
            news.wait() if well else self._closed.wait(pace_s)
            news.clear()
            if not self._closed.is_set():
                well = self.tend()

    def _first(self) -> list[Held]:
        with self._keeping.lock:
            return self._keeping.waiting.first(BATCH)

    def _drain(self, batch: Sequence[Held]) -> None:
        outcomes = drain([held.entry for held in batch], self._write_long, self._stand)
        with self._keeping.lock:
            for held, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, StoreError):
                    self._keeping.refuse(held)
                    continue
                self._keeping.done(held)
                self._drained += 1
                if isinstance(held.entry, Write):
                    self._lost.pop(held.entry.turn.turn_id, None)
                if isinstance(outcome, Write):
                    self._moved += 1
                    self._recent.note(outcome.turn.conversation_id, outcome.turn.state, outcome.version + 1)
        self.breaker.close()

    def _write_long(self, entries: Sequence[Entry]) -> list[Outcome]:
        return self._writer.write_all(entries, patience_s=DRAIN_S)

    def _stand(self, conversation_id: str) -> tuple[Recalled, Sequence[StoredHandoff]]:
        """How a conversation stands in the store."""
        return self.breaker.within(lambda: (self._sql.recall_all([(conversation_id, None)])[0], self._sql.handoffs(conversation_id)))

    def _settled(self, waits: Callable[[], bool]) -> None:
        """Write what waits before what concerns it is changed; raises StoreError where it cannot be."""
        with self._keeping.lock:
            waiting = waits()
        if waiting and not (self.tend() and not waits()):
            raise StoreError("the store is away and turns wait for it; try again when it is back", code="store_away")


def _newest(waiting: Recalled | None, found: Recalled | None) -> Recalled:
    """The conversation as it stands after the turns that wait, with the turn that answered the message wherever that is."""
    if waiting is None or found is None:
        return waiting or found or Recalled()
    return replace(waiting, turn=waiting.turn or found.turn)
