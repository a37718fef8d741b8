"""Living knowledge over HTTP: entries and records with their ETags, steps, versions and files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.keys import make_key
from serving.live import Desk, tell_news
from serving.logs import open_log
from serving.settings import MAX_FILE_BYTES
from tests.fakes import FakeEngine
from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import Clock, an_entry, embed_characters
from tests.rules_kit import tree
from tests.serving_kit import Site, bearer, call_raw, open_site
from tests.store_kit import opened
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import KnowledgeSnapshot, Signed
from yingda.live import Health, LiveEngine, knowledge_of, open_shop
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore

ANY = {"if-match": "*"}
ENTRY = {name: value for name, value in an_entry("new-one", intent="ORDER_CANCEL", question={"zh": "怎么退单"}).items() if name != "id"}
ENTRY |= {"similar": {}, "answer": {"zh": "{发货时限}内退单。"}}


class Still:
    """A live engine that looks at the store when a test says so."""

    def __init__(self, live: LiveEngine[FakeEngine]) -> None:
        self._live = live

    @property
    def engine(self) -> FakeEngine:
        return self._live.engine

    def health(self) -> Health:
        return self._live.health()

    def start(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_shop_site(folder: Path, *, clock: Clock | None = None, two_people: bool = False, **site: Any) -> Iterator[Site]:
    """An app over a seeded store; its engine is a fake that knows what the store says."""
    clock = clock or Clock()

    broken: set[str] = set()

    def build(snapshot: KnowledgeSnapshot) -> FakeEngine:
        if broken & {id_.key for id_ in snapshot.records}:
            raise ValueError
        engine = FakeEngine()
        engine.knowledge = knowledge_of(tiny_knowledge(), snapshot)
        return engine

    with opened("sqlite", folder) as store:
        shop = open_shop(store, tiny_knowledge(), embed=embed_characters, build=build, clock=clock, two_people=two_people)
        with open_site(desk=Desk(shop.records, clock=clock, live=Still(shop.live)), **site) as opened_site:
            opened_site.app.state.shop, opened_site.app.state.broken = shop, broken
            yield opened_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_shop_site(tmp_path) as found:
        yield found


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def add(site: Site, key: str = "new-one", **changes: Any) -> Any:
    return site.client.post("/v1/faq", json={"id": key, **ENTRY, **changes})


# ---- entries ----


def test_an_entry_is_added_read_changed_and_retired(site: Site) -> None:
    added = add(site, change={"reason": "new"})
    assert added.status_code == 200
    assert added.headers["location"] == "/v1/faq/new-one"
    version = added.json()["version"]
    assert (version["status"], version["name"], version["author"], version["reason"]) == ("published", "V1.0-怎么退单", "local", "new")
    read = site.client.get("/v1/faq/new-one")
    assert read.headers["etag"] == added.headers["etag"] == f'"{version["etag"]}"'

    changed = site.client.put("/v1/faq/new-one", json={**ENTRY, "needs_human": True}, headers={"if-match": read.headers["etag"]})
    assert (changed.status_code, changed.json()["needs_human"], changed.json()["version"]["number"]) == (200, True, 2)
    assert changed.headers["etag"] != read.headers["etag"]

    retired = site.client.delete("/v1/faq/new-one", headers={"if-match": changed.headers["etag"]})
    assert (retired.status_code, retired.json()["version"]["status"]) == (200, "retired")


def test_a_stale_etag_is_412_and_none_is_428(site: Site) -> None:
    first = add(site).headers["etag"]
    site.client.put("/v1/faq/new-one", json={**ENTRY, "needs_human": True}, headers=ANY)

    for method, path, body in (
        ("PUT", "/v1/faq/new-one", ENTRY),
        ("DELETE", "/v1/faq/new-one", None),
        ("POST", "/v1/faq/new-one/rollback", {}),
        ("PUT", "/v1/knowledge/faq/new-one", {"payload": {}}),
        ("DELETE", "/v1/knowledge/faq/new-one", None),
        ("POST", "/v1/knowledge/faq/new-one/review", {}),
    ):
        assert code(site.client.request(method, path, json=body)) == (428, "if_match_missing")
        if "payload" not in (body or {}):
            assert code(site.client.request(method, path, json=body, headers={"if-match": first})) == (412, "stale_version")
    assert code(site.client.delete("/v1/faq/new-one", headers={"if-match": "abc"})) == (400, "bad_if_match")
    assert code(site.client.delete("/v1/faq/new-one", headers={"if-match": f"W/{first}"})) == (412, "stale_version")
    assert code(site.client.delete("/v1/faq/nobody", headers=ANY)) == (404, "not_found")
    assert site.client.get("/v1/faq/new-one").json()["needs_human"] is True


def test_an_id_that_is_taken_is_a_conflict(site: Site) -> None:
    assert code(add(site, "ship-when")) == (409, "exists")


def test_what_an_entry_must_not_say_is_refused_with_its_field(site: Site) -> None:
    refused = add(site, intent="NO_SUCH", answer={"zh": "{没有这个}，打13812345678。"})

    assert code(refused) == (422, "refused")
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/intent", "/answer/zh"}
    assert "13812345678" not in refused.text
    assert code(site.client.get("/v1/faq/new-one")) == (404, "not_found")


def test_a_draft_is_not_told_until_it_is_reviewed_and_published(site: Site) -> None:
    drafted = site.client.post("/v1/faq?draft=true", json={"id": "new-one", **ENTRY})
    assert drafted.json()["version"]["status"] == "draft"
    assert "new-one" not in site.client.get("/v1/faq/export?form=jsonl").text

    for step, status in (("review", "reviewed"), ("return", "draft"), ("review", "reviewed"), ("publish", "published")):
        told = site.client.post(f"/v1/knowledge/faq/new-one/{step}", json={"reason": step}, headers=ANY)
        assert (told.status_code, told.json()["version"]["status"]) == (200, status)
    assert code(site.client.post("/v1/knowledge/faq/new-one/review", json={}, headers=ANY)) == (409, "not_allowed")
    assert "new-one" in site.client.get("/v1/faq/export?form=jsonl").text


def test_entries_that_ask_the_same_or_contradict_each_other_are_named_when_saving(site: Site) -> None:
    again = add(site, "again", intent="ORDER_SHIP_TIME", question={"zh": "什么时候发"}, answer={"zh": "72 小时内发出。"})

    assert [(one["finding"], {one["first"], one["second"]}) for one in again.json()["alike"]] == [("contradiction", {"again", "ship-when"})]


def test_the_history_is_read_compared_and_rolled_back(site: Site) -> None:
    add(site)
    site.client.put("/v1/faq/new-one", json={**ENTRY, "needs_human": True}, headers=ANY)

    steps = site.client.get("/v1/faq/new-one/versions").json()["items"]
    assert [(step["revision"], step["name"]) for step in steps] == [(1, "V1.0-怎么退单"), (2, "V1.1-怎么退单")]
    difference = site.client.get("/v1/faq/new-one/diff?before=1&after=2").json()["changes"]
    assert difference == [{"field": "needs_human", "before": "false", "after": "true"}]
    assert code(site.client.get("/v1/faq/new-one/diff?before=1&after=9")) == (404, "not_found")
    back = site.client.post("/v1/faq/new-one/rollback", json={"reason": "wrong"}, headers=ANY).json()
    assert (back["needs_human"], back["version"]["number"]) == (False, 3)


def test_lists_come_in_pages(site: Site) -> None:
    found, path = [], "/v1/faq?limit=2"
    while path:
        page = site.client.get(path).json()
        found += [item["id"] for item in page["items"]]
        path = f"/v1/faq?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""

    assert found == sorted(tiny_knowledge().faq)
    assert site.client.get("/v1/faq?status=draft").json()["items"] == []
    assert code(site.client.get("/v1/faq?cursor=é")) == (422, "validation_failed")


# ---- other kinds ----


def line(id_: str, **cells: str) -> dict[str, str]:
    return {"_id": id_, **cells}


def table(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A rule file with the columns that its rows fill."""
    inputs, outputs = ("keywords", "channel", "sentiment"), ("priority", "skill")
    columns = {
        name: [{"id": field, "name": field, "field": field, "type": "expression"} for field in fields]
        for name, fields in (("inputs", inputs), ("outputs", outputs))
    }
    return tree([{**dict.fromkeys((*inputs, *outputs), ""), **row} for row in rows], **columns)


def save(site: Site, kind: str, key: str, payload: dict[str, Any], **headers: str) -> Any:
    if headers:
        return site.client.put(f"/v1/knowledge/{kind}/{key}", json={"payload": payload}, headers=headers)
    return site.client.post(f"/v1/knowledge/{kind}", json={"id": key, "payload": payload})


def publish(site: Site, kind: str, key: str) -> Any:
    assert site.client.post(f"/v1/knowledge/{kind}/{key}/review", json={}, headers=ANY).status_code == 200
    return site.client.post(f"/v1/knowledge/{kind}/{key}/publish", json={}, headers=ANY)


def in_use(site: Site) -> Knowledge:
    """What the engine knows after the next look at the store."""
    site.app.state.shop.live.look()
    knowledge: Knowledge = site.app.state.service.engine.knowledge
    return knowledge


def test_a_policy_value_reaches_the_engine(site: Site) -> None:
    saved = save(site, "policy", "发货时限", {"value": "24 小时", "translations": {"en": "24 hours"}}, **{"if-match": "*"})
    assert saved.status_code == 200
    assert in_use(site).policy.values["发货时限"] == "48 小时"
    publish(site, "policy", "发货时限")

    assert in_use(site).policy.values_in("en")["发货时限"] == "24 hours"


def test_a_keyword_and_a_rule_that_names_it_reach_the_engine(site: Site) -> None:
    assert save(site, "keyword", "加急", {"term": "加急", "synonyms": [], "intents": ["ORDER_SHIP_TIME"]}).status_code == 200
    rule = table([line("hurry", keywords="contains($, '加急')", priority="'high'")])
    assert code(save(site, "rule", "rush", rule)) == (422, "refused")
    publish(site, "keyword", "加急")
    assert save(site, "rule", "rush", rule).status_code == 200
    publish(site, "rule", "rush")

    assert [document.name for document in in_use(site).rules] == ["rules/rush.json"]
    gone = site.client.delete("/v1/knowledge/keyword/加急", headers=ANY)
    assert code(gone) == (422, "refused")
    assert "rules/rush.json" in gone.text


def test_a_template_reaches_the_engine(site: Site) -> None:
    payload = site.client.get("/v1/knowledge/template/default").json()["payload"]
    payload["outcomes"]["answered"]["closing"]["zh"] = "再见。"
    save(site, "template", "default", payload, **{"if-match": "*"})
    publish(site, "template", "default")
    only = {"id": "V1.0-取消", "version": "1.0", "outcomes": {"answered": payload["outcomes"]["answered"]}}
    assert save(site, "template", "ORDER_CANCEL", only).status_code == 200
    publish(site, "template", "ORDER_CANCEL")

    templates = in_use(site).templates
    assert templates.outcomes["answered"].closing["zh"] == "再见。"
    assert templates.by_intent["ORDER_CANCEL"].id == "V1.0-取消"


@pytest.mark.parametrize(
    ("kind", "key", "payload", "told"),
    [
        ("policy", "发货时限", {"value": "{__class__}"}, "is no variable name"),
        ("policy", "答案", {"value": "x"}, "filled by the reply"),
        ("policy", "x.y", {"value": "x"}, "a variable is named by"),
        ("policy", "新值", {"value": 7}, "must be a text"),
        ("policy", "新值", {"value": "x", "secret": "y"}, "unknown field"),
        ("keyword", "发", {"term": "发货", "intents": ["ORDER_CANCEL"]}, "stands in the record '发货'"),
        ("keyword", "发", {"term": "发", "intents": ["NO_SUCH"]}, "unknown intent"),
        ("keyword", "发", {"term": "发", "intents": []}, "names no intent"),
        ("keyword", "a/b", {"term": "a/b", "intents": ["ORDER_CANCEL"]}, "no slash"),
        ("template", "ORDER_CANCEL", {"id": "a", "outcomes": {}}, "has no outcome"),
        ("template", "default", {"id": "a"}, "is missing"),
        ("rule", "r", {"nodes": [], "edges": []}, "no inputNode"),
        ("rule", "r", {"nodes": [{"id": "f", "type": "functionNode", "name": "f"}], "edges": []}, "scripts are not allowed"),
    ],
)
def test_what_a_kind_does_not_allow_is_refused_at_save(site: Site, kind: str, key: str, payload: dict[str, Any], told: str) -> None:
    there = site.client.get(f"/v1/knowledge/{kind}/{key}").status_code == 200
    refused = save(site, kind, key, payload, **({"if-match": "*"} if there else {}))

    assert code(refused) == (422, "refused")
    assert told in refused.text


def test_a_rule_that_runs_but_depends_on_order_is_saved_with_a_warning(site: Site) -> None:
    rows = [line("one", channel="'web'", skill="'order'"), line("two", sentiment="'neutral'", skill="'general'")]
    saved = save(site, "rule", "r", table(rows))

    assert saved.status_code == 200
    assert "例如" in saved.json()["warnings"][0]


def test_a_variable_that_answers_still_need_is_not_retired(site: Site) -> None:
    save(site, "policy", "新时限", {"value": "一天"})
    publish(site, "policy", "新时限")
    add(site, answer={"zh": "{新时限}内。"})
    gone = site.client.delete("/v1/knowledge/policy/新时限", headers=ANY)

    assert code(gone) == (422, "refused")
    assert "faq/new-one" in gone.text


def test_the_last_entry_is_not_retired(site: Site) -> None:
    ids = sorted(tiny_knowledge().faq)
    codes = [code(site.client.delete(f"/v1/faq/{key}", headers=ANY))[0] for key in ids]

    assert codes == [200] * (len(ids) - 1) + [422]


def test_with_two_people_the_author_alone_publishes_nothing(tmp_path: Path) -> None:
    anna, bo = (make_key(name, ["knowledge:read", "knowledge:write"]) for name in ("anna", "bo"))
    with open_shop_site(tmp_path, two_people=True, keys=[anna, bo]) as site:
        body = {"id": "new-one", **ENTRY}
        assert code(site.client.post("/v1/faq", json=body, headers=bearer(anna))) == (409, "not_allowed")
        site.client.post("/v1/faq?draft=true", json=body, headers=bearer(anna))
        review = "/v1/knowledge/faq/new-one/review"
        assert code(site.client.post(review, json={}, headers=ANY | bearer(anna))) == (409, "not_allowed")
        assert site.client.post(review, json={}, headers=ANY | bearer(bo)).status_code == 200
        told = site.client.post("/v1/knowledge/faq/new-one/publish", json={}, headers=ANY | bearer(anna)).json()["version"]

    assert (told["author"], told["reviewer"], told["status"]) == ("anna", "bo", "published")


# ---- files ----


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl", "yaml", "rasa"])
def test_an_export_imports_and_exports_again_to_the_same_bytes(site: Site, form: str) -> None:
    exported = site.client.get(f"/v1/faq/export?form={form}")
    assert exported.headers["content-digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(exported.content).digest()).decode()}:"
    headers = {"content-type": exported.headers["content-type"], "content-digest": exported.headers["content-digest"]}
    path = "/v1/faq/import?form=rasa" if form == "rasa" else "/v1/faq/import"
    report = site.client.post(path, content=exported.content, headers=headers).json()

    assert (report["applied"], report["added"], report["changed"], len(report["unchanged"])) == (True, [], [], 5)
    assert site.client.get(f"/v1/faq/export?form={form}").content == exported.content


CSV = {"content-type": "text/csv"}
GOOD = "id,intent,question.zh,answer.zh\nnew-one,ORDER_CANCEL,怎么退单,点退单。\n"
BROKEN = GOOD + "bad,NO_SUCH,怎么,点。\n"


def test_an_import_is_tried_then_done(site: Site) -> None:
    tried = site.client.post("/v1/faq/import?dry_run=true", content=GOOD.encode(), headers=CSV).json()
    assert (tried["applied"], tried["added"]) == (False, ["new-one"])
    assert site.client.get("/v1/faq/new-one").status_code == 404
    done = site.client.post("/v1/faq/import", content=GOOD.encode(), headers=CSV).json()

    assert (done["applied"], done["added"]) == (True, ["new-one"])
    assert site.client.get("/v1/faq/new-one").json()["answer"] == {"zh": "点退单。"}


def test_a_broken_row_keeps_the_file_out_unless_partial(site: Site) -> None:
    refused = site.client.post("/v1/faq/import", content=BROKEN.encode(), headers=CSV)
    assert code(refused) == (422, "import_rejected")
    assert refused.json()["errors"][0]["detail"].startswith("line 3, intent: unknown intent")
    assert site.client.get("/v1/faq/new-one").status_code == 404
    report = site.client.post("/v1/faq/import?partial=true", content=BROKEN.encode(), headers=CSV).json()

    assert (report["applied"], report["added"]) == (True, ["new-one"])
    assert [(row["line"], row["field"]) for row in report["rejected"]] == [(3, "intent")]


def test_an_altered_file_and_one_of_unknown_form_are_refused(site: Site) -> None:
    data = GOOD.encode()
    path = f"/v1/faq/import?sha256={'0' * 64}"
    assert code(site.client.post(path, content=data, headers=CSV)) == (422, "digest_mismatch")
    assert code(site.client.post("/v1/faq/import", content=data, headers={"content-type": "text/plain"})) == (415, "unsupported_media_type")
    assert site.client.post("/v1/faq/import?form=csv", content=data, headers={"content-type": "text/plain"}).status_code == 200


def test_a_file_may_be_larger_than_other_bodies_and_not_endless(site: Site) -> None:
    padded = GOOD.encode() + b"\n" * 300_000
    assert site.client.post("/v1/faq/import?dry_run=true", content=padded, headers=CSV).status_code == 200
    chunk = b"\n" * (MAX_FILE_BYTES // 4)
    refused = call_raw(site.app, "/v1/faq/import", [chunk] * 40, headers=CSV)

    assert (refused.status, refused.chunks_read) == (413, 5)


# ---- without a store, and with one that fails ----


def test_without_a_store_the_pack_is_read_and_not_changed() -> None:
    with open_site() as site:
        read = site.client.get("/v1/faq/logistics-stuck")
        assert (read.json()["intent"], read.json()["version"]["status"]) == ("ORDER_LOGISTICS", "published")
        assert site.client.get("/v1/faq").json()["items"][0]["id"] == "logistics-stuck"
        assert len(site.client.get("/v1/faq/logistics-stuck/versions").json()["items"]) == 1
        assert site.client.get("/v1/faq/logistics-stuck/diff?before=1&after=1").json()["changes"] == []
        assert b"logistics-stuck" in site.client.get("/v1/faq/export").content
        for response in (
            add(site),
            site.client.put("/v1/faq/logistics-stuck", json=ENTRY, headers=ANY),
            site.client.delete("/v1/faq/logistics-stuck", headers=ANY),
            site.client.post("/v1/faq/import", content=GOOD.encode(), headers=CSV),
        ):
            assert code(response) == (409, "knowledge_read_only")
        assert site.client.get("/readyz").json()["knowledge"] is None


def test_readyz_tells_what_is_in_use_and_what_fails(site: Site) -> None:
    broken = site.app.state.broken
    live, clock = site.app.state.shop.live, site.app.state.desk.clock
    assert site.client.get("/readyz").json()["knowledge"] == {
        "version": 1,
        "since": "2026-11-11T04:00:00Z",
        "failing": None,
        "failing_since": None,
    }
    broken.add("new-one")
    add(site)
    live.look()
    failing = site.client.get("/readyz")
    assert (failing.status_code, failing.json()["knowledge"]["failing"]) == (200, "knowledge_not_built")
    broken.clear()
    clock.go(minutes=2)
    live.look()
    assert site.client.get("/readyz").json()["knowledge"]["version"] == 2


def test_a_store_that_cannot_be_used_is_told_and_nothing_changes(tmp_path: Path) -> None:
    with open_shop_site(tmp_path) as site:
        with closing(open_store(f"sqlite:///{tmp_path / 'store.db'}")) as store, store.writing() as session:
            session.connection().exec_driver_sql("DROP TABLE knowledge_clock")
        site.app.state.shop.live.look()

        assert code(add(site)) == (503, "store_not_migrated")
        assert str(tmp_path) not in add(site).text
        assert code(site.client.get("/readyz")) == (503, "store_not_migrated")
        assert site.client.get("/v1/intents").status_code == 200
        assert site.app.state.service.engine.knowledge.faq.keys() == tiny_knowledge().faq.keys()


def test_reading_and_writing_need_their_scopes(tmp_path: Path) -> None:
    reader = make_key("reader", ["knowledge:read"])
    writer = make_key("writer", ["knowledge:write"])
    with open_shop_site(tmp_path, keys=[reader, writer]) as site:
        body = {"id": "new-one", **ENTRY}
        assert site.client.get("/v1/faq", headers=bearer(reader)).status_code == 200
        assert code(site.client.get("/v1/faq", headers=bearer(writer))) == (403, "missing_scope")
        assert code(site.client.post("/v1/faq", json=body, headers=bearer(reader))) == (403, "missing_scope")
        assert site.client.post("/v1/faq", json=body, headers=bearer(writer)).json()["version"]["author"] == "writer"
        assert code(site.client.post("/v1/faq/import", content=b"", headers=CSV | bearer(reader))) == (403, "missing_scope")


def test_a_pack_that_was_edited_is_told_in_the_log_and_changes_nothing(tmp_path: Path) -> None:
    base = tiny_knowledge()
    hello = base.faq["hello"]
    edited = replace(base, faq={**base.faq, "hello": replace(hello, answer={"zh": "您好。"})})
    with open_shop_site(tmp_path) as site:
        records: KnowledgeStore = site.app.state.shop.records
        log = open_log(site.stream)
        before = len(site.log)
        tell_news(log, records, base, source="packs/shop")
        assert len(site.log) == before
        tell_news(log, records, edited, source="packs/shop")

        line = site.log[-1]
        assert (line["event"], line["records"], line["first"]) == ("pack_has_news", 1, ["faq/hello"])
        assert "yingda knowledge import packs/shop" in line["detail"]
        assert records.snapshot(Clock()()).records
        assert records.seed({}, Signed("pack")) == 0
