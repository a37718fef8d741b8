"""The audit log on both databases: in order whoever writes, unchangeable by mistake, and never changed unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tests.store_kit import BACKENDS, opened
from yingda.domain.errors import StoreError
from yingda.store import audit as module
from yingda.store.audit import GENESIS, Audit, AuditEntry, Head, Outcome, Verification, audit_of, hidden_name, safe_name
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory
from yingda.store.memory import VolatileMemory

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
ROWS = 6
_REST = "at, who, action, target, request_id, outcome, facts, previous, hash"
OWN = {"sqlite": f"INSERT OR REPLACE INTO audit SELECT 2, {_REST} FROM audit WHERE number = 3", "postgresql": "TRUNCATE audit"}
"""Ways around the usual guards that only one of the databases has."""

DISARM = {
    "sqlite": ("DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", "DROP TRIGGER audit_in_order"),
    "postgresql": ("ALTER TABLE audit DISABLE TRIGGER ALL",),
}


def entry(number: int = 1, **changes: Any) -> AuditEntry:
    values: dict[str, Any] = {"who": f"key{number}", "action": "knowledge.publish", "at": NOON + timedelta(seconds=number)}
    return AuditEntry(**{**values, "target": "faq:ship-when", "request_id": f"r-{number}", "facts": {"status": 200, "n": "x"}, **changes})


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        yield store


@pytest.fixture
def audit(store: Store) -> Audit:
    return Audit(store)


def filled(store: Store) -> Audit:
    """A log of ROWS entries whose guards somebody with all rights has taken away."""
    audit = Audit(store)
    for number in range(1, ROWS + 1):
        audit.record(entry(number))
    execute(store, *DISARM[store.engine.dialect.name])
    return audit


def execute(store: Store, *statements: str) -> None:
    with store.writer().begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_what_is_recorded_is_read_in_order(audit: Audit) -> None:
    assert audit.head() == Head(0, GENESIS)
    written = [audit.record(entry(number)) for number in range(1, 4)]
    assert [each.number for each in written] == [1, 2, 3]
    assert audit.entries() == written
    assert audit.entries(after=1, limit=1) == written[1:2]
    assert audit.head() == Head(3, written[-1].hash)
    assert audit.verify() == Verification(audit.head())


def test_the_hash_is_that_of_the_documented_text(audit: Audit) -> None:
    """Anybody can compute it without this program."""
    import hashlib

    found = audit.record(entry())
    told = (
        '{"action":"knowledge.publish","at":"2026-11-22T04:00:01.123456+00:00","facts":{"n":"x","status":200},"number":1,'
        '"outcome":"done","request_id":"r-1","target":"faq:ship-when","who":"key1"}'
    )
    assert found.hash == hashlib.sha256(f"{'0' * 64}\n{told}".encode()).hexdigest()


def test_writers_who_come_together_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(lambda number: Audit(store).record(entry(number)).number, range(30)))
    assert sorted(numbers) == list(range(1, 31))
    assert Audit(store).verify().broken is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'other'",
        "UPDATE audit SET hash = hash WHERE number = 2",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 3",
        f"INSERT INTO audit SELECT 9, {_REST} FROM audit WHERE number = 3",
        f"INSERT INTO audit SELECT 4, {_REST} FROM audit WHERE number = 3",
        f"INSERT INTO audit SELECT 0, {_REST} FROM audit WHERE number = 3",
        None,
    ],
)
def test_the_database_itself_refuses_any_change(store: Store, statement: str | None) -> None:
    audit = Audit(store)
    for number in range(1, 4):
        audit.record(entry(number))
    head = audit.head()
    with pytest.raises(DBAPIError, match=r"append-only|follow each other"):
        execute(store, statement or OWN[store.engine.dialect.name])
    assert audit.verify() == Verification(head)


TAMPERINGS = {
    "changed": (("UPDATE audit SET who = 'innocent' WHERE number = 3",), 3, "content"),
    "changed time": (("UPDATE audit SET at = (SELECT at FROM audit WHERE number = 1) WHERE number = 3",), 3, "content"),
    "changed fact": (('UPDATE audit SET facts = \'{"status":201,"n":"x"}\' WHERE number = 3',), 3, "content"),
    "fact no number": (("UPDATE audit SET facts = '{\"status\":200.5}' WHERE number = 3",), 3, "cannot be read"),
    "facts no object": (("UPDATE audit SET facts = '[]' WHERE number = 3",), 3, "cannot be read"),
    "outcome unknown": (("UPDATE audit SET outcome = 'fine' WHERE number = 3",), 3, "cannot be read"),
    "changed with its hash": (("UPDATE audit SET who = 'innocent', hash = '" + "a" * 64 + "' WHERE number = 3",), 3, "content"),
    "first taken out": (("DELETE FROM audit WHERE number = 1",), 2, "entry 1 is missing"),
    "taken out": (("DELETE FROM audit WHERE number = 3",), 4, "entry 3 is missing"),
    "taken out and closed up": (
        ("DELETE FROM audit WHERE number = 3", *(f"UPDATE audit SET number = {n - 1} WHERE number = {n}" for n in range(4, ROWS + 1))),
        3,
        "does not follow",
    ),
    "put in": (
        (
            *(f"UPDATE audit SET number = {n + 1} WHERE number = {n}" for n in range(ROWS, 2, -1)),
            f"INSERT INTO audit SELECT 3, {_REST} FROM audit WHERE number = 2",
        ),
        3,
        "does not follow",
    ),
    "put before all": (
        (f"INSERT INTO audit SELECT -7, {_REST} FROM audit WHERE number = 2",),
        -7,
        "entry 1 is missing",
    ),
    "reordered": (
        (
            "UPDATE audit SET number = 99 WHERE number = 3",
            "UPDATE audit SET number = 3 WHERE number = 4",
            "UPDATE audit SET number = 4 WHERE number = 99",
        ),
        3,
        "does not follow",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_first_entry_that_was_tampered_with_is_named(store: Store, name: str) -> None:
    statements, broken, reason = TAMPERINGS[name]
    audit = filled(store)
    execute(store, *statements)
    found = audit.verify()
    assert (found.broken, reason in found.reason) == (broken, True), found


def test_what_the_driver_cannot_even_read_is_named(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        audit = filled(store)
        execute(store, "UPDATE audit SET facts = 'no JSON', at = 'yesterday' WHERE number = 4")
        assert audit.verify().broken == 4


def test_a_cut_end_shows_against_a_noted_head_alone(store: Store) -> None:
    audit = filled(store)
    noted = audit.head()
    execute(store, f"DELETE FROM audit WHERE number > {ROWS - 2}")
    assert audit.verify().broken is None
    found = audit.verify(noted)
    assert (found.broken, "end was cut" in found.reason) == (ROWS - 1, True)


def test_a_log_written_anew_shows_against_a_noted_head_alone(store: Store) -> None:
    audit = filled(store)
    noted = audit.head()
    execute(store, "DELETE FROM audit")
    for number in range(1, ROWS + 3):
        audit.record(entry(number, who="innocent"))
    assert audit.verify().broken is None
    found = audit.verify(noted)
    assert (found.broken, "written anew" in found.reason) == (ROWS, True)


def test_a_head_noted_earlier_holds_while_the_log_grows(audit: Audit) -> None:
    audit.record(entry(1))
    noted = audit.head()
    audit.record(entry(2))
    assert audit.verify(noted) == Verification(audit.head())
    assert audit.verify(Head(0, GENESIS)).broken is None


def test_a_long_log_is_read_in_pages(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(1, 6):
        audit.record(entry(number))
        assert audit.verify().head.count == number


@pytest.mark.parametrize(
    "changes",
    [
        {"who": ""},
        {"who": "王店长"},
        {"who": "a b"},
        {"action": "快递三天没动了"},
        {"action": ""},
        {"target": "faq:快递"},
        {"target": "x" * 129},
        {"request_id": "a\nb"},
        {"facts": {"text": "快递三天没动了"}},
        {"facts": {"快递": 1}},
        {"facts": {"n": 1.5}},
        {"facts": {"n": True}},
        {"facts": {"n": None}},
        {"facts": {"n": {}}},
        {"facts": {"n": 2**53 + 1}},
        {"facts": {f"n{number}": number for number in range(17)}},
        {"at": datetime(2026, 1, 1)},
    ],
)
def test_an_entry_takes_no_text(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="an audit entry"):
        entry(**changes)


def test_names_that_are_not_plain_are_hidden() -> None:
    assert safe_name("faq", "ship-when") == "faq:ship-when"
    assert safe_name("release", "2026.12") == "release:2026.12"
    assert safe_name("faq", "call-13800138000").startswith("faq:sha256-")
    assert safe_name("faq", "快递").startswith("faq:sha256-")
    assert hidden_name("conversation", "13800138000") == hidden_name("conversation", "13800138000")
    assert "13800138000" not in hidden_name("conversation", "13800138000")
    entry(target=safe_name("faq", "\ud800"), outcome=Outcome.FAILED)


def test_a_store_without_the_table_says_what_to_run(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'empty.db'}")) as store, pytest.raises(StoreError, match="yingda store migrate"):
        Audit(store).record(entry())


def test_a_memory_that_forgets_has_no_log(store: Store) -> None:
    assert audit_of(VolatileMemory()) is None
    found = audit_of(SqlMemory(store))
    assert found is not None and found.record(entry(at=NOON.astimezone(UTC))).number == 1


def test_a_user_who_may_only_insert_and_read_can_record(tmp_path: Path) -> None:
    """The least rights that the document names are enough."""
    name = f"clerk_{token_hex(4)}"
    with opened("postgresql", tmp_path) as owner:
        execute(owner, f"CREATE ROLE {name} LOGIN", f"GRANT INSERT, SELECT ON audit TO {name}")
        url = owner.engine.url.set(username=name, password=None).render_as_string(hide_password=False)
        try:
            with closing(open_store(url)) as clerk:
                assert Audit(clerk).record(entry()).number == 1
                with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                    execute(clerk, "ALTER TABLE audit DISABLE TRIGGER ALL")
        finally:
            execute(owner, f"DROP OWNED BY {name}", f"DROP ROLE {name}")
