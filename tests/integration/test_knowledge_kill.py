"""kill -9 at any moment of a publish or an import: nothing acknowledged is lost, nothing half-visible.

``YINGDA_KILL_ROUNDS=100`` for more than the few rounds of every day.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import IO

import pytest

from tests.harness.kill_publish import ROWS
from tests.knowledge_kit import Takes
from tests.store_kit import BACKENDS, migrated
from yingda.domain.records import Version
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore

ROUNDS = int(os.environ.get("YINGDA_KILL_ROUNDS", "4"))
MOST_TOLD = 6
"""Writes acknowledged before the moment of death is drawn; none is one of the numbers."""
LONGEST_S = 0.1
"""Seconds that a writer lives on after them: a publish or an import of several lasts as long."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_writer_loses_nothing_and_leaves_no_half(backend: str, tmp_path: Path) -> None:
    moments = random.Random(20261122)
    acknowledged: dict[str, int] = {}
    with migrated(backend, tmp_path) as url, _nursery(url) as (orders, said):
        for number in range(ROUNDS):
            acknowledged |= _killed(orders, said, number, moments)
            _check(url, acknowledged)

    assert acknowledged


def _killed(orders: IO[str], said: IO[bytes], number: int, moments: random.Random) -> dict[str, int]:
    """What the writer of this round had acknowledged when it was killed: keys with their knowledge versions."""
    orders.write(f"{number}\n")
    orders.flush()
    pid = int(said.readline().split()[1])
    lines = [said.readline() for _ in range(moments.randint(0, MOST_TOLD))]
    end = monotonic() + moments.uniform(0, LONGEST_S)
    while (left := end - monotonic()) > 0:
        if select.select([said], [], [], left)[0]:
            lines.append(said.readline())
    os.kill(pid, signal.SIGKILL)
    while (line := said.readline()) != b"dead\n":
        lines.append(line)
    told = (line.decode().split() for line in lines)
    return {key: int(version) for version, *keys in told for key in keys}


def _check(url: str, acknowledged: dict[str, int]) -> None:
    with closing(open_store(url)) as store:
        records = KnowledgeStore(store, judge=Takes())
        snapshot = records.snapshot(datetime.now(UTC))
    found = {id_.key: version for id_, version in snapshot.records.items()}
    lost = {key for key, version in acknowledged.items() if key not in found or found[key].knowledge_version != version}
    assert not lost
    assert sorted({version.knowledge_version or 0 for version in found.values()}) == list(range(1, snapshot.version + 1))
    halves = {name: rows for name, rows in _imports(found).items() if len(rows) != ROWS or len(set(rows)) != 1}
    assert not halves


def _imports(found: dict[str, Version]) -> dict[str, list[int | None]]:
    """The knowledge versions of each import's rows."""
    imports: dict[str, list[int | None]] = {}
    for key, version in found.items():
        name, _, row = key.rpartition("-")
        if "-i" in key and row.isdigit():
            imports.setdefault(name, []).append(version.knowledge_version)
    return imports


@contextmanager
def _nursery(url: str) -> Iterator[tuple[IO[str], IO[bytes]]]:
    command = [sys.executable, "-m", "tests.harness.kill_publish", url]
    # unbuffered, so that what select sees waiting is all there is
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=Path(__file__).parents[2]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with open(process.stdin.fileno(), "w", closefd=False) as orders:
            yield orders, process.stdout
        process.stdin.close()
