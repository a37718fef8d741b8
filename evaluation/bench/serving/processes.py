"""CPU time and memory of a process and all it started, read from /proc: what the load generator does is not in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """Of /proc/PID/stat (proc(5)): the parent, and seconds of CPU time of the process and of its children that ended."""

    parent: int
    own_s: float
    ended_s: float


def parse_stat(text: str, *, ticks: int = _TICKS) -> Stat:
    """One line of /proc/PID/stat; the name of the program may hold blanks and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    user, system, ended_user, ended_system = (int(value) for value in fields[11:15])
    return Stat(int(fields[1]), (user + system) / ticks, (ended_user + ended_system) / ticks)


def parse_pss(text: str) -> float:
    """MiB of proportional set size in the text of /proc/PID/smaps_rollup; 0 where there is none."""
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")), 0.0)


def tree(root: int) -> list[int]:
    """``root`` and all its living descendants."""
    parents = {pid: stat.parent for pid, stat in _stats()}
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [pid for pid in found if pid in parents]


def cpu_s(root: int) -> float:
    """CPU seconds that ``root`` and its descendants have used, those of children that ended included.

    The scheduler's account of the living threads is exact to nanoseconds, that of /proc/PID/stat to a tick, but with the threads
    that ended: the larger one counts.
    """
    stats = dict(_stats())
    return sum(max(stats[pid].own_s, _scheduled_s(pid)) + stats[pid].ended_s for pid in tree(root) if pid in stats)


def pss_mib(root: int) -> float:
    """MiB of memory of ``root`` and its descendants, shared pages counted once (proportional set size)."""
    return sum(parse_pss(_read(_PROC / str(pid) / "smaps_rollup")) for pid in tree(root))


def cores() -> tuple[frozenset[int], frozenset[int]]:
    """Cores for the server (one) and for the load generator (the rest); the same core for both where there is but one."""
    usable = sorted(os.sched_getaffinity(0))
    return frozenset(usable[:1]), frozenset(usable[1:] or usable)


@contextmanager
def pinned(to: frozenset[int]) -> Iterator[None]:
    """Processes started inside run on the cores ``to``: a child inherits its parent's affinity (sched_setaffinity(2))."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stats() -> Iterator[tuple[int, Stat]]:
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (text := _read(folder / "stat")):
            yield int(folder.name), parse_stat(text)


def _scheduled_s(pid: int) -> float:
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return 0.0
    spent = (_read(thread / "schedstat").split() for thread in threads)
    return sum(int(fields[0]) for fields in spent if fields) / 1e9


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended meanwhile, or this kernel does not tell
        return ""
