"""What callers send is found in no log line, no error, no metric and no audit entry, whatever goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from serving.app import openapi_document
from tests.fakes import PERSON, FakeEngine
from tests.serving_kit import Site, bearer, key_for, open_site
from tests.store_kit import empty_copy
from yingda.access.scopes import Scope
from yingda.store.audit import Audit
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory

OPERATIONS = [(method, path) for path, item in openapi_document()["paths"].items() for method in item]
ALL = key_for(*Scope)
_MARK = "zq"
_FOUND = re.compile(_MARK + r"\d{6}")


class Planter:
    """Makes secrets that occur nowhere else: a word of ours with a number, in the middle of what a customer might write."""

    def __init__(self) -> None:
        self._numbers = count(100_000)
        self.planted = 0

    def word(self) -> str:
        self.planted += 1
        return f"{_MARK}{next(self._numbers)}"

    def text(self) -> str:
        return f"我叫{self.word()}，电话"

    def message(self, **fields: Any) -> dict[str, Any]:
        customer = {"id": self.text(), "name": self.text(), "tier": "vip"}
        return {"text": self.text(), "customer": customer, "context": {"订单号": self.text(), self.text(): self.text()}, **fields}

    def bodies(self) -> Iterator[bytes]:
        """JSON and what is none: good fields, unknown ones, wrong types, values out of bounds, broken syntax and encodings."""
        good = self.message(conversation_id=self.word(), message_id=self.word())
        yield self.json(good)
        yield self.json({"text": f"{PERSON} {self.word()}", "conversation_id": "c-1"})
        yield self.json(
            {"text": self.text(), "top_k": self.text(), "channel": self.text(), "language": self.text(), "dry_run": self.text()}
        )
        yield self.json({"text": [self.text()], self.text(): self.text(), "customer": self.text(), "context": self.text()})
        yield self.json({"text": self.text() * 400, "customer": {"id": "u", "tier": self.text(), "gender": self.text()}})
        yield self.json({"items": [self.message(), {"text": ""}, {"text": 7, self.word(): 1}, self.text()]})
        yield self.json(
            {
                "answer_id": self.word(),
                "rating": self.text(),
                "comment": self.text(),
                "correct_intent": self.word(),
                "correct_faq": self.text(),
            }
        )
        yield self.json({"answer_id": self.word(), "rating": 5, "comment": self.text(), "reasons": [self.text()]})
        yield self.json({"by": self.text(), "reason": self.text()})
        yield self.json({"by": self.text(), "reason": self.text(), "release": self.text(), "share": self.text(), "stage": self.text()})
        yield self.json({"by": "anna", "reason": self.text(), "release": "2026.12"})
        yield self.json({"since": self.text(), "until": self.text(), "rules": self.text()})
        yield self.json({"since": "2026-01-01T00:00:00Z", "rules": {self.word(): self.text()}, "limit": 5})
        yield self.json(
            {
                "id": "x",
                "intent": self.word(),
                "question": {"zh": self.text()},
                "answer": {"zh": self.text()},
                "change": {"reason": self.text()},
            }
        )
        yield self.json({"id": self.word(), "payload": {"text": self.text(), self.text(): self.text()}, "change": {"name": self.text()}})
        yield f'{{"text": "{self.text()}", "text": "{self.text()}"}}'.encode()
        yield f'{{"{self.word()}": {self.word()}}}'.encode()
        yield f'{{"text": "{self.text()}\\ud800"}}'.encode()
        yield self.text().encode("gb18030")
        yield f"id,question\n{self.word()},{self.text()}\n".encode()

    def json(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False).encode()

    def headers(self) -> dict[str, str]:
        """Headers that people and proxies fill; an id that is well formed comes back on purpose, so these are not."""
        named = ("user-agent", "referer", "cookie", "x-forwarded-for", "x-customer", "if-none-match", "accept-language")
        odd = {"x-request-id": f"{self.word()} 1", "traceparent": f"00-{self.word()}", "if-match": f'"{self.word()}"'}
        return {**{name: self.word() for name in named}, **odd}

    def path(self, template: str) -> str:
        kind = template.replace("{kind}", "faq").replace("{step}", "publish")
        return re.sub(r"\{\w+\}", lambda _: self.word(), kind)


class Watch:
    """Sends requests and keeps what must hold none of their secrets."""

    def __init__(self, site: Site) -> None:
        self.site, self.planter = site, Planter()
        self.errors: list[str] = []
        self.statuses: set[int] = set()

    def send(self, method: str, path: str, headers: dict[str, str], content: bytes | None = None, *, option: bool = True) -> None:
        sent, params = self.planter.headers() | headers, {self.planter.word(): self.planter.word()} if option else {}
        response = self.site.client.request(method, path, content=content, headers=sent, params=params)
        self.statuses.add(response.status_code)
        if response.status_code >= 400:
            self.errors.append(f"{method} {path.partition('?')[0][:20]}: {response.text} {dict(response.headers)}")
        for result in response.json().get("results", []) if path.endswith("/batch") and response.status_code == 200 else []:
            if result["status"] != 200:
                self.errors.append(json.dumps(result, ensure_ascii=False))

    def everything(self, headers: dict[str, str], *, bodies: int = 99) -> None:
        for method, template in OPERATIONS:
            for content in islice(self.planter.bodies(), bodies) if method in ("post", "put") else [None]:
                kind = {"content-type": "application/json"} if content else {}
                self.send(method.upper(), self.planter.path(template), kind | headers, content)
                if method != "get" and template.startswith(("/v1/faq", "/v1/knowledge")):  # an unknown option goes no further there
                    self.send(method.upper(), self.planter.path(template), kind | headers, content, option=False)
        late = {"content-type": "application/json", "x-deadline-ms": self.planter.word()}  # refused for this alone
        self.send("POST", "/v1/answer", late | headers, next(self.planter.bodies()))

    def leaks(self) -> list[str]:
        """Lines that hold a secret; the path is left out of what is looked at, for the caller wrote it."""
        told = [*self.site.stream.getvalue().splitlines(), *(error.partition(": ")[2] for error in self.errors)]
        told += self.site.client.get("/metrics", headers=bearer(ALL)).text.splitlines()
        return [line for line in told if _FOUND.search(line)]


@pytest.fixture(name="store")
def fixture_store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{empty_copy(tmp_path)}")) as store:
        yield store


def test_nothing_leaks_from_calls_that_work_or_are_refused(store: Store) -> None:
    with open_site(keys=[ALL], memory=SqlMemory(store), log_level="debug") as site:
        watch = Watch(site)
        watch.everything(bearer(ALL))
        watch.everything({}, bodies=2)
        watch.everything({"authorization": f"Bearer {watch.planter.word()}"}, bodies=2)
        for method in ("GET", "POST", "TRACE"):
            watch.send(method, f"/{watch.planter.word()}", bearer(ALL))
        watch.send("GET", "/v1/answer", bearer(ALL))
        assert watch.leaks() == []
    assert {200, 400, 401, 404, 405, 409, 415, 422} <= watch.statuses
    assert watch.planter.planted > 3000
    assert any(line["event"] == "request" and line["status"] == 200 for line in site.log)
    entries = [str(each.entry) for each in Audit(store).entries()]
    assert len(entries) > 20
    assert [entry for entry in entries if _FOUND.search(entry)] == []


def test_nothing_leaks_when_the_engine_breaks(store: Store) -> None:
    with open_site(engine=FakeEngine(), keys=[ALL], memory=SqlMemory(store)) as site:
        watch = Watch(site)
        site.engine.failure = ValueError(watch.planter.text())
        watch.everything(bearer(ALL))
        assert watch.leaks() == []
        assert any(line["event"] == "unexpected_error" for line in site.log)
    assert 500 in watch.statuses


def test_nothing_leaks_when_the_store_breaks(store: Store) -> None:
    with open_site(keys=[ALL], memory=SqlMemory(store)) as site:
        watch = Watch(site)
        with store.writer().begin() as connection:
            for table in ("feedback", "handoffs", "rollout_customers", "turns", "conversations"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        watch.everything(bearer(ALL))
        assert watch.leaks() == []
    assert 503 in watch.statuses


def test_this_test_finds_what_leaks(store: Store) -> None:
    """A leak in the log, in an error and in a metric is found."""
    with open_site(keys=[ALL], memory=SqlMemory(store)) as site:
        watch = Watch(site)
        site.stream.write(json.dumps({"event": watch.planter.text()}) + "\n")
        watch.errors.append(f"POST /: {watch.planter.text()}")
        site.app.state.service.metrics.count_request(method="GET", route=watch.planter.word(), status=200, seconds=0.1)
        assert len(watch.leaks()) >= 3
