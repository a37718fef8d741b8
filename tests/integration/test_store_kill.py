"""kill -9 in the middle of a turn loses nothing that was acknowledged (``--kills 100`` by hand: tests/harness/kill_turns.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.kill_turns import CONVERSATIONS, examine, state_after, turn_of
from tests.store_kit import BACKENDS, database, opened
from yingda.store.conversations import SqlMemory
from yingda.store.records import HandoffOpened

ROOT = Path(__file__).parents[2]
KILLS = os.environ.get("YINGDA_TEST_KILLS", "5")


@pytest.mark.parametrize("options", [(), ("--outages",)], ids=["store there", "store coming and going"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_writers_lose_no_acknowledged_turn(backend: str, options: tuple[str, ...], tmp_path: Path) -> None:
    with database(backend, tmp_path) as url:
        # in a process of its own: it forks, which one with threads must not
        command = [sys.executable, "-m", "tests.harness.kill_turns", "--url", url, "--kills", KILLS, "--seed", "7", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{KILLS} kills, ")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_harness_sees_what_is_lost_or_halved(backend: str, tmp_path: Path) -> None:
    with opened(backend, tmp_path) as store:
        memory, url = SqlMemory(store), store.engine.url.render_as_string(hide_password=False)
        memory.remember(turn_of(0, 0), version=0, handoff=HandoffOpened((), turn_of(0, 0).at))
        verdict = examine(url, {(0, 0), (CONVERSATIONS - 1, 3)}, kills=1)

    assert turn_of(0, 0).state != state_after(0)
    assert set(verdict.faults) == {
        "c-0: turns out of place",
        "c-0: the state is not that of the last turn",
        "c-0: 1 hand-offs for 1 turns, 1 standing",
        f"lost: turn ({CONVERSATIONS - 1}, 3)",
    }
