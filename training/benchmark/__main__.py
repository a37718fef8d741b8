"""``python -m training.benchmark DATA``: exit 0 done, 2 could not run, 130 interrupted."""

from __future__ import annotations

import sys

from training.benchmark.run import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
