"""What ends an evaluation before it can tell is exit code 2 and one line, never a traceback or the 1 of a failed gate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evaluation.__main__ import main

ROOT = Path(__file__).parents[2]
SECRET = "我的电话是13800138000"


def lacking(package: str) -> Any:
    """An importer that finds nothing, for want of ``package``."""

    def load(_: str) -> Any:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    return load


def crashing(error: Exception) -> Any:
    """An importer of modules whose every function raises ``error``."""

    def run(*_: Any, **__: Any) -> int:
        raise error

    return lambda _: SimpleNamespace(open_engine=None, open_loop=None, run=run)


@pytest.mark.parametrize("package", ["scipy", "jinja2", "opencc", "scipy.stats"])
@pytest.mark.parametrize("argv", [[], ["compare", "a", "b"]])
def test_a_missing_library_says_what_to_install(package: str, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, load=lacking(package)) == 2

    said = capsys.readouterr()
    name = package.partition(".")[0]
    assert said.err == (
        f"evaluation could not run: {name} cannot be imported; install what evaluation needs with: pip install -e '.[evaluate]'\n"
    )
    assert said.out == ""


@pytest.mark.parametrize("argv", [[], ["compare", "a", "b"]])
def test_an_error_that_nobody_foresaw_is_its_kind_and_place_alone(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, load=crashing(ValueError(f"bad text {SECRET}"))) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"evaluation could not run: an error that it does not know, ValueError at {Path(__file__).name}:")
    assert SECRET not in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("error", [ImportError("half an import"), ModuleNotFoundError("gone", name="evaluation.gone")])
def test_a_module_of_our_own_is_nothing_to_install(error: ImportError, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], load=crashing(error)) == 2

    said = capsys.readouterr().err
    assert "pip install" not in said
    assert f"{type(error).__name__} at " in said


def test_the_exit_code_of_a_run_is_passed_on() -> None:
    modules = SimpleNamespace(open_engine=None, open_loop=None, run=lambda *_, **__: 1)

    assert main([], load=lambda _: modules) == 1


def test_the_real_command_without_scipy_ends_with_2() -> None:
    program = (
        "import runpy, sys; sys.modules['scipy'] = None; sys.argv = ['evaluation']; runpy.run_module('evaluation', run_name='__main__')"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )

    assert found.returncode == 2
    assert "scipy cannot be imported; install" in found.stderr
    assert "Traceback" not in found.stderr
