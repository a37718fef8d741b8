"""Counters that follow other counts, bounded labels, and processes that share a folder of counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from serving.metrics import SHARED, Metrics
from serving.readings import Rise
from yingda.domain.identity import ModelIdentity

ROOT = Path(__file__).parents[2]
_WORKER = """
from serving.metrics import Metrics
from yingda.domain.identity import ModelIdentity

metrics = Metrics(ModelIdentity("1", "ab"), queue_depth=lambda: 2)
hits = iter([5, 7, 7])
metrics.watch_count("yingda_cache_hits", "Hits.", lambda: next(hits))
metrics.watch("yingda_store_down", "Down.", lambda: 1.0, of="livemax")
metrics.exposition()
metrics.exposition()
print(metrics.exposition().decode())
"""


def value(counter: Counter) -> float:
    return next(sample.value for family in counter.collect() for sample in family.samples if sample.name.endswith("_total"))


def test_a_counter_rises_by_what_is_new_and_goes_on_when_the_other_begins_anew() -> None:
    counter = Counter("hits", "Hits.", registry=CollectorRegistry())
    rise, seen = Rise(counter), []
    for count in (0, 3, 3, 5, 2, 4):
        rise.to(count)
        seen.append(value(counter))
    assert seen == [0, 3, 3, 5, 7, 9]


def test_codes_of_problems_are_bounded_whatever_they_say() -> None:
    metrics = Metrics(ModelIdentity("1", "ab"), queue_depth=lambda: 0)
    for number in range(1000):
        metrics.count_problem(f"code_{number}")
    rows = [row for row in metrics.exposition().decode().splitlines() if row.startswith("yingda_problems_total{")]
    assert len(rows) == 129
    assert 'yingda_problems_total{code="other"} 872.0' in rows


def test_processes_that_share_a_folder_tell_of_each_and_of_all(tmp_path: Path) -> None:
    environment = {**os.environ, SHARED: str(tmp_path), "PYTHONPATH": str(ROOT)}
    # what a process leaves that was killed just after it made its files
    for name in ("counter_1.db", "gauge_livesum_1.db"):
        (tmp_path / name).touch()
    pids = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", _WORKER], env=environment, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT
        ) as process:
            told, _ = process.communicate(timeout=120)
            pids.append(process.pid)
    rows = dict(row.rsplit(" ", 1) for row in told.splitlines() if row and not row.startswith("#"))
    # both told of their cache; what the first had was not counted again
    assert rows["yingda_cache_hits_total"] == "14.0"
    assert (rows["yingda_queue_messages"], rows["yingda_store_down"]) == ("4.0", "1.0")
    for pid in pids:
        for name in ("resident_memory_bytes", "start_time_seconds", "open_fds"):
            assert float(rows[f'process_{name}{{pid="{pid}"}}']) > 0
    assert float(rows["process_cpu_seconds_total"]) > 0
    assert any(name.startswith("python_gc_collections_total{") for name in rows)
