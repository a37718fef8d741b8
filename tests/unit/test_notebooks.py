"""Notebooks are kept as sources: nothing of a run, a person or a machine is in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_MACHINE_PATH = re.compile(r"(?<![\w.~/*-])/(?:work|root|home|Users|tmp)/|[A-Z]:\\")
_IMPORTED = re.compile(r"^\s*(?:from|import) notebooks\b", re.MULTILINE)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_there_are_notebooks_and_the_readme_lists_each() -> None:
    listed = re.findall(r"\(([\w-]+\.ipynb)\)", (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8"))
    assert NOTEBOOKS
    assert listed == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_starts_with_its_title(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook["cells"][0]["cell_type"] == "markdown"
    assert notebook["cells"][0]["source"][0].startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_output_and_no_count(path: Path) -> None:
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_nothing_of_who_ran_it_and_how(path: Path) -> None:
    notebook = read(path)
    assert notebook["metadata"] == METADATA
    assert [cell["metadata"] for cell in notebook["cells"] if cell["metadata"]] == []
    assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{number:02}" for number in range(1, len(notebook["cells"]) + 1)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_names_no_path_of_a_machine(path: Path) -> None:
    assert [cell["id"] for cell in read(path)["cells"] if _MACHINE_PATH.search("".join(cell["source"]))] == []


def test_nothing_imports_a_notebook() -> None:
    sources = [path for folder in ("yingda", "serving", "evaluation", "training", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    assert [path.name for path in sources if _IMPORTED.search(path.read_text(encoding="utf-8"))] == []
