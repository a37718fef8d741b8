"""``yingda keys``: what is printed, what is kept, and what is put on record."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from tests.store_kit import empty_copy
from yingda.access.file import read_records
from yingda.access.keys import KeyRing
from yingda.cli import run
from yingda.store.audit import Audit
from yingda.store.base import open_store


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("YINGDA_KEYS_FILE", "YINGDA_STORE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "made" / "keys.json"


def keys(path: Path, *arguments: str) -> None:
    run(["keys", arguments[0], "--file", str(path), *arguments[1:]])


def refused(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        keys(path, *arguments)
    out, err = capsys.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (2, "", 1)
    return err


def test_the_key_is_printed_once_and_its_record_recognises_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(path, "create", "--id", "shop-web", "--scopes", "classify,answer", "--expires", "2127-01-01")
    out, err = capsys.readouterr()
    key = out.removesuffix("\n")
    (record,) = read_records(path)
    assert KeyRing([record]).find(key.encode()) == record
    assert record.expires is not None and record.expires.isoformat() == "2127-01-01T00:00:00+00:00"
    assert key not in err + path.read_text()


def test_the_list_tells_names_scopes_and_times_and_nothing_of_the_key(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(path, "create", "--id", "shop-web", "--scopes", "classify,answer")
    keys(path, "create", "--id", "board", "--scopes", "ops", "--expires", "2127-01-01T08:00:00+08:00")
    made = capsys.readouterr().out.split()
    keys(path, "revoke", "shop-web")
    assert capsys.readouterr().out == "shop-web: revoked\n"
    keys(path, "list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["id", "scopes"], ["shop-web", "answer,classify"], ["board", "ops"]]
    assert [line.split()[-1] == "-" for line in lines[1:]] == [False, True]
    assert "2127-01-01T00:00:00+00:00" in lines[2]
    assert not any(
        key[-4:] in line or record["sha256"][:8] in line for key in made for line in lines for record in json.loads(path.read_text())
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "--id", "a b", "--scopes", "ops"), "id: "),
        (("create", "--id", "x", "--scopes", "root"), "scopes: "),
        (("create", "--id", "x", "--scopes", "ops", "--expires", "soon"), "expires: "),
        (("create", "--id", "x", "--scopes", "ops", "--expires", "2020-01-01"), "expires: "),
        (("create", "--id", "x", "--scopes", "ops", "--expires", "2127-01-01T08:00"), "expires: "),
        (("revoke", "nobody"), "holds no key of that id"),
    ],
)
def test_what_cannot_be_done_is_one_line(path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str) -> None:
    keys(path, "create", "--id", "first", "--scopes", "ops")
    before = path.read_bytes()
    capsys.readouterr()
    assert said in refused(capsys, path, *arguments)
    assert path.read_bytes() == before


def test_where_a_store_is_named_it_is_on_record(path: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'store.db'}"  # made when it is not there: keys come before the first start
    keys(path, "create", "--id", "shop-web", "--scopes", "ops,answer", "--store", url)
    keys(path, "revoke", "shop-web", "--store", url)
    with closing(open_store(url)) as store:
        entries = [each.entry for each in Audit(store).entries()]
    told = [(entry.action, entry.target, entry.outcome.value) for entry in entries]
    made, ended = ("key.create", "key:shop-web"), ("key.revoke", "key:shop-web")
    assert told == [(*made, "attempted"), (*made, "done"), (*ended, "attempted"), (*ended, "done")]
    assert all(entry.who.startswith("cli:") for entry in entries)
    assert entries[0].facts == {"scopes": "answer+ops"}


def test_a_key_that_exists_is_refused_and_that_is_on_record(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{empty_copy(tmp_path)}"
    keys(path, "create", "--id", "x", "--scopes", "ops")
    capsys.readouterr()
    refused(capsys, path, "create", "--id", "x", "--scopes", "ops", "--store", url)
    with closing(open_store(url)) as store:
        assert [each.entry.outcome.value for each in Audit(store).entries()] == ["attempted", "refused"]


def test_without_its_store_no_key_is_made_but_one_is_revoked(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys(path, "create", "--id", "leaked", "--scopes", "ops")
    capsys.readouterr()
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all, but a text that is long enough")
    url = f"sqlite:///{broken}"
    refused(capsys, path, "create", "--id", "x", "--scopes", "ops", "--store", url)
    assert "leaked is revoked, but that is not on record" in refused(capsys, path, "revoke", "leaked", "--store", url)
    (record,) = read_records(path)
    assert record.revoked is not None
