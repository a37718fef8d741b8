"""Every notebook runs from its first cell to its last, by the interpreter of the tests, wherever it lies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KERNEL = "this-interpreter"
LONGEST_CELL_S = 600  # minutes only where other work takes the cores; alone, a whole notebook takes seconds


def execute(notebook: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run ``notebook`` in place with nbclient; kernels, settings and temporary files stay below ``home``.

    A process of its own keeps the event loops and sockets of Jupyter, and what they warn of, out of the tests.
    """
    spec = home / "jupyter" / "kernels" / KERNEL / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}), encoding="utf-8")
    folders = {name: home / name.lower() for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TMPDIR")}
    for folder in folders.values():
        folder.mkdir()
    places = {name: str(folder) for name, folder in folders.items()} | {"JUPYTER_PATH": str(home / "jupyter"), "PYTHONUTF8": "1"}
    command = ["-m", "jupyter", "execute", "--inplace", f"--kernel_name={KERNEL}", f"--timeout={LONGEST_CELL_S}", notebook.name]
    return subprocess.run(
        [sys.executable, *command], cwd=notebook.parent, env=os.environ | places, capture_output=True, text=True, check=False
    )


def outputs(notebook: Path) -> list[Any]:
    """Every output of every cell, in order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_without_error_or_warning_and_draws(notebook: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / notebook.name
    copy.parent.mkdir()
    shutil.copy(notebook, copy)
    done = execute(copy, tmp_path)
    assert done.returncode == 0, done.stderr
    found = outputs(copy)
    written = "".join(line for output in found if output.get("name") == "stderr" for line in output["text"])
    assert "Warning" not in written, written
    assert sum("image/png" in output.get("data", {}) for output in found) >= 2
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_an_error_in_a_cell_fails_the_run(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ipynb"
    cell: dict[str, Any] = {"cell_type": "code", "id": "cell-01", "metadata": {}, "source": "1 / 0", "outputs": [], "execution_count": None}
    broken.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    done = execute(broken, tmp_path)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
