"""A thousand items of personal data go through the whole app: none is found in database, journal, log, metrics, traces, errors
or exports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.planted_kit import BREAKS, MASKED_ONLY, Collector, PlantedShop, Search, collector, digits_of, planted_shop
from tests.privacy_kit import NOON, a_vault, planted
from yingda.privacy.export import export
from yingda.privacy.person import Person
from yingda.privacy.stored import StoredData
from yingda.store.audit import Audit
from yingda.store.base import open_store
from yingda.store.codec import as_json
from yingda.store.conversations import SqlMemory
from yingda.store.vault import Vault

COUNT, AWAY = 1000, 90
"""Items planted, and how many of these last ones while the store is away."""


def headers_with(secret: str, number: int) -> list[tuple[str, str]]:
    """Headers that callers and proxies fill, every one with the secret, in ids that are well formed where it can be."""
    digits = digits_of(secret)
    kept = secret.encode().decode("latin-1")
    name = secret if secret.isascii() else digits
    way = number // 15  # as many kinds of secrets take turns: each comes in every way
    ids = (
        name,
        f"r-{secret if secret.isascii() else digits}",
        "-".join(digits),
        # as ids that were drawn at random
        f"{digits:0>32.32}",
        f"{digits:a<32.32}",
        f"00000000-0000-4000-8000-{digits:0>12.12}",
    )
    traces = (
        (digits, "0>32.32", "b" * 16),
        (digits, "a<32.32", "b" * 16),
        ("a" * 32, "", f"{digits:0>16.16}"),
        ("a" * 32, "", f"{digits:b<16.16}"),
    )
    trace, form, parent = traces[way % 4]
    free = ("user-agent", "referer", "cookie", "x-forwarded-for", "forwarded", "baggage", "accept-language", "x-customer", "if-none-match")
    return [
        ("x-request-id", ids[way % 6]),
        ("traceparent", f"00-{trace:{form}}-{parent}-01"),
        ("tracestate", f"shop={name}"),
        *((header, kept) for header in free),
    ]


def send_all(shop: PlantedShop, number: int, message: str, secret: str) -> None:
    """Send the secret wherever a caller may put one."""
    context = {"手机": secret, "邮件主题": message, "订单号": secret, secret: message}
    body = {
        "text": message,
        "channel": ("web", "email", "wechat")[number % 3],
        "conversation_id": f"c-{number // 4}",
        "message_id": f"m-{number}",
        "customer": {"id": secret, "name": "欧阳" + "璐婷"[: 1 + number % 2]},
        "context": context,
    }
    headers = headers_with(secret, number)
    answered = shop.send("POST", "/v1/answer", json=body, headers=headers, params={"phone": secret})
    assert answered.status_code == 200
    if number % 10:
        return
    comment = {"answer_id": answered.json()["answer_id"], "helpful": False, "comment": f"没解决。{message}"}
    assert shop.send("POST", "/v1/feedback", json=comment, headers=headers).status_code == 200
    again = {**body, "message_id": f"h-{number}", "text": f"转人工！{message}"}
    assert shop.send("POST", "/v1/answer", json=again, headers=headers).status_code == 200
    shop.send("POST", "/v1/classify", json={"text": message}, headers=headers)
    shop.send("POST", "/v1/answer", json={**body, "channel": secret, "unknown": secret, secret: secret}, headers=headers)
    shop.send("POST", "/v1/answer", content=f'{{"text": "{message}", '.encode(), headers=[*headers, ("content-type", "application/json")])
    shop.send("POST", "/v1/answer", json={**body, "text": message + "，改一下"}, headers=headers)  # its message_id was used
    shop.send("POST", "/v1/answer", json={"text": f"{BREAKS}，{message}", "message_id": f"b-{number}"}, headers=headers)
    shop.send("POST", "/v1/feedback", json={"answer_id": secret, "comment": message}, headers=headers)
    for path in (f"/v1/conversations/{secret}", f"/v1/decisions/{secret}", f"/{secret}", f"/v1/faq/{secret}", f"/v1/faq?cursor={secret}"):
        shop.send("GET", path, headers=headers)
    release = {"by": "anna", "reason": "done"}
    shop.send("POST", f"/v1/conversations/{secret}/release", json=release, headers=headers)  # goes on record
    shop.send("DELETE", f"/v1/knowledge/faq/{secret}", headers=headers)
    shop.send("GET", f"/v1/conversations/c-{number // 4}?unmask=true", key=MASKED_ONLY, headers=headers)


def exported(shop: PlantedShop, customers: list[str]) -> Iterator[str]:
    """What is given out to who may not see originals: conversations over HTTP, and the document for a person without keys."""
    for number in range(0, COUNT // 4, 7):
        read = shop.send("GET", f"/v1/conversations/c-{number}", key=MASKED_ONLY)
        assert read.status_code == 200
        yield read.text
    with closing(open_store(shop.shop.url)) as store:
        yield from map(str, (each.entry for each in Audit(store).entries(limit=10_000)))
        for customer in customers:
            document = export(Person(customer), SqlMemory(store), StoredData(store), None, now=NOON)
            assert document["conversations"]
            yield as_json(document["conversations"])  # beside them it says whom it was asked for


def watched(shop: PlantedShop, traces: Collector) -> tuple[list[str], dict[str, str]]:
    """Plant everything; the secrets, and what was written meanwhile by name."""
    secrets, written = list[str](), dict[str, str]()
    for number, (message, secret) in enumerate(planted(COUNT)):
        if number == COUNT - AWAY:
            written = {f"before, {name}": text for name, text in shop.files().items()}
            shop.shop.trouble.down = "store_unreachable"
        secrets.append(secret)
        send_all(shop, number, message, secret)
    written |= {f"away, {name}": text for name, text in shop.files().items()}
    shop.shop.trouble.down = None
    assert shop.client.app.state.service.memory.tend()  # type: ignore[attr-defined]
    written |= {"exports": "\n".join(exported(shop, secrets[::97]))}
    written |= shop.files()
    written |= {"metrics": shop.send("GET", "/metrics").text, "errors": "\n".join(shop.refused)}
    return secrets, written


@pytest.mark.parametrize("vault", [None, a_vault()], ids=["masked", "sealed"])
def test_no_planted_secret_is_found_anywhere(tmp_path: Path, vault: Vault | None) -> None:
    with collector() as traces:
        with planted_shop(tmp_path, vault, traces=traces.address) as shop:
            secrets, written = watched(shop, traces)
        written |= {"log": shop.stream.getvalue(), "traces": traces.told}

    assert len(set(secrets)) > 0.99 * COUNT
    assert {400, 403, 404, 409, 422, 500, 503} <= shop.statuses
    assert {"store.db", "store.db-wal", "store.db-shm"} <= written.keys() and "c-249" in written["store.db-wal"] + written["store.db"]
    assert any(name.startswith("away, waiting/") and "c-249" in text for name, text in written.items())
    assert "/v1/answer" in written["metrics"] and len(written["log"].splitlines()) > COUNT
    assert "POST /v1/answer" in written["traces"] and "/v1/conversations/{conversation_id}" in written["traces"]
    search = Search(secrets)
    assert {name: len(found) for name, text in written.items() if (found := search.leaks(text))} == {}
    if vault:
        with closing(open_store(shop.shop.url)) as store:
            turn = SqlMemory(store).turns("c-0")[0]
            assert turn.sealed is not None
            assert vault.open(turn.turn_id, turn.sealed)["customer"] == secrets[0]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("１３８１２３４５６７８", "tel 13812345678"),
        ("一三九一二三四五六七八", "13912345678"),
        ("138 1234 5678", "00000000000000000000013812345678"),
        ("王伟雪", '{"name": "王伟雪"}'),
        ("王伟雪", '{"name": "\\u738b\\u4f1f\\u96ea"}'),
        ("王伟雪", "/v1/%E7%8E%8B%E4%BC%9F%E9%9B%AA"),
        ("王伟雪", "王伟雪".encode().decode("latin-1")),
    ],
)
def test_the_search_finds_a_secret_in_every_spelling(secret: str, told: str) -> None:
    assert Search([secret, "0571-81234567"]).leaks(f"a\n{told}\n") == [secret]
