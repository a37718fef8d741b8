"""Kill -9 a writer of turns, again and again, and see that nothing it acknowledged is lost and nothing is there by halves.

    python -m tests.harness.kill_turns --url sqlite:////tmp/kill.db --kills 100
    python -m tests.harness.kill_turns --url sqlite:////tmp/kill.db --kills 100 --outages

A child process takes up the conversations where they stand, writes turns (every fifth calls a person, whom the next one
releases) and reports each over a pipe once ``remember`` has returned. The parent kills it at a random moment and starts
another. Which moments is seeded; what the machine does in between is not.

With ``--outages`` the store goes away at some of those moments and comes back at others (SQLite: another process holds its
lock; PostgreSQL: connections are killed and none are taken), the writer goes on with its journal, and what a killed one left
there must be in the store once the next has started. A quarter of the writers is killed before the store is back.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.engine import make_url

from yingda.assemble import Lasting, journal_folder, open_memory
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.errors import StoreError
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Handoff, Reason
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.failures import is_away
from yingda.store.lasting.memory import LastingMemory
from yingda.store.memory import Memory
from yingda.store.migrate import migrate
from yingda.store.records import Conflict, Duplicate, HandoffOpened, Masked, StoredTurn, TurnFacts

CONVERSATIONS = 7
HANDOFF_EVERY = 5
START = datetime(2026, 11, 11, 8, tzinfo=timezone(timedelta(hours=8)))
Outage = Callable[[], AbstractContextManager[None]]
Open = Callable[[], Memory]
STANDING = Handoff(True, (Reason.REQUESTED,), "general", Priority.HIGH)


@dataclass(frozen=True)
class Verdict:
    """What was found after the last kill; ``faults`` is empty when all is well."""

    kills: int
    acknowledged: int
    stored: int
    faults: tuple[str, ...]


def turn_of(conversation: int, number: int) -> StoredTurn:
    """The only turn that may stand in that place (the state is set by the writer)."""
    name = f"{conversation}-{number}"
    digest = sha256(name.encode()).hexdigest()
    facts = TurnFacts("answered", "ORDER_SHIP_TIME", "ORDER", "neutral", customer=f"customer-{conversation}")
    answer = {"outcome": "answered", "reply": {"text": f"第{name}条" * 200}}  # longer than a page of the database
    at = START + timedelta(seconds=number)
    return StoredTurn(f"t-{name}", f"c-{conversation}", f"m-{number}", digest, at, Masked(f"问题{name}"), NEW, answer, facts)


def state_after(number: int) -> ConversationState:
    """The state that turn ``number`` leaves."""
    standing = STANDING if number % HANDOFF_EVERY == HANDOFF_EVERY - 1 else None
    return ConversationState(repeats=number + 1, standing=standing, last_at=START + timedelta(seconds=number))


def write_turns(memory: Memory, seed: int, report: int) -> None:
    """Write turns until killed; a line ``conversation number`` for each that is stored."""
    choose = random.Random(seed)
    names = [f"c-{conversation}" for conversation in range(CONVERSATIONS)]
    done, mine = _taken_up(memory, names), set[tuple[int, int]]()
    while True:
        conversation = choose.randrange(CONVERSATIONS)
        number = done[conversation]
        state, version = memory.recall(f"c-{conversation}")
        if state.standing is not None:
            try:
                memory.release(f"c-{conversation}", by="小王", at=START)
            except StoreError as error:
                if not is_away(error):
                    raise
                os.write(report, b"busy\n")  # who releases waits for the store
                continue
            version += 1
        after = state_after(number)
        opened = HandoffOpened(after.standing.reasons, START, {"turns": number}) if after.standing else None
        # sent again from time to time, as a caller does who had no answer; a new process knows no old answers while the store is away
        again = number - 1 if choose.random() < 0.1 and (conversation, number - 1) in mine else number
        try:
            memory.remember(replace(turn_of(conversation, again), state=after), version=version, handoff=opened)
        except Duplicate:
            pass
        except Conflict:  # what waited was written meanwhile, behind something that was not known here
            os.write(report, b"busy\n")
            continue
        mine.add((conversation, again))
        done[conversation] = max(done[conversation], again + 1)
        os.write(report, f"{conversation} {again}\n".encode())


def _taken_up(memory: Memory, names: Sequence[str]) -> list[int]:
    """Numbers of turns in the conversations, which are known from now on also while the store is away."""
    while True:
        with suppress(StoreError):  # it is there, and may be slow to say so
            memory.recall_all([(name, None) for name in names])
            done = [len(memory.turns(name)) for name in names]
            health = memory.health()
            if health is None or health.down_since is None:
                return done
        time.sleep(0.01)


def kill_writers(url: str, kills: int, seed: int, *, outage: Outage = nullcontext, open_one: Open | None = None) -> set[tuple[int, int]]:
    """Start and kill ``kills`` writers; returns what they acknowledged."""
    choose, acknowledged = random.Random(seed), set[tuple[int, int]]()
    for _ in range(kills):
        with _Writer(open_one or (lambda: SqlMemory(open_store(url))), choose.randrange(2**32)) as writer:
            # one that starts needs the store, so it is there until the first report
            writer.read(choose.randrange(12) + (outage is not nullcontext))
            with ExitStack() as gone:
                gone.enter_context(outage())
                writer.read(0 if outage is nullcontext else choose.randrange(12))
                back = choose.random() < 0.75
                if back:
                    gone.close()
                    writer.read(0 if outage is nullcontext else choose.randrange(12))
                time.sleep(choose.random() * 0.02)
                acknowledged |= writer.kill()
    return acknowledged


class _Writer:
    """A process that writes turns until it is killed."""

    def __init__(self, open_one: Open, seed: int) -> None:
        reading, writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(reading)
                write_turns(open_one(), seed, writing)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)  # reached by an error alone
        os.close(writing)
        self._reports, self._lines = os.fdopen(reading), list[str]()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._reports.close()

    def read(self, count: int) -> None:
        """Wait for so many reports."""
        self._lines += [self._reports.readline() for _ in range(count)]

    def kill(self) -> set[tuple[int, int]]:
        """Kill it; returns all that it acknowledged."""
        os.kill(self._child, signal.SIGKILL)
        _, status = os.waitpid(self._child, 0)
        self._lines += self._reports.readlines()
        if not os.WIFSIGNALED(status):
            raise RuntimeError("a writer ended by itself; see its traceback above")
        whole = [line.split() for line in self._lines if line.endswith("\n") and line != "busy\n"]
        return {(int(conversation), int(number)) for conversation, number in whole}


@contextmanager
def away(url: str) -> Iterator[None]:
    """The store takes nothing meanwhile."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")
        return
    with closing(psycopg.connect(_other_database(url), autocommit=True)) as other:
        name = sql.Identifier(make_url(url).database or "")
        other.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [make_url(url).database])
        try:
            yield
        finally:
            other.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(name))


def lasting(url: str) -> LastingMemory:
    """A memory with a journal, which has little patience with a store that is away."""
    patience_s = 0.05 if url.startswith("sqlite:///") else 2.0  # of the lock; a server that takes no connections says so at once
    memory = open_memory(url, lasting=Lasting(patience_s=patience_s, pace_s=0.01, journal=_journals(url)))
    assert isinstance(memory, LastingMemory)
    return memory


def recover(url: str) -> list[str]:
    """Start a memory once more; what is wrong with what it leaves behind."""
    with closing(lasting(url)) as memory:
        settled = memory.tend()
        health = memory.health()
    left = sorted(path.name for path in journal_folder(url, _journals(url)).iterdir())
    faults = [] if settled and health is not None and health.waiting == health.refused == 0 else [f"not settled: {health}"]
    return faults + [f"left behind: {name}" for name in left]


def _journals(url: str) -> Path | None:
    return None if url.startswith("sqlite:///") else Path(gettempdir())


def _other_database(url: str) -> str:
    """A database of the same server, for its connections are not killed."""
    return make_url(url).set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)


def examine(url: str, acknowledged: set[tuple[int, int]], kills: int) -> Verdict:
    """Compare what is stored with what was acknowledged."""
    faults: list[str] = []
    found: set[tuple[int, int]] = set()
    with closing(open_store(url)) as store:
        memory = SqlMemory(store)
        for conversation in range(CONVERSATIONS):
            numbers, wrong = _examine_conversation(memory, conversation)
            found |= {(conversation, number) for number in numbers}
            faults += wrong
        if store.engine.dialect.name == "sqlite":
            with store.reading() as session:
                said = session.execute(text("PRAGMA integrity_check")).scalar_one()
            faults += [] if said == "ok" else [f"integrity_check: {said}"]
        streamed = sum(1 for _ in memory.turns_since(START))
    faults += [f"lost: turn {lost}" for lost in sorted(acknowledged - found)]
    if len(found - acknowledged) > kills:
        faults.append(f"{len(found - acknowledged)} turns that nobody acknowledged; at most one a kill")
    if streamed != len(found):
        faults.append(f"{streamed} turns in all, {len(found)} in the conversations")
    return Verdict(kills, len(acknowledged), len(found), tuple(faults))


def _examine_conversation(memory: SqlMemory, conversation: int) -> tuple[list[int], list[str]]:
    """Numbers of its turns, and what is wrong with it."""
    name = f"c-{conversation}"
    turns, handoffs, (state, version) = memory.turns(name), memory.handoffs(name), memory.recall(name)
    expected = [replace(turn_of(conversation, number), state=state_after(number)) for number in range(len(turns))]
    faults = [f"{name}: turns out of place"] if turns != expected else []
    standing = [handoff for handoff in handoffs if handoff.released_at is None]
    ends = {NEW} if not turns else {turns[-1].state, replace(turns[-1].state, standing=None, repeats=0)}
    if state not in ends or (state.standing is None) != (not standing):
        faults.append(f"{name}: the state is not that of the last turn")
    if len(handoffs) != len(turns) // HANDOFF_EVERY or len(standing) > 1:
        faults.append(f"{name}: {len(handoffs)} hand-offs for {len(turns)} turns, {len(standing)} standing")
    if version != len(turns) + len(handoffs) - len(standing):
        faults.append(f"{name}: version {version}")
    return list(range(len(turns))), faults


def main(argv: Sequence[str] | None = None) -> int:
    """Run the harness on the store of ``--url``, which should be empty; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="an empty database")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--outages", action="store_true", help="the store goes away and comes back meanwhile")
    given = parser.parse_args(argv)
    url = given.url
    migrate(url)
    if given.outages:
        acknowledged = kill_writers(url, given.kills, given.seed, outage=partial(away, url), open_one=partial(lasting, url))
        faults = recover(url)
    else:
        acknowledged, faults = kill_writers(url, given.kills, given.seed), []
    verdict = examine(url, acknowledged, given.kills)
    verdict = replace(verdict, faults=(*verdict.faults, *faults))
    sys.stdout.write(f"{verdict.kills} kills, {verdict.acknowledged} turns acknowledged, {verdict.stored} stored\n")
    sys.stdout.writelines(f"{fault}\n" for fault in verdict.faults)
    return 1 if verdict.faults or not verdict.acknowledged else 0


if __name__ == "__main__":
    raise SystemExit(main())
