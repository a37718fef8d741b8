"""The report's folder: written whole, or left as it was."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from yingda.domain.errors import MaterialError

MARK = "audit.json"
"""The file by which a folder is known as an earlier audit, and may be replaced."""


def check_target(target: Path) -> None:
    """Raise MaterialError unless ``target`` is missing, empty, or an earlier audit."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise MaterialError(f"{target} is no folder; name another one with --out")
    if target.is_dir() and any(target.iterdir()) and not (target / MARK).is_file():
        raise MaterialError(f"{target} holds other files; name another folder with --out")
    if not target.name:
        raise MaterialError(f"{target} cannot be replaced; name a folder with --out")


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Write ``files`` (name and content) as the folder ``target``; it is complete from the moment it is there."""
    check_target(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for name, text in files.items():
            (partial / name).write_text(text, "utf-8", newline="")
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
