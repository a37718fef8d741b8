"""What all scenarios share: a folder, cores, messages, and a load generator where one can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation.bench.serving.load import Generator
from evaluation.bench.serving.traffic import Fresh
from tests.harness.chaos.findings import SkippedError
from tests.harness.chaos.site import Site


@dataclass(frozen=True)
class Ground:
    """``kills``, ``mutations`` and ``repeats`` say how much is done; ``generator`` makes the load generator or raises EvaluationError."""

    folder: Path
    server_cores: frozenset[int]
    fresh: Fresh
    generator: Callable[[], Generator]
    say: Callable[[str], None]
    kills: int = 20
    mutations: int = 1000
    repeats: int = 3
    seed: int = 1

    @contextmanager
    def site(
        self, *, store: str = "", settings: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator[Site]:
        """A place for servers in an empty folder, which is gone afterwards."""
        with TemporaryDirectory(dir=self.folder) as folder:
            yield Site(Path(folder), self.server_cores, store, settings or {}, environment or {})

    def load(self) -> Generator:
        """The load generator; raises SkippedError where it cannot be had."""
        from evaluation.errors import EvaluationError

        try:
            return self.generator()
        except EvaluationError:
            raise SkippedError("no load generator: k9-load could not be installed") from None
