"""An index on disk: comes back the same, and is refused in one clear line when it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from yingda.domain.errors import BundleError
from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.index import FaqIndex, build_index, build_search
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import LISTING, index_source, load_index, save_index

WORDS = "退换货款发票券码快递单号地址取消修改查询多久怎么"
FAQ = {
    f"e{n}": FaqEntry(f"e{n}", "AB"[n % 2], {"zh": WORDS[n % 20 : n % 20 + 4] + str(n)}, {"zh": (WORDS[n % 7 :: 5],)}, {"zh": ""})
    for n in range(60)
}
SPACE = build_space(FAQ.values(), ["e0", "e1", "none:A"], ("A", "B"))
SOURCE = index_source(SPACE, FAQ, model="m1")


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([np.random.default_rng([ord(c) for c in text]).normal(size=8) for text in texts]).astype(np.float32)


def make(*, exact_scores: int, exact: int = 50) -> FaqIndex:
    trained = np.eye(3, 8, dtype=np.float32)
    index = build_index(SPACE, trained, FAQ, normalise=str, embed=embed, exact_scores=exact_scores)
    if not index.is_large:
        return index
    wordings = {id_: entry.texts() for id_, entry in FAQ.items()}
    return FaqIndex(SPACE, index.vectors, wordings, search=build_search(SPACE, index.vectors, wordings, exact=exact))


def message(text: str = "快递单号怎么查询") -> NDArray[np.float32]:
    vector = embed([text])[0]
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.mark.parametrize("exact", [50, 100], ids=["graph", "exact"])
def test_a_large_index_comes_back_the_same(exact: int, tmp_path: Path) -> None:
    index = make(exact_scores=10, exact=exact)
    save_index(index, tmp_path / "index", source=SOURCE)

    read = load_index(tmp_path / "index", SPACE, source=SOURCE)

    before, after = (i.shortlist(message(), "快递单号怎么查询", k=10) for i in (index, read))
    assert before.space.entries == after.space.entries
    for name in ("cosine", "lexical"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    assert before.tail.cosine.tobytes() == after.tail.cosine.tobytes()


def test_a_small_index_comes_back_the_same(tmp_path: Path) -> None:
    index = make(exact_scores=1000)
    save_index(index, tmp_path, source=SOURCE)

    read = load_index(tmp_path, SPACE, source=SOURCE)

    own = FAQ["e7"].texts()[0]
    assert not read.is_large
    assert read.lexical(["退款多久", ""]).tobytes() == index.lexical(["退款多久", ""]).tobytes()
    assert read.cosines(message()[None], [own]).tobytes() == index.cosines(message()[None], [own]).tobytes()
    assert read.cosines(message()[None], [own])[0, SPACE.places["e7"]] == 1.0


def test_an_index_of_other_entries_or_another_model_is_refused(tmp_path: Path) -> None:
    save_index(make(exact_scores=1000), tmp_path, source=SOURCE)
    edited = {**FAQ, "e5": FaqEntry("e5", "B", {"zh": "新的问法"}, {}, {"zh": ""})}
    for other in (index_source(SPACE, edited, model="m1"), index_source(SPACE, FAQ, model="m2")):
        with pytest.raises(BundleError, match="other entries or of another model; build it again"):
            load_index(tmp_path, SPACE, source=other)


def test_a_missing_index_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no index here"):
        load_index(tmp_path, SPACE, source=SOURCE)


def test_any_altered_or_lost_file_is_refused_by_name(tmp_path: Path) -> None:
    save_index(make(exact_scores=10), tmp_path, source=SOURCE)
    files = [path for path in next(tmp_path.glob("files-*")).rglob("*") if path.is_file()]
    assert {"graph.usearch", "index.safetensors", "vocab.index.json"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(BundleError, match=rf"{path.name}: its SHA-256 differs"):
            load_index(tmp_path, SPACE, source=SOURCE)
        path.unlink()
        with pytest.raises(BundleError, match=rf"{path.name}: missing"):
            load_index(tmp_path, SPACE, source=SOURCE)
        path.write_bytes(content)


@pytest.mark.parametrize("listing", ["", "[]", "{}", '{"format": 2, "source": "x", "folder": "../x", "files": {}}'])
def test_a_broken_listing_is_refused(listing: str, tmp_path: Path) -> None:
    (tmp_path / LISTING).write_text(listing)
    with pytest.raises(BundleError, match="index"):
        load_index(tmp_path, SPACE, source="x")


def test_saving_again_replaces_the_index_and_leaves_one_set_of_files(tmp_path: Path) -> None:
    save_index(make(exact_scores=10), tmp_path, source="old")
    save_index(make(exact_scores=10), tmp_path, source=SOURCE)
    assert load_index(tmp_path, SPACE, source=SOURCE).is_large
    assert len(list(tmp_path.iterdir())) == 2


def test_what_an_interrupted_writer_leaves_behind_does_not_count(tmp_path: Path) -> None:
    save_index(make(exact_scores=10), tmp_path, source=SOURCE)
    (tmp_path / "files-dead").mkdir()
    (tmp_path / "files-dead" / "index.safetensors").write_bytes(b"half")
    assert load_index(tmp_path, SPACE, source=SOURCE).is_large


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        save_index(make(exact_scores=1000), tmp_path / "file" / "index", source=SOURCE)
