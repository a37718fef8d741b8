"""``python -m training.audit``: exit 0 done, 2 could not run."""

from __future__ import annotations

import sys

from training.audit.command import run
from training.logs.dataset import read_dataset
from yingda.assemble import open_engine

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], opener=open_engine, reader=read_dataset))
