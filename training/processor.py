"""Which processor this is: the model that its maker sells, and nothing that tells one machine from another."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Such as ``Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz``; where Linux does not say, the kind of processor or None."""
    try:
        lines = cpuinfo.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((name for name in named if name), None) or platform.machine() or None
