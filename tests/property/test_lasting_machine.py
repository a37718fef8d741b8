"""Whatever fails, dies and comes back: nothing acknowledged is lost, nothing is there twice, and each conversation keeps its order."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.lasting_kit import Shop
from tests.store_kit import NOON, STANDING, a_turn, handed_over
from yingda.domain.errors import StoreError
from yingda.store.memory import NotStored, Write
from yingda.store.records import Conflict, Duplicate, Feedback, HandoffOpened, StoredTurn

NAMES = ("c-1", "c-2", "c-3")
names = st.sampled_from(NAMES)


class Outages(RuleBasedStateMachine):
    """A process, another beside it whose connection always holds, and everything that can go wrong with the first."""

    def __init__(self) -> None:
        super().__init__()
        self.shop = Shop(Path(mkdtemp(prefix="yingda-test-")), limit=6000, unsaved=3)
        self.memory = self.shop.process()
        self.number = 0
        self.acknowledged: dict[str, list[str]] = {name: [] for name in NAMES}
        self.other: dict[str, list[str]] = {name: [] for name in NAMES}
        self.unsure: set[str] = set()
        self.told: dict[tuple[str, str], str] = {}
        self.opinions: set[tuple[str, str]] = set()

    def teardown(self) -> None:
        try:
            self.recover()
            self.check_the_end()
        finally:
            self.shop.close()
            shutil.rmtree(self.shop.folder)

    # ---- what customers and others do ----

    @rule(name=names, calls=st.booleans(), others=st.lists(names, unique=True, max_size=2))
    def say(self, name: str, calls: bool, others: list[str]) -> None:
        wanted = [name, *(other for other in others if other != name)]
        for _ in range(3):
            recalled = self.memory.recall_all([(each, None) for each in wanted])
            writes = [self.write(each, found.version, calls) for each, found in zip(wanted, recalled, strict=True)]
            errors = self.memory.remember_all(writes)
            left = []
            for each, write, error in zip(wanted, writes, errors, strict=True):
                if isinstance(error, Conflict):
                    left.append(each)
                    continue
                self.note(each, write, error)
            wanted = left
            if not wanted:
                return
        raise AssertionError("a conversation that nobody else writes never rests")

    @rule(name=names, data=st.data())
    def say_again(self, name: str, data: st.DataObject) -> None:
        """What is known to be stored is told again and never decided anew, as long as the store or this process knows it."""
        mine = [(key, turn) for key, turn in self.told.items() if key[0] == name]
        if not mine:
            return
        (_, message), turn_id = data.draw(st.sampled_from(mine))
        found = self.memory.find(name, message)
        if found is None:
            assert self.shop.trouble.down or self.shop.trouble.mute or self.memory.breaker.away or turn_id in self.unsure
            return
        assert found.turn_id == turn_id
        version = self.memory.recall(name)[1]
        try:
            self.memory.remember(self.turn(name, message), version=version)
        except Duplicate as error:
            assert error.stored.turn_id == turn_id
        else:
            raise AssertionError("answered twice")

    @rule(name=names)
    def another_process_says(self, name: str) -> None:
        write = self.write(name, self.shop.stored.recall(name)[1], calls=False)
        self.shop.stored.remember(write.turn, version=write.version)
        self.other[name].append(write.turn.turn_id)

    @rule(name=names, data=st.data())
    def think_of_it(self, name: str, data: st.DataObject) -> None:
        if not self.acknowledged[name]:
            return
        self.number += 1
        opinion = Feedback(data.draw(st.sampled_from(self.acknowledged[name])), f"{self.number:064x}", NOON, 5)
        try:
            if self.memory.add_feedback(opinion):
                self.opinions.add((opinion.answer_id, opinion.digest))
        except StoreError:
            return  # asked to send it again

    @rule(name=names)
    def a_person_gives_back(self, name: str) -> None:
        try:
            self.memory.release(name, by="小王", at=NOON)
        except StoreError:
            return

    # ---- what goes wrong ----

    @rule(code=st.sampled_from((None, None, "store_unreachable", "store_locked", "store_full")))
    def the_store_goes_or_comes(self, code: str | None) -> None:
        self.shop.trouble.down = code

    @rule(mute=st.booleans())
    def answers_are_lost(self, mute: bool) -> None:
        self.shop.trouble.mute = mute

    @rule(full=st.booleans())
    def the_disk_is_full(self, full: bool) -> None:
        self.shop.trouble.disk_full = full

    @rule()
    def tend(self) -> None:
        self.memory.tend()

    @rule()
    def killed_and_started(self) -> None:
        self.shop.kill()
        self.memory = self.shop.process()

    @rule()
    def stopped_and_started(self) -> None:
        self.memory._keeping.close()
        self.memory = self.shop.process()

    # ---- what must hold ----

    @invariant()
    def each_waits_or_is_stored(self) -> None:
        waiting = self.memory._keeping.waiting
        stored = {turn.turn_id for turn in self.shop.stored.turns_since(NOON)}
        for name in NAMES:
            for turn_id in self.acknowledged[name]:
                assert turn_id in stored or waiting.turn(turn_id) is not None, "lost"

    def recover(self) -> None:
        trouble = self.shop.trouble
        trouble.down, trouble.mute, trouble.disk_full = None, False, False
        assert self.memory.tend()

    def check_the_end(self) -> None:
        health = self.memory.health()
        assert health is not None and (health.waiting, health.down_since, health.refused) == (0, None, 0)
        assert health.journal_bytes in (0, 16), "what is written is let go of"
        for name in NAMES:
            found = [turn.turn_id for turn in self.shop.stored.turns(name)]
            assert len(found) == len(set(found)), "twice"
            for written in (self.acknowledged[name], self.other[name]):
                assert [turn_id for turn_id in found if turn_id in set(written)] == written, "out of order or lost"
            assert set(found) <= {*self.acknowledged[name], *self.other[name], *self.unsure}, "from nowhere"
            assert len([one for one in self.shop.stored.handoffs(name) if one.released_at is None]) <= len(found)
            assert self.memory.recall(name) == self.shop.stored.recall(name)
        for answer_id, digest in self.opinions:
            assert [one.digest for one in self.shop.stored.feedback(answer_id)].count(digest) == 1

    # ---- how it is told ----

    def note(self, name: str, write: Write, error: StoreError | None) -> None:
        turn = write.turn
        assert turn.message_id is not None
        self.told[(name, turn.message_id)] = turn.turn_id
        if isinstance(error, NotStored):
            self.unsure.add(turn.turn_id)
        else:
            assert error is None
            self.acknowledged[name].append(turn.turn_id)

    def write(self, name: str, version: int, calls: bool) -> Write:
        self.number += 1
        make = handed_over if calls else a_turn
        turn = make(self.number, conversation_id=name, message_id=f"m-{self.number}")
        return Write(turn, version, HandoffOpened(STANDING.reasons, turn.at) if calls else None)

    def turn(self, name: str, message: str) -> StoredTurn:
        self.number += 1
        return a_turn(self.number, conversation_id=name, message_id=message)


TestOutages = Outages.TestCase
TestOutages.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
