"""What keeps an evaluation from running."""

from __future__ import annotations

from yingda.domain.errors import YingdaError


class EvaluationError(YingdaError):
    """Test rows or gates are missing or unusable; the message names the file, the line and the remedy."""
