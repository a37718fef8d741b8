"""Bundles behind a link: installed whole or not at all, and switched back to what was in use before."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.bundle_kit import restamped
from tests.fakes_core import write_fake_bundle, write_tiny_bundle
from yingda.bundle import MANIFEST, open_bundle, write_manifest
from yingda.cli.main import run
from yingda.cli.releases import Releases
from yingda.domain.errors import BundleError


class Shop:
    """A link and bundles to install behind it; what is tried is noted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.link = folder, folder / "models" / "live"
        self.tried = list[Path]()
        write_fake_bundle(folder / "0")

    def bundle(self, version: str) -> Path:
        path = self.folder / version
        return path if path.exists() else restamped(self.folder / "0", path, version)

    def install(self, *versions: str, keep: int = 3) -> None:
        for version in versions:
            Releases(self.link).install(self.bundle(version), check=self.tried.append, keep=keep)

    def roll_back(self) -> str:
        return Releases(self.link).roll_back(check=self.tried.append).version

    @property
    def used(self) -> str:
        return open_bundle(self.link).identity.version

    @property
    def listed(self) -> list[str]:
        return [f"{'*' if each.in_use else ''}{each.version}" for each in Releases(self.link).all()]

    @property
    def folders(self) -> int:
        return sum(path.is_dir() for path in (self.link.parent / "releases").iterdir())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_first_bundle_makes_the_link(shop: Shop) -> None:
    shop.install("1")

    assert shop.link.is_symlink()
    assert (shop.used, shop.listed) == ("1", ["*1"])
    assert [path.resolve() for path in shop.tried] == [shop.link.resolve()]
    assert sorted(path.name for path in shop.link.parent.iterdir()) == ["live", "live.history", "releases"]


def test_a_copy_is_installed_and_its_source_may_go(shop: Shop) -> None:
    shop.install("1")
    (shop.bundle("1") / MANIFEST).unlink()

    assert shop.used == "1"


def test_the_way_back_leads_through_all_that_is_kept(shop: Shop) -> None:
    shop.install("1", "2", "3")

    assert shop.listed == ["1", "2", "*3"]
    assert [shop.roll_back(), shop.used, shop.roll_back(), shop.used] == ["2", "2", "1", "1"]
    with pytest.raises(BundleError, match="no bundle was in use before this one"):
        shop.roll_back()
    assert shop.used == "1"


def test_what_was_rolled_back_is_no_way_back(shop: Shop) -> None:
    shop.install("1", "2")
    shop.roll_back()
    shop.install("3")

    assert shop.listed == ["1", "*3"]
    assert shop.roll_back() == "1"
    assert shop.folders == 2


def test_a_bundle_may_come_again(shop: Shop) -> None:
    shop.install("1", "2", "2", "1")

    assert shop.listed == ["2", "*1"]
    assert shop.roll_back() == "2"


def test_only_so_many_are_kept(shop: Shop) -> None:
    shop.install("1", "2", "3", "4", keep=2)

    assert (shop.listed, shop.folders) == (["2", "3", "*4"], 3)


def test_two_links_share_what_both_use(shop: Shop) -> None:
    shop.install("1")
    other = Releases(shop.link.with_name("night"))
    other.install(shop.bundle("1"), check=lambda _: None)
    for version in ("2", "3"):
        other.install(shop.bundle(version), check=lambda _: None, keep=1)

    assert shop.used == "1"


def test_an_altered_bundle_is_refused_before_anything_is_copied(shop: Shop) -> None:
    shop.install("1")
    (shop.bundle("2") / MANIFEST).write_text("{}")

    with pytest.raises(BundleError, match="not a manifest"):
        shop.install("2")
    assert (shop.used, shop.folders) == ("1", 1)


def test_a_bundle_that_does_not_answer_leaves_no_trace(shop: Shop) -> None:
    shop.install("1")

    def refuse(folder: Path) -> None:
        raise BundleError(f"{folder}: does not answer")

    with pytest.raises(BundleError, match="does not answer"):
        Releases(shop.link).install(shop.bundle("2"), check=refuse)
    assert (shop.used, shop.listed, shop.folders) == ("1", ["*1"], 1)


def test_a_damaged_release_is_no_way_back(shop: Shop) -> None:
    shop.install("1", "2")
    (Releases(shop.link).all()[0].folder / MANIFEST).write_text("{}")

    with pytest.raises(BundleError, match="not a manifest"):
        shop.roll_back()
    assert (shop.used, shop.listed) == ("2", ["*2"])


def test_what_an_installation_left_that_was_cut_off_is_cleared_away(shop: Shop) -> None:
    shop.install("1")
    name = Releases(shop.link).all()[0].folder.name
    partial = shop.link.parent / "releases" / f".partial-{name}"
    partial.mkdir()
    (shop.link.parent / ".live.new").symlink_to("nowhere")
    shop.install("2")

    assert (shop.used, partial.exists(), (shop.link.parent / ".live.new").is_symlink()) == ("2", False, False)


def test_power_that_fails_before_the_switch_leaves_a_way_back_and_a_way_on(shop: Shop) -> None:
    shop.install("1", "2")
    Releases(shop.link)._remember("cutoff")

    assert shop.listed == ["1", "*2"]
    shop.install("3")
    assert [shop.roll_back(), shop.roll_back()] == ["2", "1"]


def test_a_folder_is_never_switched(shop: Shop) -> None:
    with pytest.raises(BundleError, match="is no link"):
        Releases(shop.bundle("1")).install(shop.bundle("2"), check=lambda _: None)
    with pytest.raises(BundleError, match="is no link"):
        Releases(shop.bundle("1")).roll_back(check=lambda _: None)
    assert not (shop.folder / "releases").exists()


def test_two_installations_at_once_are_one_too_many(shop: Shop) -> None:
    shop.install("1")
    with (shop.link.parent / "releases" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another installation is at work"):
            shop.install("2")
    assert shop.used == "1"


def test_a_place_that_cannot_be_written_is_named(shop: Shop) -> None:
    (shop.folder / "models").write_text("a file")

    with pytest.raises(BundleError, match=r"models.*the link .* is as it was"):
        shop.install("1")


@pytest.mark.parametrize("content", ["{", "{}", '["../outside"]', "[1]", "\udc80"])
def test_a_history_that_is_none_is_named(shop: Shop, content: str) -> None:
    shop.install("1")
    history = shop.link.with_name("live.history")
    history.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(BundleError, match=r"live\.history: not a list of releases"):
        shop.roll_back()


def test_the_commands_install_list_and_roll_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = str(tmp_path / "live")
    one = write_tiny_bundle(tmp_path / "1")
    two = restamped(one, tmp_path / "2", "2.0")

    run(["bundle", "install", str(one), "--into", link, "--anyway"])
    run(["bundle", "install", str(two), "--into", link, "--anyway"])
    run(["bundle", "rollback", "--into", link])
    run(["bundle", "list", "--into", link])

    said = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in said] == [
        "in use: version 1.0",
        "in use: version 2.0",
        "in use: version 1.0",
        "* version 1.0",
        "  version 2.0",
    ]


@pytest.mark.parametrize(
    ("evaluation", "said"),
    [
        ({}, "tells of no evaluation"),
        ({"evaluation": {"verdict": "failed"}}, "its evaluation failed"),
        ({"evaluation": 1}, "no evaluation"),
    ],
)
def test_what_did_not_pass_the_evaluation_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evaluation: dict[str, object], said: str
) -> None:
    bundle = write_tiny_bundle(tmp_path / "1")
    write_manifest(bundle, {**without_files(bundle), **evaluation})

    with pytest.raises(SystemExit) as ended:
        run(["bundle", "install", str(bundle), "--into", str(tmp_path / "live")])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "live").exists()


def test_what_passed_the_evaluation_is_installed(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "1")
    write_manifest(bundle, {**without_files(bundle), "evaluation": {"verdict": "passed"}})

    run(["bundle", "install", str(bundle), "--into", str(tmp_path / "live")])
    assert (tmp_path / "live").is_symlink()


def without_files(bundle: Path) -> dict[str, object]:
    return {name: value for name, value in open_bundle(bundle).manifest.items() if name not in ("files", "format", "evaluation")}


def test_a_refusal_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["bundle", "install", str(tmp_path / "none"), "--into", str(tmp_path / "live")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "there is no bundle folder here" in said
