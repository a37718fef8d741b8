"""Originals sealed for the few who may read them: AES-256-GCM, a field at a time, with named keys that can be changed.

NIST SP 800-38D (authenticated encryption, random 96-bit nonces: at most 2^32 fields a key); RFC 5116 for the associated data, which
binds each field to its turn, its name and its key, so that nothing can be moved to another place.
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from yingda.domain.errors import StoreError

TEXT, CUSTOMER = "text", "customer"
"""Fields that are sealed: the message as it was written, and the customer's id."""

_KEY_BYTES, _NONCE_BYTES = 32, 12
_VARIABLE = "YINGDA_VAULT_KEYS"


class VaultError(StoreError):
    """Keys cannot be used, or an original cannot be read; never holds a part of one."""


@dataclass(frozen=True, slots=True, repr=False)
class VaultKey:
    """A key and the name that sealed fields carry; its representation shows no secret."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"VaultKey({self.id!r})"


class Vault:
    """Seals with the newest of its keys and opens what any of them sealed; threads may share it."""

    def __init__(self, keys: tuple[VaultKey, ...]) -> None:
        """``keys`` oldest first; raises VaultError for none, or where cryptography is not installed."""
        if not keys:
            raise VaultError("there is no vault key; make one with `yingda privacy new-vault-key`", code="vault_no_key")
        cipher = _cipher()
        self._ciphers = {key.id: cipher(key.secret) for key in keys}
        self.newest = keys[-1].id

    def seal(self, turn_id: str, values: Mapping[str, str]) -> dict[str, Any]:
        """``values`` by field, as they are stored: the key's id, and nonce and ciphertext of each in base64."""
        return {"key": self.newest, **{name: self._sealed(turn_id, name, value) for name, value in values.items()}}

    def open(self, turn_id: str, sealed: Mapping[str, Any]) -> dict[str, str]:
        """What was sealed for that turn, all of it; raises VaultError when any field was altered or its key is not here."""
        key = sealed.get("key")
        cipher = self._ciphers.get(key) if isinstance(key, str) else None
        if cipher is None:
            detail = f"an original of turn {turn_id} was sealed with a key that {_VARIABLE} does not hold; put that key back"
            raise VaultError(detail, code="vault_unknown_key")
        return {name: _opened(cipher, turn_id, name, str(key), value) for name, value in sealed.items() if name != "key"}

    def is_current(self, sealed: Mapping[str, Any]) -> bool:
        """True when the newest key sealed it."""
        return sealed.get("key") == self.newest

    def _sealed(self, turn_id: str, name: str, value: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        data = value.encode("utf-8", "surrogatepass")
        return b64encode(nonce + self._ciphers[self.newest].encrypt(nonce, data, _bound_to(turn_id, name, self.newest))).decode()


def read_vault(path: Path) -> Vault:
    """The vault whose keys are in the file at ``path``; raises VaultError when it cannot be used, or others may read it."""
    return Vault(_read_keys(path))


def add_key(path: Path, now: datetime) -> str:
    """Add a random key to the file at ``path``, which is made with mode 600 where there is none; returns its id.

    From then on it seals; the others still open. The file is replaced whole, so that no key is lost by an interruption.
    """
    keys = _read_keys(path) if path.exists() else ()
    new = VaultKey(f"{now:%Y%m%d}-{secrets.token_hex(4)}", secrets.token_bytes(_KEY_BYTES))
    records = [{"id": key.id, "key": b64encode(key.secret).decode()} for key in (*keys, new)]
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(records, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise VaultError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that you may write to", code="vault_keys"
        ) from None
    return new.id


def _read_keys(path: Path) -> tuple[VaultKey, ...]:
    try:
        mode = path.stat().st_mode
        records = json.loads(path.read_text("utf-8"))
        keys = tuple(VaultKey(record["id"], b64decode(record["key"], validate=True)) for record in records)
    except OSError as error:
        raise VaultError(f"{path}: cannot be read ({error.strerror}); correct {_VARIABLE}", code="vault_keys") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _unusable(path) from None
    if os.name == "posix" and mode & 0o077:
        raise VaultError(f"{path}: others may read the keys; run `chmod 600` on it", code="vault_keys_mode")
    wellformed = all(isinstance(key.id, str) and key.id and len(key.secret) == _KEY_BYTES for key in keys)
    if not wellformed or len({key.id for key in keys}) < len(keys):
        raise _unusable(path)
    return keys


def _unusable(path: Path) -> VaultError:
    """Says nothing of what stands there: it may be a key."""
    detail = f"{path}: is no list of vault keys, each with its own id and 32 bytes in base64; restore it from its copy"
    return VaultError(detail, code="vault_keys")


def _opened(cipher: Any, turn_id: str, name: str, key: str, value: object) -> str:
    from cryptography.exceptions import InvalidTag

    try:
        data = b64decode(str(value), validate=True)
        opened = cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound_to(turn_id, name, key))
        return str(opened.decode("utf-8", "surrogatepass"))
    except (InvalidTag, ValueError):
        detail = f"an original of turn {turn_id} was altered, or its key is another one; restore the database or the keys from a copy"
        raise VaultError(detail, code="vault_altered") from None


def _bound_to(turn_id: str, name: str, key: str) -> bytes:
    """The associated data; as JSON no two triples read alike."""
    return json.dumps([turn_id, name, key], ensure_ascii=True).encode()


def _cipher() -> Any:
    """AES-GCM of ``cryptography``, which only those need who keep originals."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError:
        detail = "originals need the package cryptography; run `pip install 'yingda[encryption]'`"
        raise VaultError(detail, code="vault_driver") from None
    return AESGCM
