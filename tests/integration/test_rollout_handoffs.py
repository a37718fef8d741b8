"""A release that hands over more than the release of today, on both databases: seen in gray and in shadow, and taken back by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.fakes import PERSON, FakeEngine
from tests.rollout_kit import BEGIN, RELEASE, SALT, arms, asked, dialogue, in_gray
from tests.store_kit import BACKENDS, opened
from yingda.dialogue import Dialogue
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer
from yingda.domain.errors import StoreError
from yingda.domain.message import Message
from yingda.domain.rollout import GUARDRAIL, Against, Arm, Metric, PlanRevision, RolloutError, RolloutPlan, Stage
from yingda.store.base import Store, open_store
from yingda.store.records import hash_customer
from yingda.store.rollout_customers import PAUSE
from yingda.store.rollout_tables import RolloutCustomerRow
from yingda.store.rollout_today import SKEW, handed_off_today
from yingda.store.rollouts import Rollouts

URGE = "催一下"
LATER = BEGIN + timedelta(hours=2)
MANY = [f"u-{number}" for number in range(120)]


class Calm(FakeEngine):
    """The release of today: hands over who asks for a person."""


class Eager(FakeEngine):
    """A release that hands over who urges, too."""

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        return super().answer_many([replace(each, text=each.text.replace(URGE, PERSON)) for each in messages], states)


@pytest.fixture(params=BACKENDS)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The store of the release, and that of the service of today."""
    folders = [tmp_path / "release", tmp_path / "today"]
    for folder in folders:
        folder.mkdir()
    with opened(request.param, folders[0]) as store, opened(request.param, folders[1]) as today:
        yield store, today


def text_of(name: str) -> str:
    """One customer in ten asks for a person, six urge, and three just ask."""
    place = int(name.removeprefix("u-")) % 10
    return PERSON if place == 0 else URGE if place <= 6 else "什么时候发货"


def write(release: Dialogue, today: Dialogue, *, engine: FakeEngine, before: FakeEngine, names: Sequence[str] = MANY) -> list[Arm]:
    """Each customer writes once; in shadow and in the control arm the service of today answers, a second later."""
    told = arms(release.take(engine, [asked(name, text_of(name)) for name in names]))
    others = [name for name, arm in zip(names, told, strict=True) if arm is not Arm.AUTOMATED]
    today.take(before, [asked(name, text_of(name), BEGIN + timedelta(seconds=1)) for name in others])
    return told


def watched(store: Store, today: Store, engine: FakeEngine, *, before: FakeEngine) -> PlanRevision | None:
    """The revision by which the guardrail took the release back, after everybody wrote once."""
    write(dialogue(store), dialogue(today), engine=engine, before=before)
    return Rollouts(store, today=today).watch(LATER)


def in_shadow(store: Store, today: Store | None = None, reference: Arm = Arm.HUMAN) -> PlanRevision:
    plan = RolloutPlan(RELEASE, SALT, share=0.5, reference=reference)
    return Rollouts(store, today=today).start(plan, by="王店长", reason="新版本", at=BEGIN)


def customers(store: Store) -> dict[str, RolloutCustomerRow]:
    with store.reading() as session:
        return {row.customer: row for row in session.scalars(select(RolloutCustomerRow))}


# ---- in gray, against the customers whom the release of today answers ----


def test_a_release_that_hands_over_more_is_taken_back_by_itself(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_gray(store, today=today, reference=Arm.CONTROL)

    taken = watched(store, today, Eager(), before=Calm())

    assert taken is not None and Rollouts(store).in_force() == taken
    assert (taken.plan.stage, taken.by, taken.automatic) == (Stage.SHADOW, GUARDRAIL, True)
    assert taken.reason.startswith("转人工率变化 +") and "hand-off rate" in taken.reason
    assert "重复" not in taken.reason and "不满意" not in taken.reason
    found = Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF)
    assert found.harmful and found.difference is not None and found.difference > 0.4
    with pytest.raises(RolloutError, match="the guardrail took release"):
        Rollouts(store, today=today).advance(by="w", reason="r", at=LATER, stage=Stage.GRAY)


@pytest.mark.parametrize("engine", [Calm, Eager])
def test_a_release_that_hands_over_as_many_as_today_goes_on(stores: tuple[Store, Store], engine: type[FakeEngine]) -> None:
    store, today = stores
    before = in_gray(store, today=today, reference=Arm.CONTROL)

    assert watched(store, today, engine(), before=engine()) is None

    assert Rollouts(store).in_force() == before
    found = Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF)
    assert min(found.treated, found.control) > 40
    assert found.difference is not None and abs(found.difference) < 0.2


def test_a_release_that_hands_over_fewer_than_today_goes_on(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_gray(store, today=today, reference=Arm.CONTROL)

    assert watched(store, today, Calm(), before=Eager()) is None

    found = Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF)
    assert found.difference is not None and found.difference < -0.4


def test_whom_the_service_of_today_did_not_answer_counts_as_handed_over(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_gray(store, today=today, reference=Arm.CONTROL)
    told = arms(dialogue(store).take(Calm(), [asked(name) for name in MANY]))

    assert Rollouts(store, today=today).watch(LATER) is None

    found = Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF)
    assert (found.control, found.difference) == (told.count(Arm.CONTROL), -1.0)


def test_while_the_store_of_today_cannot_be_read_the_others_are_counted_and_judged_and_nobody_is_lost(
    stores: tuple[Store, Store], tmp_path: Path
) -> None:
    store, today = stores
    in_gray(store, today=today, reference=Arm.CONTROL)
    told = write(dialogue(store), dialogue(today), engine=Eager(), before=Calm())

    with closing(open_store(f"sqlite:///{tmp_path / 'nowhere.db'}")) as nowhere, pytest.raises(StoreError, match="nowhere"):
        Rollouts(store, today=nowhere).watch(LATER)
    with pytest.raises(RolloutError, match="set YINGDA_REFERENCE_STORE"):
        Rollouts(store).watch(LATER)
    found = Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF)
    assert (found.treated, found.control) == (told.count(Arm.AUTOMATED), 0)

    assert Rollouts(store, today=today).watch(LATER) is not None
    assert Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF).control == told.count(Arm.CONTROL)


def test_the_store_of_the_release_is_no_reference_for_it(stores: tuple[Store, Store]) -> None:
    store, _ = stores

    with pytest.raises(RolloutError, match="YINGDA_REFERENCE_STORE is the store of this release"):
        Rollouts(store, today=store)


# ---- in shadow, on the messages that both decided ----


def test_a_release_that_would_hand_over_more_of_the_same_messages_stays_in_shadow(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_shadow(store, today, Arm.CONTROL)

    taken = watched(store, today, Eager(), before=Calm())

    assert taken is not None
    assert (taken.number, taken.plan.stage, taken.by, taken.automatic) == (2, Stage.SHADOW, GUARDRAIL, True)
    assert taken.reason.startswith("转人工率变化 +60.0 个百分点 [") and "相同消息" in taken.reason
    assert Rollouts(store, today=today).watch(LATER) is None, "once is enough"
    with pytest.raises(RolloutError, match="the guardrail took release"):
        Rollouts(store, today=today).advance(by="w", reason="r", at=LATER, stage=Stage.GRAY)


def test_a_release_that_hands_over_the_same_messages_moves_on_and_customers_are_counted_anew_in_gray(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_shadow(store, today, Arm.CONTROL)
    rollouts = Rollouts(store, today=today)

    assert watched(store, today, Eager(), before=Eager()) is None
    found = rollouts.guardrail(RELEASE).comparison(Metric.HANDOFF, Against.SAME_MESSAGES)
    assert (found.treated, found.control, found.difference) == (len(MANY), len(MANY), 0.0)

    rollouts.advance(by="w", reason="r", at=LATER, stage=Stage.GRAY)
    dialogue(store).take(Calm(), [asked("u-1", at=LATER)])
    rollouts.watch(LATER + PAUSE)
    known = hash_customer("u-1")
    assert {name for name in customers(store) if known in name} == {known, f"~shadow/{known}"}


def test_messages_in_shadow_that_the_service_of_today_never_had_are_no_pair(stores: tuple[Store, Store]) -> None:
    store, today = stores
    in_shadow(store, today, Arm.CONTROL)
    dialogue(store).take(Eager(), [asked(name, URGE) for name in MANY])

    assert Rollouts(store, today=today).watch(LATER) is None

    assert Rollouts(store).guardrail(RELEASE).comparison(Metric.HANDOFF, Against.SAME_MESSAGES).treated == 0
    assert all(row.observed_at is not None for row in customers(store).values())


# ---- where people answer the others: against shadow ----


@pytest.mark.parametrize(("engine", "back"), [(Eager, True), (Calm, False)])
def test_a_release_that_calls_for_people_far_more_than_in_shadow_is_taken_back(
    stores: tuple[Store, Store], engine: type[FakeEngine], back: bool
) -> None:
    store, _ = stores
    in_shadow(store)
    dialogue(store).take(Calm(), [asked(name, text_of(name)) for name in MANY])
    Rollouts(store).watch(LATER)
    Rollouts(store).advance(by="王店长", reason="影子正常", at=LATER, stage=Stage.GRAY)

    dialogue(store).take(engine(), [asked(name, text_of(name), LATER) for name in MANY])
    taken = Rollouts(store).watch(LATER + timedelta(hours=2))

    assert (taken is not None) is back
    if taken is not None:
        assert taken.reason.startswith("转人工率变化 +") and "对比影子阶段" in taken.reason


# ---- what the service of today did ----


@pytest.fixture
def today(tmp_path: Path) -> Iterator[Store]:
    with opened("sqlite", tmp_path) as found:
        yield found


def take(store: Store, text: str, at: datetime) -> None:
    dialogue(store).take(Calm(), [asked("u", text, at)])


def test_a_conversation_that_is_not_there_says_nothing(today: Store) -> None:
    take(today, PERSON, BEGIN - 2 * SKEW)

    assert handed_off_today(today, "c-u", BEGIN, pause=PAUSE) is None
    assert handed_off_today(today, "c-x", BEGIN, pause=PAUSE) is None


def test_a_call_that_stood_before_is_not_counted(today: Store) -> None:
    take(today, PERSON, BEGIN - 2 * SKEW)
    take(today, "在吗", BEGIN)

    assert handed_off_today(today, "c-u", BEGIN, pause=PAUSE) is False


def test_clocks_may_differ_by_a_little(today: Store) -> None:
    take(today, PERSON, BEGIN - SKEW / 2)

    assert handed_off_today(today, "c-u", BEGIN, pause=PAUSE) is True


@pytest.mark.parametrize(("minutes", "counted"), [(59, True), (60, False)])
def test_what_comes_after_a_pause_is_another_conversation(today: Store, minutes: int, counted: bool) -> None:
    take(today, "在吗", BEGIN)
    take(today, PERSON, BEGIN + timedelta(minutes=minutes))

    assert handed_off_today(today, "c-u", BEGIN, pause=PAUSE) is counted
