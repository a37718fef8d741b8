"""Records for tests of living knowledge: a small shop's entries, people, times, and an encoder that knows characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yingda.domain.knowledge import Knowledge
from yingda.domain.records import Draft, ImportRow, KnowledgeSnapshot, RecordId, RecordKind, Sheet, Signed, Status, Version, payload_digest
from yingda.pack.exchange.kinds import records_of
from yingda.pack.faq import FaqNames
from yingda.store.base import Store
from yingda.store.knowledge.service import KnowledgeStore

START = datetime(2026, 11, 11, 4, tzinfo=UTC)
ANNA, BO = Signed("anna", "tidied the wording"), Signed("bo", "checked")
BOTH = Signed("anna", "new policy", reviewer="bo")
NAMES = FaqNames(frozenset({"SHIP", "CANCEL", "OUT_OF_SCOPE"}), frozenset({"order_no", "photo"}), frozenset({"发货时限", "订单号"}))


class Clock:
    """A clock that tests set."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def go(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now


def hours(number: float) -> datetime:
    """That many hours after START."""
    return START + timedelta(hours=number)


def an_entry(key: str = "ship-when", **changes: Any) -> dict[str, Any]:
    """An entry as a payload, with ``changes``."""
    entry = {
        "id": key,
        "intent": "SHIP",
        "question": {"zh": f"{key} 什么时候发货", "en": f"When is {key} sent?"},
        "similar": {"zh": [f"{key} 多久发"]},
        "answer": {"zh": "{发货时限}内发出。", "en": "Within {发货时限}."},
        "ask": ["order_no"],
        "needs_human": False,
    }
    return {**entry, **changes}


def faq(key: str = "ship-when") -> RecordId:
    return RecordId(RecordKind.FAQ, key)


def a_draft(
    key: str = "ship-when", *, name: str | None = None, since: datetime | None = None, until: datetime | None = None, **changes: Any
) -> Draft:
    return Draft(faq(key), an_entry(key, **changes), name, since, until)


def a_version(revision: int = 1, status: Status = Status.PUBLISHED, **changes: Any) -> Version:
    """Revision ``revision`` of an entry, an hour after the one before."""
    payload = changes.pop("payload", {"text": f"p{revision}"})
    values: dict[str, Any] = {
        "number": revision,
        "name": f"V1.{revision}-发货",
        "author": "anna",
        "actor": "anna",
        "reviewer": None,
        "at": hours(revision),
        "reason": "",
        "effective_from": hours(revision),
    }
    return Version(faq(), revision, status=status, payload=payload, digest=payload_digest(payload), **{**values, **changes})


def a_sheet(*payloads: Mapping[str, Any]) -> Sheet:
    return Sheet(tuple(ImportRow(line, payload["id"], payload) for line, payload in enumerate(payloads, 2)))


class Takes:
    """Judges a payload by one check, and nothing else; by default it takes any."""

    def __init__(self, check: Callable[[Mapping[str, Any]], list[str]] = lambda _: []) -> None:
        self._check = check

    def __call__(self, _: KnowledgeSnapshot) -> Takes:
        return self

    def check(self, _: RecordId, payload: Mapping[str, Any]) -> list[str]:
        return self._check(payload)

    def warnings(self, _: RecordId, __: Mapping[str, Any]) -> list[str]:
        return []

    def broken_since(self, _: Takes) -> list[str]:
        return []


def records_in(store: Store, clock: Clock, **settings: Any) -> KnowledgeStore:
    """Living knowledge that takes any plain payload, unless ``settings`` say otherwise."""
    return KnowledgeStore(store, clock=clock, **{"judge": Takes(), **settings})


def embed_characters(texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors [N, 256] that count characters: texts of the same characters are the same."""
    vectors = np.zeros((len(texts), 256), np.float32)
    for row, text in enumerate(texts):
        for char in text:
            vectors[row, ord(char) % 256] += 1
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def all_told(base: Knowledge, **changes: Any) -> KnowledgeSnapshot:
    """A snapshot that says all that ``base`` says; ``changes`` by ``kind__key``, None takes a record away."""
    payloads = {RecordId(kind, row.key): row.payload for kind, rows in records_of(base).items() for row in rows}
    for name, payload in changes.items():
        kind, _, key = name.partition("__")
        payloads[RecordId(RecordKind(kind), key)] = payload
    records = {id_: a_version(payload=payload) for id_, payload in payloads.items() if payload is not None}
    return KnowledgeSnapshot(1, records, None, frozenset(RecordKind))
