"""docs/logs.md can be followed to the letter."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from training.logs.command import build_parser, run
from training.logs.dataset import read_dataset, read_facts
from training.logs.labels import Reason
from training.logs.mapping import Columns, LogMapping
from yingda.pack import knowledge_files
from yingda.text.masking import KINDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "logs.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
FILES = {"csv": "logs.csv", "tsv": "foreign.tsv", "yaml": "map.yaml", "annotations": "own.tsv", "mapping": "annotated.yaml"}
COMMANDS = [line for language, body in BLOCKS if language == "bash" for line in body.splitlines()]


@pytest.fixture
def follower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the document and the shipped pack, without its messages."""
    for language, body in BLOCKS:
        if language in FILES:
            (tmp_path / FILES[language]).write_text(body, "utf-8")
    pack = tmp_path / "data" / "packs" / "retail"
    pack.mkdir(parents=True)
    for path in knowledge_files(ROOT / "data" / "packs" / "retail"):
        (pack / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_works_and_takes_every_row(follower: Path) -> None:
    for command in COMMANDS:
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "training.logs"]
        assert (run(words[3:]), command) == (0, command)

    made = {path.name: len(read_dataset(path)) for path in (follower / "data" / "logs").iterdir()}
    assert made == {"shop": 3, "foreign": 3, "annotated": 2}
    assert "〔手机号〕" in read_dataset(follower / "data" / "logs" / "shop")[0].text


def test_the_python_example_works(follower: Path) -> None:
    run(shlex.split(COMMANDS[0])[3:])
    names: dict[str, object] = {}

    exec(next(body for language, body in BLOCKS if language == "python"), names)

    assert len(names["rows"]) == len(names["table"]) == 3  # type: ignore[arg-type]
    assert read_facts(follower / "data" / "logs" / "shop")["pack"]["name"] == "retail"


def test_everything_is_documented() -> None:
    options = {option for option in vars(build_parser().parse_args(["import", "f", "--out", "o"])) if option not in ("command", "files")}
    names = [f"`{reason}`" for reason in Reason] + [f"〔{kind}〕" for kind in KINDS] + [f"`{key}`" for key in LogMapping.model_fields]

    assert [name for name in names if name not in TEXT] == []
    assert [option for option in options if f"--{option.replace('_', '-')}" not in TEXT] == []
    assert [part for part in Columns.model_fields if f"| {part} |" not in TEXT] == []
