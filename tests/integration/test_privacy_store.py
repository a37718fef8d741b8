"""Originals, retention, export and erasure, on both databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.privacy_kit import a_vault
from tests.store_kit import BACKENDS, NOON, a_turn, handed_over, opened
from yingda.domain.errors import StoreError
from yingda.privacy.erasure import erase, is_complete, verify
from yingda.privacy.export import export
from yingda.privacy.person import Person
from yingda.privacy.places import Folder
from yingda.privacy.retention import retain
from yingda.privacy.stored import StoredData, _occurrences
from yingda.store.base import Store
from yingda.store.conversations import SqlMemory
from yingda.store.originals import rotate
from yingda.store.records import Feedback, HandoffOpened, Masked, StoredTurn, TurnFacts, hash_customer
from yingda.store.tables import TurnRow
from yingda.store.vault import CUSTOMER, TEXT, Vault, VaultError

PHONE = "13800138000"
WIDE = "１３８ ００１３ ８０００"


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


def facts_of(customer: str | None) -> TurnFacts:
    return TurnFacts("answered", "ORDER_SHIP_TIME", "ORDER", "neutral", customer=hash_customer(customer) if customer else None)


def say(
    store: Store, number: int, conversation: str, customer: str | None, *, vault: Vault | None = None, text: str = "", days: int = 0
) -> StoredTurn:
    """Remember turn ``number``; ``text`` is what was written, sealed where there is a vault."""
    memory = SqlMemory(store)
    turn = a_turn(number, conversation_id=conversation, facts=facts_of(customer), at=NOON - timedelta(days=days))
    if vault:
        values = {TEXT: text or "你好", **({CUSTOMER: customer} if customer else {})}
        turn = a_turn(number, conversation_id=conversation, facts=facts_of(customer), at=turn.at, sealed=vault.seal(turn.turn_id, values))
    memory.remember(turn, version=memory.recall(conversation)[1])
    return turn


def sealed_keys(store: Store) -> list[str]:
    with store.reading() as session:
        return [sealed["key"] for sealed in session.scalars(select(TurnRow.sealed).order_by(TurnRow.id))]


def test_a_sealed_original_comes_back_as_it_was(store: Store) -> None:
    turn = say(store, 1, "c-1", "u-42", vault=a_vault(), text=f"电话{WIDE}")

    (found,) = SqlMemory(store).turns("c-1")

    assert found == turn and found.sealed is not None
    assert a_vault().open(found.turn_id, found.sealed) == {TEXT: f"电话{WIDE}", CUSTOMER: "u-42"}


def test_rotation_seals_all_again_in_pages_and_then_has_nothing_to_do(store: Store) -> None:
    for number in range(1, 6):
        say(store, number, "c-1", "u-42", vault=a_vault("k1"), text=f"电话{PHONE}")
    say(store, 6, "c-1", "u-42")
    both = a_vault("k1", "k2")

    done = rotate(store, both, page=2)

    assert (done.read, done.sealed_again) == (5, 5)
    assert rotate(store, both, page=2).sealed_again == 0
    turns = SqlMemory(store).turns("c-1")
    assert [a_vault("k2").open(turn.turn_id, turn.sealed)[TEXT] for turn in turns if turn.sealed] == [f"电话{PHONE}"] * 5
    assert turns[-1].sealed is None


def test_rotation_that_was_stopped_goes_on(store: Store) -> None:
    for number in range(1, 6):
        say(store, number, "c-1", "u-42", vault=a_vault("k1"))
    good = a_vault("k0").seal(a_turn(4).turn_id, {TEXT: "你好"})  # a key that is missing at first
    with store.writing() as session:
        session.execute(update(TurnRow).where(TurnRow.id == a_turn(4).turn_id).values(sealed=good))

    with pytest.raises(VaultError, match="put that key back"):
        rotate(store, a_vault("k1", "k2"), page=2)

    assert sealed_keys(store) == ["k2", "k2", "k1", "k0", "k1"]
    assert rotate(store, a_vault("k0", "k1", "k2"), page=2).sealed_again == 3
    assert sealed_keys(store) == ["k2"] * 5


def test_retention_deletes_what_is_too_old_and_nothing_else(store: Store) -> None:
    memory = SqlMemory(store)
    say(store, 1, "c-old", "u-1", days=400)
    goes_on = say(store, 2, "c-on", "u-2", days=400)
    say(store, 3, "c-on", "u-2", days=300)
    say(store, 4, "c-new", "u-3")
    memory.add_feedback(Feedback(goes_on.turn_id, "d", NOON, helpful=True))

    planned = retain([StoredData(store)], now=NOON, dry_run=True)
    before = [len(memory.turns(name)) for name in ("c-old", "c-on", "c-new")]
    done = retain([StoredData(store)], now=NOON)

    assert before == [1, 2, 1]
    assert [len(memory.turns(name)) for name in ("c-old", "c-on", "c-new")] == [0, 1, 1]
    (counts,) = done["deleted"].values()
    assert counts == {"conversations": 1, "turns": 2, "feedback": 1}
    (would,) = planned["deleted"].values()
    assert would == counts
    assert memory.feedback(goes_on.turn_id) == []
    assert memory.recall("c-on")[1] == 2, "the conversation goes on"
    assert retain([StoredData(store)], now=NOON)["deleted"] == {StoredData(store).name: {}}


def person_of(store: Store, vault: Vault | None = None) -> None:
    """Two conversations of u-4200, one of which another person joins, one that mentions the number, and one of nobody's concern."""
    memory = SqlMemory(store)
    first = say(store, 1, "c-1", "u-4200", vault=vault, text=f"电话{WIDE}")
    say(store, 2, "c-1", "u-9999", vault=vault)
    turn = handed_over(3, conversation_id="c-2", facts=facts_of("u-4200"))
    memory.remember(turn, version=0, handoff=HandoffOpened(turn.facts.reasons, NOON, {"summary": "客户 u-4200 要求人工"}))
    say(store, 4, "c-3", "u-7777", vault=vault, text="寄给一三八零零一三八零零零")
    say(store, 5, "c-4", "u-8888", vault=vault, text="电话13800138001")
    memory.add_feedback(Feedback(first.turn_id, "d1", NOON, rating=1, comment=Masked("没人管")))


def test_an_export_holds_all_of_a_person_and_nothing_of_others(store: Store) -> None:
    vault = a_vault()
    person_of(store, vault)

    document = export(Person("u-4200"), SqlMemory(store), StoredData(store, vault), vault, now=NOON)

    assert [each["conversation_id"] for each in document["conversations"]] == ["c-1", "c-2"]
    (turn,) = document["conversations"][0]["turns"]
    assert turn["original"] == {"text": f"电话{WIDE}", "customer": "u-4200"}
    assert [each["comment"] for each in turn["feedback"]] == ["没人管"]
    assert document["conversations"][1]["handoffs"][0]["package"] == {"summary": "客户 u-4200 要求人工"}
    assert "u-9999" not in json.dumps(document) and hash_customer("u-9999") not in json.dumps(document)


def test_an_export_without_keys_is_masked_and_with_wrong_keys_refused(store: Store) -> None:
    person_of(store, a_vault("k1"))
    memory, person = SqlMemory(store), Person("u-4200")

    masked = export(person, memory, StoredData(store), None, now=NOON)

    assert masked["originals"] is False and masked["conversations"][0]["turns"][0]["original"] is None
    with pytest.raises(VaultError, match="put that key back"):
        export(person, memory, StoredData(store), a_vault("k2"), now=NOON)


def test_erasing_by_customer_leaves_others(store: Store, tmp_path: Path) -> None:
    person_of(store)
    memory, person = SqlMemory(store), Person("u-4200")

    certificate = erase(person, StoredData(store), [], now=NOON)

    assert certificate["complete"] and certificate["remaining"] == {}
    assert certificate["deleted"] == {StoredData(store).name: {"conversations": 2, "turns": 3, "handoffs": 1, "feedback": 1}}
    assert [len(memory.turns(name)) for name in ("c-1", "c-2", "c-3", "c-4")] == [0, 0, 1, 1]
    assert certificate["searched"][StoredData(store).name]["turns"] == 2
    assert is_complete(verify(person, StoredData(store), [], now=NOON))
    assert "u-4200" not in json.dumps(certificate)


def test_erasing_by_number_finds_it_in_originals_however_it_was_spelt(store: Store) -> None:
    vault = a_vault()
    person_of(store, vault)
    stored = StoredData(store, vault)

    certificate = erase(Person(texts=(PHONE,)), stored, [], now=NOON)

    assert certificate["complete"]
    assert [len(SqlMemory(store).turns(name)) for name in ("c-1", "c-2", "c-3", "c-4")] == [0, 1, 0, 1]


def test_sealed_originals_are_not_passed_over_without_keys(store: Store) -> None:
    person_of(store, a_vault())

    with pytest.raises(VaultError, match="--vault-keys"):
        erase(Person(texts=(PHONE,)), StoredData(store), [], now=NOON)

    assert len(SqlMemory(store).turns("c-1")) == 2


def test_what_is_left_makes_the_certificate_incomplete(store: Store) -> None:
    person_of(store)

    found = verify(Person("u-4200"), StoredData(store), [], now=NOON)

    assert not found["complete"]
    counts = found["remaining"][StoredData(store).name]
    assert (counts["conversations"], counts["turns"], counts["handoffs"]) == (2, 2, 1)
    if store.engine.dialect.name == "sqlite":
        assert counts["bytes"] > 0


def test_the_ids_of_erased_turns_go_from_files_too(store: Store, tmp_path: Path) -> None:
    person_of(store)
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "waiting.jsonl").write_text(f'{{"turn": "{a_turn(1).turn_id}"}}\n{{"turn": "{a_turn(5).turn_id}"}}\n', "utf-8")

    certificate = erase(Person("u-4200"), StoredData(store), [Folder("journal", folder)], now=NOON)

    assert certificate["deleted"][f"journal {folder}"] == {"lines": 1}
    assert (folder / "waiting.jsonl").read_text("utf-8") == f'{{"turn": "{a_turn(5).turn_id}"}}\n'
    assert certificate["complete"]


def test_no_byte_of_an_erased_person_stays_in_the_files_of_sqlite(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        memory = SqlMemory(store)
        for number in range(1, 40):
            turn = a_turn(number, conversation_id=f"c-{number}", facts=facts_of(f"u-{number:04d}"), text=Masked(f"我是欧阳{number:04d}号"))
            memory.remember(turn, version=0)

        certificate = erase(Person("u-0007", ("欧阳0007号",)), StoredData(store), [], now=NOON)

        held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert certificate["complete"]
        assert "欧阳0008号".encode() in held
        for gone in ("欧阳0007号", hash_customer("u-0007")):
            assert gone.encode() not in held


@pytest.mark.parametrize("place", [0, (1 << 20) - 20, (1 << 20) - 1, 1 << 20, (2 << 20) - 3])
def test_an_identifier_across_two_pieces_of_a_large_file_is_counted_once(tmp_path: Path, place: int) -> None:
    (tmp_path / "large").write_bytes(b"x" * place + b"13800138000" + b"x" * (1 << 20))

    assert _occurrences(tmp_path / "large", [b"13800138000", b"138001380001"]) == 1


def test_a_reader_that_holds_the_file_is_said_and_later_it_is_done(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        person_of(store)
        with closing(store.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA busy_timeout=0")  # of the one connection in the pool: nobody is waited for
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM turns").fetchone()
            with pytest.raises(StoreError, match="others hold the file") as caught:
                erase(Person("u-4200"), StoredData(store), [], now=NOON)

        assert caught.value.code == "store_locked"
        assert erase(Person("u-4200"), StoredData(store), [], now=NOON)["complete"]
