"""API keys: stored as SHA-256, compared in constant time, each with its scopes."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from serving.settings import SettingsError


class Scope(StrEnum):
    """What a key may do."""

    CLASSIFY = "classify"
    ANSWER = "answer"
    FEEDBACK = "feedback"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    OPS = "ops"
    DATA_UNMASK = "data:unmask"


class KeyRecord(BaseModel):
    """One record of the keys file; the key itself is never stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    # A fast hash is enough: a key made here is 256 random bits, beyond any guessing.
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key, to be shown once, and the record that recognises it."""

    key: str
    record: KeyRecord


class KeyRing:
    """The keys a server accepts."""

    def __init__(self, records: Sequence[KeyRecord]) -> None:
        self._records = tuple(records)

    def find(self, key: bytes) -> KeyRecord | None:
        """The record of ``key``, None when no record fits; takes the same time wherever it stands."""
        digest = _digest(key)
        fitting = [record for record in self._records if hmac.compare_digest(record.sha256, digest)]
        return fitting[0] if fitting else None


def make_key(key_id: str, scopes: Sequence[str]) -> NewKey:
    """A fresh random key named ``key_id``; raise SettingsError for a bad name or an unknown scope."""
    key = f"yd_{secrets.token_urlsafe(32)}"
    try:
        record = KeyRecord.model_validate({"id": key_id, "sha256": _digest(key.encode()), "scopes": scopes})
    except ValidationError as error:
        raise SettingsError(f"new-key: {_explain(error)}") from None
    return NewKey(key=key, record=record)


def read_keys(path: Path) -> KeyRing:
    """The keys in the JSON file at ``path``; raise SettingsError naming the file and the record at fault."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        records = TypeAdapter(list[KeyRecord]).validate_python(content)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); correct YINGDA_KEYS_FILE") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path}:{error.lineno}: is not valid JSON ({error.msg}); correct this line") from None
    except ValidationError as error:
        raise SettingsError(f"{path}: {_explain(error)}") from None
    _check_records(path, records)
    return KeyRing(records)


def _check_records(path: Path, records: Sequence[KeyRecord]) -> None:
    if not records:
        raise SettingsError(f"{path}: holds no key; add a record from `python -m serving new-key`")
    for name, values in (("id", [r.id for r in records]), ("sha256", [r.sha256 for r in records])):
        twice = [index for index, value in enumerate(values, start=1) if Counter(values)[value] > 1]
        if twice:
            raise SettingsError(f"{path}: records {twice} have the same {name}; keep one of them")


def _explain(error: ValidationError) -> str:
    # The values are left out: somebody may have pasted a key where its hash belongs.
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = [f"record {part + 1}" if isinstance(part, int) else part for part in first["loc"][:2]]
    return f"{', '.join(place) or 'the file'}: {first['msg']}; scopes are {', '.join(Scope)}"


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
