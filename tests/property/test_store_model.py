"""A memory in SQLite does whatever the simple one in the process does, in any order of calls."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.store_kit import NOON, STANDING, a_turn, empty_copy
from yingda.domain.conversation import ConversationState
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.memory import Memory, VolatileMemory, Write
from yingda.store.records import Conflict, Duplicate, HandoffOpened, IdUsed, Unknown

NAMES = ("c-1", "c-2")
names, numbers, behind = st.sampled_from(NAMES), st.integers(1, 9), st.sampled_from((0, 0, 0, 1, -1))


class SqlLikeVolatile(RuleBasedStateMachine):
    """Every call is made to both, and both must say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="yingda-test-"))
        self.store = open_store(f"sqlite:///{empty_copy(self.folder)}")
        self.memories: tuple[Memory, Memory] = (VolatileMemory(), SqlMemory(self.store, page=2))

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(name=names, message=st.none() | numbers, turn=numbers, behind=behind, standing=st.booleans(), idle=st.booleans())
    def remember(self, name: str, message: int | None, turn: int, behind: int, standing: bool, idle: bool) -> None:
        state = ConversationState(repeats=turn, standing=STANDING if standing else None)
        wanted = a_turn(turn, conversation_id=name, message_id=message and f"m-{message}", state=state)
        opened = HandoffOpened(STANDING.reasons, wanted.at, {"turn": turn}) if standing else None
        version = self.memories[0].recall(name)[1] - behind
        write = Write(wanted, version, opened, wanted.at - timedelta(seconds=1) if idle else None)
        self.both(lambda memory: _written(memory, write))

    @rule(name=names)
    def release(self, name: str) -> None:
        self.both(lambda memory: memory.release(name, by="小王", at=NOON + timedelta(seconds=5)))

    @rule(after=numbers)
    def forget(self, after: int) -> None:
        self.both(lambda memory: memory.forget_before(NOON + timedelta(seconds=after)))

    @invariant()
    def both_tell_the_same(self) -> None:
        for name in NAMES:
            self.both(partial(_all_of, name))
        self.both(lambda memory: list(memory.turns_since(NOON + timedelta(seconds=3))))

    def both(self, call: Callable[[Memory], object]) -> None:
        first, second = (_said(call, memory) for memory in self.memories)
        assert first == second


def _written(memory: Memory, write: Write) -> None:
    (error,) = memory.remember_all([write])
    if error is not None:
        raise error


def _said(call: Callable[[Memory], object], memory: Memory) -> object:
    try:
        return call(memory)
    except Duplicate as error:
        return error.stored
    except (Conflict, IdUsed, Unknown) as error:
        return type(error)


def _all_of(name: str, memory: Memory) -> object:
    return memory.recall(name), memory.turns(name), memory.handoffs(name)


TestSqlLikeVolatile = SqlLikeVolatile.TestCase
TestSqlLikeVolatile.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
