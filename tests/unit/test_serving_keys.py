"""API keys and their file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from serving.keys import KeyRing, make_key, read_keys
from serving.settings import SettingsError

HASH = "0" * 64


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
    assert new.key not in new.record.model_dump_json()
    assert make_key("shop", ["answer"]).key != new.key


def test_keys_are_read_from_their_file(tmp_path: Path) -> None:
    new = make_key("shop", ["knowledge:read"])
    ring = read_keys(written(tmp_path, [json.loads(new.record.model_dump_json())]))
    assert ring.find(new.key.encode()) == new.record


RECORD = {"id": "shop", "sha256": HASH, "scopes": ["answer"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[\n\n{]", "keys.json:3: is not valid JSON"),
        ("", "keys.json:1: is not valid JSON"),
        ({"keys": []}, "the file: "),
        ([], "holds no key"),
        ([RECORD, {"id": "b", "scopes": []}], "record 2, sha256: "),
        ([RECORD, "yd_hunter2"], "record 2: "),
        ([{**RECORD, "sha256": "yd_hunter2"}], "record 1, sha256: "),
        ([{**RECORD, "id": "a b"}], "record 1, id: "),
        ([{**RECORD, "scopes": ["anser"]}], "record 1, scopes: "),
        ([{**RECORD, "scopes": "answer"}], "record 1, scopes: "),
        ([{**RECORD, "key": "yd_hunter2"}], "record 1, key: "),
        ([RECORD, {**RECORD, "sha256": "1" * 64}], r"records \[1, 2\] have the same id"),
        ([RECORD, {**RECORD, "id": "b"}], r"records \[1, 2\] have the same sha256"),
    ],
)
def test_a_malformed_file_is_refused_with_its_place(tmp_path: Path, content: object, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SettingsError, match=said) as caught:
        read_keys(path)
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.json: cannot be read"):
        read_keys(tmp_path / "nowhere.json")


@pytest.mark.parametrize(("name", "scopes"), [("a b", ["answer"]), ("shop", ["anser"]), ("shop", [""])])
def test_no_key_is_made_of_a_bad_name_or_scope(name: str, scopes: list[str]) -> None:
    with pytest.raises(SettingsError, match="new-key"):
        make_key(name, scopes)
