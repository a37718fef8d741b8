"""The index of a bundle is kept on disk between starts, and whatever is wrong with it, the engine opens."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes_core import write_tiny_bundle
from yingda.assemble import Opened, open_parts
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Message
from yingda.retrieve.index import FaqIndex, build_index
from yingda.retrieve.keep import LOCK, SavedIndex, keep_index
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import LISTING, index_source, load_index

FAQ = {f"e{n}": FaqEntry(f"e{n}", "A", {"zh": f"问题{n}"}, {}, {"zh": ""}) for n in range(20)}
SPACE = build_space(FAQ.values(), [], ("A",))
SOURCE = index_source(SPACE, FAQ, model="m")


class Builder:
    """Builds the index of ``SPACE`` and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> FaqIndex:
        self.times += 1
        return build_index(SPACE, np.zeros((0, 4), np.float32), FAQ, normalise=str, embed=self._embed)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 4), np.float32)


class Rests:
    """Passes no time: ends once ``over`` is set."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self.over = Event()

    def __call__(self, seconds: float) -> None:
        self.spent.append(seconds)
        self.over.wait()


def never(_: Sequence[str]) -> NDArray[np.float32]:
    raise AssertionError("nothing is to be embedded")


@pytest.fixture(autouse=True)
def warnings_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever level a command of another test left behind."""
    caplog.set_level(logging.WARNING, logger="yingda.retrieve.keep")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines of warning level and above."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_it_is_built_once_and_read_from_then_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build = Builder()
    first, second = (keep_index(tmp_path / "index", SPACE, source=SOURCE, build=build) for _ in range(2))
    assert build.times == 1
    assert first.vectors.tobytes() == second.vectors.tobytes()
    assert not warnings_in(caplog)


def test_those_who_start_together_build_once(tmp_path: Path) -> None:
    build = Builder()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: keep_index(tmp_path, SPACE, source=SOURCE, build=build), range(4)))
    assert build.times == 1
    assert {index.vectors.tobytes() for index in found} == {found[0].vectors.tobytes()}


def test_other_entries_replace_it_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build = Builder()
    for source in ("old", SOURCE, SOURCE):
        keep_index(tmp_path, SPACE, source=source, build=build)
    assert build.times == 2
    assert not warnings_in(caplog)


@pytest.mark.parametrize("damage", ["listing", "cut", "lost"])
def test_a_damaged_index_is_built_again_with_one_warning_line(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build = Builder()
    keep_index(tmp_path, SPACE, source=SOURCE, build=build)
    arrays = next(tmp_path.glob("files-*/index.safetensors"))
    if damage == "listing":
        (tmp_path / LISTING).write_bytes(b"\xff{")
    elif damage == "cut":
        arrays.write_bytes(arrays.read_bytes()[:-9])
    else:
        arrays.unlink()

    index = keep_index(tmp_path, SPACE, source=SOURCE, build=build)

    assert len(index.vectors) == len(FAQ)
    assert len(warnings_in(caplog)) == 1
    assert "this is done now" in warnings_in(caplog)[0]
    caplog.clear()
    keep_index(tmp_path, SPACE, source=SOURCE, build=build)
    assert build.times == 2
    assert not warnings_in(caplog)


def test_a_folder_that_cannot_be_made_leaves_the_index_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    index = keep_index(tmp_path / "file" / "index", SPACE, source=SOURCE, build=Builder())
    assert len(index.vectors) == len(FAQ)
    assert len(warnings_in(caplog)) == 1
    assert "not kept" in warnings_in(caplog)[0]


def test_a_failed_build_is_not_tried_twice_and_leaves_nothing(tmp_path: Path) -> None:
    build, tries = Builder(), []

    def fail() -> FaqIndex:
        tries.append(1)
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        keep_index(tmp_path, SPACE, source=SOURCE, build=fail)
    assert len(tries) == 1
    keep_index(tmp_path, SPACE, source=SOURCE, build=build)
    assert build.times == 1


def more(parts: Opened, *, answer: str = "两年。", wording: str = "旧机保多久") -> Knowledge:
    """The tiny shop with an entry that no model was trained on."""
    entry = replace(parts.knowledge.faq["warranty-new"], id="warranty-old", question={"zh": wording}, similar={}, answer={"zh": answer})
    return replace(parts.knowledge, faq={**parts.knowledge.faq, entry.id: entry})


def test_an_engine_opened_with_a_kept_index_answers_the_same(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    plain = open_parts(bundle)
    kept = open_parts(bundle, index_folder=tmp_path / "index")
    engines = [plain.engine(more(plain)), kept.engine(more(kept)), kept.engine(more(kept), embed=never)]
    assert (tmp_path / "index" / LISTING).is_file()
    for text in ("什么时候发货", "保修多久", "旧机", "发还是消"):
        assert len({engine.answer(Message(text)).candidates for engine in engines}) == 1


def test_where_all_is_trained_nothing_is_kept(tmp_path: Path) -> None:
    parts = open_parts(write_tiny_bundle(tmp_path / "bundle"), index_folder=tmp_path / "index")
    trained = {id_: entry for id_, entry in parts.knowledge.faq.items() if id_ in parts.matches}
    parts.engine(replace(parts.knowledge, faq=trained))
    assert not (tmp_path / "index").exists()


def test_a_command_reads_what_a_server_kept_and_writes_nothing(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    reader = open_parts(bundle, index_folder=tmp_path / "index", keep_index=False)
    reader.engine(more(reader))
    assert not (tmp_path / "index").exists()
    open_parts(bundle, index_folder=tmp_path / "index").engine(more(reader))
    reader.engine(more(reader), embed=never)


def test_a_publication_is_saved_once_it_is_quiet_and_answers_alone_are_not(tmp_path: Path) -> None:
    parts, rests = open_parts(write_tiny_bundle(tmp_path / "bundle")), Rests()
    saved = SavedIndex(tmp_path / "index", rest=rests)
    parts = replace(parts, saved=saved)
    first = parts.engine(more(parts))
    listing = (tmp_path / "index" / LISTING).read_bytes()

    told = parts.engine(more(parts, answer="三年。"), former=first)
    assert told.index is first.index
    saved.close()
    assert not rests.spent
    second = parts.engine(more(parts, wording="旧的保多久"), former=told)
    third = parts.engine(more(parts, wording="旧款保多久"), former=second)
    assert (tmp_path / "index" / LISTING).read_bytes() == listing
    rests.over.set()
    saved.close()

    again = open_parts(tmp_path / "bundle", index_folder=tmp_path / "index").engine(more(parts, wording="旧款保多久"), embed=never)
    assert again.index.vectors.tobytes() == third.index.vectors.tobytes()


def test_a_disk_that_takes_nothing_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    rests = Rests()
    saved = SavedIndex(tmp_path / "file" / "index", rest=rests)
    rests.over.set()
    index = saved.first(SPACE, source=SOURCE, build=Builder())
    for source in ("a", "b"):
        saved.later(index, source=lambda source=source: source)  # type: ignore[misc]
        saved.close()
    assert len(warnings_in(caplog)) == 1
    assert "not kept" in warnings_in(caplog)[0]


def test_what_another_process_writes_just_now_is_left_to_it(tmp_path: Path) -> None:
    index, rests = Builder()(), Rests()
    saved = SavedIndex(tmp_path, rest=rests)
    rests.over.set()
    with (tmp_path / LOCK).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        saved.later(index, source=lambda: SOURCE)
        saved.close()
        assert not (tmp_path / LISTING).exists()
    saved.later(index, source=lambda: SOURCE)
    saved.close()
    assert load_index(tmp_path, SPACE, source=SOURCE).vectors.tobytes() == index.vectors.tobytes()
