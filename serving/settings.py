"""Operating numbers of the server, read once from ``YINGDA_`` environment variables."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    # Conversations, decisions, feedback and knowledge; `memory` keeps conversations for as long as the process lives.
    store: str = "sqlite:///var/yingda.db"
    # Where what cannot be written to the store waits; unset: beside an SQLite file, in `var` for other databases.
    journal: Path | None = None
    journal_max_mb: int = Field(default=64, ge=1, le=4096)
    # What a message waits for a store that hangs, once, before it goes on without it.
    store_patience_ms: int = Field(default=1000, ge=10, le=60_000)
    # Nothing is published that its author alone has seen; people are told apart by their keys.
    two_people: bool = False
    encode_threads: int = Field(default=1, ge=1, le=64)
    max_queue: int = Field(default=512, ge=1)
    max_body_bytes: int = Field(default=MAX_BODY_BYTES, ge=1024, le=MAX_BODY_BYTES)
    shutdown_timeout_s: int = Field(default=30, ge=1)
    log_level: LogLevel = "info"
    # One process holds one model; more processes are the service manager's work, and each has its own metrics.
    workers: int = Field(default=1, ge=1, le=1)


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


def check_exposure(settings: Settings) -> None:
    """Raise SettingsError when other machines could reach a server that asks for no key."""
    if settings.keys_file is None and not is_loopback(settings.host):
        raise SettingsError(
            f"{PREFIX}HOST={settings.host} can be reached from other machines but no keys are configured; "
            f"set {PREFIX}KEYS_FILE (make a key with `python -m serving new-key`) or {PREFIX}HOST=127.0.0.1"
        )


def check_roles(settings: Settings) -> None:
    """Raise SettingsError when two people are asked for and nobody can be told from anybody."""
    if settings.two_people and settings.keys_file is None:
        raise SettingsError(
            f"{PREFIX}TWO_PEOPLE needs a key for each person; set {PREFIX}KEYS_FILE (make keys with `python -m serving new-key`) "
            f"or unset {PREFIX}TWO_PEOPLE"
        )


def _explain(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_context=False)
    return [f"{PREFIX}{str(d['loc'][0]).upper()}={d['input']}: {d['msg']}; correct or unset it" for d in details]


def _warning(name: str, known: list[str]) -> str:
    # The prefix is left out of the comparison: it would make every name look near.
    endings = [each.removeprefix(PREFIX) for each in known]
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), endings, n=1)
    hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{name} is not a setting and has no effect{hint}"
