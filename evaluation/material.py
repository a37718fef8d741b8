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
from yingda.text.normalise import normalise

TEST, MULTILINGUAL = "test", "multilingual"
_MULTILINGUAL_FILE = "multilingual.jsonl"


@dataclass(frozen=True, slots=True)
class Suite:
    """Files examined together; ``public`` tells whether their texts may be quoted."""

    name: str
    files: tuple[TestFile, ...]
    public: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A text that is asked without being a labelled row, and where it stands."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Lines:
    """The texts of one file."""

    name: str
    rows: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """The folder of the bundle under examination, its suites, and cases of robustness with the SHA-256 of their file.

    ``taught`` are the training messages of the pack and the wordings of its entries.
    """

    bundle: Path
    suites: tuple[Suite, ...]
    cases: tuple[Case, ...]
    cases_digest: Mapping[str, str]
    promised: Promised
    conversations: tuple[ScenarioFile, ...] = ()
    taught: tuple[str, ...] = ()

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
    def lines(self) -> tuple[Lines, ...]:
        """The examined message of each written case, and each turn of the conversations once, however often it is said.

        The first message of a pair is left out: it is plain on purpose, and shows nothing but what the second changes.
        """
        cases = Lines(CASES, tuple(Line(case.text, f"{CASES}: {case.id}") for case in self.cases))
        turns = dict[str, tuple[str, Line]]()
        for file in self.conversations:
            for scenario in file.scenarios:
                for number, turn in enumerate(scenario.turns, start=1):
                    line = Line(turn.text, f"{file.name}: {scenario.id} · {number}")
                    turns.setdefault(normalise(turn.text), (file.name, line))
        talks = [Lines(file.name, tuple(line for name, line in turns.values() if name == file.name)) for file in self.conversations]
        return tuple(found for found in (cases, *talks) if found.rows)

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
    return Material(bundle, suites, cases, digest, read_promised(bundle), scenarios, _taught(pack))


def _taught(pack: Pack) -> tuple[str, ...]:
    messages = (row.text for rows in pack.training.values() for row in rows)
    return (*messages, *(text for entry in pack.knowledge.faq.values() for text in entry.texts()))


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
