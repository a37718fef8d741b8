"""Which code and which libraries produced a report."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("numpy", "onnxruntime", "tokenizers")


@dataclass(frozen=True, slots=True)
class Environment:
    """``commit`` ends in ``-dirty`` when tracked files were changed; None outside a git checkout."""

    commit: str | None
    python: str
    packages: Mapping[str, str | None]


def read_environment() -> Environment:
    """The environment of this process."""
    return Environment(_commit(), platform.python_version(), {name: _version(name) for name in _PACKAGES})


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
