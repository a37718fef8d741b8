"""A PostgreSQL of its own, which can be stopped and started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import mkdtemp

import psycopg

from tests.harness.chaos.findings import SkippedError
from tests.store_kit import postgres_programs, run_as_server

_DATABASE = "postgres"


@dataclass(frozen=True, slots=True)
class Cluster:
    """``folder`` is the server's, ``beside`` a folder for what the service keeps beside its database."""

    programs: Path
    folder: Path
    beside: Path

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql://yingda@/{_DATABASE}?host={self.folder}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=60"
        self._control("start", "-w", "-l", self.folder / "log", "-o", options)

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._control("stop", "-w", "-m", "immediate")

    def cut(self) -> int:
        """Kill all connections; how many there were."""
        with psycopg.connect(self.url, autocommit=True) as own:
            ended = own.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid()"
            )
            return len(ended.fetchall())

    def _control(self, *words: str | Path) -> None:
        run_as_server(self.folder, [self.programs / "pg_ctl", words[0], "-D", self.folder / "data", *words[1:]])


@contextmanager
def cluster(beside: Path) -> Iterator[Cluster]:
    """A new cluster that runs; raises SkippedError where there is no PostgreSQL."""
    programs = postgres_programs()
    if programs is None:
        raise SkippedError("no PostgreSQL here; install Debian's `postgresql`")
    folder = Path(mkdtemp(prefix="yingda-", dir="/tmp" if Path("/tmp").is_dir() else None))  # a socket's path must be short
    made = Cluster(programs, folder, Path(mkdtemp(dir=beside)))
    try:
        run_as_server(folder, [programs / "initdb", "-D", folder / "data", "-U", "yingda", "-A", "trust", "-E", "UTF8", "--locale=C"])
        made.start()
        yield made
    finally:
        with suppress(CalledProcessError):  # it may be stopped already
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(made.beside, ignore_errors=True)
