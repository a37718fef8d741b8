"""``python -m evaluation.bench.serving``: exit 0 when all were measured or skipped, 1 when one failed, 2 when nothing could run."""

from __future__ import annotations

import sys

from evaluation.bench.serving.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
