"""Roll-outs on both databases: plans and their history, who is counted, and what happens to a harmful release."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.fakes import PERSON, FakeEngine
from tests.fakes_core import tiny_engine, tiny_knowledge
from tests.rollout_kit import BEGIN, RELEASE, SALT, arms, asked, dialogue, in_gray, visit
from tests.store_kit import BACKENDS, opened
from yingda.domain.errors import StoreError
from yingda.domain.message import Channel, Tier
from yingda.domain.rollout import GUARDRAIL, Arm, Metric, PlanRevision, RolloutError, RolloutPlan, Stage
from yingda.engine import Engine
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.memory import VolatileMemory
from yingda.store.records import hash_customer
from yingda.store.rollout_customers import PAUSE, discover, observe
from yingda.store.rollout_tables import RolloutCustomerRow, RolloutPlanRow
from yingda.store.rollouts import Rollouts, rollouts_of

MANY = [f"u-{number}" for number in range(40)]
LATER = BEGIN + timedelta(hours=2)
ROOT = Path(__file__).parents[2]
LOOK_AND_DIE = """
import os, pkgutil, signal, sys
from datetime import datetime
from yingda.store.base import open_store
from yingda.store.rollouts import Rollouts

owner, _, name = sys.argv[2].rpartition(".")
setattr(pkgutil.resolve_name(owner), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
Rollouts(open_store(sys.argv[1])).watch(datetime.fromisoformat(sys.argv[3]))
"""


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as found:
        yield found


def customers(store: Store) -> dict[str, RolloutCustomerRow]:
    with store.reading() as session:
        return {row.customer: row for row in session.scalars(select(RolloutCustomerRow))}


def counted(store: Store) -> dict[str, int]:
    """Customers in the guardrail's counts, by side."""
    strata = Rollouts(store).guardrail(RELEASE).state()["strata"]
    return {side: sum(each[side]["customers"] for each in strata) for side in ("treated", "control")}


def plans(store: Store) -> dict[int, RolloutPlan]:
    return {each.number: each.plan for each in Rollouts(store).history()}


# ---- the plan ----


def test_without_a_plan_there_is_none(store: Store) -> None:
    rollouts = Rollouts(store)

    assert (rollouts.in_force(), rollouts.history(), rollouts.watch(BEGIN)) == (None, [], None)
    with pytest.raises(RolloutError, match="start one first"):
        rollouts.stop(by="w", reason="r", at=BEGIN)
    with pytest.raises(RolloutError, match="was never rolled out"):
        rollouts.guardrail("x")


def test_each_change_is_in_force_for_every_worker_and_in_the_history(store: Store) -> None:
    rollouts, other = Rollouts(store), Rollouts(store)
    wanted = RolloutPlan(RELEASE, SALT, Stage.FULL, channels={Channel.PHONE: 0.0})

    rollouts.start(wanted, by="王店长", reason="新版本", at=BEGIN)
    assert other.in_force() == PlanRevision(1, replace(wanted, stage=Stage.SHADOW, reason="王店长: 新版本"), BEGIN, "王店长", "新版本"), (
        "a release starts in shadow, whatever stage was named"
    )
    rollouts.advance(by="王店长", reason="影子正常", at=LATER, stage=Stage.GRAY, share=0.2, channels={Channel.PHONE: None})
    rollouts.advance(by="李主管", reason="一周无异常", at=LATER, stage=Stage.FULL, tiers={Tier.VIP: 0.5})
    stopped = rollouts.stop(by="李主管", reason="客户投诉", at=LATER)

    assert other.in_force() == Rollouts(store).in_force() == stopped
    found = [(each.number, each.plan.stage, each.plan.share, each.by, each.reason, each.automatic) for each in other.history()]
    assert found == [
        (1, Stage.SHADOW, 0.1, "王店长", "新版本", False),
        (2, Stage.GRAY, 0.2, "王店长", "影子正常", False),
        (3, Stage.FULL, 0.2, "李主管", "一周无异常", False),
        (4, Stage.SHADOW, 0.2, "李主管", "客户投诉", False),
    ]
    assert (stopped.plan.channels, stopped.plan.tiers) == ({}, {Tier.VIP: 0.5})


def test_a_release_has_a_name_of_its_own_and_does_not_begin_while_another_is_in_gray(store: Store) -> None:
    in_gray(store)
    rollouts = Rollouts(store)

    with pytest.raises(RolloutError, match="is in stage gray; stop it"):
        rollouts.start(RolloutPlan("next", SALT), by="w", reason="r", at=BEGIN)
    rollouts.stop(by="w", reason="r", at=BEGIN)
    with pytest.raises(RolloutError, match="was rolled out before"):
        rollouts.start(RolloutPlan(RELEASE, SALT), by="w", reason="r", at=BEGIN)

    assert rollouts.start(RolloutPlan("next", SALT), by="w", reason="r", at=BEGIN).number == 4


def test_a_change_of_what_somebody_has_not_seen_is_refused(store: Store) -> None:
    in_gray(store)

    with pytest.raises(RolloutError, match="changed meanwhile"):
        Rollouts(store).advance(by="w", reason="r", at=BEGIN, share=0.9, number=1)

    assert len(Rollouts(store).history()) == 2


@pytest.mark.parametrize("wrong", [{"by": " "}, {"reason": ""}, {"share": 1.5}])
def test_what_cannot_be_meant_changes_nothing(store: Store, wrong: dict[str, Any]) -> None:
    before = in_gray(store)

    with pytest.raises(RolloutError):
        Rollouts(store).advance(**{"by": "w", "reason": "r", "at": BEGIN, **wrong})

    assert Rollouts(store).in_force() == before


def test_of_several_who_stop_at_once_everyone_has_stopped_it(store: Store) -> None:
    in_gray(store)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: Rollouts(store).stop(by=f"w{n}", reason="r", at=BEGIN), range(4)))

    assert sorted(each.number for each in found) == [3, 4, 5, 6]


def test_a_plan_of_a_newer_program_is_named_and_not_guessed(store: Store) -> None:
    in_gray(store)
    with store.writing() as session:
        row = session.get(RolloutPlanRow, 2)
        assert row is not None
        row.plan = {**row.plan, "stage": "purple"}

    with pytest.raises(StoreError, match="newer version"):
        Rollouts(store).in_force()


def test_a_memory_that_forgets_rolls_nothing_out() -> None:
    assert rollouts_of(VolatileMemory()) is None


# ---- who is in which arm ----


def test_arms_stay_after_a_restart_and_in_every_worker(store: Store) -> None:
    in_gray(store)
    requests = [asked(name) for name in MANY]

    first, again = (arms(dialogue(store).take(FakeEngine(), requests)) for _ in range(2))

    assert first == again
    assert set(first) == {Arm.AUTOMATED, Arm.HUMAN}
    stored = [turn.facts.arm for name in MANY for turn in SqlMemory(store).turns(f"c-{name}")]
    assert stored == [str(arm) for arm in first for _ in range(2)], "every decision is recorded with its arm"


def test_a_higher_share_moves_nobody_out(store: Store) -> None:
    in_gray(store, share=0.2)
    requests, found = [asked(name) for name in MANY], []
    for share in (0.2, 0.5, 0.8):
        Rollouts(store).advance(by="w", reason="r", at=BEGIN, share=share)
        found.append({n for n, arm in zip(MANY, arms(dialogue(store).take(FakeEngine(), requests)), strict=True) if arm is Arm.AUTOMATED})

    assert found[0] < found[1] < found[2]


def test_shadow_never_sends_and_calls_nobody(store: Store) -> None:
    Rollouts(store).start(RolloutPlan(RELEASE, SALT, share=1.0), by="w", reason="r", at=BEGIN)

    told = dialogue(store).take(FakeEngine(), [asked(name, PERSON) for name in MANY])

    assert {each.record["rollout"]["send"] for each in told} == {False}  # type: ignore[union-attr]
    assert set(arms(told)) == {Arm.SHADOW}
    assert all(SqlMemory(store).handoffs(f"c-{name}") == [] for name in MANY)
    Rollouts(store).watch(LATER)
    assert customers(store) == {}


# ---- who is counted ----


def test_a_customer_is_counted_once_when_the_first_conversation_has_ended(store: Store) -> None:
    in_gray(store)
    talk, rollouts = dialogue(store), Rollouts(store)
    talk.take(FakeEngine(), [asked("u-1"), asked("u-2"), asked("u-1", at=BEGIN + timedelta(minutes=50))])

    rollouts.watch(BEGIN + PAUSE)
    assert sum(counted(store).values()) == 1, "the other is still talking"
    rollouts.watch(LATER)
    talk.take(FakeEngine(), [asked("u-1", at=LATER + timedelta(hours=1))])
    for hours in (1, 5, 9):
        rollouts.watch(LATER + timedelta(hours=hours))

    assert sum(counted(store).values()) == 2
    assert {name: row.harms for name, row in customers(store).items()} == {hash_customer("u-1"): ["repeat"], hash_customer("u-2"): []}


def test_what_comes_after_a_pause_is_not_the_first_conversation_however_late_somebody_looks(store: Store) -> None:
    in_gray(store)
    talk = dialogue(store)
    for minutes in (0, 60, 120):
        talk.take(FakeEngine(), [asked("u-1", at=BEGIN + timedelta(minutes=minutes))])

    Rollouts(store).watch(BEGIN + timedelta(days=3))

    assert [row.harms for row in customers(store).values()] == [[]]


def test_who_could_not_have_been_in_the_other_arm_is_compared_with_nobody(store: Store) -> None:
    in_gray(store, channels={Channel.PHONE: 0.0, Channel.EMAIL: 1.0})
    dialogue(store).take(
        FakeEngine(),
        [
            asked("u-1", channel=Channel.PHONE),
            asked("u-2", channel=Channel.EMAIL),
            asked("u-3", customer=None, conversation_id=None),
            asked("u-4"),
        ],
    )

    Rollouts(store).watch(LATER)

    assert set(customers(store)) == {hash_customer("u-4")}


def test_where_no_customer_is_named_the_conversation_is_the_unit(store: Store) -> None:
    in_gray(store)
    dialogue(store).take(FakeEngine(), [asked("u-1", customer=None), asked("u-2", customer=None)])

    Rollouts(store).watch(LATER)

    assert set(customers(store)) == {"~conversation/c-u-1", "~conversation/c-u-2"}


def test_a_changed_share_counts_apart_from_the_plan_that_drew_the_arm(store: Store) -> None:
    in_gray(store, share=0.2)
    dialogue(store).take(FakeEngine(), [asked(name) for name in MANY[:10]])
    Rollouts(store).advance(by="w", reason="r", at=BEGIN, share=0.6)
    dialogue(store).take(FakeEngine(), [asked(name) for name in MANY])

    Rollouts(store).watch(LATER)

    shares = [row.share for row in customers(store).values()]
    assert (shares.count(0.2), shares.count(0.6)) == (10, 30)


def test_killed_after_the_turn_the_customer_is_found_at_the_next_look(store: Store) -> None:
    in_gray(store)
    dialogue(store).take(FakeEngine(), [asked(name) for name in MANY])

    assert discover(store, RELEASE, plans(store), LATER) == len(MANY)
    assert discover(store, RELEASE, plans(store), LATER) == 0  # killed here, and begun again
    assert observe(store, RELEASE, LATER) == len(MANY)
    assert observe(store, RELEASE, LATER) == 0
    assert sum(counted(store).values()) == len(MANY)


@pytest.mark.parametrize(
    "moment", ["yingda.store.rollouts.observe", "yingda.decide.guardrail.Guardrail.state", "yingda.store.rollouts.next_stage"]
)
def test_killed_at_any_moment_of_a_look_nobody_is_lost_and_nobody_counted_twice(store: Store, moment: str) -> None:
    """``kill -9`` before counting, with customers marked and counts not yet written, and after counting."""
    in_gray(store)
    dialogue(store).take(FakeEngine(), [asked(name) for name in MANY])
    url = store.engine.url.render_as_string(hide_password=False)

    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", LOOK_AND_DIE, url, moment, LATER.isoformat()], cwd=ROOT, check=False)
        assert killed.returncode == -signal.SIGKILL
    Rollouts(store).watch(LATER)

    assert sum(counted(store).values()) == len(MANY)


def test_of_several_who_look_at_once_each_customer_is_counted_once(store: Store) -> None:
    in_gray(store)
    dialogue(store).take(FakeEngine(), [asked(name) for name in MANY])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Rollouts(store).watch(LATER), range(4)))

    assert sum(counted(store).values()) == len(MANY)
    assert {row.observed_at for row in customers(store).values()} == {LATER}


def test_who_is_erased_is_gone_here_too_and_the_counts_stay(store: Store) -> None:
    in_gray(store)
    dialogue(store).take(FakeEngine(), [asked("u-1"), asked("u-2")])
    Rollouts(store).watch(LATER)

    SqlMemory(store).erase_customer(hash_customer("u-1"))

    assert set(customers(store)) == {hash_customer("u-2")}
    assert sum(counted(store).values()) == 2


# ---- what becomes of a release ----


def release(answer: str) -> Engine:
    """The tiny engine with another answer to when the order is sent."""
    knowledge = tiny_knowledge()
    entry = replace(knowledge.faq["ship-when"], answer={"zh": answer}, ask=())
    return tiny_engine(replace(knowledge, faq={**knowledge.faq, "ship-when": entry}))


def waves(store: Store, engine: Engine, *, days: int = 2, size: int = 50) -> list[PlanRevision]:
    """Days of customers, a look at the end of each; the revisions by which the guardrail took the release back."""
    looks = []
    for day in range(days):
        names = [f"{day}-{number}" for number in range(size)]
        over = visit(store, engine, names, right="48 小时内发出", at=BEGIN + timedelta(days=day), seed=day)
        looks.append(Rollouts(store).watch(over))
    return [look for look in looks if look is not None]


def test_a_harmful_release_is_taken_back_by_itself_and_stays_back(store: Store) -> None:
    in_gray(store)

    taken = waves(store, release("请耐心等待。"))

    assert len(taken) == 1
    assert Rollouts(store).in_force() == taken[0]
    assert (taken[0].plan.stage, taken[0].by, taken[0].automatic) == (Stage.SHADOW, GUARDRAIL, True)
    assert "repeat rate" in taken[0].reason and "转人工" not in taken[0].reason
    comparison = Rollouts(store).guardrail(RELEASE).comparison(Metric.REPEAT)
    assert comparison.harmful and comparison.difference is not None and comparison.difference > 0.5
    assert set(arms(dialogue(store).take(FakeEngine(), [asked(name) for name in MANY]))) == {Arm.SHADOW}
    with pytest.raises(RolloutError, match="the guardrail took release"):
        Rollouts(store).advance(by="w", reason="r", at=LATER, stage=Stage.GRAY)


def test_a_harmless_release_is_not_taken_back(store: Store) -> None:
    before = in_gray(store)

    assert waves(store, release("48 小时内发出。")) == []

    assert Rollouts(store).in_force() == before
    assert min(counted(store).values()) > 30
