"""``python -m evaluation.peers``: exit 0 when every peer was measured or skipped, 1 when one failed, 2 when nothing could run."""

from __future__ import annotations

import sys

from evaluation.peers.command import run
from yingda.assemble import open_engine

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], opener=open_engine))
