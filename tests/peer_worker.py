"""A worker of the peers that needs no library: it knows two words, and breaks on demand."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.peers.workers.protocol import Answer, Answering, Worker, main


def fit(lessons: Mapping[str, Any], folder: Path) -> None:
    """Leave a mark for each time."""
    if lessons["settings"]["behaviour"] == "break learning":
        raise ValueError("今天下雨")
    with (folder / "fits.txt").open("a") as file:
        file.write("x")


def load(lessons: Mapping[str, Any], folder: Path) -> Answering:
    """Answers by one word."""
    print("what libraries print must not disturb the protocol")  # noqa: T201

    def answering(texts: Sequence[str]) -> list[Answer]:
        if lessons["settings"]["behaviour"] == "break answering":
            raise ValueError(texts[0])
        if lessons["settings"]["behaviour"] == "leave":
            os._exit(3)
        return [("ship-when", "SHIP", 0.5) if "发货" in text else (None, "CANCEL", 0.5) for text in texts]

    return answering


if __name__ == "__main__":
    sys.exit(main(Worker(("numpy",), fit, load), sys.argv[1:]))
