"""What serving installs stays small."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
MOST_PACKAGES = 54


def closure(extras: set[str]) -> set[str]:
    """Names of all packages that the base install with ``extras`` brings, itself included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    waiting = [Requirement(line) for line in project["dependencies"]]
    waiting += [Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]]
    found = {"yingda"}
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = (requirement.name.lower().replace("_", "-"), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(key[0])
        for line in metadata.requires(requirement.name) or []:
            inner = Requirement(line)
            environments = [{"extra": extra} for extra in (requirement.extras or {""})]
            if inner.marker is None or any(inner.marker.evaluate(environment) for environment in environments):
                waiting.append(inner)
    return found


def test_serving_installs_few_packages() -> None:
    assert len(closure({"serve"})) <= MOST_PACKAGES


def test_serving_installs_no_training_library() -> None:
    assert not closure({"serve"}) & {"torch", "transformers", "scikit-learn", "scipy", "pandas", "mlflow", "dvc", "onnx"}


def test_constraints_pin_every_package_of_the_service() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {Requirement(line).name.lower().replace("_", "-") for line in lines if line and not line.startswith("#")}
    assert closure({"serve"}) - {"yingda"} <= pinned
