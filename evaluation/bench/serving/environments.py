"""Virtual environments, one a server: made once, and what they hold counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from evaluation.errors import EvaluationError

_STAMP = ".bench"
_TOOLS = frozenset({"pip", "setuptools", "wheel"})
_COUNT = "import importlib.metadata as m; print('\\n'.join(sorted({d.metadata['Name'] + '==' + d.version for d in m.distributions()})))"
_LAST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Installed:
    """Packages as ``name==version`` without pip and its kin, and MiB of site-packages likewise."""

    packages: Sequence[str]
    mib: float

    def version(self, name: str) -> str | None:
        """Version of the package ``name``."""
        found = (each.partition("==") for each in self.packages)
        return next((version for known, _, version in found if known.lower().replace("_", "-") == name), None)


@dataclass(frozen=True, slots=True)
class Venv:
    """``requirements`` as pip takes them, some of them under ``constraints``; ``base`` makes it, or ``ready`` is taken as it is."""

    name: str
    requirements: Sequence[str]
    constraints: Path | None = None
    base: Path = Path(sys.executable)
    ready: Path | None = None

    def python(self, work: Path) -> Path:
        """Its interpreter."""
        return self.ready or work / "venvs" / self.name / "bin" / "python"

    def prepare(self, work: Path) -> Installed:
        """Make it unless it is there with just these requirements; raises EvaluationError with pip's last line."""
        python = self.python(work)
        if self.ready is None:
            stamp, wanted = python.parents[1] / _STAMP, self._digest()
            if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
                _run([str(self.base), "-m", "venv", str(python.parents[1])])
                given = ["-c", str(self.constraints)] if self.constraints else []
                _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *given, *self.requirements])
                stamp.write_text(wanted, encoding="utf-8")
        return installed(python)

    def _digest(self) -> str:
        pins = self.constraints.read_text(encoding="utf-8") if self.constraints else ""
        return sha256(json.dumps([list(self.requirements), pins, str(self.base)]).encode()).hexdigest()


def installed(python: Path) -> Installed:
    """What the interpreter ``python`` can import that is not its standard library."""
    listed = _run([str(python), "-c", _COUNT]).split()
    packages = [each for each in listed if each.partition("==")[0].lower() not in _TOOLS]
    site = Path(_run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    return Installed(packages, round(_bytes(site) / 2**20, 1))


def _bytes(folder: Path) -> int:
    """Bytes below ``folder`` but those of pip and its kin; caches of byte code are not installed and not counted."""
    tops = [path for path in folder.iterdir() if path.name.partition("-")[0].lower() not in {*_TOOLS, "pkg_resources", "_distutils_hack"}]
    files = (file for top in tops for file in ([top] if top.is_file() else top.rglob("*")))
    return sum(file.stat().st_size for file in files if file.is_file() and "__pycache__" not in file.parts)


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise EvaluationError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("WARNING", "note:", "hint:"))]
        raise EvaluationError(f"{' '.join(command[1:4])} failed: {(lines or ['no message'])[-1][:_LAST_WORDS]}")
    return done.stdout
