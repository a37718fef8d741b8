"""Living knowledge over HTTP: entries and records with their ETags, steps, versions and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from serving.keys import make_key
from tests.fakes_core import tiny_knowledge
from tests.knowledge_site import ANY, ENTRY, add, code, open_shop_site
from tests.rules_kit import tree
from tests.serving_kit import Site, bearer
from yingda.domain.knowledge import Knowledge


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_shop_site(tmp_path) as found:
        yield found


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


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("POST", "/v1/faq", "use one of: draft"),
        ("PUT", "/v1/faq/ship-when", "use one of: draft"),
        ("DELETE", "/v1/faq/ship-when", "use one of: reason"),
        ("POST", "/v1/faq/ship-when/rollback", "this call takes none"),
        ("POST", "/v1/knowledge/policy", "this call takes none"),
        ("PUT", "/v1/knowledge/faq/ship-when", "this call takes none"),
        ("DELETE", "/v1/knowledge/faq/ship-when", "use one of: reason"),
        ("POST", "/v1/knowledge/faq/ship-when/review", "this call takes none"),
    ],
)
def test_a_call_that_writes_refuses_an_option_it_does_not_know(site: Site, method: str, path: str, known: str) -> None:
    before = site.client.get("/v1/faq/ship-when").json()
    bodies = {"PUT": {"payload": {}} if "knowledge" in path else ENTRY, "DELETE": None}
    body = bodies.get(method, {"id": "x", "payload": {}} if path.endswith("policy") else {"id": "new-one", **ENTRY})
    body = {} if path.endswith(("rollback", "review")) else body
    refused = site.client.request(method, f"{path}?drfat=true&13812345678=1", json=body, headers=ANY)

    assert code(refused) == (422, "validation_failed")
    named, unnamed = refused.json()["errors"]
    assert (named["pointer"], named["code"], unnamed["pointer"]) == ("/drfat", "extra_forbidden", "")
    assert known in named["detail"]
    assert "13812345678" not in refused.text
    assert site.client.get("/v1/faq/ship-when").json() == before


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
    inputs, outputs = ("keywords", "channel", "sentiment"), ("priority", "skill", "tags")
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
        ("rule", "r", table([line("call", channel="'web'", tags="'打13800138000'")]), "row 'call', tags: holds personal data (手机号)"),
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


# ---- what is planned, and what was read ----


def test_what_was_read_may_be_sent_back(site: Site) -> None:
    add(site)
    read = site.client.get("/v1/faq/new-one")
    back = site.client.put("/v1/faq/new-one", json={**read.json(), "needs_human": True}, headers={"if-match": read.headers["etag"]})
    assert (back.status_code, back.json()["needs_human"]) == (200, True)
    record = site.client.get("/v1/knowledge/faq/new-one").json()
    assert site.client.put("/v1/knowledge/faq/new-one", json=record, headers=ANY).status_code == 200

    for path, body, wrong in (
        ("/v1/faq/new-one", {**ENTRY, "id": "other"}, ["/id"]),
        ("/v1/knowledge/faq/new-one", {**record, "kind": "rule", "id": "other"}, ["/kind", "/id"]),
    ):
        refused = site.client.put(path, json=body, headers=ANY)
        assert code(refused) == (422, "validation_failed")
        assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [(one, "differs_from_path") for one in wrong]


def test_what_was_published_once_cannot_be_rolled_back_and_why_is_said(site: Site) -> None:
    add(site)
    refused = site.client.post("/v1/faq/new-one/rollback", json={"reason": "wrong"}, headers=ANY)

    assert code(refused) == (409, "nothing_before")
    assert "nothing was published before" in refused.json()["detail"]


def test_a_correction_leaves_what_is_planned_and_says_so(site: Site) -> None:
    since = "2999-01-01T00:00:00Z"
    add(site)
    plan = {**ENTRY, "answer": {"zh": "新规则。"}, "change": {"effective_from": since}}
    site.client.put("/v1/faq/new-one", json=plan, headers=ANY)
    corrected = site.client.put("/v1/faq/new-one", json={**ENTRY, "needs_human": True}, headers=ANY).json()

    assert (corrected["outlook"]["until"], corrected["outlook"]["covers"]) == (since, [])
    assert [(one["name"], one["effective_from"]) for one in corrected["outlook"]["planned"]] == [("V1.1-怎么退单", since)]

    replacing = {**ENTRY, "change": {"replace_planned": True}}
    drafted = site.client.put("/v1/faq/new-one?draft=true", json=replacing, headers=ANY).json()
    assert [one["name"] for one in drafted["outlook"]["covers"]] == ["V1.1-怎么退单"]
    reviewed = site.client.post("/v1/knowledge/faq/new-one/review", json={}, headers=ANY).json()
    published = site.client.post("/v1/knowledge/faq/new-one/publish", json={}, headers=ANY).json()
    assert (reviewed["outlook"], published["version"]["replace_planned"]) == (None, True)
    assert published["outlook"] == {"until": None, "planned": [], "covers": drafted["outlook"]["covers"]}


def test_an_export_that_is_imported_again_leaves_what_is_planned(site: Site) -> None:
    add(site)
    plan = {**ENTRY, "answer": {"zh": "新规则。"}, "change": {"effective_from": "2999-01-01T00:00:00Z"}}
    site.client.put("/v1/faq/new-one", json=plan, headers=ANY)
    csv = site.client.get("/v1/faq/export").content
    same = site.client.post("/v1/faq/import", content=csv, headers={"content-type": "text/csv"}).json()
    assert (same["changed"], same["notes"]) == ([], [])

    old, new = ENTRY["answer"]["zh"].encode(), "改了字。".encode()
    changed = site.client.post("/v1/faq/import", content=csv.replace(old, new), headers={"content-type": "text/csv"}).json()
    assert changed["changed"] == ["new-one"]
    assert [(note["field"], note["reason"].split()[0]) for note in changed["notes"]] == [("effective_from", "V1.1")]
    history = site.client.get("/v1/faq/new-one/versions").json()["items"]
    assert [step["name"][:4] for step in history] == ["V1.0", "V1.1", "V1.2"]
