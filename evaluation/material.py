"""What an engine is examined with: the pack's test files, cases of robustness, and further files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evaluation.conversations.scenario import Scenario, ScenarioFile, read_scenarios
from evaluation.errors import EvaluationError
from evaluation.promised import Promised, read_promised
from evaluation.robustness.cases import CASES, Case, read_cases
from evaluation.rows import Row, TestFile, pack_files, read_extra
from yingda.domain.knowledge import Pack

TEST, MULTILINGUAL = "test", "multilingual"
_MULTILINGUAL_FILE = "multilingual.jsonl"


@dataclass(frozen=True, slots=True)
class Suite:
    """Files examined together; ``public`` tells whether their texts may be quoted."""

    name: str
    files: tuple[TestFile, ...]
    public: bool


@dataclass(frozen=True, slots=True)
class Material:
    """The folder of the bundle under examination, its suites, and cases of robustness with the SHA-256 of their file."""

    bundle: Path
    suites: tuple[Suite, ...]
    cases: tuple[Case, ...]
    cases_digest: Mapping[str, str]
    promised: Promised
    conversations: tuple[ScenarioFile, ...] = ()

    @property
    def files(self) -> tuple[TestFile, ...]:
        """The files of all suites, in order."""
        return tuple(file for suite in self.suites for file in suite.files)

    @property
    def own_files(self) -> tuple[TestFile, ...]:
        """The pack's own files, which may be quoted."""
        return tuple(file for suite in self.suites if suite.public for file in suite.files)

    @property
    def further_files(self) -> tuple[TestFile, ...]:
        """Files that somebody else keeps."""
        return tuple(file for suite in self.suites if not suite.public for file in suite.files)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every conversation, in order."""
        return tuple(scenario for file in self.conversations for scenario in file.scenarios)

    @property
    def digests(self) -> Mapping[str, str]:
        """The SHA-256 of every file, by name."""
        named = {file.name: file.sha256 for file in self.files}
        return named | dict(self.cases_digest) | {file.name: file.sha256 for file in self.conversations}

    @property
    def public_rows(self) -> tuple[Row, ...]:
        """The rows of the pack's own test files, which may be quoted."""
        return tuple(row for suite in self.suites if suite.name == TEST for file in suite.files for row in file.rows)


def read_material(bundle: Path, root: Path, pack: Pack, extra: Sequence[Path]) -> Material:
    """All that the pack at ``root`` and the files ``extra`` hold; raises EvaluationError."""
    suites, path = gather(root, pack, extra), root / CASES
    digest = {path.name: sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}
    cases, scenarios = tuple(read_cases(path, pack.knowledge)), read_scenarios(root, pack.knowledge)
    return Material(bundle, suites, cases, digest, read_promised(bundle), scenarios)


def gather(root: Path, pack: Pack, extra: Sequence[Path]) -> tuple[Suite, ...]:
    """The suites of a pack, then one for each further file; raises EvaluationError."""
    files = pack_files(root, pack)
    own = {
        TEST: tuple(file for file in files if file.name.startswith("test-")),
        MULTILINGUAL: tuple(file for file in files if file.name == _MULTILINGUAL_FILE),
    }
    further = [read_extra(path, pack.knowledge) for path in extra]
    names = [file.name for file in further]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"{name}: named twice under --extra; rename one file or its folder")
    return (
        *(Suite(name, found, public=True) for name, found in own.items() if found),
        *(Suite(file.name, (file,), public=False) for file in further),
    )
