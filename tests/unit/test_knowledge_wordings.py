"""Templates and entries that would leak personal data, or leave the answer out, are refused when they are saved."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes_core import tiny_knowledge
from tests.knowledge_kit import all_told, an_entry
from tests.pack_kit import RETAIL
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import RecordId, RecordKind
from yingda.pack import read_knowledge
from yingda.pack.exchange.judge import Among
from yingda.pack.exchange.kinds import DEFAULT, records_of
from yingda.reply.variables import variables_of
from yingda.text.titled_names import holds_titled_name

COMMON = RecordId(RecordKind.TEMPLATE, DEFAULT)


def template(base: Knowledge) -> dict[str, Any]:
    return deepcopy(dict(next(row.payload for row in records_of(base)[RecordKind.TEMPLATE] if row.key == DEFAULT)))


def refused(payload: dict[str, Any], *, id_: RecordId = COMMON, base: Knowledge | None = None) -> list[str]:
    base = base or tiny_knowledge()
    return Among(base, all_told(base)).check(id_, payload)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("请打13812345678 {答案}", "手机号"),
        ("请打400-111-2222 {答案}", "电话"),
        ("请找王小明女士 {答案}", "姓名"),
        ("a@b.com {答案}", "邮箱"),
    ],
)
def test_personal_data_in_a_template_is_refused_and_not_repeated(text: str, kind: str) -> None:
    changed = template(tiny_knowledge())
    changed["outcomes"]["answered"]["solution"]["zh"] = text

    (reason,) = refused(changed)
    assert reason.startswith(f"outcomes.answered.solution.zh: holds personal data ({kind});")
    assert text.split()[0] not in reason


@pytest.mark.parametrize("place", ["channel", "soothing", "fact", "sign_off"])
def test_every_text_of_a_template_is_searched(place: str) -> None:
    changed, text = template(tiny_knowledge()), {"zh": "找13812345678", "en": "call 13812345678"}
    match place:
        case "channel":
            changed["channels"] = {"email": {"closing": text}}
        case "soothing":
            changed["soothing"] = text
        case "fact":
            changed["facts"] = dict.fromkeys(changed["facts"], text)
        case "sign_off":
            changed["tone"] = {**changed["tone"], "sign_off": text}

    assert any("手机号" in reason for reason in refused(changed))


def test_the_shops_published_hotline_may_stand_in_a_template() -> None:
    base = read_knowledge(RETAIL)
    changed = template(base)
    changed["outcomes"]["answered"]["solution"]["zh"] = "请打 400-000-0000 或 {客服电话}。{答案}"

    assert refused(changed, base=base) == []


def test_the_name_of_a_fact_holds_no_variable() -> None:
    changed = template(tiny_knowledge())
    fact = next(iter(changed["facts"]))
    changed["facts"] = {**changed["facts"], fact: {"zh": "{瞎写}", "en": "order number"}}

    (reason,) = refused(changed)
    assert reason.startswith(f"facts.{fact}.zh: unknown variable '{{瞎写}}'")


@pytest.mark.parametrize(
    ("outcome", "part", "text"),
    [
        ("no_answer", "next", "{答案}，回复“人工”找真人。"),
        ("handoff", "solution", "这件事由人工跟进{答案}"),
        ("clarify", "solution", "{答案}{候选问题}"),
        ("no_answer", "solution", "请提供{所需信息}"),
        ("handoff", "solution", "最晚{承诺时间} 前联系您"),
    ],
)
def test_a_variable_that_never_has_a_value_in_an_outcome_is_refused_there(outcome: str, part: str, text: str) -> None:
    changed = template(tiny_knowledge())
    changed["outcomes"][outcome][part]["zh"] = text

    (reason,) = refused(changed)
    assert reason.startswith(f"outcomes.{outcome}.{part}.zh: variable '{{{variables_of(text)[0]}}}' has no value here")
    assert "use it in " in reason


@pytest.mark.parametrize("outcome", ["answered", "answered_missing"])
def test_a_template_that_never_says_the_answer_is_refused(outcome: str) -> None:
    changed = template(tiny_knowledge())
    changed["outcomes"][outcome]["solution"]["zh"] = "好的。"

    (reason,) = refused(changed)
    assert reason.startswith(f"outcomes.{outcome}: in 'zh' on web, ")
    assert "write {答案}" in reason


def test_a_channel_that_leaves_the_answer_out_is_named() -> None:
    changed = template(tiny_knowledge())
    changed["channels"] = {"sms": {"solution": {"zh": "好的。", "en": "Fine."}}}

    assert [reason.partition(" nobody")[0] for reason in refused(changed)] == [
        f"outcomes.{outcome}: in '{language}' on sms" for outcome in ("answered", "answered_missing") for language in ("zh", "en")
    ]


def test_the_answer_may_stand_in_another_part_but_not_in_one_that_is_left_out_later() -> None:
    moved, lost = template(tiny_knowledge()), template(tiny_knowledge())
    for changed, part in ((moved, "next"), (lost, "closing")):
        parts = changed["outcomes"]["answered"]
        parts[part], parts["solution"] = {"zh": "{答案}", "en": "{答案}"}, {"zh": "说明如下。", "en": "As follows."}

    assert refused(moved) == []
    assert len(refused(lost)) == 2


def test_the_set_of_an_intent_says_the_answer_too() -> None:
    empty = {"zh": "", "en": ""}
    parts = {"greeting": empty, "confirm": empty, "solution": {"zh": "好的。", "en": "Fine."}, "next": empty, "closing": empty}
    id_ = RecordId(RecordKind.TEMPLATE, "ORDER_CANCEL")

    assert len(refused({"id": "V1.0", "outcomes": {"answered": parts}}, id_=id_)) == 2
    assert refused({"id": "V1.0", "outcomes": {"no_answer": parts}}, id_=id_) == []


@pytest.mark.parametrize("text", ["请联系王小明女士办理。", "找欧阳小明先生", "客服李娜小姐", "您可找王小明女士"])
def test_a_full_name_with_its_title_is_refused_in_an_answer(text: str) -> None:
    base = tiny_knowledge()
    entry = an_entry(intent="ORDER_CANCEL", answer={"zh": text}, ask=[])

    (reason,) = Among(base, all_told(base)).check(RecordId(RecordKind.FAQ, "ship-when"), entry)
    assert reason.startswith("answer.zh: holds personal data (姓名)")
    assert "王小明" not in reason


def test_an_answer_may_hold_the_number_that_the_policy_publishes_and_no_other() -> None:
    base = tiny_knowledge()
    base = replace(base, policy=replace(base.policy, values={**base.policy.values, "客服电话": "400-000-0000"}))

    def told(text: str) -> list[str]:
        entry = an_entry(intent="ORDER_CANCEL", answer={"zh": text}, ask=[])
        return Among(base, all_told(base)).check(RecordId(RecordKind.FAQ, "ship-when"), entry)

    assert told("请拨打 400-000-0000。") == []
    (reason,) = told("请拨打 400-800-1234。")
    assert reason.startswith("answer.zh: holds personal data (电话)")
    assert "policy variable" in reason


@pytest.mark.parametrize(
    "text",
    [
        "王女士您好",
        "尊敬的女士、先生",
        "成熟女士香水",
        "牛仔女士款",
        "祝各位女士节日快乐",
        "请问女士鞋怎么选",
        "客服小姐姐",
        "时尚女士包",
        "夏季女士凉鞋",
    ],
)
def test_a_surname_with_its_title_and_goods_for_ladies_are_no_full_names(text: str) -> None:
    assert not holds_titled_name(text)


def test_no_text_of_the_shipped_pack_names_anybody() -> None:
    found = [text for rows in records_of(read_knowledge(RETAIL)).values() for row in rows for text in strings(row.payload)]

    assert len(found) > 1000
    assert [text for text in found if holds_titled_name(text)] == []


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [text for item in inner for text in strings(item)]
