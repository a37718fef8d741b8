"""Who follows the knowledge of a shop sees what one sees who reads it anew, after any changes and at any times."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import ANNA, BO, BOTH, START, Clock, a_draft, a_sheet, an_entry, faq, hours, records_in
from tests.store_kit import empty_copy, opened
from yingda.domain.records import ANY, Draft, KnowledgeError, RecordKind
from yingda.pack.exchange.shop import RememberedEntries, with_entries
from yingda.store.base import open_store
from yingda.store.knowledge.following import FollowedKnowledge

KEYS = ("ship-when", "cancel-how", "return-how")
keys, spans = st.sampled_from(KEYS), st.none() | st.integers(0, 12)


class Following(RuleBasedStateMachine):
    """One follower looks after each step, another now and then, and both see what a first look at the store shows."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="yingda-test-"))
        self.store = open_store(f"sqlite:///{empty_copy(self.folder)}")
        self.clock, self.texts = Clock(), 0
        self.records = records_in(self.store, self.clock)
        self.steady, self.seldom = FollowedKnowledge(self.store), FollowedKnowledge(self.store)
        self.entries = RememberedEntries()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(key=keys, since=spans, length=st.none() | st.integers(1, 9), replacing=st.booleans())
    def publish(self, key: str, since: int | None, length: int | None, replacing: bool) -> None:
        with suppress(KnowledgeError):
            self.records.write(self._draft(key, since, length, replace_planned=replacing), BOTH, if_match=ANY)

    @rule(key=keys)
    def draft(self, key: str) -> None:
        with suppress(KnowledgeError):
            self.records.save(self._draft(key, None, None), ANNA, if_match=ANY)

    @rule(key=keys)
    def roll_back(self, key: str) -> None:
        with suppress(KnowledgeError):
            self.records.roll_back(faq(key), BO)

    @rule(key=keys)
    def retire(self, key: str) -> None:
        with suppress(KnowledgeError):
            self.records.retire(faq(key), BO)

    @rule(some=st.sets(keys, min_size=1))
    def load(self, some: set[str]) -> None:
        rows = a_sheet(*(an_entry(key, answer={"zh": self._text()}) for key in sorted(some)))
        self.records.import_rows(RecordKind.FAQ, rows, BOTH)

    @rule(by=st.integers(-8, 8))
    def time_goes(self, by: int) -> None:
        self.clock.go(hours=by)

    @rule()
    def look_seldom(self) -> None:
        assert self.seldom.snapshot(self.clock()) == self.records.snapshot(self.clock())

    @invariant()
    def the_follower_sees_what_a_first_look_shows(self) -> None:
        found, wanted = self.steady.snapshot(self.clock()), self.records.snapshot(self.clock())

        assert found == wanted
        assert self.steady.version() == wanted.version

    @invariant()
    def entries_are_those_made_anew(self) -> None:
        payloads = self.steady.snapshot(self.clock()).of(RecordKind.FAQ)

        assert self.entries(tiny_knowledge(), payloads).faq == with_entries(tiny_knowledge(), payloads).faq

    def _draft(self, key: str, since: int | None, length: int | None, *, replace_planned: bool = False) -> Draft:
        start = None if since is None else self.clock() + timedelta(hours=since)
        until = None if length is None else (start or self.clock()) + timedelta(hours=length)
        return replace(a_draft(key, since=start, until=until, answer={"zh": self._text()}), replace_planned=replace_planned)

    def _text(self) -> str:
        self.texts += 1
        return f"第{self.texts}版"


def test_what_stays_is_the_same_object_and_is_not_made_again(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        records, followed, remembered = records_in(store, Clock()), FollowedKnowledge(store), RememberedEntries()
        records.import_rows(RecordKind.FAQ, a_sheet(an_entry("ship-when"), an_entry("cancel-how")), BOTH)
        before = followed.snapshot(START).of(RecordKind.FAQ)
        first = remembered(tiny_knowledge(), before).faq
        records.write(a_draft("ship-when", answer={"zh": "马上发。"}), BOTH, if_match=ANY)
        after = followed.snapshot(START).of(RecordKind.FAQ)
        second = remembered(tiny_knowledge(), after).faq

    assert after["cancel-how"] is before["cancel-how"]
    assert second["cancel-how"] is first["cancel-how"]
    assert second["ship-when"].answer == {"zh": "马上发。"}


def test_a_clock_that_is_set_back_shows_again_what_was_told_then(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        records, followed = records_in(store, Clock()), FollowedKnowledge(store)
        records.write(a_draft("ship-when", since=hours(2)), BOTH)

        told = [bool(followed.snapshot(hours(hour)).records) for hour in (1, 3, 1)]

    assert told == [False, True, False]


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
