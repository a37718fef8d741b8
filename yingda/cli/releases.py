"""Bundles side by side and a link to the one in use: installed whole, switched in one step, and switched back.

Beside the link ``models/live`` stand the folder ``models/releases`` with a folder a bundle, named by the start of its
manifest's SHA-256, and ``models/live.history``, the names in the order in which they came into use. Every step reaches
the disk before the next begins, so that the link leads to a whole bundle whenever the power fails.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yingda.bundle import MANIFEST, Bundle, file_digest, open_bundle
from yingda.domain.errors import BundleError

FOLDER = "releases"
HISTORY = ".history"
KEEP = 3
"""Bundles before the one in use that stay on the disk."""

_NAME = 16
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Release:
    """A bundle that came into use: its folder, what is known of it, and whether the link leads to it now."""

    folder: Path
    version: str
    sha256: str
    in_use: bool


class Releases:
    """The bundles behind one link; whatever cannot be done is a BundleError in one line, and leaves the link as it was."""

    def __init__(self, link: Path) -> None:
        self._link, self._folder = link, link.parent / FOLDER
        self._history = link.with_name(link.name + HISTORY)

    def install(self, source: Path, *, check: Callable[[Path], object], keep: int = KEEP) -> Release:
        """Copy the bundle at ``source``, verify the copy, try it with ``check`` (which raises), and switch the link to it."""
        self._check_link()
        bundle = open_bundle(source)
        with self._alone():
            target = self._copied(bundle)
            self._try(target, check)
            self._remember(target.name)
            self._switch(target)
            self._forget(keep)
        return Release(target, bundle.identity.version, bundle.identity.sha256, True)

    def roll_back(self, *, check: Callable[[Path], object]) -> Release:
        """Switch the link to the bundle that was in use before this one."""
        self._check_link()
        with self._alone():
            used, names = self._used(), self._names()
            place = names.index(used) if used in names else 0
            if place == 0:
                raise BundleError(f"{self._link}: no bundle was in use before this one; install one with `yingda bundle install`")
            target = self._folder / names[place - 1]
            bundle = open_bundle(target)
            check(target)
            self._switch(target)
        return Release(target, bundle.identity.version, bundle.identity.sha256, True)

    def all(self) -> list[Release]:
        """Every bundle in the order in which they came into use; what cannot be opened is left out."""
        used = self._used()
        found = []
        for name in self._names():
            try:
                bundle = open_bundle(self._folder / name)
            except BundleError:
                continue
            found.append(Release(self._folder / name, bundle.identity.version, bundle.identity.sha256, name == used))
        return found

    # ---- steps ----

    def _check_link(self) -> None:
        if self._link.exists() and not self._link.is_symlink():
            raise BundleError(f"{self._link}: is no link, so that it cannot be switched; name another place, such as models/live")

    def _copied(self, bundle: Bundle) -> Path:
        target = self._folder / file_digest(bundle.root / MANIFEST)[:_NAME]
        if target.is_dir():
            return open_bundle(target).root  # it was installed before; damaged meanwhile, it is refused
        partial = self._folder / (_PARTIAL + target.name)
        shutil.rmtree(partial, ignore_errors=True)  # of an installation that was cut off
        try:
            for name in (*bundle.manifest["files"], MANIFEST):
                _copy(bundle.root / name, partial / name)
            open_bundle(partial)
            for folder in [*(path for path in partial.rglob("*") if path.is_dir()), partial]:
                _settle(folder)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _settle(self._folder)
        return target

    def _try(self, target: Path, check: Callable[[Path], object]) -> None:
        try:
            check(target)
        except BaseException:
            if target.name not in self._names() and not self._is_used_elsewhere(target):
                shutil.rmtree(target, ignore_errors=True)
            raise

    def _switch(self, target: Path) -> None:
        beside = self._link.with_name(f".{self._link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path(FOLDER) / target.name)
        beside.replace(self._link)
        _settle(self._link.parent)

    def _remember(self, name: str) -> None:
        """Put ``name`` behind the one in use; what came after that was rolled back, and is no longer part of the story."""
        names, used = self._names(), self._used()
        upto = names[: names.index(used) + 1] if used in names else [used] if used else []
        kept = [each for each in upto if each != name]
        self._write_names([*kept, name])

    def _forget(self, keep: int) -> None:
        names = self._names()[-(keep + 1) :]
        self._write_names(names)
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in names and not self._is_used_elsewhere(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_used_elsewhere(self, folder: Path) -> bool:
        """Other links may stand beside this one, with histories of their own."""
        others = [path for path in self._link.parent.glob(f"*{HISTORY}") if path != self._history]
        try:
            return any(folder.name in _read_names(path) for path in others)
        except BundleError:
            return True  # nobody knows, so it stays

    def _used(self) -> str | None:
        if not self._link.is_symlink():
            return None
        target = self._link.readlink()
        return target.name if target.parent == Path(FOLDER) else None

    def _names(self) -> list[str]:
        return _read_names(self._history)

    def _write_names(self, names: list[str]) -> None:
        partial = self._history.with_name(self._history.name + ".partial")
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(names) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self._history)
        _settle(self._history.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One installation at a time; what the disk refuses is told in one line."""
        import fcntl  # POSIX alone has it, and other commands need none

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError:
            raise BundleError(f"{self._folder}: another installation is at work here; wait for it to end") from None
        except OSError as error:
            raise BundleError(
                f"{error.filename or self._folder}: {error.strerror}; the link {self._link} is as it was, repeat this then"
            ) from None


def _read_names(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isalnum() for name in names):
        raise BundleError(f"{path}: not a list of releases; remove it to begin a new history")
    return names


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


def _settle(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
