"""Living knowledge as routes see it: read and changed off the event loop, and the engine that follows it and the bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from serving.bundle_watch import BundleWatch, check_taxonomy, stamp_of
from serving.errors import FieldError, ProblemError, pointer
from serving.service import Engine
from serving.settings import Settings
from serving.workers import Result, Workers
from yingda.domain.errors import StoreError
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import KnowledgeError, KnowledgeSnapshot, RecordId, RecordKind, Refused, Signed, Status, Version
from yingda.pack.exchange.kinds import records_of
from yingda.store.knowledge.difference import Change
from yingda.store.knowledge.fixed import FixedRecords
from yingda.store.knowledge.service import KnowledgeStore

_WAITING = 64
"""Reads or changes that may wait; more are refused at once."""
_READERS = 2
_REBUILDS_WAITING = 16
Held = TypeVar("Held")
_STATUS = {"not_found": 404, "exists": 409, "not_allowed": 409, "nothing_before": 409, "stale_version": 412}


class Records(Protocol):
    """What can be read of records, whether or not they can be changed."""

    def get(self, id_: RecordId) -> Version:
        """The newest step of a record; raises NotFound."""

    def page(self, kind: RecordKind, *, after: str = "", limit: int = 100, status: Status | None = None) -> list[Version]:
        """The newest steps of records of a kind, in order of the ids."""

    def history(self, id_: RecordId) -> tuple[Version, ...]:
        """Every step of a record, oldest first; raises NotFound."""

    def diff(self, id_: RecordId, before: int, after: int) -> tuple[Change, ...]:
        """What changed between two revisions; raises NotFound."""

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:
        """All that is effective at a time."""


class Health(Protocol):
    """The knowledge in use, and what is wrong with newer knowledge."""

    @property
    def knowledge_version(self) -> int:
        """Version of the knowledge in use."""

    @property
    def built_at(self) -> datetime:
        """When the engine in use was built."""

    @property
    def failing_since(self) -> datetime | None:
        """Since when newer knowledge is kept out; None while it is not."""

    @property
    def error(self) -> str | None:
        """What keeps it out, in words for the log."""

    @property
    def code(self) -> str | None:
        """Its stable name."""


class Following(Protocol):
    """A LiveEngine, or an engine held until another bundle comes."""

    @property
    def engine(self) -> Engine:
        """The engine in use."""

    def health(self) -> Health | None:
        """How following fares; None where nothing changes."""

    def start(self) -> None:
        """Follow from now on."""

    def close(self) -> None:
        """Follow no more."""


class Past(Protocol):
    """Engines over earlier knowledge (``yingda.replay.then.PastEngines``)."""

    def engine(self, digest: str, at: datetime, /) -> Engine | None:
        """The engine over the knowledge of that digest, in use at that time; None where it cannot be had."""


class HeldEngine:
    """The engine in use where knowledge is that of a pack: it changes with the bundle alone."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def health(self) -> None:
        """Nothing is followed here."""

    def start(self) -> None:
        """Nothing is followed here."""

    def close(self) -> None:
        """Nothing is followed here."""


class Desk:
    """Where knowledge is read and changed: changes one after the other, reads beside them.

    Without ``live`` the records are those of a pack and nobody can change them. ``warm`` prepares what a first change
    would wait for, on a thread of its own, and again for each new ``bundle``; what it is given passes so many seconds, and
    says True when it is to stop. ``release`` gives back what the desk alone holds, once nothing of it works any more.
    """

    def __init__(
        self,
        records: KnowledgeStore | FixedRecords,
        *,
        clock: Callable[[], datetime],
        live: Following | None = None,
        warm: Callable[[Callable[[float], bool]], None] | None = None,
        bundle: BundleWatch | None = None,
        past: Past | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock, self.bundle, self.past = clock, bundle, past
        self._release = release
        self._records, self._live, self._prepare = records, live, warm
        self._stop, self._warming = Event(), self._warmer(None)
        self._readers, self._writer = (Workers(threads=threads, max_queue=_WAITING) for threads in (_READERS, 1))
        self._rebuilder = Workers(threads=1, max_queue=_REBUILDS_WAITING)

    @property
    def engine(self) -> Engine | None:
        """The engine in use; None where the app's own never changes."""
        return self._live.engine if self._live else None

    def health(self) -> Health | None:
        """What is in use and what is wrong; None where nothing changes."""
        return self._live.health() if self._live else None

    def start(self) -> None:
        """Follow the store and the bundle from now on."""
        if self._live:
            self._live.start()
            self._warming.start()
        if self.bundle:
            self.bundle.tell(self._warm_again)
            self.bundle.start()

    def close(self) -> None:
        """Follow no more, and let running work finish."""
        self._stop.set()
        if self.bundle:
            self.bundle.close()
        if self._live:
            self._live.close()
        if self._warming.is_alive():
            self._warming.join()
        self._readers.close()
        self._writer.close()
        self._rebuilder.close()
        self._release()

    @property
    def keeps_records(self) -> bool:
        """Whether earlier versions of the knowledge are kept at all."""
        return isinstance(self._records, KnowledgeStore)

    async def engine_then(self, bundle: str | None, knowledge: str | None, at: datetime) -> Engine | None:
        """The engine of that bundle over the knowledge of that digest, in use at the time ``at``; None where it cannot be had.

        It is built on a thread of its own, one at a time; raises ProblemError where too many wait for one, or the store fails.
        """
        past, used = self.past, self.engine
        if past is None or used is None or knowledge is None or bundle != used.identity.sha256:
            return None
        return await self._rebuilder.run(partial(_told, lambda each: each.engine(knowledge, at), past), size=1)

    def show(self, records: FixedRecords) -> None:
        """Show the records of another pack from now on."""
        self._records = records

    async def read(self, work: Callable[[Records], Result]) -> Result:
        """What ``work`` finds; raises ProblemError."""
        return await self._readers.run(partial(_told, work, self._records), size=1)

    async def change(self, work: Callable[[KnowledgeStore], Result]) -> Result:
        """What ``work`` returns once its change is on the disk; raises ProblemError, and then nothing has changed."""
        records = self._records
        if not isinstance(records, KnowledgeStore):
            detail = "knowledge is that of the pack and cannot be changed here; set YINGDA_STORE to a database, or edit the pack"
            raise ProblemError(409, "knowledge_read_only", detail)
        return await self._writer.run(partial(_told, work, records), size=1)

    def _warm_again(self, _: ModelIdentity) -> None:
        if not self._stop.is_set():
            self._warming = self._warmer(self._warming)
            self._warming.start()

    def _warmer(self, former: Thread | None) -> Thread:
        return Thread(target=self._warm, args=(former,), name="knowledge-warm", daemon=True)

    def _warm(self, former: Thread | None) -> None:
        try:
            if former:
                former.join()
            if self._prepare:
                self._prepare(self._stop.wait)
        except StoreError:
            return  # what is not at hand is read when it is needed; health tells about the store


def fixed_desk(knowledge: Knowledge, *, clock: Callable[[], datetime]) -> Desk:
    """The records of a pack that nobody can change."""
    return Desk(_fixed(knowledge, clock), clock=clock)


def _fixed(knowledge: Knowledge, clock: Callable[[], datetime]) -> FixedRecords:
    return FixedRecords(records_of(knowledge), Signed("pack"), at=clock())


def open_desk(settings: Settings, log: FilteringBoundLogger, clock: Callable[[], datetime]) -> Desk:
    """The knowledge in the store of ``settings``, seeded where it is empty, and an engine that follows it; raises YingdaError."""
    # Imported here: printing the contract needs no model runtime.
    from yingda.assemble import Opened, engine_builder, index_folder, open_parts, prepare_store
    from yingda.engine import Engine as RealEngine
    from yingda.live import REMEMBERED, RememberedVectors, open_shop, warm
    from yingda.pack.exchange.shop import digest_of, knowledge_of
    from yingda.replay.then import PastEngines
    from yingda.store.base import open_store

    stamp = stamp_of(settings.bundle)
    kept = index_folder(settings.store, settings.index)
    parts = open_parts(settings.bundle, pack=settings.pack, index_folder=kept, cache_size=settings.cache_entries)
    prepare_store(settings.store)
    base, told = parts.knowledge, partial(tell_change, log)
    store, vectors = open_store(settings.store), RememberedVectors(parts.embed, most=REMEMBERED)
    shop = open_shop(
        store,
        base,
        embed=vectors,
        build=engine_builder(parts, vectors=vectors),
        clock=clock,
        two_people=settings.two_people,
        changed=told,
    )
    tell_news(log, shop.records, base, source=str(settings.pack or settings.bundle / "knowledge"))

    def past_over(opened: Opened) -> PastEngines:
        plain = replace(opened, saved=None, cache_size=0)  # the index that is kept is that of today

        def build(snapshot: KnowledgeSnapshot) -> RealEngine:
            used = shop.live.engine
            former = used if used.identity.sha256 == plain.model.identity.sha256 else None
            return plain.engine(knowledge_of(plain.knowledge, snapshot), former=former)

        return PastEngines(shop.records, digest_of=partial(digest_of, plain.knowledge), build=build)

    # It must not hold on to ``parts``: a model that was replaced is to be forgotten.
    def load(folder: Path) -> ModelIdentity:
        fresh = open_parts(folder, pack=settings.pack, index_folder=kept, cache_size=settings.cache_entries)
        check_taxonomy(folder, fresh.knowledge, base)
        engine = shop.live.adopt(engine_builder(fresh, vectors=vectors), ready=Engine.warm_up)
        vectors.follow(fresh.embed)
        desk.past = past_over(fresh)
        return engine.identity

    watch = BundleWatch(settings.bundle, load, identity=parts.model.identity, stamp=stamp, clock=clock, log=log)

    def prepare(rest: Callable[[float], bool]) -> None:
        warm(vectors, shop.records, clock(), rest=rest)

    desk = Desk(shop.records, clock=clock, live=shop.live, warm=prepare, bundle=watch, past=past_over(parts), release=store.close)
    return desk


def held_desk(settings: Settings, log: FilteringBoundLogger, clock: Callable[[], datetime]) -> Desk:
    """The knowledge of the pack, or of the bundle in use where there is no pack, which nobody can change; raises YingdaError."""
    from yingda.assemble import open_engine

    stamp = stamp_of(settings.bundle)
    opened = partial(open_engine, pack=settings.pack, index_folder=settings.index, cache_size=settings.cache_entries)
    held = HeldEngine(opened(settings.bundle))

    def load(folder: Path) -> ModelIdentity:
        fresh = opened(folder)
        check_taxonomy(folder, fresh.knowledge, held.engine.knowledge)
        fresh.warm_up()
        held.engine = fresh
        desk.show(_fixed(fresh.knowledge, clock))
        return fresh.identity

    watch = BundleWatch(settings.bundle, load, identity=held.engine.identity, stamp=stamp, clock=clock, log=log)
    desk = Desk(_fixed(held.engine.knowledge, clock), clock=clock, live=held, bundle=watch)
    return desk


def tell_change(log: FilteringBoundLogger, health: Health) -> None:
    """Log which knowledge is in use now, or why newer knowledge is not."""
    if health.error:
        log.error("knowledge_stays", version=health.knowledge_version, code=health.code, detail=health.error)
    else:
        log.info("knowledge_in_use", version=health.knowledge_version)


def tell_news(log: FilteringBoundLogger, records: KnowledgeStore, pack: Knowledge, *, source: str) -> None:
    """Log that the pack on disk says what the store was never told; edits in the store are never overwritten silently."""
    news = records.never_told(records_of(pack))
    if news:
        detail = f"the store's knowledge stays in use; publish what the pack says with `yingda knowledge import {source}`"
        log.warning("pack_has_news", records=len(news), first=[str(id_) for id_ in news[:5]], detail=detail)


def _told(work: Callable[[Held], Result], records: Held) -> Result:
    try:
        return work(records)
    except StoreError as error:
        # the error itself names the database, which is nobody's business but the operator's
        detail = "the store of knowledge cannot be used now and nothing was changed; try again"
        raise ProblemError(503, error.code, detail, headers={"Retry-After": "1"}) from None
    except Refused as error:
        fields = [_field(reason) for reason in error.reasons]
        raise ProblemError(422, error.code, f"{len(fields)} reason(s) not to save this; see errors", errors=fields) from None
    except KnowledgeError as error:
        # an id that is not known is not repeated: nobody knows what it is
        detail = "there is no such record or revision; check kind and id" if error.code == "not_found" else str(error)
        raise ProblemError(_STATUS.get(error.code, 422), error.code, detail) from None


def _field(reason: str) -> FieldError:
    """A reason written ``field: what to do``."""
    field, _, detail = reason.partition(": ")
    path = pointer(field.split(".")) if detail else ""
    return FieldError(pointer=path, code="refused", detail=detail if path else reason)
