"""Yingda itself, through the one way that serves, so that its figures are those of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.command import Opener
from evaluation.outcomes import Answerer
from evaluation.peers.peer import Lessons, LocalPeer, Prediction
from yingda.domain.decision import Answer
from yingda.domain.message import Message

NAME = "yingda"


class EnginePeer(LocalPeer):
    """The engine on a bundle. It is not fitted: the bundle was made before, and from more than the pack where its card says so."""

    name = NAME
    note = "the shipped bundle; every answer with policy, sentiment and reply"
    packages: Mapping[str, str] = {"yingda": "yingda"}

    def __init__(self, opener: Opener, *, bundle: Path, pack: Path) -> None:
        self._opener, self._bundle, self._pack = opener, bundle, pack

    def available(self) -> str | None:
        """None; opens the bundle with the knowledge of the pack and raises YingdaError when it cannot."""
        self._engine: Answerer = self._opener(self._bundle, pack=self._pack)
        return None

    def version(self) -> str:
        """Version and hash of the bundle."""
        return f"{self._engine.identity.version} ({self._engine.identity.sha256[:12]})"

    def learns_from(self, _lessons: Lessons, /) -> int | None:
        """None: the bundle was made before."""
        return None

    def fit(self, _material: Lessons, _folder: Path, /) -> None:
        """A bundle is made by training, not here."""

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """Whole answers, of which the best candidate and intent are kept."""
        return [_read(answer) for answer in self._engine.answer_many([Message(text) for text in texts])]


def _read(answer: Answer) -> Prediction:
    best = answer.candidates[0] if answer.candidates else None
    intent = answer.classification.intent.code
    return Prediction(None, intent, 0.0) if best is None else Prediction(best.id, intent, best.confidence)
