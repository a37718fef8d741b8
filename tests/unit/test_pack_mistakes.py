"""Packs: every mistake is reported with its file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pack_kit import POLICY, TEMPLATES, changed, mistakes_of, only, row, write_pack
from yingda.domain.errors import PackError
from yingda.pack import read_knowledge

# ---- fields ----


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("taxonomy.yaml", "language: zh\n", "", "taxonomy.yaml:1: field 'language' is missing; add it"),
        ("taxonomy.yaml", "skill: order, ", "", "taxonomy.yaml:8: field 'skill' is missing; add it"),
        ("taxonomy.yaml", "    zh: 订单\n", "", "taxonomy.yaml:4: field 'zh' is missing; add it"),
        ("policy.yaml", "context:\n  订单号: 客户的订单编号\n", "", "policy.yaml:1: field 'context' is missing; add"),
        ("faq-order.yaml", "  similar: {zh: []}\n", "", "faq-order.yaml:14: field 'similar' is missing; add it"),
        ("keywords.yaml", ", intents: [SHIP]", "", "keywords.yaml:3: field 'intents' is missing; add it"),
        ("templates.yaml", "id: default\n", "", "templates.yaml:1: field 'id' is missing; add it"),
        ("templates.yaml", "  smalltalk:", "  chat:", "templates.yaml:6: field 'smalltalk' is missing; add it"),
    ],
)
def test_missing_field_is_reported_with_its_record(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    found = mistakes_of(tmp_path, changed(name, old, new))
    assert any(mistake.startswith(expected) for mistake in found), found


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("taxonomy.yaml", "    en: Order\n", "    en: Order\n    de: Ware\n", "taxonomy.yaml:7: unknown field 'de'"),
        ("policy.yaml", "context:", "extra: 1\ncontext:", "policy.yaml:6: unknown field 'extra'"),
        ("faq-order.yaml", "  needs_human: true", "  human: true", "faq-order.yaml:12: unknown field 'human'"),
        ("keywords.yaml", "term: 取消,", "term: 取消, weight: 2,", "keywords.yaml:4: unknown field 'weight'"),
        ("templates.yaml", "outcomes:", "colour: red\noutcomes:", "templates.yaml:6: unknown field 'colour'"),
        (
            "utterances/train-1.jsonl",
            '"text": "今天下雨"',
            '"text": "今天下雨", "label": 1',
            "utterances/train-1.jsonl:3: unknown field 'label'",
        ),
    ],
)
def test_unknown_field_is_reported_with_its_line(tmp_path: Path, name: str, old: str, new: str, place: str) -> None:
    found = only(mistakes_of(tmp_path, changed(name, old, new)))
    assert found.startswith(place + "; remove it or use one of: ")


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("taxonomy.yaml", "version: 1", "version: one", "taxonomy.yaml:1: field 'version' must be a number, found t"),
        ("taxonomy.yaml", "version: 1", "version: 1.5", "taxonomy.yaml:1: field 'version' is 1.5; write a whole num"),
        ("taxonomy.yaml", "zh: 取消", "zh: 3", "taxonomy.yaml:9: field 'zh' must be text, found a number; put it in"),
        (
            "taxonomy.yaml",
            "answerable: false",
            "answerable: never",
            "taxonomy.yaml:9: field 'answerable' must be true or false, found text",
        ),
        ("policy.yaml", "发货时限: 48 小时", "发货时限: [48]", "policy.yaml:5: '发货时限' in 'values' must be a tex"),
        ("policy.yaml", "发货时限: 48 小时", "发货时限:", "policy.yaml:5: '发货时限' in 'values' must be a text"),
        ("faq-order.yaml", "ask: [order_no]", "ask: order_no", "faq-order.yaml:11: field 'ask' must be a list"),
        ("faq-order.yaml", "催发货", '催发货", 7, "快', "faq-order.yaml:7: an item of 'similar' must be text, fou"),
        ("faq-order.yaml", "{zh: []}", "{zh: 无}", "faq-order.yaml:17: 'zh' in 'similar' must be a list, found text"),
        ("faq-order.yaml", "{zh: []}", "[]", "faq-order.yaml:17: field 'similar' must be a mapping, found a list"),
        ("templates.yaml", 'version: "1.0"', "version: 1.0", "templates.yaml:2: field 'version' must be text, found"),
        ("faq-order.yaml", "{zh: 点取消}", "{zh: 点取消, English: x}", "faq-order.yaml:18: 'English' in 'answer' is"),
        ("faq-order.yaml", "{zh: 点取消}", "{en: Tap}", "faq-order.yaml:18: field 'answer' has no text for language"),
        ("templates.yaml", ", en: order number", "", "templates.yaml:4: field 'order_no' has no text for language '"),
    ],
)
def test_wrong_type_is_reported_with_its_line(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    assert only(mistakes_of(tmp_path, changed(name, old, new))).startswith(expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": 7}, "field 'text' must be text, found a number; put it in quotes"),
        ({"text": None}, "field 'text' must be text, found nothing; write text there"),
        ({"also": "ship-when"}, "field 'also' must be a list, found text; write a list there"),
        ({"also": [True]}, "an item of 'also' must be text, found true or false; put it in quotes"),
        ({"faq": {"id": "ship-when"}}, "field 'faq' must be text, found a mapping; write text there"),
    ],
)
def test_wrong_type_in_an_utterance_is_reported(tmp_path: Path, fields: dict[str, object], expected: str) -> None:
    found = only(mistakes_of(tmp_path, {"utterances/train-2.jsonl": row("发货") + row("发", **fields)}))
    assert found == f"utterances/train-2.jsonl:2: {expected}"


def test_record_that_is_no_mapping_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, {"utterances/train-2.jsonl": '"发货"\n', "faq-more.yaml": "- ship\n"})
    assert [mistake.split(";")[0] for mistake in found] == [
        "faq-more.yaml:1: expected a mapping of fields, found text",
        "utterances/train-2.jsonl:1: expected a mapping of fields, found text",
    ]


def test_faq_file_that_is_no_list_is_a_mistake(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, {"faq-more.yaml": "id: ship\n"}))
    assert found == "faq-more.yaml:1: expected a list of entries, found a mapping; start each entry with '- id:'"


def test_field_that_stands_twice_is_a_mistake(tmp_path: Path) -> None:
    twice = '{"text": "a", "text": "b", "intent": "SHIP", "faq": null, "sentiment": "neutral"}\n'
    changes = changed("policy.yaml", "  发货时限: 48 小时", "  发货时限: 48 小时\n  店铺名称: 大店")
    assert mistakes_of(tmp_path, {**changes, "utterances/train-2.jsonl": twice}) == [
        "policy.yaml:6: field '店铺名称' stands twice in one record; keep one",
        "utterances/train-2.jsonl:1: field 'text' stands twice in one record; keep one",
    ]


# ---- values ----


def test_unknown_priority_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("taxonomy.yaml", "priority: high", "priority: urgent")))
    assert found == "taxonomy.yaml:9: field 'priority' is 'urgent'; use one of: low, medium, high"


def test_unknown_sentiment_is_reported_with_the_known_ones(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("utterances/train-1.jsonl", "angry", "furious")))
    expected = "field 'sentiment' is 'furious'; use one of: positive, neutral, negative, angry"
    assert found == f"utterances/train-1.jsonl:2: {expected}"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("taxonomy.yaml", "code: CANCEL", "code: ' '", "taxonomy.yaml:9: field 'code' is empty; write a text or rem"),
        ("faq-order.yaml", '"催发货"', '""', "faq-order.yaml:7: an item of 'similar' is empty; write a text or remo"),
        ("faq-order.yaml", "{zh: 点取消}", "{zh: ''}", "faq-order.yaml:18: 'zh' in 'answer' is empty; write a text"),
        ("keywords.yaml", "出库", "''", "keywords.yaml:3: an item of 'synonyms' is empty; write a text or remove it"),
    ],
)
def test_empty_text_is_reported_with_its_line(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    assert any(mistake.startswith(expected) for mistake in mistakes_of(tmp_path, changed(name, old, new)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ", "field 'text' is empty; write a text or remove it"),
        ("\u200b", "the text is empty once invisible characters are gone; write a text or remove the line"),
        ("长" * 2001, "text has 2,001 characters after trimming; send at most 2,000"),
    ],
)
def test_text_that_is_no_message_is_a_mistake(tmp_path: Path, text: str, expected: str) -> None:
    found = only(mistakes_of(tmp_path, {"utterances/train-2.jsonl": row(text)}))
    assert found == f"utterances/train-2.jsonl:1: {expected}"


def test_lone_surrogate_in_a_text_is_a_mistake(tmp_path: Path) -> None:
    line = '{"text": "a\\ud800", "intent": "SHIP", "faq": null, "sentiment": "neutral"}\n'
    assert "lone surrogate" in only(mistakes_of(tmp_path, {"utterances/train-2.jsonl": line}))


# ---- variables ----


def test_unknown_variable_is_reported_with_its_line(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("faq-order.yaml", "Within {发货时限}", "Within {发货时间}")))
    assert found == "faq-order.yaml:10: unknown variable '{发货时间}'; correct it or add it to policy.yaml"


def test_variable_of_the_reply_is_unknown_in_an_answer(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("faq-order.yaml", "Within {发货时限}", "Within {称呼}")))
    assert found.startswith("faq-order.yaml:10: unknown variable '{称呼}'")


def test_unknown_variable_in_a_template_is_reported_with_its_line(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("templates.yaml", "{答案}", "{回答}")))
    assert found.startswith("templates.yaml:7: unknown variable '{回答}'")


@pytest.mark.parametrize("text", ["{发货时限", "发货时限}", "{{发货时限}}", "}发{"])
def test_unbalanced_braces_are_reported(tmp_path: Path, text: str) -> None:
    found = only(mistakes_of(tmp_path, changed("faq-order.yaml", "Within {发货时限}", f"Within {text}")))
    assert found == "faq-order.yaml:10: braces are not balanced; write each variable as {名称}"


def test_policy_must_not_define_what_the_reply_fills(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("policy.yaml", "店铺名称: 小店", "店铺名称: 小店\n  答案: 四十二")))
    assert found.startswith("policy.yaml:4: variable '答案' is filled by the reply itself")


def test_variable_under_values_and_context_is_a_mistake(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, {"policy.yaml": POLICY + "  店铺名称: 名称\n"}))
    assert found.startswith("policy.yaml:8: variable '店铺名称' stands under values and context; keep one")


# ---- names that belong together ----


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("taxonomy.yaml", "code: CANCEL", "code: SHIP", "taxonomy.yaml:9: duplicate intent 'SHIP', first in taxonom"),
        ("faq-order.yaml", "id: cancel-how", "id: ship-when", "faq-order.yaml:14: duplicate entry 'ship-when', firs"),
        ("faq-order.yaml", "intent: CANCEL", "intent: UNDO", "faq-order.yaml:15: unknown intent 'UNDO'; correct it"),
        ("faq-order.yaml", "intent: CANCEL", "intent: OUT_OF_SCOPE", "faq-order.yaml:15: an entry cannot answer OUT"),
        ("faq-order.yaml", "[order_no]", "[order]", "faq-order.yaml:11: unknown fact 'order'; correct it or add it"),
        ("keywords.yaml", "[CANCEL, SHIP]", "[CANCEL, X]", "keywords.yaml:4: unknown intent 'X'; correct it or add"),
        ("keywords.yaml", "[CANCEL, SHIP]", "[]", "keywords.yaml:4: keyword '取消' names no intent; add one or remo"),
        ("keywords.yaml", "term: 取消", "term: 出库", "keywords.yaml:4: duplicate keyword '出库', first in keywords"),
        ("keywords.yaml", "term: 取消", "term: 发货呢", "keywords.yaml:4: duplicate keyword '发货呢', first in keyw"),
        ("templates.yaml", "context_of: {order_no", "context_of: {no", "templates.yaml:5: unknown fact 'no'; correc"),
        ("templates.yaml", "order_no: 订单号}", "order_no: 单号}", "templates.yaml:5: unknown context variable '单"),
    ],
)
def test_name_that_is_unknown_or_taken_is_reported_with_its_line(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    found = mistakes_of(tmp_path, changed(name, old, new))
    assert any(mistake.startswith(expected) for mistake in found), found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"faq": "ship-where"}, "unknown entry 'ship-where'; correct it or add it to a faq-*.yaml file"),
        ({"also": ["nope"]}, "unknown entry 'nope'; correct it or add it to a faq-*.yaml file"),
        ({"intent": "SHOP", "faq": None}, "unknown intent 'SHOP'; correct it or add it to taxonomy.yaml"),
        ({"faq": "cancel-how"}, "entry 'cancel-how' belongs to CANCEL, not SHIP; correct one of them"),
        (
            {"intent": "OUT_OF_SCOPE"},
            "OUT_OF_SCOPE cannot have the entry 'ship-when'; write null or correct the intent",
        ),
    ],
)
@pytest.mark.parametrize("name", ["utterances/train-2.jsonl", "utterances/test-2.jsonl"])
def test_wrong_label_is_reported_with_its_line(tmp_path: Path, name: str, fields: dict[str, object], expected: str) -> None:
    assert only(mistakes_of(tmp_path, {name: row("发货") + row("出库", **fields)})) == f"{name}:2: {expected}"


# ---- texts that stand twice ----


def test_text_that_stands_twice_in_training_is_reported(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, {"utterances/train-2.jsonl": row("发货") + row("啥時候發")}))
    first = "utterances/train-1.jsonl:1"
    assert found == f"utterances/train-2.jsonl:2: the text is already in training at {first}; keep one of them"


def test_same_text_with_another_label_is_reported_as_such(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, {"utterances/train-2.jsonl": row("啥时候发", sentiment="angry")}))
    assert found.endswith("the labels differ: decide which is right and keep that one")


@pytest.mark.parametrize("name", ["test-2.jsonl", "multilingual.jsonl"])
def test_text_of_evaluation_that_is_in_training_is_reported(tmp_path: Path, name: str) -> None:
    found = only(mistakes_of(tmp_path, {f"utterances/{name}": row("发货") + row("啥时候发　")}))
    assert found.startswith(f"utterances/{name}:2: the text is also in training at utterances/train-1.jsonl:1; remove")


# ---- all at once ----


def test_all_mistakes_of_all_files_are_reported_at_once_in_order(tmp_path: Path) -> None:
    changes = {
        **changed("taxonomy.yaml", "priority: high", "priority: urgent"),
        **changed("faq-order.yaml", "[order_no]", "[order, size]"),
        **changed("keywords.yaml", "[SHIP]", "[SHOP]"),
        "templates.yaml": TEMPLATES.replace("{候选问题}", "{其他}"),
        "utterances/train-2.jsonl": row("啥时候发") + "{\n" + row("", sentiment="sad"),
    }
    found = [mistake.split(": ")[0] for mistake in mistakes_of(tmp_path, changes)]
    assert found == [
        *["faq-order.yaml:11"] * 2,
        "keywords.yaml:3",
        "taxonomy.yaml:9",
        *[f"templates.yaml:{line}" for line in range(7, 13)],
        "utterances/train-2.jsonl:1",
        "utterances/train-2.jsonl:2",
        *["utterances/train-2.jsonl:3"] * 2,
    ]


def test_knowledge_reports_all_mistakes_too(tmp_path: Path) -> None:
    changes = {"policy.yaml": None, **changed("keywords.yaml", "[SHIP]", "[SHOP]")}
    with pytest.raises(PackError) as caught:
        read_knowledge(write_pack(tmp_path, changes))
    assert [(mistake.file, mistake.line) for mistake in caught.value.mistakes] == [
        ("keywords.yaml", 3),
        ("policy.yaml", 1),
    ]
