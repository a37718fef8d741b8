"""API keys: random, shown once, recognised by their SHA-256, each with its scopes and its time.

A fast hash is enough, and no salt is needed: a key made here is 256 random bits, so there is nothing to guess and no two are
alike (OWASP Password Storage asks for slow hashes because people choose passwords; nobody chooses these).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from yingda.access.scopes import NAMES, Scope
from yingda.domain.errors import YingdaError

PREFIX = "yd_"
"""How a key begins, so that scanners for leaked secrets can find it."""

_KEY_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class AccessError(YingdaError):
    """A key, its record or the file of keys cannot be used; the message never holds a key or a hash."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What recognises a key; the key itself is never kept. Times have an offset; None: unknown, for good, not revoked."""

    id: str
    sha256: str
    scopes: frozenset[Scope]
    created: datetime | None = None
    expires: datetime | None = None
    revoked: datetime | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise AccessError("id: must be 1 to 64 letters, digits, dots, dashes or underscores")
        if not _SHA256.fullmatch(self.sha256):
            raise AccessError("sha256: must be 64 hexadecimal digits in lower case")
        if not self.scopes:
            raise AccessError(f"scopes: at least one is needed; scopes are {NAMES}")

    def refusal(self, now: datetime) -> str | None:
        """Why the key opens nothing at ``now``: ``revoked`` or ``expired``; None while it is good."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key, to be shown once, and the record that recognises it."""

    key: str
    record: KeyRecord


def make_key(key_id: str, scopes: Iterable[str], *, expires: datetime | None = None, now: datetime | None = None) -> NewKey:
    """A fresh random key named ``key_id``; raises AccessError for a bad name, an unknown scope or a time that is over."""
    now = now or datetime.now(UTC)
    if expires is not None and expires <= now:
        raise AccessError("expires: lies in the past; name a time to come")
    key = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return NewKey(key, KeyRecord(key_id, _digest(key.encode()), read_scopes(scopes), now.replace(microsecond=0), expires))


def read_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """The scopes of those names; raises AccessError for one that does not exist, which it does not repeat."""
    try:
        return frozenset(Scope(name) for name in names)
    except ValueError:
        raise AccessError(f"scopes: one of them does not exist; scopes are {NAMES}") from None


class KeyRing:
    """The keys a server accepts, found by hash in the same time whether there are ten or a million.

    The index is a dict of digests. How long a look-up takes may depend on the digest of what was sent, never on how much of
    a key was right: SHA-256 of a nearly right key shares nothing with the right one, and Python's hash of it is seeded at
    random for each process. There is no comparison that stops at the first wrong character of a secret.
    """

    def __init__(self, records: Sequence[KeyRecord], *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.records = tuple(records)
        self._by_digest = {record.sha256: record for record in records}
        self._clock = clock

    def look_up(self, key: bytes) -> tuple[KeyRecord | None, str | None]:
        """The record of ``key`` (None: unknown), and why it opens nothing (None: it is good)."""
        record = self._by_digest.get(_digest(key))
        return (None, "unknown") if record is None else (record, record.refusal(self._clock()))

    def find(self, key: bytes) -> KeyRecord | None:
        """The record of ``key``; None when no record fits, or its key has expired or was revoked."""
        record, refusal = self.look_up(key)
        return None if refusal else record


def revoke(record: KeyRecord, now: datetime) -> KeyRecord:
    """``record``, refused from ``now`` on; a key that was revoked before stays as it was."""
    return record if record.revoked else replace(record, revoked=now.replace(microsecond=0))


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
