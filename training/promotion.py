"""Put a candidate in the champion's place: verified first, at once for whoever looks, and with a way back."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.errors import BundleError
from yingda.domain.identity import ModelIdentity

PREVIOUS = "previous"
_FROM_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@dataclass(frozen=True)
class Promotion:
    """Which model serves now, and the folder with the one before it; None where there was none."""

    identity: ModelIdentity
    previous: Path | None


def promote(candidate: Path, champion: Path, *, card: str, evaluation: Mapping[str, Any] | None = None) -> Promotion:
    """Copy the bundle ``candidate`` to ``champion`` with ``card`` as its model card; the old one becomes ``previous`` beside.

    ``evaluation`` is put into its manifest, where `yingda bundle install` looks for the verdict.

    Raises BundleError when the candidate does not verify; then nothing has changed. Killed at any moment, the next
    call ends what was begun.
    """
    wanted = open_bundle(candidate).identity
    incoming, previous = champion.with_name(champion.name + ".incoming"), champion.with_name(PREVIOUS)
    if _identity(champion) == wanted:
        if _identity(incoming) not in (None, wanted):  # killed after the exchange: this is the old champion
            _move(incoming, previous)
        return Promotion(wanted, previous if previous.is_dir() else None)
    shutil.rmtree(incoming, ignore_errors=True)
    shutil.copytree(candidate, incoming)
    _write_card(incoming, card, evaluation or {})
    if open_bundle(incoming).identity != wanted:
        raise BundleError(f"{candidate}: changed while it was copied; run the command again")
    if not champion.exists():
        incoming.rename(champion)
        return Promotion(wanted, None)
    _replace(champion, incoming, previous)
    return Promotion(wanted, previous)


def _replace(champion: Path, incoming: Path, previous: Path) -> None:
    if _exchange(incoming, champion):
        _move(incoming, previous)
        return
    _move(champion, previous)  # a file system that cannot exchange: for a moment nobody serves
    try:
        incoming.rename(champion)
    except OSError:
        previous.rename(champion)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (renameat2 of Linux); False where the system or its file system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(_FROM_HERE, os.fsencode(one), _FROM_HERE, os.fsencode(other), _EXCHANGE) == 0


def _move(folder: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)


def _identity(folder: Path) -> ModelIdentity | None:
    try:
        return open_bundle(folder).identity
    except BundleError:
        return None


def _write_card(folder: Path, card: str, evaluation: Mapping[str, Any]) -> None:
    facts = {name: value for name, value in open_bundle(folder).manifest.items() if name not in ("files", "format")}
    (folder / layout.CARD).write_text(card, "utf-8")
    layout.write_manifest(folder, {**facts, **({"evaluation": dict(evaluation)} if evaluation else {})})
