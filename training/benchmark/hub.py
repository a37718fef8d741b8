"""Rows from the Hugging Face hub, for those who have no copy of the data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from training.benchmark.rows import Material, PairRow, RowT, TextRow, pair_row, parse, text_row
from training.benchmark.sets import DataSet, Hub, Task
from yingda.domain.errors import MaterialError

Fetch = Callable[[str, str | None, str], Iterable[Mapping[str, Any]]]
"""Rows of a hub data set by its name, configuration and split, with names in place of class numbers."""


def fetch(name: str, config: str | None, split: str, *, load: Callable[[str], Any] = import_module) -> Iterator[Mapping[str, Any]]:
    """Download through ``datasets``, which ``load`` imports; rows are kept in its own cache, outside the repository.

    Raises MaterialError where the library or the hub cannot be reached.
    """
    try:
        library = load("datasets")  # now, for it takes seconds to import and most runs read a folder
    except ImportError as error:
        raise MaterialError("datasets cannot be imported; install it with: pip install -e '.[train]', or give a folder") from error
    try:
        rows = library.load_dataset(name, config, split=split)
        names = {field: kind for field, kind in rows.features.items() if isinstance(kind, library.ClassLabel)}
        for row in rows:
            yield {field: names[field].int2str(value) if field in names else value for field, value in row.items()}
    except Exception as error:  # the library raises many kinds: of its own, of the hub's client, of the network
        raise MaterialError(
            f"the hub data set {name!r} cannot be loaded ({type(error).__name__}); check your connection, or give a folder"
        ) from error


def read_hub(dataset: DataSet, fetched: Fetch = fetch) -> Material[TextRow] | Material[PairRow]:
    """The rows of ``dataset`` from the hub; raises MaterialError for a set that has no place there."""
    source = dataset.hub
    if source is None:
        raise MaterialError(f"{dataset.name} has no place on the hub; give the folder of the data sets, or leave it out with --sets")
    if dataset.task is Task.MATCHING:
        return Material({part: _read(source, splits, pair_row, fetched) for part, splits in source.parts.items()})
    return Material({part: _read(source, splits, text_row, fetched) for part, splits in source.parts.items()})


def _read(source: Hub, splits: Sequence[str], make: Callable[[Mapping[str, Any]], RowT], fetched: Fetch) -> tuple[RowT, ...]:
    def rows(split: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, row in enumerate(fetched(source.name, source.config, split), 1):
            yield number, {ours: row.get(theirs) for ours, theirs in source.fields.items()}

    return tuple(row for split in splits for row in parse(rows(split), make, f"{source.name}, {split}"))
