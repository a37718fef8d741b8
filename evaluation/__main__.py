"""``python -m evaluation`` (exit 0 passed, 1 failed a gate, 2 could not run or could not decide) and its ``compare``."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

_COULD_NOT_RUN = 2
_OWN = frozenset({"evaluation", "yingda"})


def main(argv: Sequence[str], *, load: Callable[[str], Any] = import_module) -> int:
    """``compare A B`` holds two bundles or two versions of knowledge against each other; anything else examines one bundle.

    ``load`` imports a module. What cannot be imported, and any error that nobody foresaw, ends with 2 and one line: 1 would say
    that a gate failed.
    """
    try:
        return _run(argv, load)
    except ImportError as error:
        return _refuse(_missing(error) or _told(error))
    except Exception as error:  # the last resort: an error's own words may quote a customer, so its kind and place must do
        return _refuse(_told(error))


def _run(argv: Sequence[str], load: Callable[[str], Any]) -> int:
    opener = load("yingda.assemble").open_engine
    if argv[:1] == ["compare"]:
        return int(load("evaluation.compare").run(argv[1:], opener=opener))
    return int(load("evaluation.command").run(argv, opener=opener, loop_opener=load("evaluation.speed").open_loop))


def _missing(error: ImportError) -> str | None:
    """What to install, where a library is missing; None where it is a module of our own."""
    package = (error.name or "").partition(".")[0]
    if not package or package in _OWN:
        return None
    return f"{package} cannot be imported; install what evaluation needs with: pip install -e '.[evaluate]'"


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"an error that it does not know, {type(error).__name__}{place}; please report it with this line"


def _refuse(reason: str) -> int:
    sys.stderr.write(f"evaluation could not run: {reason}\n")
    return _COULD_NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
