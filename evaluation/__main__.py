"""``python -m evaluation``: exit 0 passed, 1 failed a gate, 2 could not run or could not decide."""

from __future__ import annotations

import sys

from evaluation.command import run
from yingda.assemble import open_engine

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], opener=open_engine))
