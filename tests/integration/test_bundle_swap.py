"""Another bundle comes into use, and goes again, while customers write: every request is answered by one or the other."""

from __future__ import annotations

import gc
import io
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.live import Desk, held_desk, open_desk
from serving.logs import open_log
from serving.settings import Settings
from tests.bundle_kit import restamped, switch
from tests.fakes_core import write_tiny_bundle
from tests.harness.mutate_bundle import mutate
from yingda.bundle import LABELS, open_bundle
from yingda.store.memory import VolatileMemory

SHIPPED = Path(__file__).parents[2] / "models" / "current"
QUESTION = "什么时候发货"
PATIENCE_S = 120
SENDERS = 3
OPENING = {"sqlite": open_desk, "memory": held_desk}


class Site:
    """A running app whose bundle stands behind a link; ``arrived`` yields the version of each bundle that comes into use."""

    def __init__(self, source: Path, folder: Path, store: str) -> None:
        self.folder, self.link = folder, folder / "live"
        self.put(restamped(source, folder / "1", "1"))
        url = "memory" if store == "memory" else f"sqlite:///{folder / 'store.db'}"
        settings, self.stream = Settings(bundle=self.link, store=url), io.StringIO()
        log = open_log(self.stream)
        self.desk: Desk = OPENING[store](settings, log, lambda: datetime.now(UTC))
        assert self.desk.bundle is not None
        assert self.desk.engine is not None
        self.bundle, self.arrived = self.desk.bundle, Queue[str]()
        app = create_app(settings, self.desk.engine, log=log, memory=VolatileMemory(), desk=self.desk)
        self.bundle.tell(lambda identity: self.arrived.put(identity.version))
        self.client = TestClient(app)

    def put(self, bundle: Path) -> None:
        switch(self.link, bundle)

    def ready(self) -> Any:
        response = self.client.get("/readyz")
        assert response.status_code == 200
        return response.json()

    def model_info(self) -> list[str]:
        return [line for line in self.client.get("/metrics").text.splitlines() if line.startswith("yingda_model_info{")]


class Sender(Thread):
    """A customer who writes without a pause; ``saw`` is called with each version that answers."""

    def __init__(self, client: TestClient) -> None:
        super().__init__(daemon=True)
        self.client, self.stop = client, Event()
        self.versions, self.failed = list[str](), list[int]()
        self.wanted, self.seen = "1", Event()

    def run(self) -> None:
        while not self.stop.is_set():
            response = self.client.post("/v1/answer", json={"text": QUESTION})
            if response.status_code != 200:
                self.failed.append(response.status_code)
                continue
            self.versions.append(response.json()["classification"]["model"]["version"])
            if self.versions[-1] == self.wanted:
                self.seen.set()

    def wait_for(self, version: str) -> None:
        self.seen.clear()
        self.wanted = version
        assert self.seen.wait(PATIENCE_S), f"nothing was answered by bundle {version}"


@contextmanager
def senders(client: TestClient) -> Iterator[list[Sender]]:
    threads = [Sender(client) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def site(tiny: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    return Site(tiny, tmp_path, getattr(request, "param", "sqlite"))


def swap_there_and_back(site: Site) -> None:
    with site.client, senders(site.client) as threads:
        for sender in threads:
            sender.wait_for("1")
        site.put(restamped(site.folder / "1", site.folder / "2", "2"))
        assert site.arrived.get(timeout=PATIENCE_S) == "2"
        for sender in threads:
            sender.wait_for("2")
        assert site.ready()["bundle"]["version"] == "2"
        assert site.model_info() == [f'yingda_model_info{{sha256="{open_bundle(site.link).identity.sha256}",version="2"}} 1.0']
        site.put(site.folder / "1")
        assert site.arrived.get(timeout=PATIENCE_S) == "1"
        for sender in threads:
            sender.wait_for("1")

    for sender in threads:
        assert sender.failed == []
        assert [version for version, _ in groupby(sender.versions)] == ["1", "2", "1"]
    assert site.stream.getvalue().count('"bundle_swapped"') == 2


@pytest.mark.parametrize("site", ["sqlite", "memory"], indirect=True)
def test_no_request_is_lost_while_a_bundle_comes_and_goes(site: Site) -> None:
    swap_there_and_back(site)


def test_no_request_is_lost_while_the_shipped_bundle_comes_and_goes(tmp_path: Path) -> None:
    swap_there_and_back(Site(SHIPPED, tmp_path, "sqlite"))


@pytest.mark.parametrize("site", ["sqlite", "memory"], indirect=True)
def test_a_bundle_that_was_replaced_is_forgotten(site: Site) -> None:
    with site.client:
        engine: Any = site.desk.engine
        former = weakref.ref(engine._model.encoder)
        del engine
        site.put(restamped(site.folder / "1", site.folder / "2", "2"))
        assert site.arrived.get(timeout=PATIENCE_S) == "2"
        assert site.client.post("/v1/answer", json={"text": QUESTION}).status_code == 200
    gc.collect()

    assert former() is None


@pytest.mark.parametrize("site", ["sqlite", "memory"], indirect=True)
def test_readings_are_kept_by_the_first_bundle_and_by_the_next(site: Site) -> None:
    with site.client:
        for version in ("1", "2"):
            if version == "2":
                site.put(restamped(site.folder / "1", site.folder / "2", "2"))
                assert site.arrived.get(timeout=PATIENCE_S) == "2"
            for _ in range(2):
                assert site.client.post("/v1/answer", json={"text": QUESTION}).status_code == 200
            engine: Any = site.desk.engine
            known = engine.cache_info()
            assert (known.size, known.hits > 0) == (4096, True)


def test_knowledge_written_before_and_after_is_told_by_the_new_bundle(site: Site) -> None:
    entry = {"intent": "ORDER_SHIP_TIME", "question": {"zh": QUESTION}, "similar": {"zh": ["多久发"]}}
    with site.client:
        first = site.client.put("/v1/faq/ship-when", json={**entry, "answer": {"zh": "第1版。"}}, headers={"if-match": "*"})
        site.put(restamped(site.folder / "1", site.folder / "2", "2"))
        assert site.arrived.get(timeout=PATIENCE_S) == "2"
        told = site.client.post("/v1/answer", json={"text": QUESTION}).json()
        second = site.client.put("/v1/faq/ship-when", json={**entry, "answer": {"zh": "第2版。"}}, headers={"if-match": "*"})
        while site.ready()["knowledge"]["version"] < 3:
            pass
        again = site.client.post("/v1/answer", json={"text": QUESTION}).json()

    assert (first.status_code, second.status_code) == (200, 200)
    assert ("第1版" in told["reply"]["text"], "第2版" in again["reply"]["text"]) == (True, True)
    assert again["classification"]["model"]["version"] == "2"


def relabel(folder: Path) -> None:
    """Alter a file that the manifest vouches for."""
    data = (folder / LABELS).read_bytes()
    (folder / LABELS).unlink()
    (folder / LABELS).write_bytes(data.replace(b"ORDER", b"OTHER", 1))


def retrain(folder: Path) -> None:
    """Seal a bundle of another taxonomy, whose parts agree with one another."""
    from tests.fakes_core import tiny_intents
    from yingda.bundle import KNOWLEDGE, SEAL, write_manifest
    from yingda.pack import read_knowledge

    former = tiny_intents()[0]
    for path in [folder / LABELS, *(folder / KNOWLEDGE).rglob("*.yaml")]:
        data = path.read_text("utf-8").replace(former, f"{former}_NEW")
        path.unlink()
        path.write_text(data, "utf-8")
    manifest = open_bundle(folder.parent / "1").manifest
    facts = {name: value for name, value in manifest.items() if name not in ("files", "format", SEAL)}
    write_manifest(folder, {**facts, "version": "2", "knowledge_sha256": read_knowledge(folder / KNOWLEDGE).digest})


@pytest.mark.parametrize("site", ["sqlite", "memory"], indirect=True)
@pytest.mark.parametrize(("spoil", "told"), [(relabel, "SHA-256 differs"), (retrain, "of another taxonomy")])
def test_a_bundle_that_is_refused_leaves_the_last_good_one_in_use(site: Site, spoil: Callable[[Path], None], told: str) -> None:
    spoil(restamped(site.folder / "1", site.folder / "2", "2"))
    with site.client:
        site.put(site.folder / "2")
        while (ready := site.ready())["bundle_failing"] is None:
            pass
        answer = site.client.post("/v1/answer", json={"text": QUESTION})
        failing = [line for line in site.client.get("/metrics").text.splitlines() if line.startswith("yingda_bundle_failing")]
        site.put(site.folder / "1")
        while site.ready()["bundle_failing"]:
            pass

    assert (ready["status"], ready["bundle"]["version"], ready["bundle_failing"]["code"]) == ("ready", "1", "bundle_refused")
    assert answer.json()["classification"]["model"]["version"] == "1"
    assert failing == ["yingda_bundle_failing 1.0"]
    assert told in site.stream.getvalue()


def test_no_altered_bundle_is_ever_loaded(tiny: Path, tmp_path: Path) -> None:
    mutations = int(os.environ.get("YINGDA_MUTATIONS") or 60)

    verdict = mutate(tiny, tmp_path, mutations, seed=0)

    assert verdict.faults == []
    assert sum(verdict.refused.values()) == mutations
