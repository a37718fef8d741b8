"""``yingda privacy`` from the outside."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.privacy_kit import a_key_file
from tests.store_kit import NOON, a_turn, empty_copy
from yingda.assemble import Lasting, journal_folder, lasting_memory
from yingda.cli.main import run
from yingda.privacy.person import Person
from yingda.store.audit import Audit, AuditEntry
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.lasting.memory import LastingMemory
from yingda.store.records import TurnFacts, hash_customer
from yingda.store.vault import CUSTOMER, TEXT, read_vault


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in ("YINGDA_STORE", "YINGDA_VAULT_KEYS", "YINGDA_JOURNAL"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a turn of u-4200, sealed with the key in vault.json."""
    path, vault = empty_copy(tmp_path), read_vault(a_key_file(tmp_path))
    turn = a_turn(1)
    sealed = vault.seal(turn.turn_id, {TEXT: "电话13800138000", CUSTOMER: "u-4200"})
    facts = TurnFacts("answered", "ORDER_SHIP_TIME", "ORDER", "neutral", customer=hash_customer("u-4200"))
    with closing(open_store(f"sqlite:///{path}")) as store:
        SqlMemory(store).remember(a_turn(1, facts=facts, sealed=sealed), version=0)
    return f"sqlite:///{path}"


def code_of(*words: str) -> int:
    try:
        run(["privacy", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_key_is_made_and_originals_are_sealed_again(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("new-vault-key", "--vault-keys", "vault.json") == 0
    assert code_of("rotate", "--store", url, "--vault-keys", "vault.json") == 0
    assert code_of("rotate", "--store", url, "--vault-keys", "vault.json") == 0

    told = capsys.readouterr().out.splitlines()
    assert "1 originals, 1 sealed again" in told[1] and "1 originals, 0 sealed again" in told[2]


def test_keys_must_be_named(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [code_of("new-vault-key"), code_of("rotate", "--store", url)] == [2, 2]
    assert capsys.readouterr().err.count("YINGDA_VAULT_KEYS") == 2


def test_a_person_gets_all_in_a_file_for_its_owner_alone(url: str, tmp_path: Path) -> None:
    assert code_of("export", "--customer", "u-4200", "--out", "out.json", "--store", url, "--vault-keys", "vault.json") == 0

    document = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert document["conversations"][0]["turns"][0]["original"] == {"text": "电话13800138000", "customer": "u-4200"}
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600


def test_an_export_is_on_record_for_who_knows_whom_it_was_about(url: str, tmp_path: Path) -> None:
    assert code_of("export", "--customer", "u-4200", "--out", "out.json", "--store", url) == 0
    assert code_of("export", "--customer", "u-4200", "--out", "no/such/folder.json", "--store", url) == 2

    with closing(open_store(url)) as store:
        entries = [each.entry for each in Audit(store).entries()]
        assert Audit(store).verify().broken is None
    told = [(entry.who.partition(":")[0], entry.action, entry.target, entry.outcome) for entry in entries]
    assert told == [("cli", "privacy.export", "person", each) for each in ("attempted", "done", "attempted", "refused")]
    salt = str(entries[0].facts["salt"])
    assert entries[0].facts == {**Person("u-4200").digest(salt), "originals": 0}
    assert all("u-4200" not in str(entry) and hash_customer("u-4200") not in str(entry) for entry in entries)


def recorded(url: str) -> list[AuditEntry]:
    """Every entry of an audit log that is whole."""
    with closing(open_store(url)) as store:
        assert Audit(store).verify().broken is None
        return [each.entry for each in Audit(store).entries()]


def test_an_erasure_is_on_record_for_who_knows_whom_it_was_about(url: str) -> None:
    who = ("--customer", "u-4200", "--text", "13800138000", "--store", url, "--vault-keys", "vault.json")
    assert [code_of("erase", *who, "--verify"), code_of("erase", *who), code_of("erase", *who, "--verify")] == [1, 0, 0]

    entries = recorded(url)
    assert {entry.who.partition(":")[0] for entry in entries} == {"cli"}
    assert {entry.target for entry in entries} == {"person"}
    told = [(entry.action.removeprefix("privacy."), str(entry.outcome), entry.facts.get("complete")) for entry in entries]
    assert told == [
        *(("verify", "attempted", None), ("verify", "done", 0)),
        *(("erase", "attempted", None), ("erase", "done", 1)),
        *(("verify", "attempted", None), ("verify", "done", 1)),
    ]
    assert entries[3].facts["deleted"] == 2, "a conversation and its turn"
    asked = Person("u-4200", ("13800138000",))
    assert all(entry.facts == asked.digest(str(entry.facts["salt"])) for entry in entries[::2])
    assert not [entry for entry in entries for secret in ("u-4200", "13800138000", hash_customer("u-4200")) if secret in str(entry)]


def test_what_cannot_be_recorded_is_not_erased(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As where the service's user may write turns and not the log."""
    with closing(open_store(url)) as store, store.writing() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"))

    assert code_of("erase", "--customer", "u-4200", "--store", url) == 2

    assert "audit" in capsys.readouterr().err
    with closing(open_store(url)) as store:
        assert SqlMemory(store).turn(a_turn(1).turn_id) is not None


def test_a_refused_erasure_is_on_record_as_refused(url: str) -> None:
    assert code_of("erase", "--text", "13800138000", "--store", url) == 2, "originals are sealed and no keys are named"

    assert [(entry.action, str(entry.outcome)) for entry in recorded(url)] == [("privacy.erase", "attempted"), ("privacy.erase", "refused")]


def test_retention_and_new_seals_are_on_record_and_counting_is_not(url: str) -> None:
    assert code_of("retain", "--days", "30", "--dry-run", "--store", url) == 0
    assert code_of("retain", "--days", "30", "--store", url) == 0
    assert code_of("rotate", "--store", url, "--vault-keys", "vault.json") == 0

    told = [(entry.action, str(entry.outcome), dict(entry.facts)) for entry in recorded(url)]
    assert told == [
        ("privacy.retain", "attempted", {"days": 30}),
        ("privacy.retain", "done", {"deleted": 0, "attempt": 1}),
        ("privacy.rotate", "attempted", {}),
        ("privacy.rotate", "done", {"read": 1, "sealed_again": 0, "attempt": 3}),
    ]


def test_erasing_is_certified_and_can_be_verified(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = ("--customer", "u-4200", "--text", "13800138000", "--store", url, "--vault-keys", "vault.json")

    assert code_of("erase", *who, "--verify") == 1
    assert code_of("erase", *who, "--certificate", "gone.json") == 0
    assert code_of("erase", *who, "--verify") == 0

    certificate = json.loads((tmp_path / "gone.json").read_text("utf-8"))
    assert certificate["complete"] and certificate["action"] == "erase"
    assert "13800138000" not in (tmp_path / "gone.json").read_text("utf-8")
    assert hash_customer("u-4200").encode() not in (tmp_path / "store.db").read_bytes()


def waiting(url: str) -> LastingMemory:
    """A memory of the store that lets its turns wait in the journal, one of them said by the customer."""
    memory = lasting_memory(open_store(url), Lasting(), journal_folder(url))
    memory.breaker.trip("store_down")
    facts = TurnFacts("answered", "ORDER_SHIP_TIME", "ORDER", "neutral", customer=hash_customer("u-4200"))
    memory.remember(a_turn(7, conversation_id="c-7", facts=facts), version=0)
    return memory


def test_what_a_server_that_ended_left_waiting_is_erased_too(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(url).close()
    (file,) = journal_folder(url).glob("*.journal")

    assert code_of("erase", "--customer", "u-4200", "--store", url) == 0

    certificate = json.loads(capsys.readouterr().out)
    assert certificate["complete"]
    assert certificate["deleted"][f"store {url}"]["conversations"] == 2
    assert not file.exists()


def test_what_a_running_server_has_waiting_leaves_the_certificate_incomplete(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(waiting(url)):
        assert code_of("erase", "--customer", "u-4200", "--store", url) == 1

        certificate = json.loads(capsys.readouterr().out)
        assert not certificate["complete"]
        assert certificate["remaining"] == {f"journal {journal_folder(url)}": {"waiting": 1}}
        assert len([*journal_folder(url).glob("*.journal")]) == 1


def test_retention_counts_and_deletes(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("retain", "--days", "1", "--dry-run", "--store", url) == 0
    planned = json.loads(capsys.readouterr().out)
    assert code_of("retain", "--days", "0", "--store", url) == 2

    assert planned["dry_run"] and list(planned["deleted"]) == [f"store {url}"]
    assert NOON.year == 2026, "a turn of the future is never too old"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("erase",), "nobody is named"),
        (("erase", "--text", "12"), "too short"),
        (("erase", "--customer", "u-1", "--replays", "none"), "there is no such folder"),
        (("export", "--customer", "u-4200", "--out", "no/folder.json"), "cannot be written"),
    ],
)
def test_a_wrong_wish_is_one_line(url: str, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(*words, "--store", url) == 2

    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
