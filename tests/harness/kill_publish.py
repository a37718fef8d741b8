"""A writer that is killed: publishes and imports without pause and says so over a pipe, each time it was acknowledged.

``python -m tests.harness.kill_publish URL`` reads a round's number a line, forks a writer for it, and says ``dead`` when that
writer has ended. The writer's first line is ``pid N``; then one line for each acknowledged write: its keys and knowledge version.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from itertools import count

from tests.knowledge_kit import BOTH, Takes, a_draft, a_sheet, an_entry
from yingda.domain.records import RecordKind
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore

ROWS = 20
"""Records of one import."""


def write(url: str, number: int) -> None:
    """Publish and import in turn, until killed."""
    say(f"pid {os.getpid()}")
    with closing(open_store(url)) as store:
        records = KnowledgeStore(store, judge=Takes())
        for step in count():
            keys = [f"r{number}-i{step}-{row}" for row in range(ROWS)] if step % 2 else [f"r{number}-p{step}"]
            if step % 2:
                report = records.import_rows(RecordKind.FAQ, a_sheet(*map(an_entry, keys)), BOTH)
                version = report.knowledge_version
            else:
                version = records.write(a_draft(keys[0]), BOTH).version.knowledge_version or 0
            say(f"{version} {' '.join(keys)}")


def say(line: str) -> None:
    """One line in one call: a pipe takes it whole or not at all, for it is shorter than PIPE_BUF."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def main() -> None:
    """Fork a writer for each round; this process never opens the database, so that a child inherits nothing of it."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write(sys.argv[1], int(line))
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
