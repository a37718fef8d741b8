"""The only wiring: a bundle folder (and a pack, when the operator edits one) in, a ready Engine out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from sqlalchemy.engine import make_url

from yingda import bundle as layout
from yingda.bundle import Bundle, open_bundle
from yingda.decide.thresholds import Thresholds
from yingda.domain.errors import BundleError, PackError, StoreError
from yingda.domain.knowledge import Knowledge, Sentiment
from yingda.domain.records import KnowledgeSnapshot, RecordKind
from yingda.engine import Calibration, Engine, Model
from yingda.live import RememberedVectors, knowledge_of, open_knowledge, seed_from, seeder_of
from yingda.pack import read_knowledge
from yingda.pack.exchange.shop import CONVERT, Convert, RememberedEntries
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights
from yingda.retrieve.index import Embed, FaqIndex, build_index, renew_index
from yingda.retrieve.keep import SavedIndex
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import index_source
from yingda.runtime import EncoderSession
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory
from yingda.store.group_commit import GroupCommit
from yingda.store.lasting.breaker import Breaker, Hands, at_once
from yingda.store.lasting.files import Folder
from yingda.store.lasting.keeping import Keeping
from yingda.store.lasting.memory import PACE_S, LastingMemory
from yingda.store.memory import Memory, VolatileMemory
from yingda.store.migrate import migrate
from yingda.text.language import latin_identifier
from yingda.text.normalise import normalise
from yingda.text.tokenizer import MessageTokenizer
from yingda.understand.intent import IntentWeights
from yingda.understand.linear import LinearView
from yingda.understand.sentiment import SentimentScaling

VOLATILE = "memory"
"""The URL of a store that lives as long as its process."""

_SQLITE = "sqlite:///"
_NEVER = 1.01
"""The threshold that no confidence reaches: calibration writes it where no other keeps the promise."""


@dataclass(frozen=True)
class Opened:
    """A verified bundle, read once, from which engines over changing knowledge are built."""

    model: Model
    knowledge: Knowledge
    matches: tuple[str, ...]
    vectors: NDArray[np.float32]
    saved: SavedIndex | None = None
    cache_size: int = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings [N, D] of normalised ``texts``."""
        return self.model.encoder.run(self.model.tokenizer.encode(texts)).embedding

    def engine(self, knowledge: Knowledge | None = None, *, former: Engine | None = None, embed: Embed | None = None) -> Engine:
        """An engine over ``knowledge`` (the pack's unless given).

        What still holds of the index of ``former`` is taken over where that is an engine of the same bundle: all of it where no
        wording changed. Wordings that are new are asked of ``embed``. Without a former the index comes from ``saved``, where it
        is kept. Raises BundleError where the knowledge is of another taxonomy.
        """
        known = knowledge or self.knowledge
        unknown = sorted(set(self.model.intents) ^ set(known.taxonomy.intents))
        if unknown:
            raise BundleError(f"bundle and pack disagree on intents: {', '.join(unknown)}; retrain for this taxonomy")
        space = build_space(known.faq.values(), self.matches, self.model.intents)
        # where every entry was trained there is nothing that would take long to make again
        saved = self.saved if space.is_new.any() else None
        ask = embed or self.embed

        def source() -> str:
            return index_source(space, known.faq, model=self.model.identity.sha256)

        def build() -> FaqIndex:
            return build_index(space, self.vectors, known.faq, normalise=normalise, embed=ask)

        if former is not None and former.identity == self.model.identity:
            before = former.knowledge.faq
            index = renew_index(former.index, before, space, self.vectors, known.faq, normalise=normalise, embed=ask)
            if saved and index is not former.index:
                saved.later(index, source=source)
        else:
            index = saved.first(space, source=source(), build=build) if saved else build()
        return Engine(self.model, index, known, cache_size=self.cache_size)


def open_engine(
    bundle: Path, *, pack: Path | None = None, index_folder: Path | None = None, keep_index: bool = True, cache_size: int = 0
) -> Engine:
    """A ready engine from the verified bundle at ``bundle``; as ``open_parts``."""
    return open_parts(bundle, pack=pack, index_folder=index_folder, keep_index=keep_index, cache_size=cache_size).engine()


def open_parts(
    bundle: Path, *, pack: Path | None = None, index_folder: Path | None = None, keep_index: bool = True, cache_size: int = 0
) -> Opened:
    """What engines are built from, of the verified bundle at ``bundle``.

    Knowledge (taxonomy, FAQ, policy, keywords, templates) comes from ``pack``, so that an operator's edits need
    no new model, else from the copy inside the bundle. An index with untrained entries is read from ``index_folder`` where it
    fits, and kept there, unless ``keep_index`` is off. Every engine keeps what it made of up to ``cache_size`` texts;
    measurements leave it at 0. Raises BundleError or PackError.
    """
    latin_identifier()  # now, and not for the first message that needs it
    verified = open_bundle(layout.settled(bundle))
    knowledge = _knowledge(verified, pack)
    labels = _labels(verified)
    saved = SavedIndex(index_folder, writes=keep_index) if index_folder else None
    return Opened(_model(verified, labels), knowledge, tuple(labels["matches"]), _vectors(verified), saved, cache_size)


@dataclass(frozen=True)
class Lasting:
    """How a memory goes on while its database is away.

    ``journal``: the folder of the journal; None for one beside the file of an SQLite store, and ``var/`` for other
    databases. A message waits ``patience_s`` seconds for a database that hangs. ``journal_bytes`` bounds the journal of a
    process, ``unsaved`` the turns it keeps in memory where no disk takes them. ``pace_s`` seconds lie between two looks at a
    database that is away.
    """

    journal: Path | None = None
    patience_s: float = 1.0
    journal_bytes: int = 64 * 1024 * 1024
    unsaved: int = 2000
    pace_s: float = PACE_S


def open_memory(url: str, *, lasting: Lasting | None = None) -> Memory:
    """The memory of conversations at ``url``, its tables brought to this version; ``memory`` forgets when the process ends.

    With ``lasting`` it goes on while the database is away, and threads write together. Raises StoreError when the database
    cannot be used now.
    """
    if url == VOLATILE:
        return VolatileMemory()
    prepare_store(url)
    if lasting is None:
        return SqlMemory(open_store(url))
    memory = lasting_memory(open_store(url, wait_s=lasting.patience_s), lasting, journal_folder(url, lasting.journal))
    memory.watch(lasting.pace_s)
    return memory


def lasting_memory(store: Store, lasting: Lasting, folder: Path) -> LastingMemory:
    """A memory over an open store, its journals in ``folder``, which nobody tends yet."""
    sql = SqlMemory(store)
    # SQLite gives up on a lock by itself; a server that does not answer can only be left
    within = at_once if store.engine.dialect.name == "sqlite" else Hands(lasting.patience_s)
    return LastingMemory(
        sql,
        writer=GroupCommit(sql.write_all, patience_s=lasting.patience_s),
        breaker=Breaker(lambda: datetime.now(UTC), within),
        keeping=Keeping(Folder(folder), limit=lasting.journal_bytes, unsaved=lasting.unsaved),
    )


def drain_journal(url: str, journal: Path | None = None) -> Path | None:
    """Write into the store at ``url`` what waits for it in journals that no process has; returns their folder, None without one.

    Raises StoreError where the store cannot be used.
    """
    folder = journal_folder(url, journal)
    if url == VOLATILE or not folder.is_dir():
        return None
    with closing(lasting_memory(open_store(url), Lasting(journal), folder)) as memory:
        if not memory.tend():
            raise StoreError(f"{folder}: turns wait there, and the store does not take them; mend it and try again", code="store_away")
    return folder


def journal_folder(url: str, given: Path | None = None) -> Path:
    """Where what waits for the store at ``url`` is kept; each store has a folder of its own."""
    if given is None and url.startswith(_SQLITE):
        return Path(f"{url.removeprefix(_SQLITE)}.waiting")
    named = make_url(url).render_as_string(hide_password=True)
    return (given or Path("var")) / f"waiting-{sha256(named.encode()).hexdigest()[:16]}"


def index_folder(url: str, given: Path | None = None) -> Path | None:
    """Where the index of the shop in the store at ``url`` is kept: as ``given``, else beside an SQLite file; None for nowhere."""
    if given is None and url.startswith(_SQLITE):
        return Path(f"{url.removeprefix(_SQLITE)}.index")
    return given


def prepare_store(url: str) -> list[str]:
    """Bring the tables at ``url`` to this version, making folder and file of an SQLite store; returns the revisions applied."""
    if url.startswith(_SQLITE):
        folder = Path(url.removeprefix(_SQLITE)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}); name another place for the store", code="store_url") from None
    return migrate(url)


def prepare_shop(url: str, bundle: Path, *, pack: Path | None = None) -> None:
    """Bring the tables at ``url`` to this version and take over what the shop knows, where they hold nothing of a kind yet.

    For those who start several servers beside one store: it verifies the bundle and opens no model. Raises YingdaError.
    """
    base = _knowledge(open_bundle(layout.settled(bundle)), pack)
    prepare_store(url)
    with closing(open_store(url)) as store:
        seed_from(open_knowledge(store, base, embed=_no_vectors), base, seeder_of(base))


def _no_vectors(_: Sequence[str]) -> NDArray[np.float32]:
    raise AssertionError("seeding compares nothing")


def _knowledge(bundle: Bundle, pack: Path | None) -> Knowledge:
    return read_knowledge(pack) if pack else _own_knowledge(bundle)


def _own_knowledge(bundle: Bundle) -> Knowledge:
    """The knowledge inside the bundle, exactly as it was when the bundle was made."""
    path = bundle.path(layout.KNOWLEDGE)
    try:
        knowledge = read_knowledge(path)
    except PackError as error:
        raise BundleError(f"{path}: written for another version of Yingda; rebuild the bundle with `dvc repro`") from error
    if knowledge.digest != bundle.manifest.get("knowledge_sha256"):
        raise BundleError(f"{path}: differs from the knowledge the manifest names; restore the bundle or rebuild it with `dvc repro`")
    return knowledge


def _model(bundle: Bundle, labels: dict[str, list[str]]) -> Model:
    try:
        max_tokens = _whole(bundle.manifest["encoder"]["max_tokens"])
        thresholds = Thresholds(**{name: _share(value) for name, value in bundle.manifest["thresholds"].items()})
        calibration = read_calibration(bundle.read_json(layout.CALIBRATION))
        sentiments = tuple(Sentiment(label) for label in labels["sentiments"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path(layout.MANIFEST)}: written for another version of Yingda; rebuild it") from error
    return Model(
        identity=bundle.identity,
        tokenizer=MessageTokenizer(bundle.path(layout.TOKENIZER), max_tokens=max_tokens),
        encoder=EncoderSession(bundle.path(layout.ENCODER)),
        linear=LinearView.load(bundle.path(layout.LINEAR_GRAMS), bundle.path(layout.LINEAR_WEIGHTS)),
        intents=tuple(labels["intents"]),
        sentiments=sentiments,
        calibration=calibration,
        thresholds=thresholds,
    )


def _whole(value: Any) -> int:
    """``value`` where it is a count of tokens; raises ValueError."""
    if type(value) is not int or value < 2:
        raise ValueError("not a number of tokens")
    return value


def _share(value: Any) -> float:
    """``value`` where it is a number in [0, 1], or just above where no threshold keeps the promise; raises ValueError.

    The manifest's own 1 and true are not the same.
    """
    if type(value) not in (int, float) or not 0 <= value <= _NEVER:
        raise ValueError("not a share")
    return float(value)


def read_calibration(fields: dict[str, Any]) -> Calibration:
    """The calibration file as typed numbers; raises KeyError, TypeError or ValueError when it does not fit."""
    if not _is_finite(fields):
        raise ValueError("not a number")
    confidence, sentiment = fields["confidence"], fields["sentiment"]
    return Calibration(
        fusion=FusionWeights(**fields["fusion"]),
        confidence=ConfidenceModel(tuple(float(w) for w in confidence["weights"]), float(confidence["bias"])),
        intent=IntentWeights(**fields["intent"]),
        sentiment=SentimentScaling(
            float(sentiment["temperature"]), tuple(float(b) for b in sentiment["bias"]), float(sentiment.get("alertness", 0.0))
        ),
    )


def _is_finite(tree: Any) -> bool:
    """False where a number of ``tree`` is NaN or endless, which JSON as Python reads it allows."""
    if isinstance(tree, dict):
        return all(map(_is_finite, tree.values()))
    if isinstance(tree, list):
        return all(map(_is_finite, tree))
    return not isinstance(tree, float) or isfinite(tree)


def _labels(bundle: Bundle) -> dict[str, list[str]]:
    labels = bundle.read_json(layout.LABELS)
    if not isinstance(labels, dict) or {"intents", "matches", "sentiments"} - set(labels):
        raise BundleError(f"{bundle.path(layout.LABELS)}: intents, matches or sentiments is missing; rebuild the bundle")
    return labels


def _vectors(bundle: Bundle) -> NDArray[np.float32]:
    path = bundle.path(layout.FAQ_VECTORS)
    try:
        return np.asarray(load_file(path)["classes"], np.float32)
    except (SafetensorError, KeyError) as error:
        raise BundleError(f"{path}: holds no class vectors; restore the bundle") from error


def engine_builder(opened: Opened, *, vectors: RememberedVectors | None = None) -> Callable[[KnowledgeSnapshot], Engine]:
    """What makes an engine from each snapshot of living knowledge in turn; only wordings that changed are embedded, and where none
    did the index stays. What ``vectors`` remember by this bundle, of entries that were compared when they were saved, is not read again.

    For one thread at a time. It raises PackError or BundleError where the records make no shop.
    """
    former: Engine | None = None
    embed = vectors.before(opened.embed) if vectors else None
    convert: Mapping[RecordKind, Convert] = {**CONVERT, RecordKind.FAQ: RememberedEntries()}

    def build(snapshot: KnowledgeSnapshot) -> Engine:
        nonlocal former
        former = opened.engine(knowledge_of(opened.knowledge, snapshot, convert=convert), former=former, embed=embed)
        return former

    return build
