"""Knowledge that changes while the service runs: files and packs into the store, the store's snapshot into an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from yingda.domain.errors import StoreError, YingdaError
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import Alike, ImportReport, KnowledgeSnapshot, Payload, RecordKind, Sheet, Signed
from yingda.pack.exchange import Form, read_form, write_form
from yingda.pack.exchange.folder import write_folder
from yingda.pack.exchange.judge import Among
from yingda.pack.exchange.kinds import records_of
from yingda.pack.exchange.shop import knowledge_of as knowledge_of
from yingda.pack.exchange.syntax import SyntaxCheck
from yingda.retrieve.neighbours import most_entries
from yingda.store.base import Store
from yingda.store.knowledge.alike import Embed, find_alike, wordings_of
from yingda.store.knowledge.following import FollowedKnowledge
from yingda.store.knowledge.remembered import RememberedVectors as RememberedVectors
from yingda.store.knowledge.service import KnowledgeStore

POLL_S = 0.1
"""Seconds between two looks at the knowledge version: a tenth of the second in which a change must be visible; it is one short query."""
RETRY_S, RETRY_MOST_S = 1.0, 60.0
"""Seconds before knowledge that could not be built is tried again, doubling up to the second figure."""

NOT_BUILT = "knowledge_not_built"
"""Health's code of knowledge that cannot be built."""
MOST_COMPARED = 5_000
"""Entries that are kept ready for comparing; a larger shop's are compared with those and with what has the same wording."""
REMEMBERED = 100_000
"""Wordings whose vectors are kept at least: those of MOST_COMPARED entries, and of what came since."""
SEEDER = "pack"
"""Who signs what a pack brings into an empty store."""

_CHUNK = 2
_REST = 19.0
"""Seconds of rest for each second of reading the shop ahead: a twentieth of a core, for customers are served meanwhile."""

E = TypeVar("E")


# ---- store and files ----


def open_knowledge(
    store: Store,
    base: Knowledge,
    *,
    embed: Embed,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    two_people: bool = False,
) -> KnowledgeStore:
    """The records of the shop whose taxonomy and hand-off policy are ``base``'s, and all that the store does not hold yet.

    With a ``RememberedVectors`` as ``embed``, entries are compared with those it has at hand, so that saving never waits
    for the encoder to read the whole shop.
    """
    return KnowledgeStore(
        store,
        judge=partial(Among, base),
        syntax=SyntaxCheck(base),
        clock=clock,
        two_people=two_people,
        find_alike=partial(_find_alike, embed=embed, values=base.policy.values),
        most_entries=most_entries(),
    )


def seed_from(records: KnowledgeStore, base: Knowledge, by: Signed) -> int:
    """Publish the pack's records as V1.0, of each kind of which the store never held one; returns how many."""
    return records.seed(records_of(base), by)


def seeder_of(base: Knowledge) -> Signed:
    """How records are signed that a shop takes over by itself."""
    return Signed(SEEDER, f"knowledge {base.digest[:12]}")


def import_pack(records: KnowledgeStore, base: Knowledge, by: Signed, *, preview: bool = False) -> dict[RecordKind, ImportReport]:
    """Publish all that a pack says over what the store says, together or not at all; raises Refused and NotAllowed."""
    return records.import_kinds({kind: Sheet(tuple(rows)) for kind, rows in records_of(base).items()}, by, preview=preview)


def preview_file(records: KnowledgeStore, data: bytes, form: Form, *, at: datetime, digest: str | None = None) -> ImportReport:
    """What importing a file of entries would do; ``digest`` is its SHA-256 in hex. Raises Mismatch."""
    return records.preview_import(RecordKind.FAQ, read_form(data, form, digest=digest, known=_known(records, form, at)))


def import_file(
    records: KnowledgeStore, data: bytes, form: Form, by: Signed, *, at: datetime, digest: str | None = None, partial: bool = False
) -> ImportReport:
    """Import a file of entries, all or nothing unless ``partial``; raises Mismatch before anything is written."""
    sheet = read_form(data, form, digest=digest, known=_known(records, form, at))
    return records.import_rows(RecordKind.FAQ, sheet, by, partial=partial)


def export_file(records: KnowledgeStore, form: Form, *, at: datetime) -> bytes:
    """The entries effective at ``at`` as a file; importing it and exporting again gives the same bytes."""
    return write_form(records.snapshot(at).of(RecordKind.FAQ).values(), form)


def export_folder(records: KnowledgeStore, base: Knowledge, folder: Path, target: Path, *, at: datetime) -> None:
    """All that the store says at ``at`` as the new folder ``target`` of a pack, over ``base``, which was read from ``folder``."""
    write_folder(knowledge_of(base, records.snapshot(at)), folder, target)


def warm(vectors: RememberedVectors, records: KnowledgeStore, at: datetime, *, rest: Callable[[float], bool] = lambda _: False) -> None:
    """Read the wordings of the entries in force, a few at a time, so that what is saved can be compared with them.

    ``rest`` passes so many seconds between two of them, and says True when it is time to end.
    """
    payloads = list(records.snapshot(at).of(RecordKind.FAQ).values())[:MOST_COMPARED]
    texts = list(dict.fromkeys(text for payload in payloads for text in wordings_of(payload)))
    spent = 0.0
    for start in range(0, len(texts), _CHUNK):
        if rest(_REST * spent):
            return
        began = perf_counter()
        vectors(texts[start : start + _CHUNK])
        spent = perf_counter() - began


def _find_alike(
    changed: Mapping[str, Payload], others: Mapping[str, Payload], *, embed: Embed, values: Mapping[str, str]
) -> tuple[Alike, ...]:
    if isinstance(embed, RememberedVectors):
        own = {text for payload in changed.values() for text in wordings_of(payload)}
        others = {id_: one for id_, one in others.items() if embed.has(found := wordings_of(one)) or not own.isdisjoint(found)}
    return find_alike(changed, others, embed=embed, values=values)


def _known(records: KnowledgeStore, form: Form, at: datetime) -> Mapping[str, Payload]:
    return records.snapshot(at).of(RecordKind.FAQ) if form is Form.RASA else {}


# ---- the engine in use ----


class Source(Protocol):
    """Where knowledge comes from."""

    def version(self) -> int:
        """Grows with every change of what customers are told."""

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:
        """All that is effective at ``at``."""


@dataclass(frozen=True, slots=True)
class Health:
    """The knowledge in use, since when, and why newer knowledge is not: ``error`` is None when all is well.

    ``code`` is that of a store that fails, else ``knowledge_not_built``.
    """

    knowledge_version: int
    built_at: datetime
    next_change_at: datetime | None
    error: str | None = None
    failing_since: datetime | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _InUse(Generic[E]):
    engine: E
    version: int
    built_at: datetime
    next_change_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Failure:
    error: str
    code: str
    since: datetime
    version: int | None
    retry_at: datetime
    delay_s: float


class LiveEngine(Generic[E]):
    """Holds the engine in use and puts another in its place when knowledge changes; a request keeps the one it began with.

    ``engine`` is one attribute: reading it takes no lock and never waits, and building happens on another thread. When
    building fails, the last good engine stays in use, ``health`` says why, and it is tried again.
    """

    def __init__(
        self,
        source: Source,
        build: Callable[[KnowledgeSnapshot], E],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        changed: Callable[[Health], None] = lambda _: None,
    ) -> None:
        """Builds the first engine at once; what goes wrong then is raised, for there is nothing to fall back to.

        ``changed`` is told when another engine is in use, and when something begins or ceases to be wrong.
        """
        self._source, self._build, self._clock, self._changed = source, build, clock, changed
        self._failure: _Failure | None = None
        self._stop, self._thread = Event(), Thread(target=self._follow, name="knowledge", daemon=True)
        self._wait: Callable[[], bool] = partial(self._stop.wait, POLL_S)
        self._changing = Lock()
        self._in_use = self._built(build, clock())

    @property
    def engine(self) -> E:
        """The engine in use: take it once a request and use that one throughout."""
        return self._in_use.engine

    def health(self) -> Health:
        """What is in use and what is wrong, for readiness checks and metrics."""
        used, failure = self._in_use, self._failure
        error, since, code = (failure.error, failure.since, failure.code) if failure else (None, None, None)
        return Health(used.version, used.built_at, used.next_change_at, error, since, code)

    def start(self, *, wait: Callable[[], bool] | None = None) -> None:
        """Follow the source on a thread of its own; call it in the process that serves, after any fork.

        ``wait`` passes the time between two looks and says True when it is time to end.
        """
        self._wait = wait or self._wait
        self._thread.start()

    def close(self) -> None:
        """End following; the engine stays usable."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Look at the source once; True when another engine is in use now. Never raises."""
        before = self.health()
        is_new = self._look()
        after = self.health()
        if is_new or before.error != after.error:
            self._changed(after)
        return is_new

    def adopt(self, build: Callable[[KnowledgeSnapshot], E], *, ready: Callable[[E], None] = lambda _: None) -> E:
        """Build with ``build`` from now on; the engine it makes of the knowledge in force takes the place of the one in use.

        ``ready`` prepares that engine before anybody is answered by it. What either raises comes through, and then nothing
        has changed. Call it from a thread of your own: it takes as long as building does, while knowledge is followed beside it.
        """
        before, made = self._in_use, self._built(build, self._clock())
        ready(made.engine)
        with self._changing:
            if self._in_use is not before:
                # knowledge went on meanwhile, and customers never hear again what was withdrawn
                made = self._built(build, self._clock())
            self._build, self._in_use, self._failure = build, made, None
        return made.engine

    def _look(self) -> bool:
        with self._changing:
            return self._look_alone()

    def _look_alone(self) -> bool:
        now, version = self._clock(), None
        try:
            version = self._source.version()
            if not self._due(version, now):
                return False
            self._in_use = self._built(self._build, now)
        except Exception as error:  # whatever is wrong with new knowledge, the service goes on with the last good
            self._failure = self._failed(error, version, now)
            return False
        self._failure = None
        return True

    def _follow(self) -> None:
        while not self._wait():
            self.look()

    def _due(self, version: int, now: datetime) -> bool:
        used, failure = self._in_use, self._failure
        change = used.next_change_at
        if version == used.version and not (change is not None and now >= change):
            self._failure = None
            return False
        return failure is None or failure.version != version or now >= failure.retry_at

    def _built(self, build: Callable[[KnowledgeSnapshot], E], now: datetime) -> _InUse[E]:
        snapshot = self._source.snapshot(now)
        return _InUse(build(snapshot), snapshot.version, now, snapshot.next_change_at)

    def _failed(self, error: Exception, version: int | None, now: datetime) -> _Failure:
        before = self._failure
        again = before is not None and before.version == version
        delay = min(before.delay_s * 2, RETRY_MOST_S) if again and before else RETRY_S
        # messages of foreign errors may quote texts; ours never do
        told = str(error) if isinstance(error, YingdaError) else f"{type(error).__name__} while knowledge was built"
        code = error.code if isinstance(error, StoreError) else NOT_BUILT
        return _Failure(told, code, before.since if before else now, version, now + timedelta(seconds=delay), delay)


# ---- a shop that runs ----


@dataclass(frozen=True, slots=True)
class Shop(Generic[E]):
    """A shop whose knowledge changes while it serves: what it starts from, its records, and the engine that follows them."""

    base: Knowledge
    records: KnowledgeStore
    live: LiveEngine[E]
    vectors: RememberedVectors


def open_shop(
    store: Store,
    base: Knowledge,
    *,
    embed: Embed,
    build: Callable[[KnowledgeSnapshot], E],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    two_people: bool = False,
    changed: Callable[[Health], None] = lambda _: None,
) -> Shop[E]:
    """The shop in a migrated store, which takes over what ``base`` says where it holds nothing of a kind yet.

    ``build`` makes an engine from a snapshot. The shop remembers vectors in ``embed`` where that is a ``RememberedVectors``, so that
    ``build`` can look them up. Raises StoreError, Refused, and what ``build`` raises.
    """
    vectors = embed if isinstance(embed, RememberedVectors) else RememberedVectors(embed, most=REMEMBERED)
    records = open_knowledge(store, base, embed=vectors, clock=clock, two_people=two_people)
    seed_from(records, base, seeder_of(base))
    return Shop(base, records, LiveEngine(FollowedKnowledge(store), build, clock=clock, changed=changed), vectors)
