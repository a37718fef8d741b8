"""A decision asked about after other knowledge was published: it is explained by the knowledge of then, put together again."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.live import Desk, held_desk, open_desk
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import write_tiny_bundle, write_tiny_pack
from tests.store_kit import BACKENDS, migrated
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.memory import VolatileMemory

QUESTION, CANCEL = "什么时候发货", "怎么取消"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("later") / "b")


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    """A server over the store of ``settings``, as after a restart."""
    log = open_log(io.StringIO())
    desk: Desk = open_desk(settings, log, lambda: datetime.now(UTC))
    assert desk.engine is not None
    with closing(open_store(settings.store)) as store:
        app = create_app(settings, desk.engine, log=log, memory=SqlMemory(store), desk=desk)
        with TestClient(app) as client:
            yield client


@pytest.fixture(params=BACKENDS)
def settings(request: pytest.FixtureRequest, bundle: Path, tmp_path: Path) -> Iterator[Settings]:
    """Those of a server beside an empty store."""
    with migrated(request.param, tmp_path) as url:
        yield Settings(bundle=bundle, store=url)


def ask(client: TestClient, text: str, conversation: str = "c") -> str:
    """The id of the answer."""
    response = client.post("/v1/answer", json={"text": text, "conversation_id": conversation})
    assert response.status_code == 200, response.text
    return str(response.json()["answer_id"])


def publish(client: TestClient, number: int) -> None:
    """Another answer to QUESTION, in use when this returns."""
    before = client.get("/readyz").json()["knowledge"]["version"]
    entry = {
        "intent": "ORDER_SHIP_TIME",
        "question": {"zh": "什么时候发"},
        "similar": {"zh": ["多久发"]},
        "answer": {"zh": f"第{number}版。"},
    }
    assert client.put("/v1/faq/ship-when", json=entry, headers={"if-match": "*"}).status_code == 200
    until(lambda: client.get("/readyz").json()["knowledge"]["version"] > before)


def until(condition: Callable[[], bool]) -> None:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < 30, "the change never came"


def why(client: TestClient, answer_id: str) -> Mapping[str, Any]:
    response = client.get(f"/v1/decisions/{answer_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_every_earlier_decision_is_explained_to_the_bit_after_publications_and_a_restart(settings: Settings) -> None:
    with serving(settings) as client:
        asked = [ask(client, QUESTION), ask(client, CANCEL)]
        before = [why(client, each) for each in asked]
        for number in (1, 2):
            publish(client, number)
            asked.append(ask(client, QUESTION, f"c{number}"))
            before.append(why(client, asked[-1]))
        publish(client, 3)
        after = [why(client, each) for each in asked]
    with serving(settings) as client:
        again = [why(client, each) for each in asked]

    assert {each["basis"] for each in before} == {"in_use"}
    assert {each["replayed"] for each in before} == {"identical"}
    assert after == again == [{**each, "basis": "rebuilt"} for each in before]
    assert all(each["would_flip"] and each["limits"] and each["basis_reason"] is None and each["today"] is None for each in after)


def test_where_the_pack_beneath_was_changed_todays_knowledge_explains_and_says_so(settings: Settings, tmp_path: Path) -> None:
    with serving(settings) as client:
        asked = ask(client, QUESTION)
        publish(client, 1)
    pack = write_tiny_pack(tmp_path / "pack")
    changed = (pack / "policy.yaml").read_text("utf-8") + "\n# another\n"
    (pack / "policy.yaml").write_text(changed, "utf-8")
    with serving(settings.model_copy(update={"pack": pack})) as client:
        found = why(client, asked)

    assert (found["basis"], found["basis_reason"]["code"], found["replayed"]) == ("today", "not_reproduced", "other_versions")
    assert found["today"]["outcome"] == "answered" and found["would_flip"]
    assert found["limits"] is None
    assert "knowledge of then" in found["basis_reason"]["en"]


def test_the_knowledge_of_a_pack_is_not_kept_and_today_explains(bundle: Path, tmp_path: Path) -> None:
    pack = write_tiny_pack(tmp_path / "pack")
    memory, log = VolatileMemory(), open_log(io.StringIO())

    def held(settings: Settings) -> TestClient:
        desk = held_desk(settings, log, lambda: datetime.now(UTC))
        assert desk.engine is not None
        return TestClient(create_app(settings, desk.engine, log=log, memory=memory, desk=desk))

    with held(Settings(bundle=bundle)) as client:
        asked = ask(client, QUESTION)
    (pack / "policy.yaml").write_text((pack / "policy.yaml").read_text("utf-8") + "\n# another\n", "utf-8")
    with held(Settings(bundle=bundle, pack=pack)) as client:
        found = why(client, asked)

    assert (found["basis"], found["basis_reason"]["code"]) == ("today", "no_records")
    assert found["would_flip"]
