"""What stands on the disk in the place of the bundle in use is taken up, or refused and told."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.bundle_watch import BundleWatch, check_taxonomy, stamp_of
from serving.logs import open_log
from tests.bundle_kit import restamped, switch
from tests.fakes import fake_intent, fake_knowledge
from tests.fakes_core import write_fake_bundle
from yingda.bundle import MANIFEST, open_bundle
from yingda.domain.errors import BundleError, StoreError
from yingda.domain.identity import ModelIdentity


class Stand:
    """A link to bundles, and a watch whose load only verifies them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.link = folder, folder / "live"
        self.now, self.stream = datetime(2026, 11, 11, tzinfo=UTC), io.StringIO()
        self.failure: Exception | None = None
        self.loads = 0
        switch(self.link, write_fake_bundle(folder / "1.0"))
        self.identity = open_bundle(self.link).identity
        self.told = list[str]()
        self.given_back = 0
        self.watch = self._watch()
        self.watch.tell(lambda identity: self.told.append(identity.version))

    def _watch(self) -> BundleWatch:
        log, stamp = open_log(self.stream), stamp_of(self.link)
        return BundleWatch(
            self.link, self._load, identity=self.identity, stamp=stamp, clock=lambda: self.now, log=log, give_back=self._give_back
        )

    def _give_back(self) -> None:
        self.given_back += 1

    def put(self, version: str) -> None:
        """Install a bundle of that version."""
        switch(self.link, restamped(self.folder / "1.0", self.folder / version, version))

    def looks(self, count: int = 2) -> list[bool]:
        return [self.watch.look() for _ in range(count)]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    @property
    def code(self) -> str | None:
        return self.watch.failing.code if self.watch.failing else None

    def _load(self, folder: Path) -> ModelIdentity:
        self.loads += 1
        assert not folder.exists() or not folder.is_symlink()
        if self.failure:
            raise self.failure
        return open_bundle(folder).identity


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_a_bundle_that_stays_is_not_opened_again(stand: Stand) -> None:
    assert stand.looks(5) == [False] * 5
    assert (stand.loads, stand.log) == (0, [])


def test_another_bundle_is_taken_up_at_the_second_look_and_told(stand: Stand) -> None:
    stand.put("2.0")

    assert stand.looks(4) == [False, True, False, False]
    assert (stand.told, stand.loads) == (["2.0"], 1)
    assert [(line["event"], line["version"], line["former_version"]) for line in stand.log] == [("bundle_swapped", "2.0", "1.0")]


def test_memory_is_given_back_once_after_each_change(stand: Stand) -> None:
    given = list[int]()
    stand.put("2.0")
    for _ in range(5):
        stand.watch.look()
        given.append(stand.given_back)

    assert given == [0, 0, 1, 1, 1]


def test_the_way_back_is_a_change_like_any_other(stand: Stand) -> None:
    stand.put("2.0")
    stand.looks()
    switch(stand.link, stand.folder / "1.0")

    assert stand.looks() == [False, True]
    assert stand.told == ["2.0", "1.0"]


def test_a_folder_that_is_replaced_is_noticed_without_any_link(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.link.unlink()
    (tmp_path / "1.0").rename(stand.link)
    stand.watch = stand._watch()
    restamped(stand.link, tmp_path / "incoming", "2.0")

    stand.link.rename(tmp_path / "former")
    assert stand.watch.look() is False  # between the two renames there is no bundle
    (tmp_path / "incoming").rename(stand.link)

    assert stand.looks() == [False, True]
    assert stand.code is None


def test_the_same_bundle_elsewhere_is_taken_up_silently(stand: Stand) -> None:
    restamped(stand.folder / "1.0", stand.folder / "copy", "1.0")
    switch(stand.link, stand.folder / "copy")

    assert stand.looks(3) == [False, False, False]
    assert (stand.told, stand.log, stand.code) == ([], [], None)


def test_a_refused_bundle_is_told_once_and_leaves_the_other_in_use(stand: Stand) -> None:
    stand.put("2.0")
    (stand.folder / "2.0" / MANIFEST).write_text("{}")

    assert stand.looks(3) == [False, False, False]
    assert stand.code == "bundle_refused"
    assert stand.watch.failing is not None
    assert stand.watch.failing.since == stand.now
    assert [line["event"] for line in stand.log] == ["bundle_stays"]
    assert (stand.told, stand.loads) == ([], 1)


def test_a_refused_bundle_is_tried_again_ever_more_rarely(stand: Stand) -> None:
    stand.put("2.0")
    stand.failure = BundleError("2.0: damaged")
    for _ in range(1000):
        stand.watch.look()
        stand.now += timedelta(seconds=0.25)

    assert stand.loads == 10  # at once, after 1, 2, 4, 8, 16, 32 seconds more, and then every minute
    assert len(stand.log) == 1


def test_what_was_wrong_is_over_once_the_bundle_opens(stand: Stand) -> None:
    stand.put("2.0")
    stand.failure = StoreError("the database is gone", code="store_unreachable")
    stand.looks()
    assert stand.code == "store_unreachable"

    stand.failure, stand.now = None, stand.now + timedelta(seconds=1)

    assert stand.looks(1) == [True]
    assert stand.code is None


def test_going_back_to_the_bundle_in_use_ends_the_complaint(stand: Stand) -> None:
    stand.put("2.0")
    stand.failure = BundleError("2.0: damaged")
    stand.looks()
    switch(stand.link, stand.folder / "1.0")
    stand.looks(1)

    assert (stand.code, stand.loads) == (None, 1)


def test_a_bundle_that_is_gone_is_refused_and_not_waited_for(stand: Stand) -> None:
    stand.link.unlink()

    assert stand.looks() == [False, False]
    assert stand.code == "bundle_refused"


def test_a_loop_of_links_is_refused(stand: Stand) -> None:
    switch(stand.link, stand.link)

    assert stand.looks() == [False, False]
    assert stand.code == "bundle_refused"


def test_errors_of_others_are_told_without_their_words(stand: Stand) -> None:
    stand.put("2.0")
    stand.failure = KeyError("hunter2")
    stand.looks()

    assert stand.code == "bundle_not_opened"
    assert "hunter2" not in stand.stream.getvalue()
    assert stand.log[0]["frames"]


def test_it_follows_until_it_is_closed(stand: Stand) -> None:
    steps = iter([False, False, True])
    ended = list[bool]()

    def wait() -> bool:
        ended.append(next(steps))
        return ended[-1]

    stand.put("2.0")
    stand.watch.start(wait=wait)
    stand.watch._thread.join()
    stand.watch.close()

    assert stand.told == ["2.0"]
    assert ended == [False, False, True]


def test_another_taxonomy_is_refused_by_the_intents_that_differ(tmp_path: Path) -> None:
    used = fake_knowledge()
    added = fake_intent("ORDER_NEW", "ORDER", "新", "new")
    found = fake_knowledge()
    found = replace(found, taxonomy=replace(found.taxonomy, intents={**found.taxonomy.intents, added.code: added}))

    with pytest.raises(BundleError, match=r"of another taxonomy \(ORDER_NEW\); restart the service"):
        check_taxonomy(tmp_path, found, used)
    check_taxonomy(tmp_path, used, fake_knowledge())
