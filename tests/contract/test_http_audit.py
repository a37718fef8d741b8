"""What operators do over HTTP is on record, and what cannot be recorded is not done; customers never wait for it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app, openapi_document
from serving.audit import MANY, RULES, AuditDesk, Refusals
from serving.keys import KeyRing
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes import PERSON, FakeEngine
from tests.knowledge_kit import Clock
from tests.knowledge_site import open_shop_site
from tests.privacy_kit import a_vault
from tests.serving_kit import TEXT, Site, bearer, key_for, open_site
from tests.store_kit import empty_copy
from yingda.domain.errors import StoreError
from yingda.store.audit import Audit, AuditEntry, Recorded, hidden_name
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory

WHO = {"by": "王店长", "reason": "新版本"}
OPERATOR = key_for("ops", "answer", "knowledge:write", "knowledge:read")
CUSTOMERS = {"/v1/classify", "/v1/classify/batch", "/v1/answer", "/v1/answer/batch", "/v1/feedback"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{empty_copy(tmp_path)}")) as store:
        yield store


@contextmanager
def site_on(store: Store, **settings: Any) -> Iterator[Site]:
    with open_site(memory=SqlMemory(store), keys=[OPERATOR, *settings.pop("others", [])], **settings) as site:
        site.client.headers.update(bearer(OPERATOR))
        yield site


def told(store: Store) -> list[tuple[str, str, str, str]]:
    entries = [each.entry for each in Audit(store).entries()]
    return [(entry.who, entry.action, entry.target, entry.outcome.value) for entry in entries]


def without_audit(store: Store) -> None:
    """The log fails, and everything else in the store works."""
    with store.writer().begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit")


def test_a_change_is_recorded_before_and_after(store: Store) -> None:
    with site_on(store) as site:
        done = site.client.post("/v1/rollout/start", json={"release": "2026.12", **WHO}, headers={"x-request-id": "r-7"})
        refused = site.client.post("/v1/rollout/start", json={"release": "2026.12", **WHO})
    assert (done.status_code, refused.status_code) == (200, 409)
    start = ("test", "rollout.start", "rollout")
    assert told(store) == [(*start, "attempted"), (*start, "done"), (*start, "attempted"), (*start, "refused")]
    entries = [each.entry for each in Audit(store).entries()]
    assert {entry.request_id for entry in entries[:2]} == {"r-7"}
    assert [dict(entry.facts) for entry in entries[1::2]] == [{"attempt": 1, "status": 200}, {"attempt": 3, "status": 409}]
    assert Audit(store).verify().broken is None


def test_a_conversation_is_named_by_a_hash(store: Store) -> None:
    with site_on(store) as site:
        site.client.post("/v1/answer", json={"text": PERSON, "conversation_id": "13800138000"})
        released = site.client.post("/v1/conversations/13800138000/release", json={"by": "anna"})
    assert released.status_code == 200
    target = hidden_name("conversation", "13800138000")
    assert [each[1:3] for each in told(store)] == [("conversation.release", target)] * 2


def test_knowledge_that_cannot_be_changed_here_is_recorded_as_refused(store: Store) -> None:
    with site_on(store) as site:
        refused = site.client.delete("/v1/faq/logistics-stuck", headers={"if-match": "*"})
        strange = site.client.delete("/v1/knowledge/faq/快递", headers={"if-match": "*"})
    assert (refused.status_code, strange.status_code) == (409, 409)
    targets = [each[2] for each in told(store)]
    assert targets[:2] == ["faq:logistics-stuck"] * 2
    assert all(re.fullmatch(r"faq:sha256-[0-9a-f]{32}", each) for each in targets[2:])


def test_what_cannot_be_recorded_is_not_done_and_customers_are_answered(store: Store) -> None:
    with site_on(store) as site:
        without_audit(store)
        refused = site.client.post("/v1/rollout/start", json={"release": "2026.12", **WHO})
        answered = site.client.post("/v1/answer", json={"text": TEXT})
        standing = site.client.get("/v1/rollout")
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "audit_unavailable", "1")
    assert "audit" in refused.json()["detail"] and "sqlite" not in refused.text
    assert answered.status_code == 200
    assert standing.json()["plan"] is None
    (line,) = [line for line in site.log if line["event"] == "audit_failed" and line["action"] != "head"]
    assert (line["action"], line["code"]) == ("rollout.start", "store_not_migrated")


def test_a_log_that_fails_behind_a_change_leaves_the_attempt(store: Store) -> None:
    """The change has happened then; the attempt without its end is what shows it."""
    with site_on(store) as site:
        record, desk = Audit.record, site.app.state.audit

        class Once:
            def record(self, entry: AuditEntry) -> Recorded:
                if entry.outcome.value != "attempted":
                    raise StoreError("store: full", code="store_full")
                return record(Audit(store), entry)

            def head(self) -> Any:
                return Audit(store).head()

        desk._audit = Once()
        done = site.client.post("/v1/rollout/start", json={"release": "2026.12", **WHO})
    assert done.status_code == 200
    assert [each[3] for each in told(store)] == ["attempted"]
    assert [line["code"] for line in site.log if line["event"] == "audit_failed"] == ["store_full"]


def test_who_may_not_do_it_fills_no_log(store: Store) -> None:
    other = key_for("answer")
    with site_on(store, others=[]) as site:
        site.client.headers.clear()
        assert site.client.post("/v1/rollout/stop", json=WHO).status_code == 401
        site.app.state.audit.refusals.flush()
        site.client.headers.update(bearer(other))
        for _ in range(5):
            assert site.client.post("/v1/rollout/stop", json=WHO).status_code == 401
    entries = [each.entry for each in Audit(store).entries()]
    assert {(entry.who, entry.action, entry.outcome.value) for entry in entries} == {("anonymous", "auth.refused", "refused")}
    counts: dict[str, int] = {}
    for entry in entries:
        counts[str(entry.facts["reason"])] = counts.get(str(entry.facts["reason"]), 0) + int(entry.facts["count"])
    assert counts == {"missing": 1, "unknown": 5}


def test_a_known_key_without_the_scope_is_named(store: Store) -> None:
    clerk = key_for("feedback")
    with open_site(memory=SqlMemory(store), keys=[clerk]) as site:
        assert site.client.post("/v1/rollout/stop", json=WHO, headers=bearer(clerk)).status_code == 403
    (entry,) = [each.entry for each in Audit(store).entries()]
    assert (entry.who, entry.facts) == ("test", {"reason": "scope", "count": 1})


def test_a_flood_of_refusals_is_a_bounded_number_of_entries() -> None:
    written: list[dict[tuple[str, str], int]] = []

    def write(counts: Mapping[tuple[str, str], int]) -> bool:
        written.append(dict(counts))
        return True

    refusals = Refusals(write)
    for number in range(10 * MANY):
        refusals.count("scope", f"oauth:{number}")
    refusals.flush()
    refusals.flush()
    (counts,) = written
    assert len(counts) == MANY + 1
    assert sum(counts.values()) == 10 * MANY


def test_refusals_that_cannot_be_written_stay_counted() -> None:
    works, written = False, []

    def write(counts: Any) -> bool:
        if works:
            written.append(dict(counts))
        return works

    refusals = Refusals(write)
    refusals.count("unknown", "anonymous")
    refusals.flush()
    refusals.count("unknown", "anonymous")
    works = True
    refusals.start()
    refusals.close()
    assert sum(counts["unknown", "anonymous"] for counts in written) == 2


def test_the_head_is_logged_at_start_and_stop(store: Store) -> None:
    with site_on(store) as site:
        site.client.post("/v1/rollout/start", json={"release": "2026.12", **WHO})
    heads = [line for line in site.log if line["event"] == "audit_head"]
    assert [(line["at"], line["count"]) for line in heads] == [("start", 0), ("stop", 2)]
    assert heads[-1]["hash"] == Audit(store).head().hash


def test_the_server_records_acts_of_its_own(store: Store) -> None:
    stream = io.StringIO()
    desk = AuditDesk(Audit(store), log=open_log(stream), clock=Clock())
    desk.record_now("bundle.swap", "bundle:2026.12")
    assert told(store) == [("server", "bundle.swap", "bundle:2026.12", "done")]
    without_audit(store)
    desk.record_now("bundle.swap", "bundle:2026.12")
    assert json.loads(stream.getvalue())["event"] == "audit_failed"


def test_without_a_store_nothing_is_recorded_and_nothing_refused() -> None:
    with open_site() as site:
        site.client.post("/v1/answer", json={"text": PERSON, "conversation_id": "c-1"})
        assert site.client.post("/v1/conversations/c-1/release", json={"by": "anna"}).status_code == 200
        assert not any(line["event"].startswith("audit") for line in site.log)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_export_is_recorded_and_refused_where_it_cannot_be(store: Store, method: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    with open_shop_site(tmp_path / "shop", memory=SqlMemory(store), keys=[OPERATOR]) as site:
        site.client.headers.update(bearer(OPERATOR))
        assert site.client.request(method, "/v1/faq/export").status_code == 200
        assert told(store) == [("test", "knowledge.export", "faq", each) for each in ("attempted", "done")]
        assert Audit(store).verify().broken is None
        without_audit(store)
        assert site.client.request(method, "/v1/faq/export").status_code == 503
        assert site.client.get("/v1/faq").status_code == 200


def test_reading_originals_is_recorded_by_the_conversations_hash(store: Store) -> None:
    key = key_for("answer", "data:unmask")
    app = create_app(
        Settings(), FakeEngine(), keys=KeyRing([key.record]), memory=SqlMemory(store), vault=a_vault(), log=open_log(io.StringIO())
    )
    with TestClient(app, headers=bearer(key)) as client:
        client.post("/v1/answer", json={"text": TEXT, "conversation_id": "13800138000"})
        assert client.get("/v1/conversations/13800138000?unmask=true").json()["turns"][0]["original"]["text"] == TEXT
    assert told(store) == [("test", "conversation.unmask", hidden_name("conversation", "13800138000"), "done")]


def test_every_call_that_changes_something_for_operators_has_its_rule() -> None:
    changing = set()
    for path, item in openapi_document()["paths"].items():
        changing |= {(method.upper(), path) for method in item if method != "get" and path not in CUSTOMERS}
    steps = ("review", "return", "publish", "retire", "rollback")
    step = "/v1/knowledge/{kind}/{id}/{step}"
    changing.remove(("POST", step))
    changing |= {("POST", step.replace("{step}", each)) for each in steps}
    assert {(rule.method, rule.path) for rule in RULES} == changing | {("GET", "/v1/faq/export")}


def test_the_scope_of_each_rule_is_that_of_its_call() -> None:
    paths = openapi_document()["paths"]
    for rule in RULES:
        path = rule.path if rule.path in paths else "/v1/knowledge/{kind}/{id}/{step}"
        assert paths[path][rule.method.lower()]["security"] == [{"bearer": [rule.scope.value]}], rule
