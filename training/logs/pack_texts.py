"""The messages the pack trains with already; its evaluation files are not opened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from yingda.domain.errors import MaterialError
from yingda.text.masking import mask
from yingda.text.normalise import normalise

_FOLDER = "utterances"
_MAY_HOLD_DATA = re.compile(r"[\d@]|[零一二三四五六七八九幺]{5}|我叫|名|人|[路街巷道村区栋号]")
"""Most messages hold nothing that could be masked, and masking twenty thousand takes seconds."""


def training_texts(root: Path) -> frozenset[str]:
    """Normalised texts of ``train-*.jsonl``, as they are and masked; raises MaterialError for a file that cannot be read."""
    texts = [text for path in sorted((root / _FOLDER).glob("train-*.jsonl")) for text in _texts(path)]
    masked = [mask(text) for text in texts if _MAY_HOLD_DATA.search(text)]
    return frozenset(map(normalise, {*texts, *masked}))


def _texts(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                if line.strip():
                    yield str(json.loads(line)["text"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MaterialError(f"{path} is no file of messages; correct the pack first (see data/README.md)") from error


def refuse_pack_files(paths: list[Path], root: Path) -> None:
    """Raise MaterialError for a file of the pack itself: its training files are in training, its examinations must not be."""
    for path in paths:
        if path.resolve().is_relative_to(root.resolve()):
            raise MaterialError(f"{path} belongs to the pack; import files from elsewhere")
