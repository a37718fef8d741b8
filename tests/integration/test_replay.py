"""``yingda replay`` from a store to its exit code, over conversations that the engine really had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes_core import write_tiny_bundle, write_tiny_pack
from tests.privacy_kit import a_key_file
from tests.replay_store_kit import TALKS, hold
from tests.rules_kit import row, written
from tests.store_kit import empty_copy
from yingda.assemble import open_engine
from yingda.cli.main import run
from yingda.store.audit import Audit
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.vault import read_vault

TURNS = sum(text != "RELEASE" for texts in TALKS.values() for text in texts)
RULES = [row("cancel", intent='"ORDER_CANCEL"', action='"handoff"', priority='"high"', skill='"complaint"')]


SECRETS = ("13800138000", "DD20260001")


@dataclass(frozen=True)
class Shop:
    """A bundle, a store of its conversations and a folder for files."""

    bundle: Path
    store: str
    folder: Path

    def replay(self, *arguments: object) -> int:
        """The exit code of ``yingda replay``."""
        given = ["replay", "--bundle", self.bundle, "--store", self.store, *arguments]
        with pytest.raises(SystemExit) as caught:
            run([str(each) for each in given])
        return int(str(caught.value.code))

    def change(self, *arguments: object) -> dict[str, Any]:
        """The difference as programs read it."""
        path = self.folder / "difference.json"
        assert self.replay(*arguments, "--json", path) in (0, 1)
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def file(self, name: str, text: str) -> Path:
        """A file of that text."""
        (self.folder / name).write_text(text, "utf-8")
        return self.folder / name


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    bundle, url = write_tiny_bundle(folder / "bundle"), f"sqlite:///{empty_copy(folder)}"
    with closing(open_store(url)) as store:
        hold(open_engine(bundle), SqlMemory(store), vault=read_vault(a_key_file(folder)))
    yield Shop(bundle, url, folder)


def test_today_changes_nothing(shop: Shop) -> None:
    difference = shop.change("--with", shop.bundle)

    assert shop.replay("--with", shop.bundle, "--since", "2026-11-01") == 0
    assert (difference["change"]["turns"], difference["change"]["changed"]) == (TURNS, 0)
    assert difference["since_served"]["turns"] == TURNS


def test_a_difference_that_is_written_to_a_file_is_on_record(shop: Shop) -> None:
    with closing(open_store(shop.store)) as store:
        before = Audit(store).head().count
        shop.change("--with", shop.bundle)
        assert shop.replay("--with", shop.bundle) == 0
        entries = [each.entry for each in Audit(store).entries(after=before)]
        assert Audit(store).verify().broken is None
    told = [(entry.action, entry.target, entry.outcome) for entry in entries]
    assert told == [("replay.export", "replay", each) for each in ("attempted", "done")]
    assert entries[0].facts == {"turns": TURNS}


def test_what_was_served_verifies_to_the_last_digit(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    plain = f"{TURNS} 条消息重放两次 turns replayed twice, {TURNS} 条与当时比较"
    code = shop.replay("--verify", "--json", shop.folder / "verify.json")
    found = json.loads((shop.folder / "verify.json").read_text("utf-8"))

    assert plain in capsys.readouterr().out
    assert (found["turns"], found["compared"], found["unstable"]) == (TURNS, TURNS, [])
    # an order number is masked in the store, so that the turn which gave it reads otherwise
    with closing(open_store(shop.store)) as store:
        masked = {turn.turn_id for name in TALKS for turn in SqlMemory(store).turns(name) if "〔" in turn.text}
    assert masked >= set(found["masked"]) > set()
    assert (code, found["deviating"], found["wording"]) == (0, [], [])


def test_with_the_keys_of_the_originals_masked_messages_verify_too_and_no_original_is_shown(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, rules, checkpoint = shop.folder / "vault.json", shop.file("rules.json", written(RULES)), shop.folder / "with-originals"

    assert shop.replay("--verify", "--vault-keys", keys, "--json", "-", "--checkpoint", shop.folder / "verified") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verified"], found["compared"], found["deviating"], found["masked"]) == (True, TURNS, [], [])

    assert shop.replay("--with", rules, "--vault-keys", keys, "--examples", 64, "--checkpoint", checkpoint) == 1
    difference = shop.change("--with", rules, "--vault-keys", keys, "--examples", 64)
    shown = capsys.readouterr()
    kept = checkpoint.read_text("utf-8") + (shop.folder / "verified").read_text("utf-8")
    assert "电话〔手机号〕，怎么取消" in json.dumps(difference, ensure_ascii=False)
    assert not [secret for secret in SECRETS if secret in f"{shown.out}{shown.err}{kept}{json.dumps(difference, ensure_ascii=False)}"]


def test_originals_of_other_keys_are_counted_and_their_messages_read_as_masked(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shop.replay("--verify", "--vault-keys", a_key_file(tmp_path)) == 0

    said = capsys.readouterr()
    assert "脱敏后重放，与当时不同 decided again masked, differs from served 2" in said.out
    assert "一致，未保存的内容除外" in said.out
    assert said.err == "yingda: 2 originals cannot be read with these keys; those messages are read as masked\n"


@pytest.mark.parametrize(("name", "changed"), [("notify", "['on_duty']"), ("tags", "['跟进']")])
def test_a_rule_whose_notice_or_tag_alone_is_changed_changes_something(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, changed: str
) -> None:
    chinese = {"notify": "通知", "tags": "标签"}[name]
    cells = {"intent": '"ORDER_CANCEL"', "tags": "['取消']", "notify": "['supervisor']"}
    pack, other = write_tiny_pack(tmp_path / "pack"), tmp_path / "other.json"
    (pack / "rules").mkdir()
    (pack / "rules" / "rules.json").write_text(written([row("note", cells)]), "utf-8")
    other.write_text(written([row("note", cells | {name: changed})]), "utf-8")
    noting = Shop(shop.bundle, f"sqlite:///{empty_copy(tmp_path)}", tmp_path)
    with closing(open_store(noting.store)) as store:
        hold(open_engine(shop.bundle, pack=pack), SqlMemory(store), {each: TALKS[each] for each in ("calm", "phone", "choice")})

    assert noting.replay("--pack", pack, "--with", pack / "rules" / "rules.json") == 0
    capsys.readouterr()
    assert noting.replay("--pack", pack, "--with", other) == 1
    shown = " ".join(capsys.readouterr().out.split())
    difference = noting.change("--pack", pack, "--with", other)
    for each in (difference["change"], difference["since_served"]):
        assert {aspect for aspect, count in each["aspects"].items() if count} == {name}
        assert each["changed"] == each["aspects"][name] > 0
    told = changed.strip("[']")
    assert f"例 examples: {chinese} {name}" in shown
    assert f"{chinese} {name}: {told}" in shown


def test_changed_rules_are_told_with_hand_offs_and_examples(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    rules = shop.file("rules.json", written(RULES))

    assert shop.replay("--with", rules) == 1
    assert "13800138000" not in capsys.readouterr().out
    change = shop.change("--with", rules)["change"]
    assert change["after"]["handoffs"] > change["before"]["handoffs"]
    assert change["after"]["reasons"]["rule"] == 5
    assert {row["intent"] for row in change["intents"] if row["changed"]} >= {"ORDER_CANCEL"}


def test_changed_entries_are_told(shop: Shop) -> None:
    entry = "id,intent,question.zh,answer.zh,needs_human\ncancel-how,ORDER_CANCEL,怎么取消,联系我们。,true\n"
    change = shop.change("--with", shop.file("faq.csv", entry))["change"]

    assert change["after"]["reasons"]["needs_human"] > change["before"]["reasons"].get("needs_human", 0)


def test_bad_rules_are_an_error_of_their_own_kind(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    rules = shop.file("bad.json", written([row("a", intent='"NO_SUCH"')]))

    assert shop.replay("--with", rules) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"yingda: {rules}: 1 mistake(s)")
    assert "Traceback" not in error


def test_an_interrupted_replay_goes_on_and_says_the_same(shop: Shop) -> None:
    rules, checkpoint = shop.file("rules.json", written(RULES)), shop.folder / "checkpoint"
    whole = shop.change("--with", rules, "--checkpoint", checkpoint)
    kept = checkpoint.read_bytes()
    checkpoint.write_bytes(kept[:-9])  # as a kill in the middle of a line leaves it

    assert shop.change("--with", rules, "--checkpoint", checkpoint) == whole
    assert checkpoint.read_bytes() == kept
    shop.file("rules.json", written([*RULES, row("other", intent='"ORDER_SHIP_TIME"', action='"clarify"')]))
    assert shop.replay("--with", rules, "--checkpoint", checkpoint) == 2
