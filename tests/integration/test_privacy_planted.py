"""A thousand items of personal data go through the whole app: none is found in the database's files, the log, metrics or errors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import tiny_engine
from tests.privacy_kit import a_vault, planted
from tests.store_kit import empty_copy
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.vault import Vault

COUNT = 1000


@contextmanager
def shop(path: Path, vault: Vault | None) -> Iterator[tuple[TestClient, io.StringIO]]:
    stream = io.StringIO()
    with closing(open_store(f"sqlite:///{path}")) as store:
        app = create_app(Settings(), tiny_engine(), log=open_log(stream), memory=SqlMemory(store), vault=vault)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client, stream


def told_of(client: TestClient, number: int, message: str, secret: str) -> Iterator[str]:
    """Send the secret wherever a caller may put one, and give back what errors say."""
    body = {
        "text": message,
        "conversation_id": f"c-{number // 4}",
        "message_id": f"m-{number}",
        "customer": {"id": secret, "name": "欧阳" + "璐婷"[: 1 + number % 2]},
        "context": {"手机": secret},
    }
    answered = client.post("/v1/answer", json=body)
    assert answered.status_code == 200
    if number % 10 == 0:
        comment = {"answer_id": answered.json()["answer_id"], "helpful": False, "comment": f"没解决。{message}"}
        assert client.post("/v1/feedback", json=comment).status_code == 200
        assert client.post("/v1/answer", json={**body, "message_id": f"h-{number}", "text": f"转人工！{message}"}).status_code == 200
        yield client.post("/v1/answer", json={**body, "channel": secret, "unknown": secret}).text
        yield client.post("/v1/answer", content=f'{{"text": "{message}", '.encode()).text
        yield client.post("/v1/answer", json={**body, "text": message + "，改一下"}).text  # its message_id was used
        yield client.post("/v1/feedback", json={"answer_id": secret, "comment": message}).text
        yield client.get(f"/v1/conversations/{secret}").text
        yield client.get(f"/{secret}").text


@pytest.mark.parametrize("vault", [None, a_vault()], ids=["masked", "sealed"])
def test_no_planted_secret_is_found_anywhere(tmp_path: Path, vault: Vault | None) -> None:
    path = empty_copy(tmp_path)
    secrets = list[str]()
    errors = list[str]()
    with shop(path, vault) as (client, stream):
        for number, (message, secret) in enumerate(planted(COUNT)):
            secrets.append(secret)
            errors += told_of(client, number, message, secret)
        # while the app runs, the newest pages stand in the write-ahead log
        held = b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))
        metrics, log = client.get("/metrics").text, stream.getvalue()

    assert len(set(secrets)) > 0.99 * COUNT
    assert b"c-249" in held and "/v1/answer" in metrics and len(log.splitlines()) > COUNT and len(errors) == 6 * COUNT // 10
    for name, where in (("database", held.decode("utf-8", "replace")), ("log", log), ("metrics", metrics), ("errors", "\n".join(errors))):
        assert [place for place, secret in enumerate(secrets) if secret in where] == [], name
    if vault:
        with closing(open_store(f"sqlite:///{path}")) as store:
            turn = SqlMemory(store).turns("c-0")[0]
            assert turn.sealed is not None
            assert vault.open(turn.turn_id, turn.sealed)["customer"] == secrets[0]
