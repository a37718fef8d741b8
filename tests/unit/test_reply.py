"""The written reply: five parts, filled from policy and context, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes_core import tiny_knowledge
from yingda.domain.decision import LanguageGuess, Outcome, Reply, ReplyParts
from yingda.domain.knowledge import FaqEntry, Knowledge, Policy
from yingda.domain.message import Customer, Message
from yingda.pack import read_knowledge
from yingda.reply.compose import ReplyRequest, compose
from yingda.reply.language import reply_language
from yingda.reply.needs import missing_facts
from yingda.reply.variables import address, fill, fill_closed, surname_of, variables_of

OFFER = "想找真人客服，回复“人工”就行。"
RETAIL = Path(__file__).parents[2] / "data" / "packs" / "retail"


def write(
    entry: FaqEntry | str = "ship-when",
    *,
    language: str = "zh",
    outcome: Outcome = Outcome.ANSWERED,
    message: Message | None = None,
    missing: tuple[str, ...] = (),
    knowledge: Knowledge | None = None,
) -> Reply:
    """A reply of the tiny shop."""
    shop = knowledge or tiny_knowledge()
    sent = shop.faq[entry] if isinstance(entry, str) else entry
    offered = tuple(shop.faq[name] for name in ("ship-when", "cancel-how") if name in shop.faq)
    answered = sent if outcome is Outcome.ANSWERED else None
    request = ReplyRequest(message or Message("…"), language, outcome, shop.taxonomy.intents[sent.intent], answered, offered, missing)
    return compose(request, shop)


def with_answer(answer: str) -> FaqEntry:
    return replace(tiny_knowledge().faq["ship-when"], answer={"zh": answer, "en": answer})


# ---- five parts ----


def test_a_reply_has_five_parts_one_a_line() -> None:
    reply = write(missing=("order_no",))

    assert reply.parts == ReplyParts("您好，这里是小店。", "关于发货时间：", "48 小时内发出。", f"订单号\n{OFFER}", "祝您愉快。")
    assert reply.text == f"您好，这里是小店。\n关于发货时间：\n48 小时内发出。\n订单号\n{OFFER}\n祝您愉快。"


def test_empty_parts_are_left_out_of_the_text() -> None:
    reply = write(outcome=Outcome.HANDOFF)

    assert reply.parts.next == ""
    assert reply.text.count("\n") == 3


def test_an_offer_of_a_person_that_goes_with_an_empty_list_is_made_anyway() -> None:
    shop = tiny_knowledge()
    text = {"zh": "{候选问题}，都不是的话回复“人工”。", "en": "{候选问题}, or reply “agent”."}
    outcomes = {**shop.templates.outcomes, "no_answer": replace(shop.templates.outcomes["no_answer"], next=text)}
    shop = replace(shop, templates=replace(shop.templates, outcomes=outcomes))
    request = ReplyRequest(Message("…"), "zh", Outcome.NO_ANSWER, next(iter(shop.taxonomy.intents.values())), None, (), ())

    assert compose(request, shop).parts.next == OFFER


def test_a_reply_names_its_template_version() -> None:
    reply = write()

    assert (reply.template_id, reply.template_version, reply.language) == ("tiny", "2.0", "zh")


def test_small_talk_is_a_short_word_back() -> None:
    assert write("hello").text == f"在的。\n{OFFER}"


@pytest.mark.parametrize(
    ("outcome", "solution"),
    [(Outcome.HANDOFF, "human"), (Outcome.NO_ANSWER, "unknown"), (Outcome.CLARIFY, "1. 什么时候发\n2. 怎么取消")],
)
def test_each_outcome_has_its_own_template(outcome: Outcome, solution: str) -> None:
    assert write(outcome=outcome).parts.solution == solution


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_reply_of_the_retail_pack_leaves_a_variable_open(outcome: Outcome, language: str) -> None:
    retail = read_knowledge(RETAIL)
    known = dict.fromkeys(retail.policy.context, "…")
    offered = tuple(list(retail.faq.values())[:3])
    for entry in retail.faq.values():
        sent = entry if outcome is Outcome.ANSWERED else None
        message = Message("…", context=known)
        request = ReplyRequest(message, language, outcome, retail.taxonomy.intents[entry.intent], sent, offered, entry.ask)
        assert variables_of(compose(request, retail).text) == ()


# ---- language ----


@pytest.mark.parametrize(("code", "written"), [("zh", "zh"), ("und", "zh"), ("en", "en"), ("ja", "en"), ("ar", "en"), ("fr", "en")])
def test_customers_of_other_languages_are_answered_in_english(code: str, written: str) -> None:
    assert reply_language(LanguageGuess(code, 0.9)) == written


def test_a_mere_guess_of_the_language_is_answered_in_chinese() -> None:
    assert reply_language(LanguageGuess("en", 0.1)) == "zh"


def test_an_english_reply_is_english_throughout() -> None:
    customer = Customer("1", name="王小明", gender="male")

    assert write("hello", language="en").text == "Hi.\nReply “agent” to reach a person."
    assert write(language="en", message=Message("…", customer=customer)).parts.confirm == "About dispatch time:"


def test_an_entry_written_in_chinese_alone_still_answers_an_english_message() -> None:
    entry = replace(tiny_knowledge().faq["ship-when"], question={"zh": "什么时候发"}, answer={"zh": "今天。"})

    assert write(entry, language="en").parts.solution == "今天。"


def test_an_entry_written_in_chinese_alone_can_be_offered_to_an_english_message() -> None:
    shop = tiny_knowledge()
    entry = replace(shop.faq["ship-when"], question={"zh": "什么时候发"})
    chinese = replace(shop, faq={**shop.faq, "ship-when": entry})

    assert "什么时候发" in write(language="en", outcome=Outcome.CLARIFY, knowledge=chinese).parts.solution


# ---- variables ----


def test_variables_come_from_the_policy_and_the_context() -> None:
    reply = write(with_answer("订单{订单号}在{发货时限}内发出"), message=Message("…", context={"订单号": "A1"}))

    assert reply.parts.solution == "订单A1在48 小时内发出"


def test_a_changed_policy_changes_the_reply() -> None:
    shop = tiny_knowledge()
    faster = replace(shop, policy=Policy({**shop.policy.values, "发货时限": "24 小时"}, shop.policy.context))

    assert write(knowledge=faster).parts.solution == "24 小时内发出。"


def test_a_value_reads_in_the_replys_language_where_the_policy_translates_it() -> None:
    shop = tiny_knowledge()
    policy = replace(shop.policy, translations={"en": {"发货时限": "48 hours"}})
    bilingual = replace(shop, policy=policy)

    assert write(language="en", knowledge=bilingual).parts.solution == "Within 48 hours."
    assert write(language="zh", knowledge=bilingual).parts.solution == "48 小时内发出。"


def test_a_request_cannot_overwrite_what_the_shop_promises() -> None:
    message = Message("…", context={"发货时限": "1 分钟", "店铺名称": "骗子店", "答案": "免费", "称呼": "亲"})

    reply = write(message=message)

    assert reply.text == write().text


@given(st.dictionaries(st.sampled_from(["发货时限", "店铺名称", "答案", "称呼", "问题类型", "候选问题", "所需信息", "别的"]), st.text()))
def test_whatever_a_request_carries_promises_stay(context: dict[str, str]) -> None:
    assert write(message=Message("…", context=context)).text == write().text


def test_values_are_never_filled_again() -> None:
    assert fill("订单{订单号}", {"订单号": "{店铺名称}", "店铺名称": "小店"}) == "订单{店铺名称}"


@pytest.mark.parametrize(
    "value", ["{店铺名称}{答案}", "A}", "  ", "A\u202e1", "A\u200b1", "A\x001", "9" * 201, "<script>alert(1)</script>", "javascript:x"]
)
def test_a_context_value_that_cannot_be_shown_is_asked_for(value: str) -> None:
    reply = write(with_answer("订单{订单号}"), message=Message("…", context={"订单号": value}))

    assert reply.parts.solution == "请提供订单号，收到后马上帮您核对。"
    assert reply.missing == ("order_no",)


def test_blanks_inside_a_context_value_become_one() -> None:
    assert write(with_answer("订单{订单号}"), message=Message("…", context={"订单号": " A1 \t B2 "})).parts.solution == "订单A1 B2"


@pytest.mark.parametrize(
    "attempt", ["{__class__}", "{0.__class__}", "{称呼.__class__}", "{称呼!r}", "{{7*7}}", "%(称呼)s", "${称呼x}", "{}"]
)
def test_nothing_in_a_template_executes(attempt: str) -> None:
    assert fill(attempt, {"称呼": "您"}) == attempt


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_filling_never_fails(template: str, values: dict[str, str]) -> None:
    assert isinstance(fill(template, values), str)


@given(st.text(st.characters(exclude_characters="{}")))
def test_a_text_without_variables_is_unchanged(text: str) -> None:
    assert fill(text, {"a": "b"}) == text


def test_variables_are_listed_in_order_and_once() -> None:
    assert variables_of("{乙}和{甲}和{乙}") == ("乙", "甲")


# ---- the customer ----


@pytest.mark.parametrize(
    ("name", "surname"),
    [
        ("王小明", "王"),
        ("欧阳娜娜", "欧阳"),
        ("司马光", "司马"),
        ("诸葛亮", "诸葛"),
        ("上官婉儿", "上官"),
        ("  李雷 ", "李"),
        ("Wang", "Wang"),
        ("Anna Smith", "Smith"),
        ("John F. Kennedy", "Kennedy"),
        ("Wang Xiaoming", "Wang"),
        ("Xiaoming Wang", "Wang"),
        ("WANG Xiao Ming", "WANG"),
        ("Ouyang Xiu", "Ouyang"),
        ("Anna Li", "Li"),
        ("Li Wei", ""),
        ("Xiaoming Ming", ""),
        ("Xiaoming", ""),
        ("", ""),
        ("13812345678", ""),
        ("😀", ""),
        ("{店铺名称}", ""),
        ("王" * 30, ""),
    ],
)
def test_a_surname_is_taken_from_a_name(name: str, surname: str) -> None:
    assert surname_of(name) == surname


@pytest.mark.parametrize(
    ("name", "gender", "language", "expected"),
    [
        ("王小红", "female", "zh", "王女士"),
        ("王小明", "男", "zh", "王先生"),
        ("欧阳娜娜", "F", "zh", "欧阳女士"),
        ("王小明", None, "zh", "您"),
        (None, "male", "zh", "您"),
        ("王小明", "other", "zh", "您"),
        ("Anna Smith", "female", "en", "Ms. Smith"),
        ("Wang Xiaoming", "female", "zh", "Wang女士"),
        ("Wang Xiaoming", "female", "en", "Ms. Wang"),
        ("Li Wei", "female", "zh", "您"),
        ("Li Wei", "female", "en", ""),
        (None, None, "en", ""),
    ],
)
def test_a_customer_is_addressed_by_surname_and_title(name: str | None, gender: str | None, language: str, expected: str) -> None:
    assert address(name, gender, language=language) == expected


def test_the_given_name_never_shows_in_a_reply() -> None:
    reply = write(message=Message("…", customer=Customer("1", name="王小明", gender="male")))

    assert reply.parts.greeting == "王先生好，这里是小店。"
    assert "小明" not in reply.text


@pytest.mark.parametrize(
    ("template", "value", "filled"),
    [
        ("服务时间是 {v}。", "每天 9:00–22:00", "服务时间是每天 9:00–22:00。"),
        ("满 {v} 的订单", "99 元", "满 99 元的订单"),
        ("由 {v} 送", "顺丰", "由顺丰送"),
        ("由 {v} 送", "SF Express", "由 SF Express 送"),
        ("订单 {v} 已发出", "DD1", "订单 DD1 已发出"),
        ("by {v} soon", "顺丰", "by 顺丰 soon"),
        ("由  {v}  送", "顺丰", "由  顺丰  送"),
        ("由 {w} 送", "顺丰", "由 {w} 送"),
        ("由 {v} 送", "", "由  送"),
    ],
)
def test_no_blank_stands_between_chinese_and_a_chinese_value(template: str, value: str, filled: str) -> None:
    assert fill_closed(template, {"v": value}) == filled


# ---- missing facts ----


def missing(*, context: dict[str, str], found: set[str], ask: tuple[str, ...] = ("order_no", "photo")) -> tuple[str, ...]:
    entry = replace(tiny_knowledge().faq["ship-when"], ask=ask)
    return missing_facts(entry, tiny_knowledge(), Message("…", context=context), found)


def test_facts_that_nobody_gave_are_missing_in_the_entrys_order() -> None:
    assert missing(context={}, found=set()) == ("order_no", "photo")
    assert missing(context={}, found=set(), ask=("photo", "order_no")) == ("photo", "order_no")


def test_a_fact_in_the_context_is_not_missing() -> None:
    assert missing(context={"订单号": "A1"}, found=set()) == ("photo",)


def test_a_blank_fact_in_the_context_is_missing() -> None:
    assert missing(context={"订单号": "  "}, found=set()) == ("order_no", "photo")


def test_a_fact_in_the_message_is_not_missing() -> None:
    assert missing(context={}, found={"order_no"}) == ("photo",)


def test_missing_facts_are_named_in_the_replys_language() -> None:
    assert write(missing=("order_no", "photo")).parts.next.splitlines()[0] == "订单号、照片"
    assert write(missing=("order_no", "photo"), language="en").parts.next.splitlines()[0] == "order number, photo"


def test_a_variable_that_nobody_gave_is_asked_for_by_the_name_of_its_fact() -> None:
    chinese = write(with_answer("订单{订单号}"))
    english = write(with_answer("Order {订单号}"), language="en")

    assert (chinese.parts.solution, chinese.missing) == ("请提供订单号，收到后马上帮您核对。", ("order_no",))
    assert english.parts.solution == "Please send us: order number. We will check as soon as we have it."


def test_a_part_that_lacks_a_variable_is_left_out_and_the_fact_asked_for() -> None:
    shop = tiny_knowledge()
    handoff = replace(shop.templates.outcomes["handoff"], solution={"zh": "订单{订单号}已转交", "en": ""})
    asking = replace(shop, templates=replace(shop.templates, outcomes={**shop.templates.outcomes, "handoff": handoff}))
    reply = write(outcome=Outcome.HANDOFF, knowledge=asking)
    given = write(outcome=Outcome.HANDOFF, knowledge=asking, message=Message("…", context={"订单号": "A1"}))

    assert (reply.parts.solution, reply.parts.next) == ("", "请提供订单号，收到后马上帮您核对。")
    assert (given.parts.solution, given.missing) == ("订单A1已转交", ())


def test_facts_of_the_entry_and_of_its_variables_are_missing_together_and_once() -> None:
    assert write(with_answer("订单{订单号}"), missing=("photo", "order_no")).missing == ("photo", "order_no")
