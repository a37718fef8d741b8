"""Packs: what is read, files that cannot be read, and the pack that ships."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.pack_kit import FAQ, FILES, POLICY, RETAIL, changed, mistakes_of, only, row, write_pack
from yingda.domain.errors import PackError
from yingda.domain.knowledge import Priority, Sentiment
from yingda.pack import copy_knowledge, knowledge_files, read_knowledge, read_pack

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
    copy_knowledge(source, copy)
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


# ---- the pack that ships ----


def test_retail_pack_is_read_without_a_mistake() -> None:
    pack = read_pack(RETAIL)
    files = {path.name for path in (RETAIL / "utterances").glob("train-*.jsonl")}
    assert files and set(pack.training) == files


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
