"""Bundles that tests alter: re-sealed under another version, or linked to as a release is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from yingda.bundle import SEAL, open_bundle, write_manifest


def restamped(source: Path, target: Path, version: str) -> Path:
    """A valid copy of a bundle under another version; files are shared with ``source`` by hard links, so do not write to them."""
    shutil.copytree(source, target, copy_function=_link)
    manifest = open_bundle(target).manifest
    facts = {name: value for name, value in manifest.items() if name not in ("files", "format", SEAL)}
    write_manifest(target, {**facts, "version": version})  # replaces the file, and so leaves that of ``source`` alone
    return target


def switch(link: Path, target: Path) -> None:
    """Let ``link`` lead to ``target`` in one step, as `yingda bundle install` does."""
    beside = link.with_name(f".{link.name}.new")
    beside.symlink_to(target)
    beside.replace(link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target
