"""Where a person's data may be, beside the store: journals and replay results in folders, and imported log datasets."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from yingda.privacy.person import Person, PrivacyError, Traces
from yingda.store.lasting.files import SUFFIX

GONE = "〔已删除〕"
"""Stands in reports for a text that was erased."""

_LINES = frozenset({".jsonl", ".ndjson"})
_FACTS, _ROWS = "dataset.json", "rows.jsonl"

Counts = Mapping[str, int]


class Place(Protocol):
    """Somewhere that personal data may be; every method counts by kind of thing."""

    @property
    def name(self) -> str:
        """What a certificate calls it."""

    def search(self, person: Person) -> Counts:
        """How much of what is there is about ``person``; empty for nothing."""

    def erase(self, person: Person) -> Counts:
        """Delete that, durably; how much it was."""

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:
        """Delete what is older; with ``dry_run`` only count it."""


class Cache:
    """Something in memory that can only be emptied as a whole, by ``clear``, which returns how much it held."""

    def __init__(self, name: str, clear: Callable[[], int]) -> None:
        self.name, self._clear = name, clear

    def search(self, person: Person) -> Counts:  # noqa: ARG002 the signature is Place's
        """Nothing: what a cache holds is found by its key alone, and erasing empties it."""
        return {}

    def erase(self, person: Person) -> Counts:  # noqa: ARG002
        """Empty it."""
        return {"entries": self._clear()}

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:  # noqa: ARG002
        """Empty it: nobody knows how old its entries are."""
        return {} if dry_run else {"entries": self._clear()}


class Journals:
    """The folder in which turns wait for the store: what was refused goes by lines; what waits is found and left.

    A file that waits belongs to a server that runs, or holds turns of others that the store must take first: drain it, and what
    remains is its server's. A certificate that finds something there is not complete.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = f"journal {path}", path
        self._refused = Folder("journal", path, only=_LINES)

    def search(self, person: Person) -> Counts:
        """See Place."""
        traces = Traces(person)
        waiting = sum(traces.are_said_in(_read(path)) for path in _files(self._path) if path.suffix == SUFFIX)
        return _counted(**self._refused.search(person), waiting=waiting)

    def erase(self, person: Person) -> Counts:
        """See Place."""
        return self._refused.erase(person)

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:
        """Refused turns that nobody looked at since."""
        return self._refused.forget_before(when, dry_run=dry_run)


class Folder:
    """Files of JSON lines, a line about somebody each, and other text files, which go whole; in subfolders, too.

    Names are compared and contents read as UTF-8; links are not followed. With ``lines`` false a file always goes whole.
    ``only`` are the endings that count, where not all do.
    """

    def __init__(self, kind: str, path: Path, *, lines: bool = True, only: frozenset[str] | None = None) -> None:
        self.name, self._path, self._lines, self._only = f"{kind} {path}", path, lines, only

    def search(self, person: Person) -> Counts:
        """See Place."""
        return self._each(Traces(person), erase=False)

    def erase(self, person: Person) -> Counts:
        """See Place; a file is replaced whole, once what is left of it is on the disk."""
        return self._each(Traces(person), erase=True)

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:
        """Files that nobody wrote to since."""
        old = [path for path in self._files() if datetime.fromtimestamp(path.stat().st_mtime, UTC) < when]
        for path in () if dry_run else old:
            path.unlink(missing_ok=True)
        return _counted(files=len(old))

    def _files(self) -> list[Path]:
        return [path for path in _files(self._path) if self._only is None or path.suffix in self._only]

    def _each(self, traces: Traces, *, erase: bool) -> Counts:
        files = lines = 0
        for path in self._files():
            text = _read(path)
            if not traces.are_said_in(text) and not traces.stand_in(path.name):
                continue
            if self._lines and path.suffix in _LINES and not traces.stand_in(path.name):
                kept = [line for line in text.splitlines(keepends=True) if not traces.are_said_in(line)]
                lines += text.count("\n") - sum(line.count("\n") for line in kept) or 1
                if erase:
                    _replace(path, "".join(kept))
            else:
                files += 1
                if erase:
                    path.unlink(missing_ok=True)
        return _counted(files=files, lines=lines)


class Datasets:
    """Log datasets as ``python -m training.logs import`` writes them: a folder each, with ``dataset.json``."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = f"datasets {path}", path

    def search(self, person: Person) -> Counts:
        """See Place."""
        return self._each(Traces(person), erase=False)

    def erase(self, person: Person) -> Counts:
        """See Place; rows go, reports lose what they quote, and the dataset has another version afterwards."""
        return self._each(Traces(person), erase=True)

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:
        """Datasets that were imported before."""
        old = [folder for folder in self._folders() if _imported(folder) < when]
        for folder in () if dry_run else old:
            for path in sorted(_files(folder), key=lambda path: path.name != _FACTS, reverse=True):
                path.unlink()  # dataset.json last: until then it can be begun again
            folder.rmdir()
        return _counted(datasets=len(old))

    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in self._path.glob(f"*/{_FACTS}"))

    def _each(self, traces: Traces, *, erase: bool) -> Counts:
        total: Counter[str] = Counter()
        for folder in self._folders():
            changed = {path: left for path in _files(folder) if (left := _without(path, traces)) is not None}
            total["rows"] += sum(found for _, found in changed.values())
            total["datasets"] += bool(changed)
            if erase:
                for path, (text, _) in changed.items():
                    _replace(path, text)
                if changed:
                    _restate(folder)
        return _counted(**total)


def _without(path: Path, traces: Traces) -> tuple[str, int] | None:
    """What is left of a file of a dataset, and how many rows go; None where nothing of it is the person's."""
    text = _read(path)
    if not traces.are_said_in(text):
        return None
    if path.suffix == ".json":
        return json.dumps(_scrubbed(json.loads(text), traces), ensure_ascii=False, indent=1) + "\n", 0
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not traces.are_said_in(line)]
    return "".join(kept), len(lines) - len(kept) if path.name == _ROWS else 0


def _scrubbed(value: Any, traces: Traces) -> Any:
    if isinstance(value, dict):
        return {(GONE if traces.are_said_in(key) else key): _scrubbed(item, traces) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item, traces) for item in value]
    return GONE if isinstance(value, str) and traces.are_said_in(value) else value


def _restate(folder: Path) -> None:
    """Make ``dataset.json`` fit the rows that are left: their digest, version and counts."""
    rows_text = _read(folder / _ROWS) if (folder / _ROWS).exists() else ""
    facts = json.loads(_read(folder / _FACTS))
    rows = [json.loads(line) for line in rows_text.splitlines()]
    digest = sha256(rows_text.encode()).hexdigest()

    def by(values: Iterator[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items(), key=lambda each: (-each[1], each[0])))

    counts = {
        "rows": len(rows),
        "without_entry": sum(row["faq"] is None and row["faq_known"] for row in rows),
        "entry_unknown": sum(not row["faq_known"] for row in rows),
        "intents": by(row["intent"] or "undecided" for row in rows),
        "entries": by(row["faq"] for row in rows if row["faq"] is not None),
        "sentiments": by(row["sentiment"] or "unknown" for row in rows),
    }
    changed = {**facts, "version": digest[:12], "rows_sha256": digest, "counts": counts}
    _replace(folder / _FACTS, json.dumps(changed, ensure_ascii=False, indent=1) + "\n")


def _imported(folder: Path) -> datetime:
    """When a dataset was made; the time of its file where ``dataset.json`` does not say."""
    path = folder / _FACTS
    try:
        created = datetime.fromisoformat(json.loads(_read(path))["created"])
        return created if created.tzinfo else created.replace(tzinfo=UTC)
    except (ValueError, KeyError, TypeError):
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise PrivacyError(f"{path}: cannot be read ({error.strerror}); nothing can be said about it") from None


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise PrivacyError(f"{path}: cannot be changed ({error.strerror}); correct its permissions and begin again") from None


def _counted(**counts: int) -> Counts:
    return {name: count for name, count in counts.items() if count}
