"""POST /v1/replay and the whole explanation of a decision, over conversations that the engine really had."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.keys import KeyRing
from serving.logs import open_log
from serving.settings import Settings
from tests.fakes_core import tiny_engine
from tests.privacy_kit import a_vault
from tests.replay_store_kit import START, TALKS, hold
from tests.rules_kit import row, tree
from tests.serving_kit import bearer, key_for, open_site
from yingda.store.memory import VolatileMemory
from yingda.store.vault import Vault

SINCE = START.isoformat()
TURNS = sum(text != "RELEASE" for texts in TALKS.values() for text in texts)
RULES = tree([row("cancel", intent='"ORDER_CANCEL"', action='"handoff"', priority='"high"', skill='"complaint"')])
ENTRY = {"id": "cancel-how", "intent": "ORDER_CANCEL", "question": {"zh": "怎么取消"}, "answer": {"zh": "联系我们。"}, "needs_human": True}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    memory, engine = VolatileMemory(), tiny_engine()
    hold(engine, memory)
    app = create_app(Settings(), engine, log=open_log(io.StringIO()), memory=memory)
    with TestClient(app) as opened:
        yield opened


def replay(client: TestClient, **body: Any) -> dict[str, Any]:
    response = client.post("/v1/replay", json={"since": SINCE, **body})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_changed_rules_are_told_with_counts_intents_and_masked_examples(client: TestClient) -> None:
    found = replay(client, rules=RULES)

    assert (found["turns"], found["complete"]) == (TURNS, True)
    assert found["after"]["reasons"]["rule"] == 5
    assert found["after"]["handoffs"] > found["before"]["handoffs"]
    assert {intent["intent"] for intent in found["intents"] if intent["changed"]} >= {"ORDER_CANCEL"}
    kinds = {kind["kind"]: kind["examples"] for kind in found["examples"]}
    assert kinds["answered -> handoff"][0]["after"]["reasons"] == ["rule"]
    assert "13800138000" not in str(found)
    assert client.get(f"/v1/decisions/{kinds['answered -> handoff'][0]['answer_id']}").status_code == 200


def test_changed_entries_are_told_and_nothing_is_stored(client: TestClient) -> None:
    before = client.get("/v1/conversations/calm").json()
    found = replay(client, faq=[ENTRY])

    assert found["after"]["reasons"]["needs_human"] > found["before"]["reasons"].get("needs_human", 0)
    assert client.get("/v1/conversations/calm").json() == before


def test_a_limit_is_kept_and_told(client: TestClient) -> None:
    found = replay(client, rules=RULES, limit=5)

    assert (found["turns"], found["complete"]) == (5, False)


def test_a_time_without_messages_is_no_error(client: TestClient) -> None:
    found = replay(client, rules=RULES, until=(START - timedelta(days=1)).isoformat())

    assert (found["turns"], found["changed"], found["examples"]) == (0, 0, [])


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("", "one_change")]),
        ({"rules": RULES, "faq": [ENTRY]}, [("", "one_change")]),
        ({"rules": RULES, "since": "2026-11-01"}, [("/since", "time_invalid")]),
        ({"rules": RULES, "until": "tomorrow"}, [("/until", "time_invalid")]),
        ({"rules": RULES, "limit": 5001}, [("/limit", "less_than_equal")]),
        ({"rules": {"nodes": []}}, [("/rules", "rule_refused")]),
        ({"rules": tree([row("a", intent='"NO_SUCH"'), row("b", action='"fly"')])}, [("/rules", "rule_refused")] * 2),
        ({"rules": tree([row("a", action='"answer"'), row("b", action='"answer"', tier='"vip"')])}, [("/rules", "rule_refused")]),
        ({"faq": [{"id": "x"}]}, [("/faq/0", "entry_refused")] * 3),
        ({"faq": [ENTRY, ENTRY]}, [("/faq/1", "entry_refused")]),
        ({"faq": []}, [("/faq", "too_short")]),
    ],
)
def test_a_change_that_cannot_be_used_is_refused_with_its_mistakes(
    client: TestClient, body: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    response = client.post("/v1/replay", json={"since": SINCE, **body})

    assert response.status_code == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == errors


def test_a_replay_needs_the_scope_of_operators() -> None:
    key = key_for("answer", "knowledge:write")
    with open_site(keys=[key]) as site:
        assert site.client.post("/v1/replay", json={"since": SINCE, "rules": RULES}, headers=bearer(key)).status_code == 403


def test_an_engine_that_cannot_be_changed_says_so() -> None:
    with open_site() as site:
        response = site.client.post("/v1/replay", json={"since": SINCE, "rules": RULES})

    assert (response.status_code, response.json()["code"]) == (503, "replay_unavailable")


def test_after_a_refusal_the_next_replay_runs(client: TestClient) -> None:
    assert client.post("/v1/replay", json={"since": SINCE, "rules": {}}).status_code == 422
    assert replay(client, rules=RULES, limit=1)["turns"] == 1


# ---- why ----


def decision(client: TestClient, conversation: str, number: int) -> dict[str, Any]:
    turns = client.get(f"/v1/conversations/{conversation}").json()["turns"]
    found: dict[str, Any] = client.get(f"/v1/decisions/{turns[number]['answer_id']}").json()
    return found


def test_a_decision_is_explained_with_thresholds_keywords_and_versions(client: TestClient) -> None:
    found = decision(client, "calm", 1)

    assert found["replayed"] == "identical"
    assert found["thresholds"] == {"match": 0.7, "intent": 0.6, "ambiguity": 0.4, "clarify": 0.6, "angry": 0.6, "angry_beside": 0.0}
    assert found["keywords"] == [{"text": "发货", "intent": "ORDER_SHIP_TIME"}]
    assert found["limits"]["repeats"] == 3
    assert found["rules"] == []
    assert found["versions"]["bundle_sha256"] == "0" * 64


def test_the_smallest_change_that_flips_it_is_told_in_both_languages(client: TestClient) -> None:
    flips = {flip["change"]: flip for flip in decision(client, "again", 2)["would_flip"]}

    assert flips["repeats_so_far"]["zh"].startswith("此前重复次数 2 → 1：结果 转人工 → 回答")
    assert flips["repeats_so_far"]["en"].startswith("repeats so far 2 → 1: outcome handoff → answered")
    assert flips["repeats_limit"]["after"]["outcome"] == "answered"
    assert flips["repeats_limit"]["then"] == 4


SECRETS = ("13800138000", "DD20260001")


@dataclass(frozen=True)
class Told:
    """What a key with the scopes ``answer`` and ``ops`` is told of masked messages: the decisions by conversation, a replay, and every
    body and line of the log together."""

    decisions: dict[str, dict[str, Any]]
    replay: dict[str, Any]
    everything: str


def told_by(vault: Vault | None) -> Told:
    """The server has that vault; the originals are those of ``a_vault()``."""
    memory, engine, log, key = VolatileMemory(), tiny_engine(), io.StringIO(), key_for("answer", "ops")
    hold(engine, memory, vault=a_vault())
    app = create_app(Settings(), engine, keys=KeyRing([key.record]), log=open_log(log), memory=memory, vault=vault)
    with TestClient(app, headers=bearer(key)) as client:
        masked = [turn for turn in memory.turns_since(START) if "〔" in turn.text]
        decisions = {turn.conversation_id: client.get(f"/v1/decisions/{turn.turn_id}") for turn in masked}
        tried = client.post("/v1/replay", json={"since": SINCE, "rules": RULES, "examples": 20})
    assert {each.status_code for each in (*decisions.values(), tried)} == {200}
    bodies = "".join(each.text for each in (*decisions.values(), tried))
    return Told({name: each.json() for name, each in decisions.items()}, tried.json(), bodies + log.getvalue())


def test_a_masked_message_is_explained_by_its_original_which_nobody_without_the_scope_sees() -> None:
    told = told_by(a_vault())

    assert {name: (each["replayed"], each["text_read"]) for name, each in told.decisions.items()} == {
        "phone": ("identical", "original"),
        "facts": ("identical", "original"),
    }
    assert all(each["would_flip"] for each in told.decisions.values())
    assert {name: each["text"] for name, each in told.decisions.items()} == {
        "phone": "电话〔手机号〕，怎么取消",
        "facts": "订单号是〔单号〕",
    }
    assert not [secret for secret in SECRETS if secret in told.everything]


def test_rules_of_the_caller_are_tried_on_masked_texts_whatever_the_vault_holds() -> None:
    assert told_by(a_vault()).replay == told_by(None).replay


@pytest.mark.parametrize("vault", [None, a_vault("another")], ids=["no vault", "another key"])
def test_without_its_original_the_explanation_is_that_of_the_masked_text_and_says_so(vault: Vault | None) -> None:
    told = told_by(vault)
    found = told.decisions

    assert (found["phone"]["replayed"], found["phone"]["text_read"]) == ("same_decision_masked", "masked")
    assert found["phone"]["would_flip"]
    assert (found["facts"]["replayed"], found["facts"]["text_read"], found["facts"]["would_flip"]) == ("text_masked", "masked", None)
    assert not [secret for secret in SECRETS if secret in told.everything]


def test_a_changed_notice_is_told(client: TestClient) -> None:
    found = replay(client, rules=tree([row("note", intent='"ORDER_CANCEL"', notify="['supervisor']", tags="['取消']")]))

    assert found["changed"] == found["aspects"]["notify"] == found["aspects"]["tags"] > 0
    (kind,) = found["examples"]
    assert kind["kind"] == "tags"
    before, after = kind["examples"][0]["before"], kind["examples"][0]["after"]
    assert (before["notify"], before["tags"], after["notify"], after["tags"]) == ([], [], ["supervisor"], ["取消"])
    assert kind["examples"][0]["differs_in"] == ["tags", "notify"]
