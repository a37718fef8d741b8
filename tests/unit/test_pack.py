"""Packs: what is read, and that every mistake is reported with its file, line and remedy."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from yingda.domain.errors import PackError
from yingda.domain.knowledge import Priority, Sentiment
from yingda.pack import knowledge_files, read_knowledge, read_pack

RETAIL = Path(__file__).parents[2] / "data" / "packs" / "retail"

TAXONOMY = """\
version: 1
language: zh
categories:
  - code: ORDER
    zh: 订单
    en: Order
    intents:
      - {code: SHIP, zh: 发货, en: dispatch, kind: consult, priority: medium, skill: order, is: "何时发", not: "到哪了"}
      - {code: CANCEL, zh: 取消, kind: consult, priority: high, skill: order, is: 不要了, not: 退货, answerable: false}
      - {code: OUT_OF_SCOPE, zh: 超出范围, kind: none, priority: low, skill: order, is: "闲聊", not: "业务"}
"""
POLICY = """\
version: 1
values:
  店铺名称: 小店
  客服时间: 9:00
  发货时限: 48 小时
context:
  订单号: 客户的订单编号
"""
FAQ = """\
- id: ship-when
  intent: SHIP
  question:
    zh: "什么时候发货"
    en: "When do you ship?"
  similar:
    zh: ["多久发", "催发货"]
  answer:
    zh: "{发货时限}内发出，订单 {订单号}。"
    en: "Within {发货时限}."
  ask: [order_no]
  needs_human: true

- id: cancel-how
  intent: CANCEL
  question: {zh: 怎么取消}
  similar: {zh: []}
  answer: {zh: 点取消}
"""
KEYWORDS = """\
version: 1
keywords:
  - {term: 发货, synonyms: [出库, 发貨呢], intents: [SHIP]}
  - {term: 取消, intents: [CANCEL, SHIP]}
"""
_PART = '{greeting: &, confirm: &, solution: {zh: "{答案}{所需信息}", en: "{候选问题}{称呼}"}, next: &, closing: &}'
TEMPLATES = """\
id: default
version: "1.0"
facts:
  order_no: {zh: 订单号, en: order number}
context_of: {order_no: 订单号}
outcomes:
""" + "".join(
    f"  {name}: {_PART.replace('&', '''{zh: '', en: ''}''')}\n"
    for name in (
        "answered",
        "answered_missing",
        "smalltalk",
        "clarify",
        "handoff",
        "no_answer",
    )
)
TRAIN = """\
{"text": "啥时候发", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral"}
{"text": "不要了 怎么还没发", "intent": "CANCEL", "faq": "cancel-how", "also": ["ship-when"], "sentiment": "angry"}
{"text": "今天下雨", "intent": "OUT_OF_SCOPE", "faq": null, "sentiment": "neutral"}
"""
TEST = '{"text": "几时出库", "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral", "style": "plain"}\n'

FILES: Mapping[str, str] = {
    "taxonomy.yaml": TAXONOMY,
    "policy.yaml": POLICY,
    "faq-order.yaml": FAQ,
    "keywords.yaml": KEYWORDS,
    "templates.yaml": TEMPLATES,
    "utterances/train-1.jsonl": TRAIN,
    "utterances/test-1.jsonl": TEST,
}


def write_pack(root: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """A small pack without mistakes; ``changes`` replaces or adds files, None leaves one out."""
    for name, content in {**FILES, **(changes or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def changed(name: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[name]
    return {name: FILES[name].replace(old, new, 1)}


def mistakes_of(root: Path, changes: Mapping[str, str | bytes | None]) -> list[str]:
    """Every mistake of the changed pack as ``file:line: detail``."""
    with pytest.raises(PackError) as caught:
        read_pack(write_pack(root, changes))
    return [str(mistake) for mistake in caught.value.mistakes]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def row(text: str, /, **changes: object) -> str:
    fields = {"text": text, "intent": "SHIP", "faq": "ship-when", "sentiment": "neutral", **changes}
    return json.dumps(fields, ensure_ascii=False) + "\n"


# ---- what is read ----


def test_taxonomy_is_read_in_file_order(tmp_path: Path) -> None:
    taxonomy = read_knowledge(write_pack(tmp_path)).taxonomy
    assert list(taxonomy.intents) == ["SHIP", "CANCEL", "OUT_OF_SCOPE"]
    assert taxonomy.intents["SHIP"].names == {"zh": "发货", "en": "dispatch"}
    assert taxonomy.intents["CANCEL"].name("en") == "取消"
    assert taxonomy.intents["CANCEL"].priority is Priority.HIGH
    assert not taxonomy.intents["CANCEL"].answerable
    assert taxonomy.intents["CANCEL"].category == taxonomy.categories[0].code == "ORDER"


def test_entries_are_read_with_all_their_wordings(tmp_path: Path) -> None:
    entry = read_knowledge(write_pack(tmp_path)).faq["ship-when"]
    assert entry.texts() == ("什么时候发货", "When do you ship?", "多久发", "催发货")
    assert entry.ask == ("order_no",)
    assert entry.needs_human


def test_policy_values_stay_as_they_are_written(tmp_path: Path) -> None:
    changes = changed("policy.yaml", "发货时限: 48 小时", "发货时限: 048\n  打折: yes")
    policy = read_knowledge(write_pack(tmp_path, changes)).policy
    assert policy.values == {"店铺名称": "小店", "客服时间": "9:00", "发货时限": "048", "打折": "yes"}
    assert policy.context == {"订单号": "客户的订单编号"}


def test_templates_and_keywords_are_read(tmp_path: Path) -> None:
    knowledge = read_knowledge(write_pack(tmp_path))
    assert knowledge.templates.version == "1.0"
    assert knowledge.templates.facts["order_no"]["en"] == "order number"
    assert knowledge.templates.context_of == {"order_no": "订单号"}
    assert knowledge.templates.outcomes["handoff"].greeting == {"zh": "", "en": ""}
    assert [keyword.term for keyword in knowledge.keywords] == ["发货", "取消"]
    assert knowledge.keywords[1].intents == ("CANCEL", "SHIP")


def test_utterances_are_read_and_also_may_name_another_intent(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    second = pack.training["train-1.jsonl"][1]
    assert (second.intent, second.faq, second.also, second.sentiment) == (
        "CANCEL",
        "cancel-how",
        ("ship-when",),
        Sentiment.ANGRY,
    )
    assert pack.evaluation["test-1.jsonl"][0].style == "plain"


def test_training_files_are_in_order_of_their_number(tmp_path: Path) -> None:
    more = {f"utterances/train-{number}.jsonl": row(f"第{number}个包裹") for number in (10, 2)}
    pack = read_pack(write_pack(tmp_path, {**more, "utterances/multilingual.jsonl": row("ship it", lang="en")}))
    assert list(pack.training) == ["train-1.jsonl", "train-2.jsonl", "train-10.jsonl"]
    assert list(pack.evaluation) == ["test-1.jsonl", "multilingual.jsonl"]
    assert pack.evaluation["multilingual.jsonl"][0].language == "en"


def test_a_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path, {"utterances/train-2.jsonl": row("第一段\u2028第二段") + "\n"}))
    assert pack.training["train-2.jsonl"][0].text == "第一段\u2028第二段"


def test_a_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    changes = {name: b"\xef\xbb\xbf" + text.encode() for name, text in FILES.items()}
    assert list(read_pack(write_pack(tmp_path, changes)).training) == ["train-1.jsonl"]


def test_maps_are_read_only(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    templates = pack.knowledge.templates
    answered = templates.outcomes["answered"]
    maps: list[object] = [pack.training, pack.evaluation, pack.knowledge.faq, pack.knowledge.taxonomy.intents]
    maps += [pack.knowledge.policy.values, templates.facts, templates.facts["order_no"], answered.greeting]
    for mapping in maps:
        with pytest.raises(TypeError):
            mapping["x"] = "y"  # type: ignore[index]


def test_knowledge_needs_only_the_yaml_files_it_names(tmp_path: Path) -> None:
    source, copy = write_pack(tmp_path / "source"), tmp_path / "copy"
    copy.mkdir()
    for path in knowledge_files(source):
        (copy / path.name).write_bytes(path.read_bytes())
    assert [path.name for path in knowledge_files(source)] == sorted(name for name in FILES if "/" not in name)
    assert read_knowledge(copy) == read_knowledge(source)


def test_digest_is_over_names_and_bytes(tmp_path: Path) -> None:
    expected = sha256()
    for path in knowledge_files(write_pack(tmp_path)):
        expected.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    assert read_knowledge(tmp_path).digest == expected.hexdigest()


def test_digest_changes_with_a_byte_or_a_name(tmp_path: Path) -> None:
    same = read_knowledge(write_pack(tmp_path / "a")).digest
    byte = read_knowledge(write_pack(tmp_path / "b", {"policy.yaml": POLICY + "\n"})).digest
    name = read_knowledge(write_pack(tmp_path / "c", {"faq-order.yaml": None, "faq-shop.yaml": FAQ})).digest
    other = read_knowledge(write_pack(tmp_path / "d", {"utterances/train-1.jsonl": "x"})).digest
    assert len({same, byte, name}) == 3
    assert other == same


# ---- files that cannot be read ----


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"nowhere:1: there is no such folder; name a pack"):
        read_pack(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["taxonomy.yaml", "policy.yaml", "keywords.yaml", "templates.yaml"])
def test_missing_file_is_the_only_mistake_reported(tmp_path: Path, name: str) -> None:
    assert only(mistakes_of(tmp_path, {name: None})).startswith(f"{name}:1: the file is missing")


def test_pack_without_faq_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, {"faq-order.yaml": None})
    assert only(found) == "faq-*.yaml:1: the pack has no FAQ file; write at least one"


def test_folder_in_place_of_a_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "faq-more.yaml").mkdir()
    assert only(mistakes_of(tmp_path, {})).startswith("faq-more.yaml:1: the file cannot be read (Is a directory)")


def test_empty_file_is_a_mistake(tmp_path: Path) -> None:
    assert only(mistakes_of(tmp_path, {"policy.yaml": "# nothing\n"})).startswith("policy.yaml:1: the file is empty")


@pytest.mark.parametrize("name", ["policy.yaml", "utterances/train-1.jsonl"])
def test_line_that_is_not_utf8_is_reported(tmp_path: Path, name: str) -> None:
    lines = FILES[name].encode().split(b"\n")
    broken = b"\n".join([*lines[:2], "坏".encode("gbk"), *lines[2:]])
    assert only(mistakes_of(tmp_path, {name: broken})).startswith(f"{name}:3: the line is not UTF-8; save the file")


def test_bad_yaml_is_reported_with_the_line_of_the_parser(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("policy.yaml", "  店铺名称: 小店", '  店铺名称: "小店" x')))
    assert found.startswith("policy.yaml:3: not valid YAML (")


def test_second_yaml_document_is_a_mistake(tmp_path: Path) -> None:
    assert "not valid YAML" in only(mistakes_of(tmp_path, {"policy.yaml": POLICY + "---\na: 1\n"}))


def test_control_character_in_yaml_is_reported_with_its_line(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, changed("policy.yaml", "小店", "小\x07店")))
    assert found == "policy.yaml:3: the line holds a control character; remove it"


def test_aliases_are_refused_one_by_one(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc:\n  - *b\n"
    assert mistakes_of(tmp_path, {"keywords.yaml": bomb}) == [
        "keywords.yaml:2: alias '*a' is not allowed; write the value out",
        "keywords.yaml:4: alias '*b' is not allowed; write the value out",
    ]


@pytest.mark.parametrize("name", ["keywords.yaml", "utterances/train-1.jsonl"])
def test_deep_nesting_is_refused(tmp_path: Path, name: str) -> None:
    assert "nested deeper than 12 levels; flatten it" in only(mistakes_of(tmp_path, {name: "[" * 100_000}))


def test_bad_json_line_is_reported_and_the_others_are_still_checked(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, {"utterances/train-2.jsonl": "\n{oops\n" + row("发", intent="NOPE")})
    assert found[0].startswith("utterances/train-2.jsonl:2: not valid JSON (")
    assert found[1].startswith("utterances/train-2.jsonl:3: unknown intent 'NOPE'")
    assert len(found) == 2


def test_number_with_too_many_digits_is_a_mistake(tmp_path: Path) -> None:
    line = row("发货").replace('"发货"', "9" * 5000)
    changes = {"utterances/train-2.jsonl": line, "policy.yaml": POLICY.replace("1", "9" * 5000, 1)}
    assert mistakes_of(tmp_path, changes) == [
        f"policy.yaml:1: field 'version' is {'9' * 5000}; write a whole number such as 1",
        "utterances/train-2.jsonl:1: a number has too many digits; shorten it or put it in quotes",
    ]


def test_broken_faq_file_does_not_make_every_utterance_a_mistake(tmp_path: Path) -> None:
    assert only(mistakes_of(tmp_path, {"faq-more.yaml": "- id: 'x"})).startswith("faq-more.yaml:1: not valid YAML")


def test_unreadable_policy_and_taxonomy_do_not_hide_or_multiply_mistakes(tmp_path: Path) -> None:
    changes = {"policy.yaml": None, "taxonomy.yaml": None, **changed("faq-order.yaml", "[order_no]", "[order]")}
    assert [mistake.split(": ")[0] for mistake in mistakes_of(tmp_path, changes)] == [
        "faq-order.yaml:11",
        "policy.yaml:1",
        "taxonomy.yaml:1",
    ]


def test_taxonomy_without_intents_is_one_mistake(tmp_path: Path) -> None:
    found = only(mistakes_of(tmp_path, {"taxonomy.yaml": "version: 1\nlanguage: zh\ncategories: []\n"}))
    assert found == "taxonomy.yaml:1: the taxonomy has no intent; write at least one"


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
        "templates.yaml": TEMPLATES.replace("{答案}", "{回答}"),
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


# ---- the pack that ships ----


def test_retail_pack_is_read_without_a_mistake_in_seconds() -> None:
    start = time.perf_counter()
    pack = read_pack(RETAIL)
    elapsed_s = time.perf_counter() - start
    assert len(pack.training) == 18
    assert elapsed_s < 10  # takes 1 s; the bound only catches growth with the square of the rows


def test_every_intent_of_the_retail_pack_has_a_keyword() -> None:
    knowledge = read_knowledge(RETAIL)
    named = {intent for keyword in knowledge.keywords for intent in keyword.intents}
    assert named == set(knowledge.taxonomy.intents)


def test_every_automatic_reply_of_the_retail_pack_offers_a_person() -> None:
    for name, template in read_knowledge(RETAIL).templates.outcomes.items():
        parts = (template.greeting, template.confirm, template.solution, template.next, template.closing)
        chinese, english = ("\n".join(part[language] for part in parts) for language in ("zh", "en"))
        assert "人工" in chinese, name
        assert "agent" in english, name


def test_policy_values_read_differently_in_other_languages(tmp_path: Path) -> None:
    policy = read_knowledge(write_pack(tmp_path, {"policy.yaml": POLICY + "translations:\n  en: {发货时限: 48 hours}\n"})).policy
    assert policy.values_in("en")["发货时限"] == "48 hours"
    assert policy.values_in("en")["店铺名称"] == "小店"
    assert policy.values_in("zh")["发货时限"] == "48 小时"


def test_a_translated_value_that_does_not_exist_is_reported_with_its_line(tmp_path: Path) -> None:
    changes = {"policy.yaml": POLICY + "translations:\n  en:\n    发货时间: 48 hours\n"}
    assert only(mistakes_of(tmp_path, changes)).startswith("policy.yaml:10: '发货时间'")
