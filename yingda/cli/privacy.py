"""``yingda privacy``: keys of originals, retention, and what a person may ask for. Exit code 1: something of them is still there."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from yingda.assemble import drain_journal
from yingda.cli.audit import on_record
from yingda.privacy.erasure import erase, is_complete, verify
from yingda.privacy.export import export
from yingda.privacy.person import Person, PrivacyError
from yingda.privacy.places import Datasets, Folder, Journals, Place
from yingda.privacy.retention import LONGEST, retain
from yingda.privacy.stored import StoredData
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory
from yingda.store.migrate import check_store
from yingda.store.originals import rotate
from yingda.store.vault import Vault, VaultError, add_key, read_vault

DEFAULT_STORE = "sqlite:///var/yingda.db"
STILL_THERE = 1


def add_privacy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``privacy`` to the commands."""
    privacy = commands.add_parser("privacy", help="keys of originals, retention, export and erasure of a person's data")
    actions = privacy.add_subparsers(required=True, metavar="COMMAND")
    new_key = actions.add_parser("new-vault-key", help="add a key that seals originals from now on")
    _add_keys(new_key)
    new_key.set_defaults(command=new_key_command)
    again = actions.add_parser("rotate", help="seal all originals with the newest key")
    again.set_defaults(command=rotate_command)
    keep = actions.add_parser("retain", help="delete what is older than the term")
    keep.add_argument("--days", type=int, default=LONGEST, help=f"days that anything is kept ({LONGEST})")
    keep.add_argument("--dry-run", action="store_true", help="only count what would be deleted")
    keep.set_defaults(command=retain_command)
    given = actions.add_parser("export", help="write all that is kept about a customer")
    given.add_argument("--customer", required=True, metavar="ID", help="the shop's id of the customer")
    given.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON file; only you may read it")
    given.set_defaults(command=export_command)
    gone = actions.add_parser("erase", help="delete all that is kept about a person, and certify it")
    gone.add_argument("--customer", metavar="ID", help="the shop's id of the customer")
    gone.add_argument("--text", action="append", default=[], metavar="IDENTIFIER", help="a telephone number, a name …; may be repeated")
    gone.add_argument("--verify", action="store_true", help="delete nothing; certify that nothing is left")
    gone.add_argument("--certificate", type=Path, metavar="FILE", help="write the certificate there, not to standard output")
    gone.set_defaults(command=erase_command)
    for parser in (again, keep, given, gone):
        parser.add_argument("--store", default=os.environ.get("YINGDA_STORE") or DEFAULT_STORE, help="sqlite:///FILE or postgresql://…")
    for parser in (again, given, gone):
        _add_keys(parser)
    for parser in (keep, gone):
        parser.add_argument("--logs", type=Path, default=Path("data/logs"), metavar="DIR", help="imported log datasets (data/logs)")
        waiting = os.environ.get("YINGDA_JOURNAL")
        parser.add_argument("--journal", type=Path, default=Path(waiting) if waiting else None, metavar="DIR", help="as YINGDA_JOURNAL")
        parser.add_argument("--replays", type=Path, action="append", default=[], metavar="DIR", help="replay results; may be repeated")


def new_key_command(args: argparse.Namespace) -> None:
    """Make a key and name it."""
    _write(
        f"{args.vault_keys or _no_keys()}: key {add_key(args.vault_keys, _now())} seals from now on; restart the server, keep a copy apart"
    )


def rotate_command(args: argparse.Namespace) -> None:
    """Seal again, and count."""
    vault = _vault(args) or _no_keys()
    with on_record(args.store, "privacy.rotate", "originals") as record:
        with _opened(args.store) as store:
            done = rotate(store, vault)
        record.update(read=done.read, sealed_again=done.sealed_again)
    _write(f"{done.read} originals, {done.sealed_again} sealed again with key {vault.newest}")


def retain_command(args: argparse.Namespace) -> None:
    """Delete, or count, what is too old; what deletes nothing is not put on record."""
    noted = None if args.dry_run else args.store
    with on_record(noted, "privacy.retain", "store", {"days": args.days}) as record:
        with _opened(args.store) as store:
            report = retain([StoredData(store), *_places(args)], now=_now(), days=args.days, dry_run=args.dry_run)
        record["deleted"] = _total(report["deleted"])
    _write_json(report)


def export_command(args: argparse.Namespace) -> None:
    """Write the document for a person."""
    vault, person = _vault(args), Person(args.customer)
    # the log does not forget: whom it was about is proven to those who know the id, and told to nobody
    with on_record(args.store, "privacy.export", "person", {**person.digest(), "originals": int(vault is not None)}):
        with _opened(args.store) as store:
            document = export(person, SqlMemory(store), StoredData(store, vault), vault, now=_now())
        _save(args.out, document)
    turns = sum(len(each["turns"]) for each in document["conversations"])
    kept = "with originals" if vault else "masked, for no vault keys are named"
    _write(f"{args.out}: {len(document['conversations'])} conversations, {turns} turns, {kept}")


def erase_command(args: argparse.Namespace) -> None:
    """Delete or verify; leave with 1 when anything is still there. On record is whom it was about as a certificate says it."""
    person, vault = Person(args.customer, tuple(args.text)), _vault(args)
    action, act = ("privacy.verify", verify) if args.verify else ("privacy.erase", erase)
    with on_record(args.store, action, "person", person.digest()) as record:
        with _opened(args.store) as store:
            certificate = act(person, StoredData(store, vault), _places(args), now=_now())
        record.update(remaining=_total(certificate["remaining"]), complete=int(is_complete(certificate)))
        if not args.verify:
            record["deleted"] = _total(certificate["deleted"])
    if args.certificate:
        _save(args.certificate, certificate)
    else:
        _write_json(certificate)
    if not is_complete(certificate):
        raise SystemExit(STILL_THERE)


def _total(counts: Mapping[str, Mapping[str, int]]) -> int:
    """How many, of whatever kind and wherever."""
    return sum(sum(each.values()) for each in counts.values())


def _add_keys(parser: argparse.ArgumentParser) -> None:
    named = os.environ.get("YINGDA_VAULT_KEYS")
    parser.add_argument("--vault-keys", type=Path, default=Path(named) if named else None, metavar="FILE", help="file of vault keys")


def _vault(args: argparse.Namespace) -> Vault | None:
    return read_vault(args.vault_keys) if args.vault_keys else None


def _no_keys() -> Any:
    raise VaultError("no file of vault keys is named; set YINGDA_VAULT_KEYS or give --vault-keys FILE", code="vault_keys")


def _places(args: argparse.Namespace) -> list[Place]:
    waiting = drain_journal(args.store, args.journal)
    for path in args.replays:
        if not path.is_dir():
            raise PrivacyError(f"{path}: there is no such folder; name one that is there, or leave it out")
    journals: list[Place] = [Journals(waiting)] if waiting else []
    replays: list[Place] = [Folder("replays", path, lines=False) for path in args.replays]
    return [*journals, *replays, *([Datasets(args.logs)] if args.logs.is_dir() else [])]


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    with closing(open_store(url)) as store:
        check_store(store)
        yield store


def _save(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` whole or not at all, for its owner alone."""
    draft = path.with_name(f"{path.name}.{token_hex(4)}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", errors="surrogatepass") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)
            file.write("\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise PrivacyError(f"{path}: cannot be written ({error.strerror}); name a file in a folder that you may write to") from None


def _write_json(value: Mapping[str, Any]) -> None:
    _write(json.dumps(value, ensure_ascii=False, indent=1))


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")


def _now() -> datetime:
    return datetime.now(UTC)
