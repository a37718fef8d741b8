"""Kill -9 a writer of turns, again and again, and see that nothing it acknowledged is lost and nothing is there by halves.

    python -m tests.harness.kill_turns --url sqlite:////tmp/kill.db --kills 100

A child process takes up the conversations where they stand, writes turns (every fifth calls a person, whom the next one
releases) and reports each over a pipe once ``remember`` has returned. The parent kills it at a random moment and starts
another. Which moments is seeded; what the machine does in between is not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256

from sqlalchemy import text

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Handoff, Reason
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.migrate import migrate
from yingda.store.records import Duplicate, HandoffOpened, Masked, StoredTurn, TurnFacts

CONVERSATIONS = 7
HANDOFF_EVERY = 5
START = datetime(2026, 11, 11, 8, tzinfo=timezone(timedelta(hours=8)))
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


def write_turns(url: str, seed: int, report: int) -> None:
    """Write turns until killed; a line ``conversation number`` for each that is stored."""
    memory, choose = SqlMemory(open_store(url)), random.Random(seed)
    done = [len(memory.turns(f"c-{conversation}")) for conversation in range(CONVERSATIONS)]
    while True:
        conversation = choose.randrange(CONVERSATIONS)
        number = done[conversation]
        state, version = memory.recall(f"c-{conversation}")
        if state.standing is not None:
            memory.release(f"c-{conversation}", by="小王", at=START)
            version += 1
        after = state_after(number)
        opened = HandoffOpened(after.standing.reasons, START, {"turns": number}) if after.standing else None
        # sent again from time to time, as a caller does who had no answer
        again = max(number - 1, 0) if choose.random() < 0.1 else number
        with suppress(Duplicate):
            memory.remember(replace(turn_of(conversation, again), state=after), version=version, handoff=opened)
        done[conversation] = max(done[conversation], again + 1)
        os.write(report, f"{conversation} {again}\n".encode())


def kill_writers(url: str, kills: int, seed: int) -> set[tuple[int, int]]:
    """Start and kill ``kills`` writers; returns what they acknowledged."""
    choose, acknowledged = random.Random(seed), set[tuple[int, int]]()
    for _ in range(kills):
        acknowledged |= _kill_one(url, choose.randrange(2**32), after=choose.randrange(12), pause_s=choose.random() * 0.02)
    return acknowledged


def _kill_one(url: str, seed: int, *, after: int, pause_s: float) -> set[tuple[int, int]]:
    """One writer, killed ``pause_s`` after its ``after``-th report."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            write_turns(url, seed, writing)
        finally:
            os._exit(1)  # reached by an error alone
    os.close(writing)
    with os.fdopen(reading) as reports:
        lines = [reports.readline() for _ in range(after)]
        time.sleep(pause_s)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        lines += reports.readlines()
    if not os.WIFSIGNALED(status):
        raise RuntimeError("a writer ended by itself; see its traceback above")
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {(int(conversation), int(number)) for conversation, number in whole}


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
    given = parser.parse_args(argv)
    migrate(given.url)
    verdict = examine(given.url, kill_writers(given.url, given.kills, given.seed), given.kills)
    sys.stdout.write(f"{verdict.kills} kills, {verdict.acknowledged} turns acknowledged, {verdict.stored} stored\n")
    sys.stdout.writelines(f"{fault}\n" for fault in verdict.faults)
    return 1 if verdict.faults or not verdict.acknowledged else 0


if __name__ == "__main__":
    raise SystemExit(main())
