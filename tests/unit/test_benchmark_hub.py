"""The public data sets from the hub: asked for by their names there, and one line where the hub does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from training.benchmark.hub import fetch, read_hub
from training.benchmark.rows import Material, PairRow, TextRow
from training.benchmark.run import run
from training.benchmark.sets import SETS
from yingda.domain.errors import MaterialError

ON_THE_HUB: Mapping[str, set[tuple[str, str | None, str]]] = {
    "banking77": {("mteb/banking77", None, split) for split in ("train", "test")},
    "clinc150": {("clinc/clinc_oos", "plus", split) for split in ("train", "validation", "test")},
    "atec": {("C-MTEB/ATEC", None, split) for split in ("train", "validation", "test")},
    "waimai_10k": {("C-MTEB/waimai-classification", None, split) for split in ("train", "test")},
}
"""Name, configuration and splits of each set that the documents name."""
ROWS: Mapping[str, Mapping[str, Any]] = {
    "mteb/banking77": {"text": "where is my card", "label": 11, "label_text": "card_arrival"},
    "clinc/clinc_oos": {"text": "sing a song", "intent": 1},
    "C-MTEB/ATEC": {"sentence1": "花呗怎么还款", "sentence2": "怎么还花呗", "score": 1},
    "C-MTEB/waimai-classification": {"text": "送得很快", "label": 1},
}


@dataclass(frozen=True)
class ClassLabel:
    """A feature whose values are numbers of names."""

    names: Sequence[str]

    def int2str(self, value: int) -> str:
        return self.names[value]


@dataclass(frozen=True)
class Split:
    """What ``load_dataset`` gives: features, and rows to go through; ``breaks`` after the first."""

    features: Mapping[str, object]
    rows: Sequence[Mapping[str, Any]]
    breaks: bool = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        yield from self.rows
        if self.breaks:
            raise ConnectionError("https://somewhere/rows: 我的卡呢")


@dataclass
class FakeDatasets:
    """The library with one row a split; remembers what it was asked for."""

    ClassLabel: type = ClassLabel
    breaks: bool = False
    asked: list[tuple[str, str | None, str]] = field(default_factory=list)

    def load_dataset(self, name: str, config: str | None, *, split: str) -> Split:
        self.asked.append((name, config, split))
        return Split({"intent": ClassLabel(("greeting", "oos")), "text": object()}, [ROWS[name]], self.breaks)


class Unreachable:
    """The library without a network."""

    def load_dataset(self, name: str, config: str | None, *, split: str) -> Split:
        raise ConnectionError(f"Couldn't reach '{name}' on the hub\n(OfflineModeIsEnabled)")


UNREACHED = "the hub data set 'mteb/banking77' cannot be loaded (ConnectionError); check your connection"


def missing(name: str) -> Any:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hub(load: Callable[[str], Any]) -> Any:
    return partial(read_hub, fetched=partial(fetch, load=load))


@pytest.mark.parametrize("name", ON_THE_HUB)
def test_a_set_is_asked_for_by_its_name_on_the_hub(name: str) -> None:
    library = FakeDatasets()

    material: Material[Any] = hub(lambda _: library)(SETS[name])

    assert set(library.asked) == ON_THE_HUB[name] and len(library.asked) == len(ON_THE_HUB[name])
    expected = {
        "banking77": TextRow("where is my card", "card_arrival"),
        "clinc150": TextRow("sing a song", "oos"),
        "atec": PairRow("花呗怎么还款", "怎么还花呗", same=True),
        "waimai_10k": TextRow("送得很快", "1"),
    }
    assert {row for rows in material.parts.values() for row in rows} == {expected[name]}


def test_the_documents_name_the_sets_of_the_hub() -> None:
    assert {name for name, dataset in SETS.items() if dataset.hub is not None} == set(ON_THE_HUB)
    text = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert "take the sets from the Hugging Face hub instead: banking77, clinc150, atec and waimai_10k only" in text


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (lambda _: Unreachable(), UNREACHED),
        (
            lambda _: FakeDatasets(breaks=True),
            UNREACHED,
        ),
        (missing, "datasets cannot be imported; install it with: pip install -e '.[train]'"),
    ],
    ids=["unreachable", "breaks off", "no library"],
)
def test_a_hub_that_does_not_answer_is_one_line_and_nothing_is_written(
    load: Callable[[str], Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    base, out = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        (base / name).write_bytes(b"never read as what it is")

    assert run(["--hub", "--sets", "banking77", "clinc150", "--base", str(base), "--out", str(out)], hub=hub(load)) == 2

    complaint = capsys.readouterr().err
    assert complaint.startswith(said) and complaint.count("\n") == 1
    assert "我的卡呢" not in complaint
    assert not out.exists()


def test_a_set_without_a_place_there_is_left_out_or_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterialError, match="hwu64 has no place on the hub; give the folder of the data sets, or leave it out"):
        hub(lambda _: FakeDatasets())(SETS["hwu64"])
