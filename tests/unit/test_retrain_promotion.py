"""Promotion: verified first, replaced at once, with the bundle before it kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes_core import write_fake_bundle
from training.promotion import promote
from yingda import bundle as layout
from yingda.bundle import open_bundle
from yingda.domain.errors import BundleError
from yingda.domain.identity import ModelIdentity


def bundle(root: Path, *, version: str) -> Path:
    write_fake_bundle(root)
    layout.write_manifest(root, {"version": version})
    return root


def identity(root: Path) -> ModelIdentity:
    return open_bundle(root).identity


@pytest.fixture
def models(tmp_path: Path) -> Path:
    bundle(tmp_path / "current", version="1")
    bundle(tmp_path / "candidate", version="2")
    return tmp_path


def test_the_candidate_takes_the_place_and_the_champion_is_kept(models: Path) -> None:
    before = identity(models / "current")
    done = promote(models / "candidate", models / "current", card="# Card\n")

    assert identity(models / "current") == identity(models / "candidate") == done.identity
    assert identity(models / "previous") == before
    assert done.previous == models / "previous"
    assert (models / "current" / layout.CARD).read_text("utf-8") == "# Card\n"
    assert sorted(path.name for path in models.iterdir()) == ["candidate", "current", "previous"]


def test_only_one_bundle_is_kept(models: Path) -> None:
    promote(models / "candidate", models / "current", card="")
    promote(bundle(models / "third", version="3"), models / "current", card="")

    assert [identity(models / name).version for name in ("current", "previous")] == ["3", "2"]


def test_promoting_twice_changes_nothing(models: Path) -> None:
    for _ in range(2):
        promote(models / "candidate", models / "current", card="")

    assert [identity(models / name).version for name in ("current", "previous")] == ["2", "1"]


def test_a_candidate_that_does_not_verify_changes_nothing(models: Path) -> None:
    (models / "candidate" / layout.ENCODER).write_text("altered", "utf-8")

    with pytest.raises(BundleError, match=r"encoder\.onnx"):
        promote(models / "candidate", models / "current", card="")

    assert identity(models / "current").version == "1"
    assert sorted(path.name for path in models.iterdir()) == ["candidate", "current"]


def test_the_first_bundle_of_all_has_none_before_it(models: Path) -> None:
    shutil.rmtree(models / "current")

    assert promote(models / "candidate", models / "current", card="").previous is None
    assert identity(models / "current").version == "2"


def test_a_copy_left_half_written_by_a_kill_is_replaced(models: Path) -> None:
    (models / "current.incoming").mkdir()
    (models / "current.incoming" / "half").touch()
    promote(models / "candidate", models / "current", card="")

    assert sorted(path.name for path in models.iterdir()) == ["candidate", "current", "previous"]


def test_a_kill_after_the_exchange_loses_no_bundle(models: Path) -> None:
    (models / "current").rename(models / "current.incoming")
    shutil.copytree(models / "candidate", models / "current")
    promote(models / "candidate", models / "current", card="")

    assert [identity(models / name).version for name in ("current", "previous")] == ["2", "1"]
