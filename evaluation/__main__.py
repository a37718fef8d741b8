"""``python -m evaluation`` (exit 0 passed, 1 failed a gate, 2 could not run or could not decide) and its ``compare``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from evaluation import command, compare
from evaluation.speed import open_loop
from yingda.assemble import open_engine


def main(argv: Sequence[str]) -> int:
    """``compare A B`` holds two bundles or two versions of knowledge against each other; anything else examines one bundle."""
    if argv[:1] == ["compare"]:
        return compare.run(argv[1:], opener=open_engine)
    return command.run(argv, opener=open_engine, loop_opener=open_loop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
