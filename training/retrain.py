"""Logs in, a verdict out: import, audit, train, evaluate and compare a candidate, then promote it or keep the champion.

``python -m training.retrain LOGS…`` may be interrupted or killed at any moment; the same command goes on. Only
``python -m training.retrain --promote --run DIR`` changes the bundle that serves. Exit 0 promote, 1 keep, 2 could not run;
a stage that fails with another code passes that on.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from rich.console import Console

from training.params import PARAMS_FILE, load_params
from training.pipeline import CANDIDATE, LOGS, PARAMS, REPORT, Order, stages_of
from training.promotion import promote
from training.run_lock import RunLock, hold
from training.stage_runner import Runner, StageError
from training.track import track
from training.verdict import card, page, read_verdict
from yingda.bundle import open_bundle
from yingda.domain.errors import MaterialError, YingdaError

VARIABLE = "YINGDA_PARAMS"
QUICK: Mapping[str, Mapping[str, Any]] = {"train": {"layers": 4, "epochs": 2}, "linear": {"iterations": 20}}
"""A fraction of the work: enough to see that logs, mapping and stages fit together, too little to beat a full champion."""

_PROMOTE, _KEEP, _COULD_NOT_RUN, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 promote, 1 keep, 2 could not run, 130 interrupted, else that of the stage that failed."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parse(words)
    try:
        if args.promote:
            read_verdict(args.run)  # before a folder is made for a mistyped name
        with hold(args.run) as lock:
            return _promote(args) if args.promote else _retrain(args, lock)
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "training.retrain", *words])
        sys.stderr.write(f"\ninterrupted; finished stages are kept, go on with: {again}\n")
        return _INTERRUPTED
    except StageError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.run}: {error.strerror}; check that it exists and may be used")
    except Exception:
        # a mistake of the driver itself must not leave with Python's exit code 1, which here says "keep"
        traceback.print_exc()
        return _refuse("this is a mistake in training.retrain; please report the lines above")


def run_params(root: Mapping[str, Any], *, logs: Path) -> dict[str, Any]:
    """The parameters of a run: those of ``root``, with the imported logs beside the datasets named there that exist."""
    found = {kind: [folder for folder in root["prepare"][kind] if Path(folder).is_dir()] for kind in ("logs", "weak_logs")}
    return {**root, "prepare": {**root["prepare"], **found, "logs": [*found["logs"], logs.as_posix()]}}


def quick_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` with the overrides of ``QUICK``; the profile is as deep as the trained network, so nothing is distilled."""
    found = {**params, **{section: {**params[section], **values} for section, values in QUICK.items()}}
    chosen = params["profile"]
    profile = {**params["profiles"][chosen], "layers": QUICK["train"]["layers"]}
    return {**found, "profiles": {**params["profiles"], chosen: profile}}


def _retrain(args: argparse.Namespace, lock: RunLock) -> int:
    _check_files([*args.logs, *args.extra, *([args.mapping] if args.mapping else [])])
    open_bundle(args.champion)  # hours of training are no time to learn that there is nothing to compare with
    params = _write_params(args)
    pack = Path(params["prepare"]["pack"])
    order = Order(args.run, tuple(args.logs), args.mapping, pack, args.champion, tuple(args.extra), quick=args.quick)
    runner = Runner(args.run, lock, {VARIABLE: str((args.run / PARAMS).resolve())}, Console(stderr=True))
    (args.run / "verdict.md").unlink(missing_ok=True)
    runner.run_all(stages_of(order, params))
    verdict = read_verdict(args.run)
    text = page(verdict, args.run, args.champion, profile="quick" if args.quick else "full")
    _write(args.run / "verdict.md", text)
    print(text, end="")
    if args.track and not args.quick:  # a trial is no candidate
        _keep_record(args.run / CANDIDATE, args.run / REPORT, alias="candidate")
    return _PROMOTE if verdict.is_promote else _KEEP


def _promote(args: argparse.Namespace) -> int:
    verdict, candidate = read_verdict(args.run), args.run / CANDIDATE
    if open_bundle(candidate).identity.sha256 != verdict.candidate_sha256:
        raise MaterialError(f"{candidate}: is not the bundle that was compared; run the retraining to its end first")
    serving = open_bundle(args.champion).identity.sha256
    if serving not in (verdict.champion_sha256, verdict.candidate_sha256):
        raise MaterialError(f"{args.champion}: is no longer the bundle of the comparison; run the retraining again to compare with it")
    if not verdict.is_promote and not args.anyway:
        print(f"not promoted: the advice is to keep the champion, see {args.run / 'verdict.md'}; --anyway overrules it", file=sys.stderr)
        return _KEEP
    done = promote(candidate, args.champion, card=card(verdict), evaluation={"verdict": verdict.report["verdict"]})
    print(f"{args.champion} is now {done.identity.version} ({done.identity.sha256[:12]})")
    if done.previous:
        print(f"the bundle before it is in {done.previous}; restart the service to answer with the new one")
    if args.track:
        _keep_record(args.champion, args.run / REPORT, alias="champion")
    return _PROMOTE


def _keep_record(bundle: Path, report: Path, *, alias: str) -> None:
    """Keep the bundle in MLflow under ``alias``; a store that does not answer costs a note and no verdict."""
    try:
        print(track(bundle, report, alias=alias), file=sys.stderr)
    except Exception as error:
        # the verdict is out, or the champion exchanged: nothing that MLflow does may take that back
        again = shlex.join(["python", "-m", "training.track", "--bundle", str(bundle), "--report", str(report), "--alias", alias])
        reason = str(error) if isinstance(error, YingdaError) else type(error).__name__  # others may quote a text or an address
        print(f"note: not kept in MLflow ({reason}); later: {again}", file=sys.stderr)


def _write_params(args: argparse.Namespace) -> dict[str, Any]:
    load_params(PARAMS_FILE)  # its mistakes are reported under its own name
    root = yaml.safe_load(PARAMS_FILE.read_text("utf-8"))
    params = run_params(root, logs=args.run / LOGS)
    params = quick_params(params) if args.quick else params
    _write(args.run / PARAMS, "# Written by training.retrain from params.yaml; edit that one.\n" + yaml.safe_dump(params, sort_keys=False))
    return params


def _check_files(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise MaterialError(f"{path}: there is no such file; correct its name")


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse(reason: str) -> int:
    sys.stderr.write(f"retraining could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.retrain", description=__doc__)
    parser.add_argument("logs", type=Path, nargs="*", metavar="LOGS", help="files of logs to import")
    parser.add_argument("--mapping", type=Path, metavar="FILE", help="how the columns and labels of the logs are named")
    parser.add_argument("--quick", action="store_true", help="a small model, to see that everything fits together")
    parser.add_argument("--run", type=Path, default=Path("runs/retrain"), metavar="DIR", help="folder of this run")
    parser.add_argument("--champion", type=Path, default=Path("models/current"), metavar="DIR", help="the bundle that serves")
    parser.add_argument("--extra", type=Path, action="append", default=[], metavar="FILE", help="more labelled messages to compare on")
    parser.add_argument("--no-track", dest="track", action="store_false", help="keep no record of the candidate in MLflow")
    parser.add_argument("--promote", action="store_true", help="put the candidate of the run in the champion's place")
    parser.add_argument("--anyway", action="store_true", help="with --promote: against the advice, too")
    args = parser.parse_args(argv)
    if args.anyway and not args.promote:
        parser.error("--anyway goes with --promote")
    if bool(args.logs) == args.promote:
        parser.error("name files of logs to train with, or --promote and no file")
    return args


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
