"""Originals are sealed so that only the right key opens them, in the right place, and whole."""

from __future__ import annotations

import json
import stat
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.privacy_kit import NOON, a_key_file, a_vault
from yingda.store.vault import TEXT, Vault, VaultError, VaultKey, add_key, read_vault

SECRET = "我的电话13800138000"


def test_what_is_sealed_can_be_opened_and_is_not_readable() -> None:
    vault = a_vault()
    sealed = vault.seal("t-1", {"text": SECRET, "customer": "u-\ud800"})

    assert vault.open("t-1", sealed) == {"text": SECRET, "customer": "u-\ud800"}
    assert "13800138000" not in json.dumps(sealed) and SECRET.encode() not in b64decode(sealed["text"])


def test_the_same_text_is_never_sealed_alike() -> None:
    vault = a_vault()

    assert len({vault.seal("t-1", {TEXT: SECRET})[TEXT][:16] for _ in range(100)}) == 100


def test_the_newest_key_seals_and_all_open() -> None:
    old = a_vault("k1").seal("t-1", {TEXT: SECRET})
    both = a_vault("k1", "k2")

    assert both.open("t-1", old) == {TEXT: SECRET}
    assert both.seal("t-1", {TEXT: SECRET})["key"] == "k2"
    assert [both.is_current(old), both.is_current(both.seal("t-1", {}))] == [False, True]


@pytest.mark.parametrize("place", [0, 11, 12, 30, -1])
def test_a_changed_byte_is_noticed_and_nothing_of_any_field_is_told(place: int) -> None:
    vault = a_vault()
    sealed = vault.seal("t-1", {TEXT: SECRET, "customer": "u-42"})
    data = bytearray(b64decode(sealed["customer"]))
    data[place if place < len(data) else -2] ^= 1

    with pytest.raises(VaultError, match="t-1 was altered") as caught:
        vault.open("t-1", {**sealed, "customer": b64encode(data).decode()})

    assert caught.value.code == "vault_altered"
    assert "138" not in str(caught.value) and "u-42" not in str(caught.value)


@pytest.mark.parametrize("broken", ["", "AAAA", "not base64!", 7, None])
def test_what_is_no_sealed_field_is_refused(broken: object) -> None:
    with pytest.raises(VaultError, match="altered"):
        a_vault().open("t-1", {"key": "k1", TEXT: broken})


def test_a_field_opens_in_its_turn_and_under_its_name_alone() -> None:
    vault = a_vault()
    sealed = vault.seal("t-1", {TEXT: SECRET})

    for turn, moved in (("t-2", sealed), ("t-1", {"key": "k1", "customer": sealed[TEXT]})):
        with pytest.raises(VaultError, match="altered"):
            vault.open(turn, moved)


def test_a_field_renamed_to_another_key_of_the_same_bytes_does_not_open() -> None:
    same = Vault((VaultKey("k1", b"x" * 32), VaultKey("k2", b"x" * 32)))
    sealed = Vault((VaultKey("k1", b"x" * 32),)).seal("t-1", {TEXT: SECRET})

    with pytest.raises(VaultError, match="altered"):
        same.open("t-1", {**sealed, "key": "k2"})


@pytest.mark.parametrize("key", ["k9", None, 7])
def test_a_key_that_is_not_here_is_said(key: object) -> None:
    with pytest.raises(VaultError, match="put that key back") as caught:
        a_vault().open("t-1", {"key": key, TEXT: "AAAA"})

    assert caught.value.code == "vault_unknown_key"


def test_a_key_shows_no_secret() -> None:
    assert repr(VaultKey("k1", b"x" * 32)) == "VaultKey('k1')"


def test_a_new_key_joins_the_others_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "vault.json"
    first = add_key(path, NOON)
    sealed = read_vault(path).seal("t-1", {TEXT: SECRET})
    second = add_key(path, NOON)

    assert first != second and first.startswith("20261111-")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_vault(path).newest == second
    assert read_vault(path).open("t-1", sealed) == {TEXT: SECRET}
    assert [file.name for file in path.parent.iterdir()] == ["vault.json"]


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = a_key_file(tmp_path)
    path.chmod(0o640)

    with pytest.raises(VaultError, match="chmod 600"):
        read_vault(path)


_GOOD = b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}7",
        "[7]",
        '["k"]',
        '[{"id": "k"}]',
        '[{"id": "k", "key": "c2hvcnQ="}]',
        '[{"id": "k", "key": "!"}]',
        f'[{{"id": 7, "key": "{_GOOD}"}}]',
        f'[{{"id": "k", "key": "{_GOOD}"}}, {{"id": "k", "key": "{_GOOD}"}}]',
    ],
)
def test_a_file_without_proper_keys_is_refused_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vault.json"
    path.write_text(content, "utf-8")
    path.chmod(0o600)

    for use in (read_vault, lambda path: add_key(path, NOON)):
        with pytest.raises(VaultError, match="no list of vault keys") as caught:
            use(path)
        assert _GOOD not in str(caught.value)
    assert path.read_text("utf-8") == content


def test_no_key_and_no_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="new-vault-key"):
        Vault(())
    with pytest.raises(VaultError, match="cannot be read"):
        read_vault(tmp_path / "none.json")


def test_without_cryptography_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)  # as if it were not installed

    with pytest.raises(VaultError, match=r"pip install 'yingda\[encryption\]'"):
        a_vault()
