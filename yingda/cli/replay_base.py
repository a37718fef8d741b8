"""Today's configuration for a replay: the bundle, and the knowledge that the store publishes or a pack's."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yingda.assemble import Opened, index_folder, open_parts
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import KnowledgeSnapshot, RecordKind, Version
from yingda.engine import Engine
from yingda.live import open_knowledge
from yingda.pack.exchange.shop import digest_of, knowledge_of
from yingda.replay.records import PastTurn, ReplayError
from yingda.replay.then import MOST
from yingda.store.base import Store, open_store
from yingda.store.knowledge.service import KnowledgeStore


@dataclass(frozen=True)
class Told:
    """A snapshot of the store's knowledge that can travel to another process."""

    version: int
    records: tuple[Version, ...]
    managed: frozenset[RecordKind]

    @classmethod
    def of(cls, snapshot: KnowledgeSnapshot) -> Told:
        """The same, without what ties it to its process."""
        return cls(snapshot.version, tuple(snapshot.records.values()), snapshot.managed)

    def snapshot(self) -> KnowledgeSnapshot:
        """The snapshot again."""
        return KnowledgeSnapshot(self.version, MappingProxyType({each.id: each for each in self.records}), None, self.managed)


@dataclass(frozen=True)
class Base:
    """The configuration of today: bundle folder, and pack folder where its knowledge is not the bundle's own.

    ``told`` is what the store publishes over that; None where it publishes nothing, or the pack alone is asked for.
    The index that a server keeps in ``index`` is read where it fits, and never written.
    ``earlier`` holds, by digest, knowledge of which turns to verify speak, and ``which`` the ids of those turns.
    """

    bundle: Path
    pack: Path | None
    told: Told | None = None
    earlier: Mapping[str, Told] = field(default_factory=dict)
    which: Mapping[str, str] = field(default_factory=dict)
    index: Path | None = None

    @cached_property
    def parts(self) -> Opened:
        """The verified bundle; opened once a process."""
        return open_parts(self.bundle, pack=self.pack, index_folder=self.index, keep_index=False)

    def __reduce__(self) -> tuple[type[Base], tuple[object, ...]]:
        return Base, (self.bundle, self.pack, self.told, dict(self.earlier), dict(self.which), self.index)

    def today(self) -> Engine:
        """The engine of today."""
        return self.over(self.parts)

    def over(self, parts: Opened) -> Engine:
        """An engine of another bundle, over what the store publishes where that is asked for."""
        return parts.engine(self._known(parts, self.told))

    def then(self, today: Engine) -> Past:
        """Engines of earlier knowledge beside the one of today."""
        return Past(self, today)

    def knowledge(self) -> Knowledge:
        """What the shop knows today."""
        return self._known(self.parts, self.told)

    def versions(self) -> list[str]:
        """What names all knowledge besides the files, for a digest."""
        told = [digest_of(self.parts.knowledge, self.told.snapshot())] if self.told else []
        return [*told, *sorted(self.earlier)]

    def _known(self, parts: Opened, told: Told | None) -> Knowledge:
        return knowledge_of(parts.knowledge, told.snapshot()) if told else parts.knowledge


class Past:
    """Engines of ``base`` over its earlier knowledge, the last few kept."""

    def __init__(self, base: Base, today: Engine) -> None:
        self._base, self._today = base, today
        self._kept: OrderedDict[str, Engine] = OrderedDict()

    def engine(self, digest: str) -> Engine:
        """The engine over the knowledge of that digest."""
        if digest not in self._kept:
            parts = self._base.parts
            known = knowledge_of(parts.knowledge, self._base.earlier[digest].snapshot())
            self._kept[digest] = parts.engine(known, former=self._today)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(digest)
        return self._kept[digest]


def base_of(bundle: Path, pack: Path | None, store: str | None, *, as_of: datetime | None = None) -> Base:
    """Today's configuration, with what ``store`` publishes now, or published at ``as_of``; raises StoreError and ReplayError."""
    kept = os.environ.get("YINGDA_INDEX")
    base = Base(bundle, pack, index=index_folder(store or "", Path(kept) if kept else None))
    if store is None:
        return base
    with closing(open_store(store)) as opened:
        records = _records(opened, base)
        snapshot = records.as_of(as_of) if as_of else records.snapshot(datetime.now(UTC))
    if as_of and not snapshot.records:
        raise ReplayError(f"the store had published nothing at {as_of.isoformat()}; choose a later --as-of, or name a pack with --pack")
    return _with(base, told=Told.of(snapshot)) if snapshot.managed else base


def with_earlier(base: Base, store: str, turns: Iterable[PastTurn]) -> Base:
    """``base``, with the earlier knowledge that decided some of ``turns`` with this bundle, as far as the store tells it."""
    sha256, today = base.parts.model.identity.sha256, base.knowledge().digest
    wanted: dict[str, list[PastTurn]] = {}
    for turn in turns:
        if turn.bundle == sha256 and turn.knowledge not in (None, today):
            wanted.setdefault(str(turn.knowledge), []).append(turn)
    if not wanted:
        return base
    found: dict[str, Told] = {}
    with closing(open_store(store)) as opened:
        records, digest = _records(opened, base), partial(digest_of, base.parts.knowledge)
        for name, some in wanted.items():
            snapshot = records.then(some[0].at, lambda each, name=name: digest(each) == name)  # type: ignore[misc]
            if snapshot is not None:
                found[name] = Told.of(snapshot)
    which = {turn.turn_id: name for name in found for turn in wanted[name]}
    return _with(base, earlier=found, which=which)


def _records(store: Store, base: Base) -> KnowledgeStore:
    return open_knowledge(store, base.parts.knowledge, embed=base.parts.embed)


def _with(base: Base, **changes: Any) -> Base:
    """``base`` with ``changes``, its bundle not opened again."""
    changed = replace(base, **changes)
    if "parts" in base.__dict__:
        changed.__dict__["parts"] = base.parts
    return changed
