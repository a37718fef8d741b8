"""What a run in MLflow says about a bundle: parameters, metrics, tags and a report without texts. Pure functions."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yingda.bundle import MANIFEST, Bundle
from yingda.domain.errors import MaterialError

_WORDS = frozenset({"suite", "metric", "verdict", "by", "value", "commit", "python", "version", "sha256", "digest"})
"""Keys of a report that hold a name; text under any other key might be a customer's."""

_PROSE = "detail"
"""The key of a report under which its program writes sentences: how a gate went."""

_NAMED_BY_FILE = frozenset({"suites", "files", "packages", "latency_ms", "calibration"})
"""Parts of a report whose keys name files or packages, so that they may hold any character."""

_NAME = re.compile(r"[A-Za-z0-9_.:@%+/-]{1,80}")
_LENGTH = re.compile(r"\d+(-\d+)? characters( and more)?")
_CODE = re.compile(r"[0-9a-f]{40,64}|\d+(?:\.\w+)+")
_MEASURES = "measures"


@dataclass(frozen=True)
class Point:
    """One value of a metric at an epoch; 0 for what is measured once."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True)
class History:
    """Epochs of one training: ``label`` sets its metrics apart where there are several, and is empty otherwise."""

    label: str
    epochs: tuple[Mapping[str, Any], ...]

    def steps(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Number of each epoch with its figures."""
        for place, epoch in enumerate(self.epochs, 1):
            figures = dict(_numbers({name: value for name, value in epoch.items() if name != "epoch"}))
            yield int(epoch.get("epoch", place)), figures


def section(tree: Any, *names: str) -> Mapping[str, Any]:
    """The mapping that ``names`` lead to, or an empty one."""
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def is_name(word: object) -> bool:
    """True for what a program would call something; false for what a customer writes in most cases: blanks, Chinese."""
    return isinstance(word, str) and (_NAME.fullmatch(word) or _LENGTH.fullmatch(word)) is not None


def parameters(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as ``section.name``; what is not text is written as JSON."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= parameters(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return flat


def bundle_parameters(bundle: Bundle) -> dict[str, str]:
    """The params.yaml that made ``bundle``, flattened; raises MaterialError when its manifest does not state them."""
    params = section(bundle.manifest, "training", "params")
    if not params:
        raise MaterialError(f"{bundle.path(MANIFEST)}: states no training parameters; rebuild the bundle with `dvc repro`")
    return parameters(params)


def read_histories(manifest: Mapping[str, Any], files: Sequence[Path]) -> tuple[History, ...]:
    """The epochs in ``files``, each labelled by its folder when there are several; without files, those of the manifest."""
    if not files:
        return (_history("", manifest.get("training"), "the manifest"),)
    labels = [path.resolve().parent.name if len(files) > 1 else "" for path in files]
    if len(set(labels)) < len(labels):
        raise MaterialError(f"--training: two files lie in folders of the same name ({', '.join(labels)}); rename one folder")
    return tuple(_history(label, read_json(path, "dvc repro train"), str(path)) for label, path in zip(labels, files, strict=True))


def training_points(histories: Sequence[History]) -> Iterator[Point]:
    """Each figure of each epoch, the epoch as its step."""
    for history in histories:
        prefix = f"training/{_part(history.label)}" if history.label else "training"
        for step, figures in history.steps():
            yield from (Point(f"{prefix}/{name}", value, step) for name, value in figures.items())


def bundle_points(manifest: Mapping[str, Any]) -> Iterator[Point]:
    """Thresholds, what calibration promised, and what exporting changed."""
    sections = {name: section(manifest, name) for name in ("thresholds", "promise")}
    sections["export"] = section(manifest, "encoder", "export")
    yield from (Point(name, value) for name, value in _numbers(sections))


def report_points(report: Mapping[str, Any]) -> Iterator[Point]:
    """``suite/metric``, ``suite/style/plain/metric`` and the like for every number of the report; lists of rows are no numbers."""
    latency = section(report, "run", "latency_ms")
    for suite, found in report["suites"].items():
        named = {name: value for name, value in found.items() if name != _MEASURES}
        tree = {**named, **section(found, _MEASURES), "latency_ms": section(latency, suite)}
        yield from (Point(f"{_part(suite)}/{name}", value) for name, value in _numbers(tree))


def without_texts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with its numbers and with words that a program wrote; lists of messages are left out whole."""
    kept: dict[str, Any] = _safe(report)
    return kept


def read_report(folder: Path, bundle: Bundle) -> dict[str, Any]:
    """The evaluation report in ``folder``; raises MaterialError when it is missing, unreadable or about another bundle."""
    path = folder / "evaluation.json"
    report: dict[str, Any] = read_json(path, "dvc repro evaluate")
    suites = section(report, "suites")
    if not suites or not all(isinstance(found, dict) for found in suites.values()):
        raise MaterialError(f"{path} is no evaluation report; run `dvc repro evaluate`")
    if section(report, "bundle").get("sha256") != bundle.identity.sha256:
        raise MaterialError(f"{path} is about another bundle than {bundle.root}; run `python -m evaluation --bundle {bundle.root}`")
    return report


def read_json(path: Path, command: str) -> Any:
    """Parsed content of ``path``; ``command`` is what makes the file anew."""
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MaterialError(f"{path} is missing or cannot be read; run `{command}`") from error
    except (ValueError, RecursionError) as error:
        raise MaterialError(f"{path} is not readable as JSON; run `{command}`") from error


def _history(label: str, training: Any, source: str) -> History:
    epochs = training.get("history") if isinstance(training, dict) else None
    if not isinstance(epochs, list) or not all(isinstance(epoch, dict) for epoch in epochs):
        raise MaterialError(f"{source} holds no training history; name the training.json of a finished `dvc repro train`")
    return History(label, tuple(epochs))


def _numbers(tree: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every finite number by its path; a ``value`` takes the name of what it measures."""
    if isinstance(tree, bool):
        return
    if isinstance(tree, int | float):
        if math.isfinite(tree):
            yield name, float(tree)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            if is_name(key):
                yield from _numbers(value, name if key == "value" and name else _under(name, _part(key)))
    elif isinstance(tree, list):
        for part in tree:
            if isinstance(part, Mapping) and {"by", "value"} <= part.keys():
                yield from _slice(part)


def _slice(part: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if is_name(part["by"]) and is_name(part["value"]):
        yield from _numbers({"rows": part.get("rows"), **section(part, _MEASURES)}, f"{_part(part['by'])}/{_part(part['value'])}")


def _under(name: str, key: str) -> str:
    return f"{name}/{key}" if name else key


def _part(name: str) -> str:
    """``name`` as one part of a metric's name: MLflow takes no other characters, and no path that leads elsewhere."""
    return re.sub(r"[^\w-]", "_", name)


def _safe(tree: Any, key: str = "") -> Any:
    if isinstance(tree, Mapping):
        pairs = ((name, _safe(value, name)) for name, value in tree.items() if key in _NAMED_BY_FILE or is_name(name))
        return {name: value for name, value in pairs if value is not None}
    if isinstance(tree, list):
        return None if any(map(_is_message, tree)) else [_safe(item) for item in tree]
    if isinstance(tree, str):
        return tree if key == _PROSE or _CODE.fullmatch(tree) or (key in _WORDS and is_name(tree)) else None
    return tree


def _is_message(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and not {"text", "place"}.isdisjoint(item))
