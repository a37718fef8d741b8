"""``yingda knowledge``: seed, import, export, list, publish and roll back the records of a store."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from yingda.assemble import VOLATILE, open_parts, prepare_store
from yingda.bundle import KNOWLEDGE, open_bundle, settled
from yingda.cli.audit import on_record
from yingda.cli.store import DEFAULT_STORE
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import ImportReport, KnowledgeError, RecordId, RecordKind, Signed, Status, Version
from yingda.live import export_file, export_folder, import_file, import_pack, open_knowledge, preview_file, seed_from, seeder_of
from yingda.pack import read_knowledge
from yingda.pack.exchange import Form, form_of
from yingda.store.audit import safe_name
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore

DEFAULT_BUNDLE = "models/current"


class NotImported(YingdaError):  # noqa: N818 what happened, as its siblings in the domain say it
    """A file had broken rows, so nothing of it was imported."""


def add_knowledge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``knowledge`` to the commands."""
    knowledge = commands.add_parser("knowledge", help="work with the entries, keywords, templates, rules and policy of a store")
    actions = knowledge.add_subparsers(required=True, metavar="COMMAND")
    seed = _parser(actions, "seed", "take over what the pack says, of every kind of which the store holds nothing", seed_command)
    _signed(seed)
    bring = _parser(actions, "import", "publish a file of entries, or all that a pack folder says", import_command)
    bring.add_argument("source", type=Path, help="a file (csv, xlsx, jsonl, yaml; Rasa with --form rasa) or the folder of a pack")
    bring.add_argument("--form", type=Form, choices=list(Form), help="how the file is written, where its name does not tell")
    bring.add_argument("--sha256", help="SHA-256 of the file in hex: an altered one is refused")
    bring.add_argument("--dry-run", action="store_true", help="report what would happen and write nothing")
    bring.add_argument("--partial", action="store_true", help="import the good rows of a file that has broken ones")
    _signed(bring)
    export = _parser(actions, "export", "write the entries in force to a file, or all kinds to a folder", export_command)
    export.add_argument("target", type=Path, help="the file; its ending tells the form; without one, a new folder for all kinds")
    export.add_argument("--form", type=Form, choices=list(Form), help="how to write it, where the name does not tell")
    shown = _parser(actions, "list", "the records of a kind and where they stand", list_command)
    shown.add_argument("kind", type=RecordKind, choices=list(RecordKind))
    shown.add_argument("--status", type=Status, choices=list(Status), help="only those whose newest step has this status")
    for name, told, command in (
        ("publish", "review and publish a draft, or publish what was reviewed", publish_command),
        ("rollback", "publish again what was told before", rollback_command),
    ):
        one = _parser(actions, name, told, command)
        one.add_argument("kind", type=RecordKind, choices=list(RecordKind))
        one.add_argument("id", help="id of the record")
        _signed(one)


def seed_command(args: argparse.Namespace) -> None:
    """Seed an empty store."""
    with _records(args) as (records, base), on_record(args.store, "knowledge.seed", "pack"):
        count = seed_from(records, base, _by(args))
    _say(f"seeded: {count} records" if count else "nothing to do: the store holds records of every kind that the pack has")


def import_command(args: argparse.Namespace) -> None:
    """Import a file or a pack; rows that are refused are an error unless ``--partial``."""
    noted = None if args.dry_run else args.store
    with _records(args) as (records, base), on_record(noted, "knowledge.import", "pack" if args.source.is_dir() else "faq"):
        if not args.source.is_dir():
            _seed_first(records, base, args)
        reports = _import_pack(records, args) if args.source.is_dir() else {RecordKind.FAQ: _import_file(records, args)}
    for kind, report in reports.items():
        _tell_report(kind, report)
    broken = sum(len(report.rejected) for report in reports.values())
    if broken and not args.partial:
        raise NotImported(f"{args.source}: {broken} mistake(s), nothing was imported; correct the rows named above, or use --partial")


def export_command(args: argparse.Namespace) -> None:
    """Write the entries, or the whole knowledge as a folder; either appears whole or not at all."""
    if args.form is None and not args.target.suffix:
        with _records(args) as (records, base), on_record(args.store, "knowledge.export", "pack"):
            folder = args.pack or open_bundle(settled(args.bundle)).path(KNOWLEDGE)
            export_folder(records, base, folder, args.target, at=datetime.now(UTC))
        _say(f"{args.target}: the knowledge in force; compare it with `python -m evaluation compare {folder} {args.target}`")
        return
    form = args.form or form_of(args.target.name)
    with _records(args) as (records, _), on_record(args.store, "knowledge.export", "faq"):
        data = export_file(records, form, at=datetime.now(UTC))
        partial = args.target.with_name(f"{args.target.name}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(args.target)
        except OSError as error:
            raise KnowledgeError(f"{args.target}: cannot be written ({error.strerror}); name another file") from None
    _say(f"{args.target}: {len(data):,} bytes")


def list_command(args: argparse.Namespace) -> None:
    """One line a record, its parts separated by tabs."""
    with _records(args) as (records, _):
        for version in records.heads(args.kind):
            if args.status in (None, version.status):
                _say(_line(version))


def publish_command(args: argparse.Namespace) -> None:
    """Take a record from draft or reviewed to published."""
    id_, by = RecordId(args.kind, args.id), _by(args)
    with _records(args) as (records, _), on_record(args.store, "knowledge.publish", safe_name(id_.kind, id_.key)):
        if records.get(id_).status is Status.DRAFT:
            records.review(id_, Signed(by.reviewer or by.author, by.reason))
        _say(_line(records.publish(id_, by)))


def rollback_command(args: argparse.Namespace) -> None:
    """One step back."""
    id_ = RecordId(args.kind, args.id)
    with _records(args) as (records, _), on_record(args.store, "knowledge.rollback", safe_name(id_.kind, id_.key)):
        _say(_line(records.roll_back(id_, _by(args))))


def _seed_first(records: KnowledgeStore, base: Knowledge, args: argparse.Namespace) -> None:
    """Take over the pack where the store holds no entry yet, as a server does: else the file would be all that it has."""
    if RecordKind.FAQ in records.snapshot(datetime.now(UTC)).managed:
        return
    if args.dry_run:
        raise KnowledgeError("the store holds no entries yet to compare the file with; run `yingda knowledge seed` first")
    _say(f"seeded: {seed_from(records, base, seeder_of(base))} records of the pack, for the store held no entries")


def _import_pack(records: KnowledgeStore, args: argparse.Namespace) -> Mapping[RecordKind, ImportReport]:
    return import_pack(records, read_knowledge(args.source), _by(args), preview=args.dry_run)


def _import_file(records: KnowledgeStore, args: argparse.Namespace) -> ImportReport:
    form, now = args.form or form_of(args.source.name), datetime.now(UTC)
    try:
        data = args.source.read_bytes()
    except OSError as error:
        raise KnowledgeError(f"{args.source}: cannot be read ({error.strerror}); name a file or the folder of a pack") from None
    if args.dry_run:
        return preview_file(records, data, form, at=now, digest=args.sha256)
    return import_file(records, data, form, _by(args), at=now, digest=args.sha256, partial=args.partial)


@contextmanager
def _records(args: argparse.Namespace) -> Iterator[tuple[KnowledgeStore, Knowledge]]:
    """The records of the store, and what the pack (else the bundle) knows."""
    if args.store == VOLATILE:
        raise KnowledgeError("a store in memory is gone when this command ends; name one with --store, such as sqlite:///var/yingda.db")
    two_people = os.environ.get("YINGDA_TWO_PEOPLE", "").lower() in ("1", "true", "yes", "on")
    parts = open_parts(args.bundle, pack=args.pack)
    prepare_store(args.store)
    store = open_store(args.store)
    try:
        yield open_knowledge(store, parts.knowledge, embed=parts.embed, two_people=two_people), parts.knowledge
    finally:
        store.close()


def _parser(actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, command: object) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told)
    pack = os.environ.get("YINGDA_PACK")
    parser.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="sqlite:///FILE or postgresql://…")
    parser.add_argument("--bundle", type=Path, default=Path(os.environ.get("YINGDA_BUNDLE") or DEFAULT_BUNDLE), help="bundle folder")
    parser.add_argument("--pack", type=Path, default=Path(pack) if pack else None, help="pack folder; the bundle's own copy by default")
    parser.set_defaults(command=command)
    return parser


def _signed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--author", default=None, help="who does it; the name of the account by default")
    parser.add_argument("--reviewer", default=None, help="who has found it good; needed where YINGDA_TWO_PEOPLE is true")
    parser.add_argument("--reason", default="", help="why, for the history")


def _by(args: argparse.Namespace) -> Signed:
    return Signed(args.author or getpass.getuser(), args.reason, args.reviewer)


def _line(version: Version) -> str:
    return f"{version.id.key}\t{version.status}\t{version.name}\t{version.at.isoformat(timespec='seconds')}\t{version.actor}"


def _tell_report(kind: RecordKind, report: ImportReport) -> None:
    done = "imported" if report.applied else "not imported"
    counts = f"{len(report.added)} added, {len(report.changed)} changed, {len(report.unchanged)} unchanged, {len(report.rejected)} rejected"
    _say(f"{kind}: {done}: {counts}")
    for row in report.rejected:
        _say(f"  line {row.line}, {row.field or 'row'}: {row.reason}")
    for row in report.notes:
        _say(f"  note, line {row.line}: {row.reason}")
    for pair in report.alike:
        _say(f"  {pair.finding}: {pair.detail}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
