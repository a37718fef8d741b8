"""Keys of a running server: they follow their file, and survive it."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from serving.keys import FOLLOW_S, AccessError, KeyFollower, follow_keys, make_key, read_keys
from serving.logs import open_log
from tests.serving_kit import bearer, open_site
from yingda.access.file import add_key, revoke_key

NEW = make_key("shop", ["knowledge:read"])


class Followed:
    """A file of keys with one key, its follower, and what that logs."""

    def __init__(self, folder: Path) -> None:
        self.path, self.stream = folder / "keys.json", io.StringIO()
        add_key(self.path, NEW)
        self.keys: KeyFollower = follow_keys(self.path, open_log(self.stream))

    def knows(self, key: str) -> bool:
        return self.keys.look_up(key.encode())[1] is None

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_keys_are_read_from_their_file(followed: Followed) -> None:
    assert read_keys(followed.path).find(NEW.key.encode()) == NEW.record


def test_a_file_without_keys_does_not_start_a_server(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("[]")
    with pytest.raises(AccessError, match="holds no key; make one with `yingda keys create`"):
        follow_keys(path, open_log(io.StringIO()))


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"nowhere\.json: cannot be read"):
        read_keys(tmp_path / "nowhere.json")


def test_a_key_made_later_is_known_and_a_revoked_one_is_not(followed: Followed) -> None:
    later = make_key("later", ["ops"])
    add_key(followed.path, later)
    assert not followed.knows(later.key)
    followed.keys.look()
    assert followed.knows(later.key)

    revoke_key(followed.path, "shop", now=datetime.now(UTC))
    followed.keys.look()
    assert not followed.knows(NEW.key)
    assert followed.knows(later.key)
    assert followed.events() == ["keys_in_use", "keys_in_use"]


@pytest.mark.parametrize("content", [b"[{", b"\xff", b'[{"id": "x"}]', None])
def test_a_broken_file_leaves_the_last_good_keys_and_is_logged_once(followed: Followed, content: bytes | None) -> None:
    good = followed.path.read_bytes()
    followed.path.unlink() if content is None else followed.path.write_bytes(content)
    followed.keys.look()
    followed.keys.look()
    assert followed.knows(NEW.key)
    assert followed.events() == ["keys_stay"]

    followed.path.write_bytes(good)
    followed.keys.look()
    assert followed.events() == ["keys_stay", "keys_in_use"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_in_place_of_the_file_is_not_waited_for(followed: Followed) -> None:
    followed.path.unlink()
    os.mkfifo(followed.path)

    followed.keys.look()

    assert followed.knows(NEW.key)
    with pytest.raises(AccessError, match="no regular file"):
        read_keys(followed.path)


def test_a_file_that_did_not_change_is_not_read(followed: Followed) -> None:
    followed.keys.look()
    assert followed.events() == []


def test_a_list_emptied_on_purpose_shuts_everybody_out(followed: Followed) -> None:
    followed.path.write_text("[]")
    followed.keys.look()
    assert not followed.knows(NEW.key)


class _Told(io.StringIO):
    """A log that says when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.event = Event()

    def write(self, text: str) -> int:
        done = super().write(text)
        self.event.set()
        return done


def test_the_follower_looks_by_itself(followed: Followed) -> None:
    stream = _Told()
    keys = follow_keys(followed.path, open_log(stream))
    keys.start()
    later = make_key("later", ["ops"])
    add_key(followed.path, later)
    assert stream.event.wait(30)
    assert keys.look_up(later.key.encode())[1] is None
    keys.close()
    assert FOLLOW_S < 1


def test_a_running_app_follows(followed: Followed) -> None:
    """The app starts the follower and stops it."""
    with open_site(keys=followed.keys) as site:
        assert site.client.get("/v1/intents", headers=bearer(NEW)).status_code == 200
        revoke_key(followed.path, "shop", now=datetime.now(UTC))
        followed.keys.look()
        refused = site.client.get("/v1/intents", headers=bearer(NEW))
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]
    assert not followed.keys._thread.is_alive()
