"""What was measured is kept, a file a server and repeat, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evaluation.report import write_whole


@dataclass(frozen=True, slots=True)
class Kept:
    """Figures below ``folder``; ``basis`` is all that they depend on: with another one nothing kept is taken up."""

    folder: Path
    basis: Mapping[str, Any]

    def read(self, name: str, repeat: int, about: str) -> dict[str, Any] | None:
        """The figures of ``name`` in ``repeat``, measured as ``about`` says; None where there are none."""
        try:
            found = json.loads(self._path(name, repeat).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # nothing kept, or nothing readable: it is measured again
        if not isinstance(found, dict) or found.get("key") != self._key(about):
            return None
        figures: dict[str, Any] = found["figures"]
        return figures

    def write(self, name: str, repeat: int, about: str, figures: Mapping[str, Any]) -> None:
        """Keep ``figures``."""
        text = json.dumps({"key": self._key(about), "figures": figures}) + "\n"
        write_whole(self.folder, {self._path(name, repeat).name: text})

    def _path(self, name: str, repeat: int) -> Path:
        return self.folder / f"{name}-{repeat}.json"

    def _key(self, about: str) -> str:
        return sha256(json.dumps([dict(self.basis), about], sort_keys=True, default=str).encode()).hexdigest()
