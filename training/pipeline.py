"""The stages of a retraining: those of ``dvc.yaml`` inside a run folder, with import and audit before, comparison behind.

``dvc.yaml`` stays the one place that says what a stage runs, reads and writes. Inside a run folder every output has the
path it has in the repository: ``models/base`` becomes ``RUN/models/base``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from hashlib import md5
from pathlib import Path
from typing import Any

import yaml

from training.stages import Stage
from yingda.domain.errors import MaterialError

LEFT_OUT = ("check_base", "card")
"""Stages of ``dvc.yaml`` that check the base weights and release the repository's own bundle; all others are run."""

LOGS, AUDIT = Path("logs"), Path("audit")
CANDIDATE, REPORT, COMPARISON = Path("models/candidate"), Path("reports/candidate"), Path("reports/compare")
PARAMS = "params.yaml"

_EXAMS = ("test-*.jsonl", "multilingual.jsonl", "robustness.yaml")
_CONVERSATIONS = "conversations"
_BASE, _PREPARE, _EVALUATE = "base_encoder", "prepare", "evaluate"
_VERDICTS = {_EVALUATE: frozenset({0, 1, 2}), "compare": frozenset({0, 1})}  # exit codes: a verdict is no failure


@dataclass(frozen=True)
class Order:
    """What to retrain with: files of logs and their mapping, the pack, the champion and further labelled messages.

    ``quick`` asks the audit, too, for a first look alone.
    """

    run: Path
    logs: tuple[Path, ...]
    mapping: Path | None
    pack: Path
    champion: Path
    extra: tuple[Path, ...]
    quick: bool = False


def stages_of(order: Order, params: Mapping[str, Any], *, root: Path = Path()) -> tuple[Stage, ...]:
    """All stages in the order they run; ``params`` are the run's own, ``root`` holds ``dvc.yaml``."""
    described = _described(root / "dvc.yaml")
    pipeline = [_stage(name, described, order, params) for name in described if name not in LEFT_OUT]
    if is_same_base(root, params[_BASE]):
        pipeline = [replace(stage, donor=root / "models/base") if stage.name == _BASE else stage for stage in pipeline]
    return (_import(order), _audit(order), *pipeline, _compare(order))


def is_same_base(root: Path, params: Mapping[str, Any]) -> bool:
    """True when ``models/base`` at ``root`` is just what this code would build with ``params``, as ``dvc.lock`` proves."""
    try:
        lock = yaml.safe_load((root / "dvc.lock").read_text("utf-8"))["stages"]["base_encoder"]
        if lock["params"]["params.yaml"]["base_encoder"] != params:
            return False
        return all(_md5(root / item["path"]) == item["md5"] for item in (*lock["deps"], *lock["outs"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return False


def material(pack: Path) -> tuple[Path, ...]:
    """Files of ``pack`` that training may depend on: no exam is among them, so that an edited exam trains nothing anew."""
    files = (path for path in pack.rglob("*") if path.is_file() and _CONVERSATIONS not in path.parts)
    return tuple(sorted(path for path in files if not any(fnmatch(path.name, exam) for exam in _EXAMS)))


def _described(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["stages"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise MaterialError(f"{path}: cannot be read; run from the repository root") from error
    for name in (_PREPARE, _BASE, _EVALUATE):
        if name not in found:
            raise MaterialError(f"{path}: stage {name} is missing; restore it")
    return found


def _stage(name: str, described: Mapping[str, Mapping[str, Any]], order: Order, params: Mapping[str, Any]) -> Stage:
    facts, outs = described[name], _outputs(described)
    python, module, *arguments = shlex.split(facts["cmd"])
    if (python, module) != ("python", "-m"):
        raise MaterialError(f"dvc.yaml: stage {name} must run `python -m …`")
    command = ["-m", *(_inside(word, outs, order.run) for word in arguments)]
    inputs = [path for dep in facts.get("deps", ()) for path in _inputs(dep, outs, order, examines=name == _EVALUATE)]
    if name == _PREPARE:
        inputs += [Path(folder) for kind in ("logs", "weak_logs") for folder in params[_PREPARE].get(kind, ())]
    if name == _EVALUATE:
        command += _asked(order)
        inputs += order.extra
    return Stage(
        name=name,
        command=tuple(command),
        inputs=tuple(inputs),
        outputs=tuple(Path(_inside(out, outs, order.run)) for out in _names(facts.get("outs", ()))),
        params={key: _look_up(params, key) for key in facts.get("params", ())},
        resumes=any(_is_persistent(out) for out in facts.get("outs", ())),
        accepted=_VERDICTS.get(name, frozenset({0})),
    )


def _import(order: Order) -> Stage:
    mapping = [] if order.mapping is None else ["--mapping", str(order.mapping)]
    target = order.run / LOGS
    return Stage(
        name="import",
        command=("-m", "training.logs", "import", *map(str, order.logs), "--out", str(target), "--pack", str(order.pack), *mapping),
        inputs=(*order.logs, *([order.mapping] if order.mapping else []), order.pack, *_code("training/logs")),
        outputs=(target,),
    )


def _audit(order: Order) -> Stage:
    logs, target = order.run / LOGS, order.run / AUDIT
    effort = ["--quick"] if order.quick else []
    return Stage(
        name="audit",
        command=("-m", "training.audit", "--logs", str(logs), "--out", str(target), "--pack", str(order.pack), *effort),
        inputs=(logs, *material(order.pack), *_code("training/audit", "training/audit.py")),
        outputs=(target,),
    )


def _compare(order: Order) -> Stage:
    candidate, target = order.run / CANDIDATE, order.run / COMPARISON
    return Stage(
        name="compare",
        command=("-m", "evaluation", "compare", str(order.champion), str(candidate), "--out", str(target), *_asked(order)),
        inputs=(order.champion, candidate, order.pack, *order.extra, *_code("evaluation", "yingda")),
        outputs=(target,),
        accepted=_VERDICTS["compare"],
    )


def _asked(order: Order) -> tuple[str, ...]:
    extra = ["--extra", *map(str, order.extra)] if order.extra else []
    return ("--pack", str(order.pack), *extra)


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(path for path in map(Path, names) if path.exists())


def _outputs(described: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for facts in described.values() for name in _names(facts.get("outs", ())))


def _names(outs: Sequence[str | Mapping[str, Any]]) -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for out in outs]


def _is_persistent(out: str | Mapping[str, Any]) -> bool:
    """True for an output that DVC leaves in place too, for the stage goes on from the checkpoint in it."""
    return not isinstance(out, str) and any(facts.get("persist", False) for facts in out.values())


def _inside(word: str, outs: frozenset[str], run: Path) -> str:
    """``word`` as it is, or inside the run folder when it is an output of the pipeline or lies in one."""
    return str(run / word) if any(word == out or word.startswith(f"{out}/") for out in outs) else word


def _inputs(dep: str, outs: frozenset[str], order: Order, *, examines: bool) -> tuple[Path, ...]:
    if dep.startswith("data/packs/"):
        return (order.pack,) if examines else material(order.pack)
    return (Path(_inside(dep, outs, order.run)),)


def _look_up(params: Mapping[str, Any], key: str) -> Any:
    found: Any = params
    for name in key.split("."):
        found = found[name]
    return found


def _md5(path: Path) -> str:
    """The digest that DVC writes into its lock: of a file's bytes, or of the list of a folder's files."""
    if path.is_file():
        return md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    listed = [{"md5": _md5(path / name), "relpath": name} for name in files]
    return md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"
