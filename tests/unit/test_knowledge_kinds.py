"""Every kind of knowledge as records and back, and what a record may be among the others of its shop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import all_told, an_entry
from tests.pack_kit import RETAIL
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import KnowledgeSnapshot, RecordId, RecordKind
from yingda.pack import read_knowledge
from yingda.pack.exchange.judge import Among
from yingda.pack.exchange.kinds import DEFAULT, records_of
from yingda.pack.exchange.shop import knowledge_of
from yingda.reply.variables import variables_of


@pytest.mark.parametrize("base", [tiny_knowledge(), read_knowledge(RETAIL)], ids=["tiny", "retail"])
def test_a_pack_as_records_is_the_same_pack(base: Knowledge) -> None:
    found = knowledge_of(base, all_told(base))

    same = replace(found, digest=base.digest, rules=base.rules)
    assert same == replace(base, keywords=found.keywords, faq=found.faq)
    assert sorted(found.keywords, key=repr) == sorted(base.keywords, key=repr)
    assert {key: (entry.texts(), entry.answer, entry.ask) for key, entry in found.faq.items()} == {
        key: (entry.texts(), dict(entry.answer), entry.ask) for key, entry in base.faq.items()
    }
    assert [document.name for document in found.rules] == [document.name for document in base.rules]


def test_every_record_of_the_pack_passes_its_own_checks() -> None:
    base = read_knowledge(RETAIL)
    among = Among(base, all_told(base))

    told = [(RecordId(kind, row.key), row.payload) for kind, rows in records_of(base).items() for row in rows]
    assert {str(id_): wrong for id_, payload in told if (wrong := among.check(id_, payload))} == {}
    assert among.broken_since(Among(base, KnowledgeSnapshot(0))) == []


def test_a_record_is_judged_by_what_the_records_say_now() -> None:
    base = tiny_knowledge()
    entry = an_entry(intent="ORDER_CANCEL", answer={"zh": "{新时限}内。"}, ask=[])
    id_ = RecordId(RecordKind.FAQ, "ship-when")

    assert "unknown variable" in Among(base, all_told(base)).check(id_, entry)[0]
    assert Among(base, all_told(base, policy__新时限={"value": "一天"})).check(id_, entry) == []


def template(base: Knowledge) -> dict[str, Any]:
    payload = next(row.payload for row in records_of(base)[RecordKind.TEMPLATE] if row.key == DEFAULT)
    return dict(payload)


def test_a_fact_that_entries_ask_for_is_missed() -> None:
    base = tiny_knowledge()
    less = {**template(base), "facts": {}, "context_of": {}}
    reasons = Among(base, all_told(base, template__default=less)).broken_since(Among(base, all_told(base)))

    assert reasons == ["faq/ship-when: it still asks for 'order_no'; change the entry first"]


def test_a_value_that_a_template_names_is_missed() -> None:
    base = tiny_knowledge()
    shop = template(base)
    shop["outcomes"]["answered"]["closing"]["zh"] = "{店号}见。"
    before = all_told(base, policy__店号={"value": "八号店"}, template__default=shop)
    after = all_told(base, template__default=shop)

    assert "unknown variable '{店号}'" in Among(base, after).broken_since(Among(base, before))[0]


def test_a_template_set_for_an_intent_stands_in_a_record_of_its_own() -> None:
    base = tiny_knowledge()
    whole = {**template(base), "by_intent": {}}

    assert "a record of its own" in " ".join(Among(base, all_told(base)).check(RecordId(RecordKind.TEMPLATE, DEFAULT), whole))


def test_a_value_of_the_pack_that_answers_and_templates_use_cannot_be_retired() -> None:
    base = read_knowledge(RETAIL)
    before = Among(base, all_told(base, policy__发货时限={"value": "6 小时"}))
    reasons = Among(base, all_told(base, policy__发货时限=None)).broken_since(before)
    assert reasons
    assert all(reason.endswith("its answer still uses {发货时限}; change the entry first") for reason in reasons)

    reasons = Among(base, all_told(base, policy__投诉回复时限=None)).broken_since(Among(base, all_told(base)))
    assert "template/COMPLAINT: it still uses {投诉回复时限}; change the template first" in reasons


def test_a_value_of_the_pack_that_nothing_uses_can_be_retired() -> None:
    base = read_knowledge(RETAIL)
    used = {name for entry in base.faq.values() for text in entry.answer.values() for name in variables_of(text)}
    assert "招聘邮箱" not in used
    more = replace(base, policy=replace(base.policy, values={**base.policy.values, "招聘邮箱": "hr@example.com"}))

    assert Among(more, all_told(more, policy__招聘邮箱=None)).broken_since(Among(more, all_told(more))) == []


def test_the_value_that_the_service_hours_need_cannot_be_retired() -> None:
    base = read_knowledge(RETAIL)
    hours = base.policy.service_hours
    assert hours is not None and hours.response == "人工响应时限"
    bare = replace(
        base,
        faq={key: entry for key, entry in base.faq.items() if "人工响应时限" not in str(entry.answer)},
        templates=tiny_knowledge().templates,
    )

    reasons = Among(bare, all_told(bare, policy__人工响应时限=None)).broken_since(Among(bare, all_told(bare)))
    assert [reason.partition(":")[0] for reason in reasons] == ["policy/人工响应时限"]


def test_the_template_of_all_replies_cannot_be_retired_and_that_of_an_intent_can() -> None:
    base = read_knowledge(RETAIL)
    before = Among(base, all_told(base))

    (reason,) = Among(base, all_told(base, template__default=None)).broken_since(before)
    assert reason.startswith("template/default: every reply needs it")
    assert not [one for one in Among(base, all_told(base, template__COMPLAINT=None)).broken_since(before) if one.startswith("template/")]
