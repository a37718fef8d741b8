"""One target under atheris: ``python -m tests.fuzz.target NAME …`` with libFuzzer's options; ends when they say so or when it fails.

Atheris (Google, 2020) instruments the bytecode of what a target imports, and libFuzzer (LLVM) keeps the inputs that reach new
code and mutates them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import process_time

TARGETS = ("json_body", "normaliser", "masking", "templates", "rules", "imports", "manifest", "journal", "headers")
CORPUS = Path(__file__).with_name("corpus")
MOST_S = 2.0
"""Processor seconds one input may take."""


class TooSlowError(AssertionError):
    """An input took longer than any input may."""


def check_of(name: str) -> Callable[[bytes], None]:
    """What the target ``name`` does with an input; it raises what must not be."""
    check: Callable[[bytes], None] = import_module(f"tests.fuzz.targets.{name}").check
    return check


def inputs_of(name: str) -> list[bytes]:
    """Inputs that are always tried: seeds, and what once broke something."""
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [*import_module(f"tests.fuzz.targets.{name}").SEEDS, *(path.read_bytes() for path in kept)]


def timed(check: Callable[[bytes], None], clock: Callable[[], float] = process_time) -> Callable[[bytes], None]:
    """``check`` that raises TooSlowError after an input that took more than MOST_S."""

    def check_timed(data: bytes) -> None:
        began = clock()
        check(data)
        if clock() - began > MOST_S:
            raise TooSlowError

    return check_timed


def main(name: str, options: list[str]) -> None:
    """Run libFuzzer on a target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["yingda", "serving"]):
        check = timed(check_of(name))
    atheris.Setup([name, *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
