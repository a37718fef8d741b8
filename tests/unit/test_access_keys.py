"""API keys, their records, and the file that several writers share."""

from __future__ import annotations

import hashlib
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from yingda.access.file import add_key, locked, read_records, revoke_key
from yingda.access.keys import AccessError, KeyRing, make_key
from yingda.access.scopes import Scope

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HASH = "0" * 64
RECORD = {"id": "shop", "sha256": HASH, "scopes": ["answer"]}


def written(folder: Path, content: object) -> Path:
    path = folder / "keys.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_fresh_key_is_found_by_its_record_alone() -> None:
    new, other = make_key("shop", ["classify", "answer"]), make_key("other", ["ops"])
    ring = KeyRing([other.record, new.record])
    assert ring.find(new.key.encode()) == new.record
    assert ring.find(new.key.encode() + b"x") is None
    assert ring.find(b"") is None
    assert ring.find(new.record.sha256.encode()) is None


def test_the_record_holds_the_hash_and_not_the_key() -> None:
    new = make_key("shop", ["answer"])
    assert new.record.sha256 == hashlib.sha256(new.key.encode()).hexdigest()
    assert new.key not in repr(new.record)
    assert make_key("shop", ["answer"]).key != new.key


def test_a_key_ends_at_its_time_and_not_before() -> None:
    now = NOW
    new = make_key("shop", ["answer"], expires=NOW + timedelta(hours=1), now=NOW)
    ring = KeyRing([new.record], clock=lambda: now)
    assert ring.look_up(new.key.encode()) == (new.record, None)
    now = NOW + timedelta(hours=1)
    assert ring.look_up(new.key.encode()) == (new.record, "expired")
    assert ring.find(new.key.encode()) is None


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [("a b", ["answer"], "id: "), ("shop", ["anser"], "scopes: "), ("shop", [""], "scopes: "), ("shop", [], "scopes: ")],
)
def test_no_key_is_made_of_a_bad_name_or_scope(name: str, scopes: list[str], said: str) -> None:
    with pytest.raises(AccessError, match=said):
        make_key(name, scopes)


def test_no_key_is_made_that_has_ended() -> None:
    with pytest.raises(AccessError, match="expires: "):
        make_key("shop", ["answer"], expires=NOW, now=NOW)


def test_what_is_written_is_what_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = make_key("shop", ["answer", "classify"], expires=NOW + timedelta(days=40), now=NOW)
    second = make_key("board", ["ops"], now=NOW)
    add_key(path, first)
    path.chmod(0o644)
    add_key(path, second)

    assert read_records(path) == [first.record, second.record]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.key not in path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["keys.json", "keys.json.lock"]


def test_a_revoked_key_stays_on_file_and_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    new = make_key("shop", ["answer"], now=NOW)
    add_key(path, new)
    revoke_key(path, "shop", now=NOW)
    revoke_key(path, "shop", now=NOW + timedelta(days=1))

    (record,) = read_records(path)
    assert record.revoked == NOW
    assert KeyRing([record]).look_up(new.key.encode()) == (record, "revoked")
    with pytest.raises(AccessError, match="exists or existed"):
        add_key(path, make_key("shop", ["ops"]))


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="holds no key of that id"):
        revoke_key(written(tmp_path, [RECORD]), "other", now=NOW)
    with pytest.raises(AccessError, match="cannot be read"):
        revoke_key(tmp_path / "nowhere.json", "other", now=NOW)


def test_of_many_writers_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_key(path, make_key(f"k{number}", ["ops"])), range(24)))
    assert {record.id for record in read_records(path)} == {f"k{number}" for number in range(24)}


def test_who_finds_the_file_locked_says_so_and_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, [RECORD])
    with locked(path), pytest.raises(AccessError, match="another program is changing it"), locked(path, wait_s=0):
        raise AssertionError("two writers")
    with locked(path, wait_s=0):
        assert len(read_records(path)) == 1


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, "[{")
    with pytest.raises(AccessError, match="is not valid JSON"):
        add_key(path, make_key("shop", ["ops"]))
    assert path.read_text() == "[{"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = written(tmp_path / "real", [RECORD])
    link = tmp_path / "keys.json"
    link.symlink_to(target)
    add_key(link, make_key("board", ["ops"]))
    assert link.is_symlink()
    assert len(read_records(target)) == 2


def test_records_of_before_have_no_times(tmp_path: Path) -> None:
    (record,) = read_records(written(tmp_path, [RECORD]))
    assert (record.scopes, record.created, record.expires, record.revoked) == (frozenset({Scope.ANSWER}), None, None, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[\n\n{]", "keys.json:3: is not valid JSON"),
        ("", "keys.json:1: is not valid JSON"),
        ("[" * 100_000, "is not a list of records"),
        ({"keys": []}, "the file: "),
        ([RECORD, {"id": "b", "scopes": []}], "record 2, sha256: "),
        ([RECORD, "yd_hunter2"], "record 2, must be an object"),
        ([{**RECORD, "sha256": "yd_hunter2"}], "record 1, sha256: "),
        ([{**RECORD, "id": "a b"}], "record 1, id: "),
        ([{**RECORD, "id": 7}], "record 1, id: "),
        ([{**RECORD, "scopes": []}], "record 1, scopes: "),
        ([{**RECORD, "scopes": ["hunter2"]}], "record 1, scopes: "),
        ([{**RECORD, "scopes": "answer"}], "record 1, scopes: "),
        ([{**RECORD, "expires": "hunter2"}], "record 1, expires: "),
        ([{**RECORD, "expires": "2027-01-01T00:00:00"}], "record 1, expires: "),
        ([{**RECORD, "revoked": 7}], "record 1, revoked: "),
        ([{**RECORD, "yd_hunter2": "x"}], "record 1, has a field"),
        ([RECORD, {**RECORD, "sha256": "1" * 64}], r"records \[1, 2\] have the same id"),
        ([RECORD, {**RECORD, "id": "b"}], r"records \[1, 2\] have the same sha256"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place_and_without_its_values(tmp_path: Path, content: object, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(AccessError, match=said) as caught:
        read_records(path)
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)
