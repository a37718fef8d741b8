"""The index of a bundle is kept on disk between starts, and whatever is wrong with it, the engine opens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes_core import write_tiny_bundle
from yingda.assemble import open_engine
from yingda.domain.knowledge import FaqEntry
from yingda.domain.message import Message
from yingda.retrieve.index import FaqIndex, build_index
from yingda.retrieve.keep import keep_index
from yingda.retrieve.space import build_space
from yingda.retrieve.storage import LISTING, index_source

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


def test_an_engine_opened_with_a_kept_index_answers_the_same(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    plain = open_engine(bundle)
    first, second = (open_engine(bundle, index_folder=tmp_path / "index") for _ in range(2))
    assert (tmp_path / "index" / LISTING).is_file()
    for text in ("什么时候发货", "保修多久", "发还是消"):
        assert plain.answer(Message(text)).candidates == first.answer(Message(text)).candidates == second.answer(Message(text)).candidates
