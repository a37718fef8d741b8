"""How much disk a package and all it needs take. Standard library alone: workers run this under another Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MEGABYTE = 1e6


def installed_mb(packages: Sequence[str]) -> float | None:
    """Megabytes of the files of ``packages`` and of all that they require and is installed; None when one is missing.

    Requirements of extras are left out; those for other platforms are not installed, so they count nothing.
    """
    try:
        found = {_key(name): distribution(name) for name in packages}
    except PackageNotFoundError:
        return None
    waiting = list(found.values())
    while waiting:
        for name in _required(waiting.pop()):
            if _key(name) not in found and (needed := _find(name)) is not None:
                found[_key(name)] = needed
                waiting.append(needed)
    return round(sum(_bytes(one) for one in found.values()) / _MEGABYTE, 1)


def _required(owner: Distribution) -> list[str]:
    lines = [line for line in owner.requires or [] if "extra ==" not in line.replace("extra==", "extra ==")]
    return [match.group() for line in lines if (match := _NAME.match(line))]


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bytes(owner: Distribution) -> int:
    paths = (owner.locate_file(file) for file in owner.files or [])
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined]
