"""Keep a finished pipeline in MLflow: ``python -m training.track --help``. Exit code 2 says what to correct."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from training import run_record as facts
from training.plots import draw
from training.run_record import History
from training.tracking import ALIASES, Registry, RunRecord, open_registry, store_uri
from yingda import bundle as layout
from yingda.bundle import Bundle, open_bundle
from yingda.domain.errors import MaterialError, YingdaError

DVC_LOCK = Path("dvc.lock")
NAME = "yingda"
"""Registered model and experiment, unless another name is asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 2 could not run; the reason is one line on standard error."""
    args = _parse(argv)
    try:
        said = (
            promote(args.name, args.promote)
            if args.promote
            else track(args.bundle, args.report, training=args.training, alias=args.alias, name=args.name)
        )
    except YingdaError as error:
        sys.stderr.write(f"track: {error}\n")
        return 2
    print(said)
    return 0


def track(bundle_folder: Path, report_folder: Path, *, training: Sequence[Path] = (), alias: str = "candidate", name: str = NAME) -> str:
    """Log a run and a version unless the store holds this bundle, then set the alias; says what was done.

    Raises MaterialError where the report is another bundle's or the store does not answer.
    """
    bundle = open_bundle(bundle_folder)
    report = facts.read_report(report_folder, bundle)
    histories = facts.read_histories(bundle.manifest, training)
    with open_registry(name, uri=store_uri(Path.cwd())) as registry:
        known = registry.find(bundle)
        version = known or _add(registry, bundle, report, histories)
        registry.point(alias, version)
    done = "already holds this bundle, nothing was logged again" if known else f"was made from {bundle_folder}"
    return f"{name}: version {version} {done}; {alias} is version {version}"


def promote(name: str, version: str) -> str:
    """Let ``champion`` name ``version``."""
    with open_registry(name, uri=store_uri(Path.cwd())) as registry:
        registry.point("champion", version)
    return f"{name}: champion is version {version}"


def tags_of(bundle: Bundle, report: Mapping[str, Any]) -> dict[str, str]:
    """Where the bundle came from: data, knowledge, verdict, commits and, when DVC made it, stage and hash."""
    known = {
        "bundle_version": bundle.identity.version,
        "data_sha256": bundle.manifest.get("data_sha256"),
        "knowledge_sha256": bundle.manifest.get("knowledge_sha256"),
        "verdict": report.get("verdict"),
        "git_commit": _commit(),
        **_dvc_stage(bundle.root),
    }
    return {name: str(value) for name, value in known.items() if value}


def write_artifacts(folder: Path, bundle: Bundle, report: Mapping[str, Any], histories: Sequence[History]) -> None:
    """Manifest, card, the report without texts, and plots."""
    for name in (layout.MANIFEST, layout.CARD):
        (folder / name).write_bytes(bundle.path(name).read_bytes())
    (folder / "evaluation.json").write_text(json.dumps(facts.without_texts(report), ensure_ascii=False, indent=2) + "\n", "utf-8")
    (folder / "plots").mkdir()
    for name, figure in draw(histories, report).items():
        figure.savefig(folder / "plots" / name)


def _add(registry: Registry, bundle: Bundle, report: Mapping[str, Any], histories: Sequence[History]) -> str:
    points = [*facts.training_points(histories), *facts.bundle_points(bundle.manifest), *facts.report_points(report)]
    with TemporaryDirectory() as folder:
        write_artifacts(Path(folder), bundle, report, histories)
        record = RunRecord(facts.bundle_parameters(bundle), points, tags_of(bundle, report), Path(folder))
        return registry.add(bundle, record)


def _commit() -> str | None:
    """The commit of this code, ending in ``-dirty`` when tracked files were changed; None outside a git checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None


def _dvc_stage(root: Path) -> dict[str, str]:
    """Stage and hash that dvc.lock in the working directory gives for ``root``; nothing when it names no such output."""
    if not DVC_LOCK.is_file():
        return {}
    try:
        stages = yaml.safe_load(DVC_LOCK.read_text("utf-8"))["stages"]
        outs = [(name, out) for name, stage in stages.items() for out in stage.get("outs", ())]
        return next(({"dvc_stage": name, "dvc_md5": out["md5"]} for name, out in outs if Path(out["path"]).resolve() == root.resolve()), {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise MaterialError(f"{DVC_LOCK} cannot be read; restore it from git or run `dvc repro`") from error


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.track", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--report", type=Path, help="folder of the bundle's evaluation report")
    parser.add_argument("--training", type=Path, nargs="+", default=[], metavar="FILE", help="training.json; the manifest's by default")
    parser.add_argument("--alias", choices=ALIASES, default="candidate", help="what the version is to be called")
    parser.add_argument("--name", default=NAME, help="registered model and experiment")
    parser.add_argument("--promote", metavar="VERSION", help="only let champion name this version")
    args = parser.parse_args(argv)
    if not args.promote and not (args.bundle and args.report):
        parser.error("name --bundle and --report, or --promote VERSION")
    return args


if __name__ == "__main__":
    raise SystemExit(main())
