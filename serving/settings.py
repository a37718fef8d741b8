"""Operating numbers of the server, read once from ``YINGDA_`` environment variables."""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.buckets import RateLimit
from yingda.domain.errors import YingdaError

PREFIX = "YINGDA_"
MAX_BODY_BYTES = 256 * 1024
MAX_FILE_BYTES = 8 * 1024 * 1024
"""Largest file that can be imported over HTTP."""

LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(YingdaError):
    """The server cannot start as configured; the message names the variable and the remedy."""


class Settings(BaseSettings):
    """Every setting of the server; the variable of ``max_queue`` is ``YINGDA_MAX_QUEUE``, and so on."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    bundle: Path = Path("models/current")
    pack: Path | None = None
    keys_file: Path | None = None
    # OAuth 2.0: JWT access tokens of one issuer for one audience; all three or none. The key set is an https URL or a file.
    oauth_issuer: str | None = None
    oauth_audience: str | None = None
    oauth_jwks: str | None = None
    # Callers reach the service by TLS, which a proxy ends: browsers are told to insist on it.
    tls: bool = False
    # Conversations, decisions, feedback and knowledge; `memory` keeps conversations for as long as the process lives.
    store: str = "sqlite:///var/yingda.db"
    # Originals are kept, sealed with the newest key of this file; without it texts are kept masked alone.
    vault_keys: Path | None = None
    # Days after which conversations, decisions and feedback are deleted.
    retention_days: int = Field(default=365, ge=1, le=3650)
    # The store of the service that answers with the release of today, which a release in roll-out is compared with; only read.
    reference_store: str | None = None
    # Where what cannot be written to the store waits; unset: beside an SQLite file, in `var` for other databases.
    journal: Path | None = None
    # Where the index of entries that the model was not trained on is kept; unset: beside an SQLite file, else nowhere.
    index: Path | None = None
    journal_max_mb: int = Field(default=64, ge=1, le=4096)
    # What a message waits for a store that hangs, once, before it goes on without it.
    store_patience_ms: int = Field(default=1000, ge=10, le=60_000)
    # Nothing is published that its author alone has seen; people are told apart by their keys.
    two_people: bool = False
    encode_threads: int = Field(default=1, ge=1, le=64)
    max_queue: int = Field(default=512, ge=1)
    # A message that would wait longer for the engine is refused at once.
    max_wait_ms: int = Field(default=1000, ge=1, le=600_000)
    max_batch: int = Field(default=8, ge=1, le=256)
    cache_entries: int = Field(default=4096, ge=0, le=1_000_000)
    max_body_bytes: int = Field(default=MAX_BODY_BYTES, ge=1024, le=MAX_BODY_BYTES)
    # Time for the whole head of a request, and for its body, which has a second more for each 64 KiB that came.
    header_timeout_s: float = Field(default=10.0, gt=0, le=600)
    body_timeout_s: float = Field(default=10.0, gt=0, le=600)
    # How long a connection may stay open without a request.
    keep_alive_s: float = Field(default=15.0, gt=0, le=3600)
    max_connections: int = Field(default=1000, ge=1)
    # Requests of one key, such as `600/minute` or `20/second; 600/minute`; none: no limit.
    rate_limit: RateLimit | None = None
    shutdown_timeout_s: int = Field(default=30, ge=1)
    log_level: LogLevel = "info"
    # A collector of OpenTelemetry traces (OTLP over HTTP); unset: none are made. Share of the requests that are traced.
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    trace_sample: float = Field(default=0.01, ge=0, le=1)
    # Processes that serve the port; each holds a model of its own.
    workers: int = Field(default=1, ge=1, le=64)


def load_settings() -> Settings:
    """Settings from the environment; raise SettingsError with a line for each variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(error))) from None


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """One warning for each ``YINGDA_`` variable that sets nothing, with the nearest known name."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    ours = sorted(name for name in environment if name.upper().startswith(PREFIX))
    return [_warning(name, known) for name in ours if name.upper() not in known]


def is_loopback(host: str) -> bool:
    """True when only this machine can reach ``host``; a name other than localhost never counts."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def knows_callers(settings: Settings) -> bool:
    """True when callers must say who they are: by key, by token or either."""
    return settings.keys_file is not None or settings.oauth_issuer is not None


def check_exposure(settings: Settings) -> None:
    """Raise SettingsError when other machines could reach a server that asks nobody who they are, or OAuth is half configured."""
    check_oauth(settings)
    if not knows_callers(settings) and not is_loopback(settings.host):
        raise SettingsError(
            f"{PREFIX}HOST={settings.host} can be reached from other machines but no keys are configured; "
            f"set {PREFIX}KEYS_FILE (make a key with `yingda keys create`) or {PREFIX}OAUTH_ISSUER, or {PREFIX}HOST=127.0.0.1"
        )


def check_oauth(settings: Settings) -> None:
    """Raise SettingsError unless issuer, audience and key set of OAuth are all set, or none is."""
    needed = ("oauth_issuer", "oauth_audience", "oauth_jwks")
    missing = [name for name in needed if getattr(settings, name) is None]
    if missing and len(missing) < len(needed):
        names = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
        raise SettingsError(f"OAuth needs issuer, audience and key set; set {names}, or unset all three")


def check_roles(settings: Settings) -> None:
    """Raise SettingsError when two people are asked for and nobody can be told from anybody."""
    if settings.two_people and not knows_callers(settings):
        raise SettingsError(
            f"{PREFIX}TWO_PEOPLE needs a key for each person; set {PREFIX}KEYS_FILE (make keys with `yingda keys create`) "
            f"or unset {PREFIX}TWO_PEOPLE"
        )


def check_processes(settings: Settings) -> None:
    """Raise SettingsError when several processes are asked for and cannot do the work of one."""
    if settings.workers == 1:
        return
    if settings.store == "memory":
        raise SettingsError(
            f"{PREFIX}WORKERS={settings.workers} needs a store that the processes share, for {PREFIX}STORE=memory is each one's own; "
            f"name a database or set {PREFIX}WORKERS=1"
        )
    if os.name != "posix":
        raise SettingsError(f"{PREFIX}WORKERS={settings.workers}: this system cannot share a port among processes; set {PREFIX}WORKERS=1")


def _explain(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_context=False)
    return [f"{PREFIX}{str(d['loc'][0]).upper()}={d['input']}: {d['msg']}; correct or unset it" for d in details]


def _warning(name: str, known: list[str]) -> str:
    # The prefix is left out of the comparison: it would make every name look near.
    endings = [each.removeprefix(PREFIX) for each in known]
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
    hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{name} is not a setting and has no effect{hint}"
