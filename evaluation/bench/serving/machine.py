"""What machine it was: cores and instruction sets, no names."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

_FLAGS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def read_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Cores, the processor's name and those of its instruction sets that matter to products of matrices."""
    try:
        lines = [line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines()]
    except OSError:
        lines = []
    known = {name.strip(): value.strip() for name, _, value in lines}
    present = set(known.get("flags", "").split())
    flags = [flag for flag in _FLAGS if flag in present]
    return {"cores": os.cpu_count(), "processor": known.get("model name", platform.machine()), "flags": flags}
