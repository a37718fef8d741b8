"""``python -m training.logs``: import labelled messages, or show what a dataset holds."""

from __future__ import annotations

import sys

from training.logs.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
