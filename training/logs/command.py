"""The command line: read, import, write, print. Exit codes: 0 some rows were accepted, 2 none, or the input is unusable."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.logs.dataset import read_dataset, read_facts
from training.logs.importer import ImportJob, import_logs
from training.logs.mapping import Columns, read_mapping
from training.logs.report import as_tables
from training.logs.source import MEGABYTE, Limits, RawRow
from yingda.domain.errors import YingdaError

_UNUSABLE = 2
_INTERRUPTED = 130
_DEFAULTS = Limits()
_SHOWN = 20


def run(argv: Sequence[str]) -> int:
    """Exit code of the command; argparse ends with 2 itself."""
    args = build_parser().parse_args(argv)
    try:
        return _show(args.folder) if args.command == "show" else _import(args)
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists, may be used, and the disk has room")
    except MemoryError:
        return _refuse("the files do not fit into memory; split them")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written\n")
        return _INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """The arguments of both commands."""
    parser = argparse.ArgumentParser(prog="python -m training.logs", description="Bring labelled messages from your own logs.")
    commands = parser.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("import", help="read files, mask and check them, write a dataset")
    taking.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".csv .tsv .txt .jsonl .ndjson .json .xlsx, or Rasa .yml")
    taking.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the dataset; replaced when complete")
    taking.add_argument("--mapping", type=Path, metavar="YAML", help="columns, labels and sentiments of a foreign file")
    taking.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose labels are meant")
    for option in ("--text", "--intent", "--faq", "--sentiment", "--also", "--id"):
        taking.add_argument(option, metavar="COL", help=f"column of the {option[2:]}; over the mapping's")
    taking.add_argument("--encoding", help="instead of detecting it, such as gb18030")
    taking.add_argument("--max-rows", type=_positive, default=_DEFAULTS.max_rows, metavar="N", help="rows a file may have")
    taking.add_argument("--max-megabytes", type=_positive, default=_DEFAULTS.max_bytes // MEGABYTE, metavar="N", help="size of a file")
    showing = commands.add_parser("show", help="print what a dataset holds")
    showing.add_argument("folder", type=Path, metavar="DIR")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _import(args: argparse.Namespace) -> int:
    named = {part: value for part in Columns.model_fields if (value := getattr(args, part)) is not None}
    job = ImportJob(
        files=tuple(args.files),
        out=args.out,
        pack=args.pack,
        mapping=read_mapping(args.mapping, named),
        limits=Limits(args.max_megabytes * MEGABYTE, args.max_rows),
        encoding=args.encoding,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def track(rows: Iterator[RawRow], name: str) -> Iterable[RawRow]:
            return progress.track(rows, description=name.replace("[", "("))

        record = import_logs(job, track=track)
    for table in as_tables(record):
        Console().print(table)
    if not record["labels"]["rows"]:
        return _refuse("no row could be used, and nothing was written; the table says why")
    print(f"{record['labels']['rows']} rows in {args.out}; read {args.out / 'report.md'}")
    return 0


def _show(folder: Path) -> int:
    facts = read_facts(folder)
    read_dataset(folder)  # raises when a row was changed
    console = Console()
    console.print(_facts_table(facts))
    for name in ("intents", "entries", "sentiments"):
        console.print(_counts_table(name, facts["counts"][name]))
    return 0


def _facts_table(facts: Mapping[str, Any]) -> Table:
    table = Table(box=SIMPLE, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    counts = facts["counts"]
    for name, value in (
        ("version", facts["version"]),
        ("created", facts["created"]),
        ("pack", f"{facts['pack']['name']} {facts['pack']['knowledge_sha256'][:12]}"),
        ("mapping", facts["mapping_sha256"][:12]),
        ("rows", counts["rows"]),
        ("that no entry answers", counts["without_entry"]),
        ("with unknown entry", counts["entry_unknown"]),
        *(("source", f"{source['file']} {source['sha256'][:12]}") for source in facts["sources"]),
    ):
        table.add_row(name, str(value).replace("[", "\\["))
    return table


def _counts_table(name: str, counts: Mapping[str, int]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(name)
    table.add_column("rows", justify="right")
    for label, rows in list(counts.items())[:_SHOWN]:
        table.add_row(label, str(rows))
    if len(counts) > _SHOWN:
        table.add_row(f"and {len(counts) - _SHOWN} more", str(sum(list(counts.values())[_SHOWN:])))
    return table


def _refuse(reason: str) -> int:
    sys.stderr.write(f"training.logs: {reason}\n")
    return _UNUSABLE
