"""An index on disk: written once, read by every worker in a moment, never half-written and never taken for another.

A folder holds ``index.json`` and one folder with the files it names: vectors and numbers (safetensors), BM25 tables
(bm25s' own arrays, mapped into memory), the graph (usearch's own file, mapped likewise). ``index.json`` is replaced
last, so a reader sees the old index or the new one. Nothing is pickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import bm25s
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from yingda.domain.errors import BundleError
from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.index import EXACT_SCORES, SAMPLE, FaqIndex, Search
from yingda.retrieve.lexical import EntrySearch, WordingScores
from yingda.retrieve.neighbours import CONNECTIVITY, EXACT_SEARCH, EXPANSION_ADD, ExactNeighbours, GraphNeighbours, Neighbours, aligned
from yingda.retrieve.space import MatchSpace

FORMAT = 2
LISTING = "index.json"

_ARRAYS, _GRAPH, _WORDINGS, _ENTRIES = "index.safetensors", "graph.usearch", "wordings", "entries"
_SIZES = (EXACT_SCORES, EXACT_SEARCH, SAMPLE, CONNECTIVITY, EXPANSION_ADD)
_REMEDY = "delete the folder and let the index be built again"


class UnfitIndexError(BundleError):
    """There is no index, or a sound one of something else: nothing is damaged, and another is built in its place."""


def index_source(space: MatchSpace, faq: Mapping[str, FaqEntry], *, model: str) -> str:
    """SHA-256 of all an index is made from: entries with their wordings in order, the digest of the ``model``, and sizes set here."""
    digest = sha256(f"{FORMAT}\n{model}\n{_SIZES}\n".encode())
    for numbers in (space.intents, space.columns):
        digest.update(numbers.astype("<i8").tobytes())
    for id_ in space.entries:
        digest.update(json.dumps([id_, *faq[id_].texts()]).encode())
    return digest.hexdigest()


def save_index(index: FaqIndex, folder: Path, *, source: str) -> None:
    """Write ``index`` below ``folder``; ``source`` is from ``index_source``. Raises BundleError where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = Path(mkdtemp(prefix="files-", dir=folder))
        try:
            _write_parts(index, written)
            _publish(folder, written, source)
        except BaseException:
            rmtree(written, ignore_errors=True)
            raise
    except OSError as error:
        raise BundleError(f"{folder}: the index cannot be written ({error.strerror}); give it room and permissions") from error
    for former in folder.glob("files-*"):
        if former != written:
            rmtree(former, ignore_errors=True)  # readers that have it mapped keep it


def holds_index(folder: Path, *, source: str) -> bool:
    """Whether the listing below ``folder`` is of ``source``; its files are not looked at."""
    try:
        return bool(_read_listing(folder / LISTING)["source"] == source)
    except BundleError:
        return False


def load_index(folder: Path, space: MatchSpace, *, source: str) -> FaqIndex:
    """The index of ``space`` that ``save_index`` wrote below ``folder``, every file checked.

    Raises BundleError that says whether it is missing, altered, or made from something else than ``source``.
    """
    listing = _read_listing(folder / LISTING)
    if listing["source"] != source:
        raise UnfitIndexError(f"{folder}: the index is of other entries or of another model; build it again")
    files = folder / listing["folder"]
    for name, expected in listing["files"].items():
        _verify(files / name, expected)
    try:
        return _read_parts(files, space)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the index is not readable by this version; {_REMEDY}") from error


def _write_parts(index: FaqIndex, files: Path) -> None:
    search = index.search
    arrays = {"vectors": index.vectors, "owners": index.wordings.owners, "keys": index.wordings.keys}
    if search is not None:
        arrays["sample"] = search.sample
        search.entries.table.save(files / _ENTRIES, show_progress=False)
        if isinstance(search.neighbours, GraphNeighbours):
            search.neighbours.graph.save(str(files / _GRAPH))
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, files / _ARRAYS)
    index.wordings.table.save(files / _WORDINGS, show_progress=False)


def _publish(folder: Path, files: Path, source: str) -> None:
    facts = {p.relative_to(files).as_posix(): _facts(p) for p in sorted(files.rglob("*")) if p.is_file()}
    listing = {"format": FORMAT, "source": source, "folder": files.name, "files": facts}
    partial = files / (LISTING + ".partial")
    partial.write_text(json.dumps(listing, indent=2, sort_keys=True) + "\n", "utf-8")
    partial.replace(folder / LISTING)


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": file_digest(stream, "sha256").hexdigest()}


def _read_listing(path: Path) -> dict[str, Any]:
    try:
        listing = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UnfitIndexError(f"{path}: there is no index here; build it") from error
    except OSError as error:
        raise BundleError(f"{path}: not readable ({error.strerror}); {_REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not readable as JSON; {_REMEDY}") from error
    kinds = {"source": str, "folder": str, "files": dict}
    if not isinstance(listing, dict) or listing.get("format") != FORMAT or not all(isinstance(listing.get(n), k) for n, k in kinds.items()):
        raise BundleError(f"{path}: not a listing of format {FORMAT}; {_REMEDY}")
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in (listing["folder"], *listing["files"])):
        raise BundleError(f"{path}: names a file outside its folder; {_REMEDY}")
    return listing


def _verify(path: Path, expected: Any) -> None:
    try:
        found = _facts(path)
    except OSError as error:
        raise BundleError(f"{path}: missing or not readable; {_REMEDY}") from error
    if found != expected:
        raise BundleError(f"{path}: its SHA-256 differs from {LISTING}; {_REMEDY}")


def _read_parts(files: Path, space: MatchSpace) -> FaqIndex:
    arrays = load_file(files / _ARRAYS)
    graph, count = files / _GRAPH, len(space.entries)
    vectors = arrays["vectors"] if graph.exists() else aligned(arrays.pop("vectors"))  # where all are read, in whole lines
    if len(vectors) != space.size:
        raise ValueError("the vectors are of another space")
    search = None
    if "sample" in arrays:
        search = Search(_neighbours(graph, vectors[:count]), EntrySearch(_table(files / _ENTRIES)), arrays["sample"])
    return FaqIndex(space, vectors, WordingScores(_table(files / _WORDINGS), arrays["owners"], arrays["keys"]), search=search)


def _neighbours(graph: Path, vectors: Any) -> Neighbours:
    return GraphNeighbours.open(vectors, graph) if graph.exists() else ExactNeighbours(vectors)


def _table(folder: Path) -> Any:
    table = bm25s.BM25.load(folder, mmap=True, load_corpus=False)
    # plain arrays over the mapped files: slices of numpy.memmap are slow to make
    table.scores.update({name: np.asarray(table.scores[name]) for name in ("data", "indices", "indptr")})
    return table
