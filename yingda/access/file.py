"""The file of keys: a JSON list of records, replaced whole, readable by its owner alone, changed by one writer at a time."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from tempfile import mkstemp
from time import monotonic, sleep
from typing import Any

from yingda.access.keys import AccessError, KeyRecord, NewKey, read_scopes, revoke
from yingda.access.scopes import NAMES

WAIT_S = 5.0
"""Seconds to wait for another writer."""

_PAUSE_S = 0.02
_TIMES = ("created", "expires", "revoked")
_FIELDS = ("id", "sha256", "scopes", *_TIMES)

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_records(path: Path) -> list[KeyRecord]:
    """The records in the file at ``path``; raises AccessError naming the file and the record at fault, never a value."""
    try:
        if not S_ISREG(path.stat().st_mode) and not path.is_dir():
            # whoever reads a pipe waits for somebody to write, perhaps for ever
            raise AccessError(f"{path}: is no regular file; write the keys into one")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AccessError(
            f"{path}: cannot be read ({error.strerror}); correct YINGDA_KEYS_FILE, or make it: `yingda keys create`"
        ) from None
    except UnicodeDecodeError:
        raise AccessError(f"{path}: is not UTF-8; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise AccessError(f"{path}:{error.lineno}: is not valid JSON ({error.msg}); correct this line") from None
    except (RecursionError, ValueError):
        raise AccessError(f"{path}: is not a list of records; restore it") from None
    if not isinstance(content, list):
        raise AccessError(f"{path}: the file: must be a JSON list of records")
    records = [_record(path, number, fields) for number, fields in enumerate(content, start=1)]
    _check_unique(path, records)
    return records


def add_key(path: Path, new: NewKey) -> None:
    """Write the record of ``new`` to the file, making the file where there is none; raises AccessError, then nothing has changed."""

    def added(records: list[KeyRecord]) -> list[KeyRecord]:
        if any(record.id == new.record.id for record in records):
            raise AccessError(f"{path}: a key named {new.record.id} exists or existed; choose another id, so that logs stay clear")
        return [*records, new.record]

    _change(path, added, must_exist=False)


def revoke_key(path: Path, key_id: str, *, now: datetime) -> None:
    """Let the key of that id open nothing from now on; its record stays. Raises AccessError when there is no such key."""

    def revoked(records: list[KeyRecord]) -> list[KeyRecord]:
        if all(record.id != key_id for record in records):
            raise AccessError(f"{path}: holds no key of that id; see `yingda keys list`")
        return [revoke(record, now) if record.id == key_id else record for record in records]

    _change(path, revoked, must_exist=True)


@contextmanager
def locked(path: Path, *, wait_s: float = WAIT_S) -> Iterator[None]:
    """Keep other writers of the file at ``path`` out; raises AccessError when one does not leave within ``wait_s`` seconds.

    The lock is on a file beside it, for the file itself is replaced, and goes with its process, however that ends.
    """
    beside = path.with_name(f"{path.name}.lock")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, path, monotonic() + wait_s)
        yield
    finally:
        os.close(descriptor)


def _change(path: Path, change: Callable[[list[KeyRecord]], list[KeyRecord]], *, must_exist: bool) -> None:
    path = path.resolve()  # a link stays a link: what it names is replaced
    try:
        with locked(path):
            before = read_records(path) if must_exist or path.exists() else []
            _replace(path, change(before))
    except OSError as error:
        raise AccessError(f"{path}: cannot be written ({error.strerror}); nothing has changed: make folder and rights fit") from None


def _replace(path: Path, records: Sequence[KeyRecord]) -> None:
    """Write ``records`` beside the file and move them over it, so that readers see the old file or the new one."""
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 600 from its first byte on
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_written(records))
            file.flush()
            _keep_owner(path, file.fileno())
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _keep_owner(path: Path, descriptor: int) -> None:
    """A file of the service's user stays theirs when root changes it: they could not read it any more."""
    if sys.platform != "win32" and path.exists():
        owner = path.stat()
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _sync_folder(folder: Path) -> None:
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, path: Path, deadline: float) -> None:
    while True:
        try:
            return _try_lock(descriptor)
        except OSError:
            if monotonic() >= deadline:
                raise AccessError(f"{path}: another program is changing it; try again") from None
            sleep(_PAUSE_S)


def _record(path: Path, number: int, fields: Any) -> KeyRecord:
    try:
        if not isinstance(fields, dict):
            raise AccessError("must be an object; make records with `yingda keys create`")
        if set(fields) - set(_FIELDS):
            # not repeated: somebody may have pasted a key
            raise AccessError(f"has a field that is none of {', '.join(_FIELDS)}; remove it")
        return _from_fields(fields)
    except AccessError as error:
        raise AccessError(f"{path}: record {number}, {error}") from None


def _from_fields(fields: dict[str, Any]) -> KeyRecord:
    for name in ("id", "sha256"):
        if not isinstance(fields.get(name), str):
            raise AccessError(f"{name}: is missing or no string")
    scopes = fields.get("scopes")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise AccessError(f"scopes: must be a list; scopes are {NAMES}")
    times = {name: _time(name, fields[name]) for name in _TIMES if fields.get(name) is not None}
    return KeyRecord(fields["id"], fields["sha256"], read_scopes(scopes), **times)


def _time(name: str, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise AccessError(f"{name}: must be a time with offset, such as 2027-01-01T00:00:00+00:00")
    return found.astimezone(UTC)


def _check_unique(path: Path, records: Sequence[KeyRecord]) -> None:
    for name in ("id", "sha256"):
        values = [getattr(record, name) for record in records]
        count = Counter(values)
        twice = [index for index, value in enumerate(values, start=1) if count[value] > 1]
        if twice:
            raise AccessError(f"{path}: records {twice} have the same {name}; keep one of them")


def _written(records: Sequence[KeyRecord]) -> str:
    """One record a line, so that a diff shows what changed."""
    return "[\n" + ",\n".join("  " + json.dumps(_as_fields(record)) for record in records) + "\n]\n"


def _as_fields(record: KeyRecord) -> dict[str, Any]:
    times = {name: getattr(record, name) for name in _TIMES}
    told = {name: time.isoformat() for name, time in times.items() if time is not None}
    return {"id": record.id, "sha256": record.sha256, "scopes": sorted(record.scopes), **told}
