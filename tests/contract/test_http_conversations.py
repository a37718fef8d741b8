"""Conversations over HTTP: idempotency, hand-off and release, decisions, feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from serving.conversation_schemas import HandoffPackageOut
from serving.keys import NewKey, make_key
from tests.fakes import PERSON
from tests.serving_kit import TEXT, Site, bearer, key_for, open_site


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as opened:
        yield opened


def answer(site: Site, text: str = TEXT, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = site.client.post("/v1/answer", json={"text": text, **fields}).json()
    return body


def test_the_same_message_id_and_body_gives_the_same_bytes_and_counts_once(site: Site) -> None:
    body = {"text": TEXT, "conversation_id": "c", "message_id": "m"}

    first, again = (site.client.post("/v1/answer", json=body) for _ in range(2))

    assert first.content == again.content
    assert len(site.engine.messages) == 1


def test_the_same_message_id_with_another_body_is_a_conflict(site: Site) -> None:
    answer(site, conversation_id="c", message_id="m")

    response = site.client.post("/v1/answer", json={"text": "别的话", "conversation_id": "c", "message_id": "m"})

    assert response.status_code == 409
    assert response.json()["code"] == "message_id_reused"
    assert "别的话" not in response.text


def test_in_a_batch_a_reused_id_fails_alone(site: Site) -> None:
    items = [{"text": text, "conversation_id": "c", "message_id": "m"} for text in ("一", "二", "一")]

    results = site.client.post("/v1/answer/batch", json={"items": items}).json()["results"]

    assert [each["status"] for each in results] == [200, 409, 200]
    assert results[0] == results[2]


def test_a_conversation_is_read_as_it_went_with_personal_data_masked(site: Site) -> None:
    told = answer(site, "我的电话是13812345678", conversation_id="c", message_id="m")

    read = site.client.get("/v1/conversations/c").json()

    assert [turn["answer_id"] for turn in read["turns"]] == [told["answer_id"]]
    assert read["turns"][0]["reply"] == told["reply"]["text"]
    assert "13812345678" not in str(read)
    assert read["standing"] == []


def test_a_person_releases_a_conversation(site: Site) -> None:
    answer(site, PERSON, conversation_id="c")
    assert site.client.get("/v1/conversations/c").json()["standing"] == ["requested"]

    released = site.client.post("/v1/conversations/c/release", json={"by": "agent-7"})

    read = site.client.get("/v1/conversations/c").json()
    assert released.json() == {"conversation_id": "c", "released": True}
    assert read["standing"] == []
    assert [(each["reasons"], each["released_by"]) for each in read["handoffs"]] == [(["requested"], "agent-7")]


def test_a_decision_is_read_as_it_was_made(site: Site) -> None:
    told = answer(site)

    read = site.client.get(f"/v1/decisions/{told['answer_id']}").json()

    assert read["answer"] == told
    assert read["versions"]["release"] == told["classification"]["model"]["version"]
    assert read["keywords"] == told["classification"]["keywords"]
    assert (read["replayed"], read["would_flip"], read["rules"]) == ("identical", None, []), "an engine that cannot be looked into"


def test_feedback_counts_once(site: Site) -> None:
    body = {"answer_id": answer(site)["answer_id"], "rating": 2, "correct_faq": "logistics-stuck", "comment": "打 13812345678 找我"}

    first, again = (site.client.post("/v1/feedback", json=body).json() for _ in range(2))

    assert (first["counted"], again["counted"]) == (True, False)
    kept = site.app.state.service.memory.feedback(body["answer_id"])
    assert len(kept) == 1
    assert "13812345678" not in repr(kept)


def test_feedback_with_a_message_id_may_be_sent_again_but_not_with_another_body(site: Site) -> None:
    body = {"answer_id": answer(site)["answer_id"], "message_id": "f-1", "rating": 2}

    first, again, other, next_one = (
        site.client.post("/v1/feedback", json={**body, **changed})
        for changed in ({}, {}, {"rating": 5}, {"rating": 5, "message_id": "f-2"})
    )

    assert (first.json()["counted"], again.json()["counted"], next_one.json()["counted"]) == (True, False, True)
    assert (other.status_code, other.json()["code"]) == (409, "message_id_reused")
    assert [one.rating for one in site.app.state.service.memory.feedback(body["answer_id"])] == [2, 5]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "says_nothing"),
        ({"rating": 6}, "less_than_equal"),
        ({"rating": 3, "correct_intent": "NO_SUCH"}, "unknown_intent"),
        ({"rating": 3, "correct_faq": "no-such"}, "unknown_faq"),
    ],
)
def test_feedback_that_says_nothing_useful_is_refused(site: Site, fields: dict[str, Any], code: str) -> None:
    response = site.client.post("/v1/feedback", json={"answer_id": answer(site)["answer_id"], **fields})

    assert response.status_code == 422
    assert [error["code"] for error in response.json()["errors"]] == [code]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/v1/conversations/none", None, "conversation_not_found"),
        ("POST", "/v1/conversations/none/release", {"by": "a"}, "conversation_not_found"),
        ("GET", "/v1/decisions/none", None, "answer_not_found"),
        ("POST", "/v1/feedback", {"answer_id": "none", "rating": 1}, "answer_not_found"),
    ],
)
def test_what_is_not_stored_is_not_found(site: Site, method: str, path: str, body: dict[str, Any] | None, code: str) -> None:
    response = site.client.request(method, path, json=body)

    assert response.status_code == 404
    assert response.json()["code"] == code


def test_conversations_need_the_scope_of_answers_and_feedback_its_own() -> None:
    key = key_for("classify")
    with open_site(keys=[key]) as site:
        calls = [
            site.client.get("/v1/conversations/c", headers=bearer(key)),
            site.client.get("/v1/decisions/d", headers=bearer(key)),
            site.client.post("/v1/conversations/c/release", json={"by": "a"}, headers=bearer(key)),
            site.client.post("/v1/feedback", json={"answer_id": "a", "rating": 1}, headers=bearer(key)),
        ]

    assert [each.status_code for each in calls] == [403] * 4


@pytest.mark.parametrize("kind", ["application/json", "application/json; profile=x"], ids=["hot", "fastapi"])
def test_two_callers_who_give_a_message_the_same_id_are_told_their_own_reply(kind: str) -> None:
    web, app = make_key("web", ["answer"]), make_key("app", ["answer"])
    with open_site(keys=[web, app]) as site:

        def ask(key: NewKey, text: str = TEXT, **fields: Any) -> Any:
            body = json.dumps({"text": text, "message_id": "1", **fields})
            return site.client.post("/v1/answer", content=body, headers={"content-type": kind, **bearer(key)})

        told = [ask(key, text).json()["answer_id"] for key, text in ((web, TEXT), (app, PERSON))]
        assert [ask(web).json()["answer_id"], ask(app, PERSON).json()["answer_id"]] == told
        assert [ask(web, PERSON).status_code, ask(app).status_code] == [409, 409]
        assert ask(web, PERSON, customer={"id": "u-1"}).status_code == 200

        batch = {"items": [{"text": TEXT, "message_id": "1"}]}
        results = [site.client.post("/v1/answer/batch", json=batch, headers=bearer(key)).json()["results"][0] for key in (web, app)]
        assert results[0]["result"]["answer_id"] == told[0]
        assert results[1]["status"] == 409


@pytest.mark.parametrize("path", ["/v1/conversations/{}", "/v1/decisions/{}"])
def test_a_name_that_nothing_can_have_is_a_mistake_of_the_request(site: Site, path: str) -> None:
    known, unknown = (site.client.get(path.format("x" * length)) for length in (128, 129))

    assert (known.status_code, unknown.status_code) == (404, 422)
    assert [error["code"] for error in unknown.json()["errors"]] == ["string_too_long"]


def test_the_package_says_who_takes_over_how_soon_and_who_is_told(site: Site) -> None:
    told = answer(site, PERSON, conversation_id="c")

    (record,) = site.client.get("/v1/conversations/c").json()["handoffs"]

    package = record["package"]
    assert package["skill"] and package["priority"]
    assert {name: package[name] for name in ("reasons", "skill", "priority", "notify", "tags")} == {
        name: told["handoff"][name] for name in ("reasons", "skill", "priority", "notify", "tags")
    }
    assert [turn["text_masked"] for turn in package["transcript"]] == [PERSON]


def test_a_package_of_another_version_is_read_as_it_was_written() -> None:
    found = HandoffPackageOut.model_validate({"summary": "要人工", "reasons": ["of_tomorrow"], "mood": "bad"}).model_dump()

    assert (found["summary"], found["reasons"], found["mood"]) == ("要人工", ["of_tomorrow"], "bad")
    assert (found["skill"], found["priority"], found["notify"]) == (None, None, [])
