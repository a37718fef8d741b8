"""Knowledge over HTTP: files in and out, and what is told without a store or with one that fails."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from serving.keys import make_key
from serving.live import tell_news
from serving.logs import open_log
from serving.settings import MAX_FILE_BYTES
from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import Clock
from tests.knowledge_site import ANY, ENTRY, add, code, open_shop_site
from tests.serving_kit import Site, bearer, call_raw, open_site
from yingda.domain.records import Signed
from yingda.store.base import open_store
from yingda.store.knowledge.service import KnowledgeStore


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_shop_site(tmp_path) as found:
        yield found


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
    assert (tried["applied"], tried["would_apply"], tried["added"]) == (False, True, ["new-one"])
    assert site.client.get("/v1/faq/new-one").status_code == 404
    done = site.client.post("/v1/faq/import", content=GOOD.encode(), headers=CSV).json()

    assert (done["applied"], done["added"]) == (True, ["new-one"])
    assert site.client.get("/v1/faq/new-one").json()["answer"] == {"zh": "点退单。"}


@pytest.mark.parametrize(("query", "would_apply", "status"), [("", False, 422), ("&partial=true", True, 200)])
def test_a_dry_run_says_whether_the_file_would_be_refused(site: Site, query: str, would_apply: bool, status: int) -> None:
    tried = site.client.post(f"/v1/faq/import?dry_run=true{query}", content=BROKEN.encode(), headers=CSV).json()
    assert tried["rejected"]
    assert (tried["applied"], tried["would_apply"]) == (False, would_apply)
    assert site.client.post(f"/v1/faq/import?dry_run=false{query}", content=BROKEN.encode(), headers=CSV).status_code == status


def test_a_mistyped_option_keeps_an_import_out(site: Site) -> None:
    refused = site.client.post("/v1/faq/import?dryrun=true", content=GOOD.encode(), headers=CSV)

    assert code(refused) == (422, "validation_failed")
    assert refused.json()["errors"] == [
        {
            "pointer": "/dryrun",
            "code": "extra_forbidden",
            "detail": "query parameter 'dryrun' is unknown; remove it or use one of: dry_run, form, partial, reason, sha256",
        }
    ]
    assert site.client.get("/v1/faq/new-one").status_code == 404


OTHER = f"sha-256=:{base64.b64encode(hashlib.sha256(b'another').digest()).decode()}:"


@pytest.mark.parametrize(
    ("query", "header", "problem"),
    [
        ("", "garbage", "digest_unreadable"),
        ("", "md5=:AAAA:", "digest_unreadable"),
        ("", f"sha-256=:{hashlib.sha256(GOOD.encode()).hexdigest()}:", "digest_unreadable"),
        ("", OTHER, "digest_mismatch"),
        (f"?sha256={hashlib.sha256(GOOD.encode()).hexdigest()}", OTHER, "digest_unreadable"),
        (f"?sha256={hashlib.sha256(b'another').hexdigest()}", OTHER, "digest_mismatch"),
    ],
)
def test_a_digest_is_checked_or_refused_and_never_passed_over(site: Site, query: str, header: str, problem: str) -> None:
    refused = site.client.post(f"/v1/faq/import{query}", content=GOOD.encode(), headers={**CSV, "content-digest": header})

    assert code(refused) == (422, problem)
    assert site.client.get("/v1/faq/new-one").status_code == 404


def test_a_digest_among_others_is_found(site: Site) -> None:
    digest = base64.b64encode(hashlib.sha256(GOOD.encode()).digest()).decode()
    headers = {**CSV, "content-digest": f"md5=:AAAA:, sha-256=:{digest}:"}

    assert site.client.post("/v1/faq/import", content=GOOD.encode(), headers=headers).json()["applied"]


def test_a_broken_row_keeps_the_file_out_unless_partial(site: Site) -> None:
    refused = site.client.post("/v1/faq/import", content=BROKEN.encode(), headers=CSV)
    assert code(refused) == (422, "import_rejected")
    error = refused.json()["errors"][0]
    assert (error["line"], error["field"], error["code"]) == (3, "intent", "row_rejected")
    assert error["detail"].startswith("unknown intent")
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
