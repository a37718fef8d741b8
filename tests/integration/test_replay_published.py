"""``yingda replay`` beside a store whose knowledge was published: today is what it tells, and earlier turns are verified as of then."""

from __future__ import annotations

import json
import pickle
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_core import write_tiny_bundle, write_tiny_pack
from tests.knowledge_kit import Clock
from tests.replay_store_kit import START, hold
from tests.store_kit import empty_copy
from yingda.assemble import engine_builder, open_parts
from yingda.cli.main import run
from yingda.cli.replay import Opening
from yingda.cli.replay_base import base_of, with_earlier
from yingda.domain.records import Draft, RecordId, RecordKind, Signed
from yingda.live import open_knowledge, seed_from, seeder_of
from yingda.replay.history import past_turns
from yingda.replay.run import Run, replay
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory

BEFORE, AFTER = START - timedelta(days=1), START + timedelta(days=1)
TALKS = {"one": ("什么时候发货", "怎么取消", "谢谢"), "two": ("你好", "什么时候发货")}
LATER = {"three": ("什么时候发货",), "four": ("怎么取消",)}


class Shop:
    """A store in which knowledge was published, two conversations were had, one entry was published anew, and two more followed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bundle = folder, write_tiny_bundle(folder / "bundle")
        self.url = f"sqlite:///{empty_copy(folder)}"
        parts = open_parts(self.bundle)
        clock, build = Clock(BEFORE), engine_builder(parts)
        with closing(open_store(self.url)) as store:
            records = open_knowledge(store, parts.knowledge, embed=parts.embed, clock=clock)
            seed_from(records, parts.knowledge, seeder_of(parts.knowledge))
            memory = SqlMemory(store)
            hold(build(records.snapshot(START)), memory, TALKS)
            clock.now = START + timedelta(hours=1)
            entry = dict(records.get(RecordId(RecordKind.FAQ, "ship-when")).payload) | {"answer": {"zh": "新规：明天发出。"}}
            records.write(Draft(RecordId(RecordKind.FAQ, "ship-when"), entry), Signed("anna", "new"), if_match="*")
            hold(build(records.snapshot(AFTER)), memory, LATER, start=AFTER)

    def replay(self, *arguments: object) -> int:
        given = ["replay", "--bundle", self.bundle, "--store", self.url, *arguments]
        with pytest.raises(SystemExit) as caught:
            run([str(each) for each in given])
        return int(str(caught.value.code))

    def verified(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        path = self.folder / "verify.json"
        code = self.replay("--verify", "--json", path, *arguments)
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return code, found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("published"))


def test_what_the_store_publishes_is_today_and_is_verified(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = shop.verified("--since", AFTER.isoformat())

    assert (code, found["verified"], found["turns"], found["compared"], found["rebuilt"]) == (0, True, 2, 2, 0)
    assert capsys.readouterr().out.startswith("一致 identical: 2 条消息重放两次")


def test_turns_from_before_the_publication_are_verified_by_the_knowledge_of_then(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = shop.verified()

    assert (code, found["verified"], found["turns"], found["compared"], found["rebuilt"]) == (0, True, 7, 7, 5)
    assert "其中 5 条按当时的知识" in capsys.readouterr().out


def test_a_pack_in_place_of_the_store_verifies_nothing_and_says_so(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = shop.verified("--pack", shop.bundle / "knowledge")

    assert (code, found["verified"], found["compared"]) == (2, False, 0)
    assert capsys.readouterr().out.startswith("未验证 NOT VERIFIED")


def test_what_was_published_then_can_be_todays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = shop.verified("--as-of", START.isoformat())

    assert (code, found["compared"], found["rebuilt"]) == (0, 7, 2), "what came later is the one that is put together again"
    assert shop.replay("--verify", "--as-of", "2020-01-01") == 2
    assert "had published nothing at 2020" in capsys.readouterr().err
    assert shop.replay("--verify", "--as-of", "2026-11-01", "--pack", shop.bundle / "knowledge") == 2


def test_a_change_is_tried_on_what_the_store_publishes(shop: Shop) -> None:
    path = shop.folder / "difference.json"
    assert shop.replay("--with", write_tiny_pack(shop.folder / "pack"), "--json", path) == 1
    change = json.loads(path.read_text("utf-8"))["change"]
    assert change["changed"] == 3, "the published answer is told for each question about shipping, and the pack's is another"

    assert shop.replay("--with", shop.bundle, "--json", path) == 0
    assert json.loads(path.read_text("utf-8"))["change"]["changed"] == 0, "a bundle changes the model, not what the store publishes"


def test_another_process_opens_the_same_configurations(shop: Shop) -> None:
    with closing(open_store(shop.url)) as store:
        turns = past_turns(SqlMemory(store), since=BEFORE)
    opening = Opening(with_earlier(base_of(shop.bundle, None, shop.url), shop.url, turns), None)
    (chunk,) = Run.of(turns).chunks

    there = pickle.loads(pickle.dumps(opening))

    assert replay(there(), chunk) == replay(opening(), chunk)
    assert there.names() == opening.names()
