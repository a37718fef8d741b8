"""Which code and which libraries produced a report."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("numpy", "onnxruntime", "opencc", "scipy", "tokenizers", "zen-engine")
"""What decides a message, and what counts the outcome."""
_MADE = ("dvc.lock", "models", "reports", "README.md", "README.zh.md")
"""What the pipeline writes itself while it runs."""


@dataclass(frozen=True, slots=True)
class Environment:
    """``commit`` ends in ``-dirty`` when tracked files were changed that the pipeline does not write; None outside a git checkout."""

    commit: str | None
    python: str
    packages: Mapping[str, str | None]


def read_environment() -> Environment:
    """The environment of this process."""
    return Environment(_commit(), platform.python_version(), {name: _version(name) for name in _PACKAGES})


def _commit() -> str | None:
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *(f":(top,exclude){name}" for name in _MADE))
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
