"""The roll-out over HTTP: what callers are told, and what operators see and do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.audit import AuditDesk
from serving.logs import open_log
from serving.rollout_watch import Look, RolloutWatch
from serving.settings import Settings
from tests.fakes import PERSON, FakeEngine
from tests.serving_kit import TEXT, bearer, key_for, open_site
from tests.store_kit import empty_copy
from yingda.domain.errors import StoreError
from yingda.domain.rollout import PlanRevision, RolloutPlan, Stage
from yingda.store.audit import Audit
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.rollouts import Rollouts

WHO = {"by": "王店长", "reason": "新版本"}


class Clock:
    """A clock that a test sets."""

    now = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def opened(path: Path, clock: Clock, **settings: Any) -> Iterator[TestClient]:
    """A server on the store at ``path``, as after a restart."""
    with closing(open_store(f"sqlite:///{path}")) as store:
        app = create_app(Settings(**settings), FakeEngine(), log=open_log(io.StringIO()), memory=SqlMemory(store), clock=clock)
        with TestClient(app) as client:
            yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return empty_copy(tmp_path)


@pytest.fixture
def client(path: Path) -> Iterator[TestClient]:
    with opened(path, Clock()) as found:
        yield found


def answer(client: TestClient, customer: str, text: str = TEXT) -> dict[str, Any]:
    body: dict[str, Any] = client.post(
        "/v1/answer", json={"text": text, "conversation_id": f"c-{customer}", "customer": {"id": customer}}
    ).json()
    return body


def post(client: TestClient, what: str, **fields: Any) -> Any:
    return client.post(f"/v1/rollout/{what}", json={**WHO, **fields})


def in_gray(client: TestClient, share: float = 0.5) -> None:
    assert post(client, "start", release="2026.12", share=share).status_code == 200
    assert post(client, "advance", stage="gray").status_code == 200


def test_without_a_plan_every_reply_is_sent(client: TestClient) -> None:
    told = answer(client, "u")

    assert told["rollout"] == {"arm": "automated", "release": told["classification"]["model"]["version"], "send": True, "revision": None}
    assert client.get("/v1/rollout").json() == {"plan": None, "comparisons": [], "watch": None}


def test_in_shadow_nothing_is_sent_and_nobody_is_called(client: TestClient) -> None:
    post(client, "start", release="2026.12")

    told = answer(client, "u", PERSON)

    assert told["rollout"] == {"arm": "shadow", "release": "2026.12", "send": False, "revision": 1}
    assert told["outcome"] == "handoff" and told["reply"]["text"], "what would have been said stays visible"
    assert client.get("/v1/conversations/c-u").json()["handoffs"] == []


def test_customers_keep_their_arm_over_a_restart_and_a_higher_share_moves_nobody_out(path: Path) -> None:
    names = [f"u-{number}" for number in range(12)]

    def sent(client: TestClient) -> set[str]:
        return {name for name in names if answer(client, name)["rollout"]["send"]}

    with opened(path, Clock()) as client:
        in_gray(client)
        before = sent(client)
    with opened(path, Clock()) as client:
        again = sent(client)
        post(client, "advance", share=0.9)
        after = sent(client)

    assert before == again
    assert set() < before < after


def test_operators_see_the_plan_its_history_and_the_guardrails_but_not_the_salt(client: TestClient) -> None:
    in_gray(client)
    moved = post(client, "advance", share=0.3, channels={"phone": 0.0}, tiers={"vip": 0.02}, revision=2)
    post(client, "advance", channels={"phone": None}, stage="full")
    stopped = post(client, "stop", by="李主管", reason="先停")

    standing, history = client.get("/v1/rollout").json(), client.get("/v1/rollout/history").json()["revisions"]
    assert moved.json()["channels"] == {"phone": 0.0}
    assert standing["plan"] == stopped.json() == history[-1]
    assert [(each["revision"], each["stage"], each["by"], each["automatic"]) for each in history] == [
        (1, "shadow", "王店长", False),
        (2, "gray", "王店长", False),
        (3, "gray", "王店长", False),
        (4, "full", "王店长", False),
        (5, "shadow", "李主管", False),
    ]
    assert [(each["metric"], each["against"]) for each in standing["comparisons"]] == [
        ("handoff", "shadow"),
        ("repeat", "reference"),
        ("dissatisfied", "reference"),
    ]
    assert {(each["automated"], each["reference"], each["difference"], each["harmful"]) for each in standing["comparisons"]} == {
        (0, 0, None, False)
    }
    assert "salt" not in str(history)


def test_full_straight_from_shadow_is_refused_unless_forced_and_the_history_says_so(client: TestClient) -> None:
    post(client, "start", release="2026.12")

    refused = post(client, "advance", stage="full")
    forced = post(client, "advance", stage="full", force=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "rollout_refused")
    assert (forced.status_code, forced.json()["stage"]) == (200, "full")
    history = client.get("/v1/rollout/history").json()["revisions"]
    assert [each["reason"] for each in history] == ["新版本", "跳过灰度 gray skipped: 新版本"]


@pytest.mark.parametrize(
    ("what", "fields", "status", "code"),
    [
        ("start", {"release": "2026.12"}, 409, "rollout_refused"),
        ("advance", {"share": 0.9, "revision": 1}, 409, "rollout_refused"),
        ("advance", {"share": 1.1}, 422, "validation_failed"),
        ("advance", {"share": "0.1"}, 422, "validation_failed"),
        ("advance", {"stage": "shadow"}, 422, "validation_failed"),
        ("advance", {"channels": {"fax": 0.1}}, 422, "validation_failed"),
        ("advance", {"by": " "}, 422, "validation_failed"),
        ("stop", {"reason": ""}, 422, "validation_failed"),
        ("start", {"release": "x", "salt": "mine"}, 422, "validation_failed"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    client: TestClient, what: str, fields: dict[str, Any], status: int, code: str
) -> None:
    in_gray(client)

    response = post(client, what, **fields)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert client.get("/v1/rollout").json()["plan"]["revision"] == 2


def test_nothing_can_be_stopped_before_it_was_started(client: TestClient) -> None:
    assert post(client, "stop").json()["detail"] == "there is no roll-out; start one first"


def test_without_a_database_nothing_is_rolled_out() -> None:
    with open_site() as site:
        response = site.client.get("/v1/rollout")

    assert (response.status_code, response.json()["code"]) == (409, "rollout_needs_store")


def test_the_roll_out_is_for_operators_alone() -> None:
    key = key_for("answer")
    with open_site(keys=[key]) as site:
        calls = [site.client.get(f"/v1/rollout{end}", headers=bearer(key)) for end in ("", "/history")]
        calls += [site.client.post(f"/v1/rollout/{end}", json=WHO, headers=bearer(key)) for end in ("start", "advance", "stop")]

    assert [each.status_code for each in calls] == [403] * 5


def test_the_server_looks_at_the_guardrails_by_itself_and_goes_on_when_the_store_fails(path: Path) -> None:
    clock, looks, done = Clock(), iter([False, False, True]), Event()

    class Failing(Rollouts):
        """Fails at the first look."""

        tried = False

        def watch(self, now: datetime, *, pause: timedelta = timedelta(hours=1)) -> Any:
            if not self.tried:
                self.tried = True
                raise StoreError("store locked", code="store_locked")
            return super().watch(now, pause=pause)

    def wait() -> bool:
        ending = next(looks)
        if ending:
            done.set()
        return ending

    with closing(open_store(f"sqlite:///{path}")) as store:
        watch = RolloutWatch(Failing(store), clock)
        watch.look()
        assert watch.last == Look(clock.now, "store locked")
        watch.start(wait=wait)
        assert done.wait(timeout=180)
        watch.close()

    assert watch.last == Look(clock.now)


def test_a_harmful_release_is_taken_back_and_the_history_says_why(path: Path) -> None:
    clock = Clock()
    with opened(path, clock) as client:
        in_gray(client)
        names = [f"u-{number}" for number in range(60)]
        told = [answer(client, name) for name in names]
        for name, each in zip(names, told, strict=True):
            if each["rollout"]["send"]:
                answer(client, name)  # who was answered by the release asks again
        clock.now += timedelta(hours=2)
        watch = client.app.state.service._watch  # type: ignore[attr-defined]
        watch.look()
        watch.look()

        standing = client.get("/v1/rollout").json()
        assert (standing["plan"]["stage"], standing["plan"]["by"], standing["plan"]["automatic"]) == ("shadow", "guardrail", True)
        assert "repeat rate" in standing["plan"]["reason"]
        assert answer(client, "u-new")["rollout"]["send"] is False
        assert post(client, "advance", stage="gray").status_code == 409
    with closing(open_store(f"sqlite:///{path}")) as store:
        (entry,) = [each.entry for each in Audit(store).entries() if each.entry.who == "guardrail"]
        assert (entry.action, entry.target, dict(entry.facts)) == ("rollout.take_back", "release:2026.12", {"revision": 3})
        assert Audit(store).verify().broken is None


def test_hand_offs_are_compared_with_those_of_the_service_of_today_where_its_store_is_named(path: Path, tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "today"
    folder.mkdir()
    today = empty_copy(folder)
    with opened(path, clock, reference_store=f"sqlite:///{today}") as client, opened(today, clock) as service_of_today:
        assert post(client, "start", release="2026.12", reference="control", share=0.5).status_code == 200
        for number in range(12):
            answer(client, f"u-{number}")
            answer(service_of_today, f"u-{number}", PERSON)
        assert post(client, "advance", stage="gray").status_code == 200
        for number in range(12, 40):
            if answer(client, f"u-{number}")["rollout"]["arm"] == "control":
                answer(service_of_today, f"u-{number}", PERSON)
        clock.now += timedelta(hours=2)
        client.app.state.service._watch.look()  # type: ignore[attr-defined]

        standing = client.get("/v1/rollout").json()

    assert (standing["plan"]["stage"], standing["watch"]["error"]) == ("gray", None)
    gray, shadow = standing["comparisons"][:2]
    assert [(each["metric"], each["against"], each["difference"]) for each in (gray, shadow)] == [
        ("handoff", "reference", -1.0),
        ("handoff", "same_messages", -1.0),
    ]
    assert (gray["automated"] + gray["reference"], shadow["automated"]) == (28, 12)


def test_a_release_is_taken_back_even_where_that_cannot_be_recorded(path: Path) -> None:
    taken, stream = [], io.StringIO()
    with closing(open_store(f"sqlite:///{path}")) as store:
        with store.writer().begin() as connection:
            connection.exec_driver_sql("DROP TABLE audit")
        desk = AuditDesk(Audit(store), log=open_log(stream), clock=Clock())
        revision = PlanRevision(3, RolloutPlan("2026.12", "salt", Stage.SHADOW), Clock.now, "guardrail", "why", True)

        class TakesBack(Rollouts):
            def watch(self, now: datetime, *, pause: timedelta = timedelta(hours=1)) -> PlanRevision:
                taken.append(now)
                return revision

        watch = RolloutWatch(TakesBack(store), Clock(), desk.taken_back)
        watch.look()
    assert (taken, watch.last) == ([Clock.now], Look(Clock.now))
    assert "audit_failed" in stream.getvalue()
