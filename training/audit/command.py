"""The command: read pack and logs, examine, write the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.audit.copies import parts_by_text
from training.audit.crossfit import QUICK, THOROUGH
from training.audit.findings import examine
from training.audit.folder import check_target, write_folder
from training.audit.opinions import Answerer
from training.audit.page import Subject, to_page
from training.audit.record import to_csv, to_json, to_screen
from training.audit.rows import LogMessage, log_rows, pack_rows
from training.logs.dataset import LogRow, read_dataset
from training.params import load_params
from yingda.domain.errors import YingdaError
from yingda.pack import read_training

_COULD_NOT_RUN = 2
_INTERRUPTED = 130


class Opener(Protocol):
    """Opens a bundle with the knowledge of a pack."""

    def __call__(self, bundle: Path, *, pack: Path) -> Answerer: ...


class LogReader(Protocol):
    """Reads an imported log dataset."""

    def __call__(self, folder: Path, /) -> Sequence[LogMessage]: ...


class _Bars:
    """Progress on standard error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, name: str, total: int) -> Callable[[int], None]:
        task = self._progress.add_task(name, total=total)
        return lambda done: self._progress.advance(task, done)


def run(argv: Sequence[str], *, opener: Opener, reader: LogReader) -> int:
    """Exit code: 0 done, 2 could not run, 130 interrupted."""
    args = _parse(argv)
    try:
        _audit(args, opener, reader)
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written\n")
        return _INTERRUPTED
    return 0


def _audit(args: argparse.Namespace, opener: Opener, reader: LogReader) -> None:
    check_target(args.out)
    params = load_params()
    pack = read_training(args.pack)
    # a pack that the pipeline does not train on has nothing to do with the pipeline's logs
    own = args.pack.resolve() == params.prepare.pack.resolve()
    logs, weak_logs = (_there(folders) if own else [] for folders in (params.prepare.logs, params.prepare.weak_logs))
    parts = parts_by_text(pack, logs, weak_logs, params)
    rows = [*pack_rows(pack.training), *(log_rows(reader(args.logs)) if args.logs else [])]
    # without logs the engine has nothing to say: it was trained on every row of the pack
    engine = opener(args.bundle, pack=args.pack) if args.bundle and args.logs else None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    effort = QUICK if args.quick else THOROUGH
    with Progress(*columns, console=Console(stderr=True)) as progress:
        found = examine(
            rows,
            pack.knowledge,
            parts,
            near_duplicate=params.prepare.near_duplicate,
            engine=engine,
            effort=effort,
            seed=params.seed,
            steps=_Bars(progress),
        )
    subject = Subject(pack.knowledge, args.pack.name, effort, params.prepare.near_duplicate, params.seed)
    files = {"audit.html": to_page(found, subject), "audit.json": to_json(found, subject), "to_label.csv": to_csv(found)}
    write_folder(args.out, files)
    sys.stdout.write(to_screen(found, args.out))


def _there(folders: Sequence[Path]) -> list[LogRow]:
    return [row for folder in folders if folder.is_dir() for row in read_dataset(folder)]


def _refuse(reason: str) -> int:
    sys.stderr.write(f"audit could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.audit", description=__doc__)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose training messages are audited")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="a dataset imported with python -m training.logs")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a second opinion on the logs from this bundle's engine")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the report; an earlier audit there is replaced")
    parser.add_argument("--quick", action="store_true", help="fewer folds, and fewer log messages for the engine: a first look")
    return parser.parse_args(argv)
