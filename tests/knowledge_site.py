"""A site over a seeded store, for tests of living knowledge over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.live import Desk
from tests.fakes import FakeEngine
from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import Clock, an_entry, embed_characters
from tests.serving_kit import Site, open_site
from tests.store_kit import opened
from yingda.domain.records import KnowledgeSnapshot
from yingda.live import Health, LiveEngine, knowledge_of, open_shop

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


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def add(site: Site, key: str = "new-one", **changes: Any) -> Any:
    return site.client.post("/v1/faq", json={"id": key, **ENTRY, **changes})
