"""Peers that answer as told, on a clock that a test can foresee, and the small shop's test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.material import Suite, gather
from evaluation.peers.lessons import gather_lessons
from evaluation.peers.peer import Lessons, Prediction
from tests.pack_kit import write_pack
from yingda.pack import read_pack

EXAM = """\
{"text": "几时出库", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}
{"text": "我要取消这单", "intent": "CANCEL", "faq": "cancel-how", "sentiment": "neutral"}
{"text": "你会唱歌吗", "intent": "OUT_OF_SCOPE", "faq": null, "sentiment": "neutral"}
"""
RIGHT = {
    "几时出库": Prediction("ship-when", "SHIP", 0.9),
    "我要取消这单": Prediction("cancel-how", "CANCEL", 0.8),
    "你会唱歌吗": Prediction("ship-when", "OUT_OF_SCOPE", 0.1),
}
"""What a peer says that is right about every row of ``EXAM``."""


@dataclass
class FakePeer:
    """Writes into ``diary`` what it is asked for; each message costs it ``cost_s`` on its own clock."""

    name: str = "fake"
    note: str = "as told"
    release: str = "1.0"
    missing: str | None = None
    cost_s: float = 0.002
    fails_at: str | None = None
    error: BaseException = field(default_factory=lambda: ValueError("你会唱歌吗"))
    diary: list[str] = field(default_factory=list)
    spent_s: float = 0.0
    closed: bool = False

    def available(self) -> str | None:
        """As told."""
        return self.missing

    def version(self) -> str:
        """As told."""
        return self.release

    def installed_mb(self) -> float | None:
        """A round figure."""
        return 12.0

    def learns_from(self, lessons: Lessons, /) -> int | None:
        """All rows."""
        return len(lessons.rows)

    def fit(self, lessons: Lessons, folder: Path, /) -> None:
        """Learns nothing."""
        self.diary.append(f"{self.name} learns")
        self._fail("fit")

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """Right about every row of ``EXAM``."""
        self.diary.append(f"{self.name} answers {len(texts)}")
        self._fail("answer" if len(texts) > 1 else "timing")
        self.spent_s += self.cost_s * len(texts)
        return [RIGHT[text] for text in texts]

    def cpu_s(self) -> float:
        """Only answers take time."""
        return self.spent_s

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True

    def _fail(self, place: str) -> None:
        if self.fails_at == place:
            raise self.error


def small_exam(root: Path) -> tuple[Lessons, tuple[Suite, ...]]:
    """What peers of the small shop learn from, and the suites that examine them."""
    folder = write_pack(root, {"utterances/test-1.jsonl": EXAM})
    pack = read_pack(folder)
    return gather_lessons(pack, seed=1), gather(folder, pack, [])
