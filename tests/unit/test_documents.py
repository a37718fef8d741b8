"""Documents name only what exists: commands, options, settings, files and codes."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from evaluation.command import _parse as parse_evaluation
from evaluation.compare import _parse as parse_comparison
from evaluation.gates import EXAMINATIONS
from evaluation.suites import METRICS
from serving.command import _parser as serving_parser
from serving.errors import _CODES
from serving.settings import PREFIX, Settings
from training.retrain import VARIABLE as PARAMS_VARIABLE
from yingda.cli.main import build_parser
from yingda.domain.records import KnowledgeError
from yingda.store.failures import AWAY
from yingda.store.migrate import revisions

ROOT = Path(__file__).parents[2]
README, README_ZH = ROOT / "README.md", ROOT / "README.zh.md"
BESIDE = [ROOT / folder / "README.md" for folder in ("data", "data/labels", "deploy", "notebooks", "models/studies")]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *BESIDE])
OWN = ("evaluation", "serving", "training", "yingda")
VOCABULARIES = frozenset({"tokenizer.json", "linear.json"})
"""Files of a bundle that list pieces of text, which may look like anything."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:\w+=\S* )*((?:make|python -m|yingda) .*)")
_SHELL = frozenset("<>|&;#")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MACHINE_PATH = re.compile(r"(?<![\w.~/*-])/(?:work|root|home)(?=/|\b)(?!-)")
_REGISTRY = re.compile(
    r"(?:pypi|crates)\.(?:org|io)|pythonhosted\.org|npmjs\.(?:org|com)|huggingface\.co|proxy\.golang\.org|--(?:extra-)?index-url"
)


@dataclass(frozen=True)
class Documented:
    """A command found in a document; ``whole`` when it stands in a block, to be typed as it is."""

    document: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.document}: {' '.join(self.words)}"


def documented_commands() -> Iterator[Documented]:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        blocks = [(line, True) for _, body in _FENCE.findall(text) for line in body.splitlines()]
        spans = [(span, False) for span in _INLINE.findall(_FENCE.sub("", text))]
        for code, whole in blocks + spans:
            if found := _COMMAND.fullmatch(code):
                yield Documented(str(document.relative_to(ROOT)), _words(found.group(1)), whole)


def _words(line: str) -> tuple[str, ...]:
    words = shlex.split(line)
    end = next((place for place, word in enumerate(words) if word in _SHELL), len(words))
    return tuple(words[:end])


COMMANDS = sorted(set(documented_commands()), key=str)
MODULES = [command for command in COMMANDS if command.words[:2] == ("python", "-m")]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def settings_of_cli() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "yingda" / "cli").glob("*.py")]
    return set(re.findall(rf"{PREFIX}[A-Z_]+", "\n".join(sources)))


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found.update(action.choices)
    return found


def settings_of_server() -> dict[str, str]:
    """Variable and default as the documents write it; nothing for a setting without one."""
    fields = Settings.model_fields.items()
    return {f"{PREFIX}{name.upper()}": "" if field.default is None else f"`{field.default}`" for name, field in fields}


def options_in_source(module: str) -> set[str]:
    """Options of an own module, read without importing it: some need torch."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    origin = Path(spec.origin)
    files = origin.parent.glob("*.py") if origin.name == "__init__.py" else [origin]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--")}


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_both_readmes_are_short() -> None:
    for readme in (README, README_ZH):
        assert len(readme.read_text(encoding="utf-8").splitlines()) <= 150


def test_both_readmes_hold_the_same_code_blocks() -> None:
    english, chinese = (_FENCE.findall(readme.read_text(encoding="utf-8")) for readme in (README, README_ZH))
    assert len(english) >= 5
    assert english == chinese


def test_both_readmes_have_a_place_for_the_figures() -> None:
    for readme in (README, README_ZH):
        text = readme.read_text(encoding="utf-8")
        assert (text.count("<!-- figures:start -->"), text.count("<!-- figures:end -->")) == (1, 1)
        assert text.index("<!-- figures:start -->") < text.index("<!-- figures:end -->")


def test_documented_make_targets_exist() -> None:
    named = {command.words[1] for command in COMMANDS if command.words[0] == "make"}
    assert {"serve", "test"} <= named
    assert named <= makefile_targets()


def test_make_help_lists_at_most_sixteen_targets() -> None:
    assert 0 < len(makefile_targets()) <= 16


@pytest.mark.parametrize("command", MODULES, ids=str)
def test_documented_modules_can_be_run(command: Documented) -> None:
    module = command.words[2]
    spec = find_spec(module)
    assert spec is not None, f"there is no module {module}"
    assert spec.submodule_search_locations is None or find_spec(f"{module}.__main__") is not None


@pytest.mark.parametrize("command", [c for c in MODULES if c.words[2].split(".")[0] in OWN], ids=str)
def test_documented_options_of_modules_exist(command: Documented) -> None:
    named = {word.partition("=")[0] for word in command.words[3:] if word.startswith("--")}
    assert named <= {*options_in_source(command.words[2]), "--help"}


@pytest.mark.parametrize("command", [c for c in MODULES if c.whole and c.words[2] == "serving"], ids=str)
def test_documented_commands_of_the_service_parse(command: Documented) -> None:
    assert isinstance(serving_parser().parse_args(command.words[3:]), argparse.Namespace)


@pytest.mark.parametrize("command", [c for c in MODULES if c.whole and c.words[2] == "evaluation"], ids=str)
def test_documented_commands_of_the_evaluation_parse(command: Documented) -> None:
    words = command.words[3:]
    parsed = parse_comparison(words[1:]) if words[:1] == ("compare",) else parse_evaluation(words)
    assert isinstance(parsed, argparse.Namespace)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] == "yingda"], ids=str)
def test_documented_yingda_commands_parse(command: Documented) -> None:
    current, words = build_parser(), list(command.words[1:])
    while inner := subcommands(current):
        assert words and words[0] in inner, f"there is no subcommand in: {command}"
        current = inner[words.pop(0)]
    known = {option for action in current._actions for option in action.option_strings}
    assert {word for word in words if word.startswith("--")} <= known
    if command.whole:
        assert isinstance(current.parse_args(words), argparse.Namespace)


def test_documented_variables_are_settings() -> None:
    known = {*settings_of_server(), *settings_of_cli(), PARAMS_VARIABLE, "YINGDA_TEST_POSTGRES_URL"}
    for document in DOCUMENTS:
        assert set(re.findall(rf"{PREFIX}[A-Z_]+", document.read_text(encoding="utf-8"))) <= known, document.name


def documented_settings(document: Path) -> dict[str, str]:
    """Settings of a document's table with their defaults, empty where there is none."""
    rows = re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \| ([^|]+) \|", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: default if default.startswith("`") else "" for name, default in rows}


def test_every_setting_is_documented_with_its_default() -> None:
    assert documented_settings(ROOT / "docs" / "operations.md") == settings_of_server()


@pytest.mark.parametrize("document", [README, README_ZH], ids=lambda path: path.name)
def test_the_first_settings_are_shown_with_their_defaults(document: Path) -> None:
    shown = documented_settings(document)
    assert {f"{PREFIX}HOST", f"{PREFIX}PORT", f"{PREFIX}BUNDLE", f"{PREFIX}STORE", f"{PREFIX}KEYS_FILE"} <= shown.keys()
    assert shown.items() <= settings_of_server().items()


def test_variables_of_the_command_line_are_settings_of_the_server() -> None:
    assert set() < settings_of_cli() <= set(settings_of_server())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_resolve(document: Path) -> None:
    targets = _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8")))
    local = [target.partition("#")[0] for target in targets if not target.startswith(("https://", "http://", "mailto:"))]
    assert [target for target in local if target and not (document.parent / target).exists()] == []


def kinds_of(error: type[KnowledgeError]) -> Iterator[type[KnowledgeError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds_of(kind)


def test_every_error_code_of_the_service_is_documented() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "serving").glob("*.py"))
    codes = {*re.findall(r'ProblemError\(\d{3}, "([a-z_]+)"', sources), *(code for code, _ in _CODES.values())}
    codes |= {kind.code for kind in kinds_of(KnowledgeError)}
    text = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    assert len(codes) > 10
    assert [code for code in sorted(codes) if f"`{code}`" not in text] == []


def test_every_reason_why_a_store_is_away_is_documented() -> None:
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    assert [code for code in sorted(AWAY) if f"`{code}`" not in text] == []


def test_the_migrations_shown_are_those_there_are() -> None:
    text = (ROOT / "docs" / "store.md").read_text(encoding="utf-8")
    assert f"# {revisions()}: what was applied" in text
    assert f'`revision = "{len(revisions()) + 1:04}"`, `down_revision = "{revisions()[-1]}"`' in text


def test_every_event_of_the_log_is_documented() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "serving").glob("*.py"))
    events = set(re.findall(r'log\.(?:debug|info|warning|error)\(\s*"([a-z_]+)"', sources))
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    assert len(events) > 15
    assert [event for event in sorted(events) if f"| `{event}` |" not in text] == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text(encoding="utf-8"))}
    pages = {page for page in (ROOT / "docs").glob("**/*.md") if page != index}
    assert pages | {README, README_ZH, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"} <= listed


def test_both_readmes_lead_to_the_same_pages() -> None:
    english, chinese = (_LINK.findall(readme.read_text(encoding="utf-8")) for readme in (README, README_ZH))
    assert {*english} - {README_ZH.name} == {*chinese} - {README.name}
    assert "docs/README.md" in english


def test_changes_are_kept_in_the_usual_form() -> None:
    """https://keepachangelog.com/en/1.1.0/"""
    headings = re.findall(r"^(#+) (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[:2] == [("#", "Changelog"), ("##", "[Unreleased]")]
    kinds = [name for level, name in headings if level == "###"]
    assert {*kinds} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert len(kinds) == len({*kinds})  # one release so far


def test_settings_named_beside_dashboards_and_alerts_exist() -> None:
    files = [path for path in (ROOT / "deploy").glob("**/*") if path.is_file()]
    named = {name for path in files for name in re.findall(rf"{PREFIX}[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert f"{PREFIX}MAX_WAIT_MS" in named
    assert named <= settings_of_server().keys()


def test_every_metric_and_gate_is_documented() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in text] == []
    shown = next(body for language, body in _FENCE.findall(text) if language == "yaml")
    gates = yaml.safe_load((ROOT / "evaluation" / "gates.yaml").read_text(encoding="utf-8"))["gates"]
    assert [gate for gate in yaml.safe_load(shown)["gates"] if gate not in gates] == []
    assert [name for metrics in EXAMINATIONS.values() for name in metrics if f"`{name}`" not in text] == []


def test_every_stage_of_the_pipeline_is_documented() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    table = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("## Stages")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == list(stages)


def test_no_tracked_text_names_a_machine_path_or_a_registry() -> None:
    found = []
    for path in tracked_files():
        if path.name in VOCABULARIES or b"\0" in (data := path.read_bytes())[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
            if _MACHINE_PATH.search(line) or _REGISTRY.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []
