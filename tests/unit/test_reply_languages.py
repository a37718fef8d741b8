"""A reply in the customer's own language, as far as the entry has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.present import answer_out
from tests.fakes_core import tiny_engine, tiny_knowledge
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Answer, LanguageGuess, Outcome
from yingda.domain.knowledge import FaqEntry, Knowledge
from yingda.domain.message import Channel, Customer, Message
from yingda.engine import Engine
from yingda.reply.compose import ReplyRequest, compose
from yingda.reply.language import customers_language, frame_of, in_language, written_languages
from yingda.reply.script import script_of
from yingda.reply.sms import segments
from yingda.reply.speech import speakable, speakable_with
from yingda.reply.writer import ReplyWriter

ANSWERS: Mapping[str, str] = {
    "ja": "ご注文から{发货时限}以内に発送します。",
    "ko": "주문 후 {发货时限} 이내에 발송됩니다.",
    "fr": "Votre colis part sous {发货时限}.",
    "zh-Hant": "下單後{发货时限}內出貨。",
}
QUESTIONS: Mapping[str, str] = {
    "ja": "いつ発送されますか",
    "ko": "언제 발송되나요",
    "fr": "Quand partira mon colis ?",
    "zh-Hant": "什麼時候出貨",
}
HOURS: Mapping[str, str] = {"en": "48 hours", "ja": "48時間", "ko": "48시간", "fr": "48 heures", "zh-Hant": "48 小時"}
FILLED = {code: text.replace("{发货时限}", HOURS[code]) for code, text in ANSWERS.items()}
ASKED: Mapping[str, Message] = {
    "ja": Message("いつ发送されますか"),
    "ko": Message("언제 发 배송되나요"),
    "fr": Message("发", language="fr-CA"),
    "zh-Hant": Message("什麼時候發"),
}


@cache
def shop() -> Knowledge:
    """The tiny shop, whose first entry is written in four more languages."""
    tiny = tiny_knowledge()
    entry = tiny.faq["ship-when"]
    entry = replace(entry, question={**entry.question, **QUESTIONS}, answer={**entry.answer, **ANSWERS})
    policy = replace(tiny.policy, translations={code: {"发货时限": hours} for code, hours in HOURS.items()})
    return replace(tiny, faq={**tiny.faq, "ship-when": entry}, policy=policy)


@cache
def engine() -> Engine:
    return tiny_engine(shop())


def told(message: Message, state: ConversationState = NEW) -> Answer:
    return engine().answer_many([message], [state])[0]


def write(
    language: str, *, outcome: Outcome = Outcome.ANSWERED, channel: Channel = Channel.WEB, entry: FaqEntry | None = None, **of: object
) -> ReplyRequest:
    sent = entry or shop().faq["ship-when"]
    offered = (sent, shop().faq["cancel-how"])
    intent, answered = shop().taxonomy.intents[sent.intent], sent if outcome is Outcome.ANSWERED else None
    message = Message("…", channel=channel, **of)  # type: ignore[arg-type]
    return ReplyRequest(message, frame_of(language), outcome, intent, answered, offered, (), entry_language=language)


# ---- which language ----


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        *(("ja", "x", "ja"), ("ja-JP", "x", "ja"), ("JA", "x", "ja"), ("fr_CA", "x", "fr"), ("ko-Kore-KR", "x", "ko")),
        *(("zh-Hant", "x", "zh-Hant"), ("zh-TW", "x", "zh-Hant"), ("zh-hant-hk", "x", "zh-Hant"), ("zh_MO", "x", "zh-Hant")),
        *(("zh", "退款", "zh"), ("zh-CN", "什麼時候發貨", "zh"), ("zh-Hans", "什麼時候發貨", "zh"), ("zh", "什麼時候發貨", "zh-Hant")),
        *(("en", "x", "en"), ("en-GB", "x", "en"), ("de", "x", "en"), ("yue-Hant-HK", "x", "en"), ("und", "x", "zh")),
    ],
)
def test_a_tag_is_looked_up_from_its_most_special_form_to_its_plainest(tag: str, text: str, expected: str) -> None:
    guess = LanguageGuess(tag.replace("_", "-").split("-")[0].lower(), 1.0)

    assert customers_language(Message(text, language=tag), guess, written_languages(shop())) == expected


@pytest.mark.parametrize(
    ("code", "confidence", "expected"), [("fr", 0.83, "fr"), ("fr", 0.69, "en"), ("ja", 1.0, "ja"), ("fr", 0.29, "zh")]
)
def test_a_detected_language_is_used_where_it_is_beyond_doubt(code: str, confidence: float, expected: str) -> None:
    assert customers_language(Message("x"), LanguageGuess(code, confidence), written_languages(shop())) == expected


@pytest.mark.parametrize("code", ["zh", "en", "ja", "ko", "fr", "und"])
def test_a_shop_that_writes_chinese_and_english_answers_in_these(code: str) -> None:
    tiny = written_languages(tiny_knowledge())

    assert tiny == frozenset()
    assert customers_language(Message("什麼時候發貨"), LanguageGuess(code, 1.0), tiny) == ("zh" if code in ("zh", "und") else "en")


@pytest.mark.parametrize(
    ("text", "script"),
    [
        *(("什麼時候發貨", "Hant"), ("我想查一下台灣的訂單", "Hant"), ("請問後台怎麼登入", "Hant")),
        *(("什么时候发货", "Hans"), ("麻烦尽快", "Hans"), ("后台里面只有这个", "Hans")),
        *(("退款", ""), ("多久到", ""), ("hello", ""), ("", ""), ("いつですか", "")),
    ],
)
def test_the_script_of_chinese_is_read_off_characters_that_only_one_has(text: str, script: str) -> None:
    assert script_of(text) == script


@pytest.mark.parametrize(("language", "text"), [("ja", "二"), ("fr", "deux"), ("en", "two"), ("zh-Hant", "壹"), ("zh", "壹")])
def test_the_text_in_the_language_stands_before_that_of_the_frame(language: str, text: str) -> None:
    assert in_language({"zh": "壹", "en": "two", "ja": "二", "fr": "deux"}, language) == text


def test_an_entry_in_chinese_alone_answers_everybody() -> None:
    assert {in_language({"zh": "壹"}, language) for language in ("zh", "en", "ja", "zh-Hant")} == {"壹"}


# ---- what the customer reads ----


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_the_answer_is_in_the_customers_language_and_the_frame_as_before(language: str) -> None:
    answer = told(ASKED[language])
    plain = tiny_engine().answer(ASKED[language])

    assert answer.reply.parts.solution == FILLED[language]
    assert answer.reply.language == plain.reply.language == frame_of(language)
    assert replace(answer.reply.parts, solution="") == replace(plain.reply.parts, solution="")
    assert answer.state.language == language
    assert answer_out(answer, knowledge=shop(), model=engine().identity, answer_id="1")["faq"]["question"] == QUESTIONS[language]


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_questions_offered_are_in_the_customers_language_where_they_have_it(language: str) -> None:
    reply = compose(write(language, outcome=Outcome.CLARIFY), shop())

    other = "怎么取消" if language == "zh-Hant" else "How do I cancel"
    assert reply.parts.solution == f"1. {QUESTIONS[language]}\n2. {other}"


@pytest.mark.parametrize("text", ["什么时候发货", "when do you ship 发", "怎么消", "发还是消", "转人工", "你好", "股", "ok"])
@pytest.mark.parametrize("channel", list(Channel))
def test_nothing_changes_for_chinese_and_english(text: str, channel: Channel) -> None:
    chinese = replace(shop(), faq={**shop().faq, "ship-when": tiny_knowledge().faq["ship-when"]})
    message = Message(text, channel=channel)
    (answer,), (before,) = (tiny_engine(knowledge).answer_many([message]) for knowledge in (shop(), chinese))

    assert (answer.reply, answer.outcome, answer.missing, answer.state) == (before.reply, before.outcome, before.missing, before.state)


@pytest.mark.parametrize("language", ["ja", "zh-Hant"])
def test_an_entry_without_the_language_replies_as_it_did(language: str) -> None:
    message = replace(ASKED[language], text=ASKED[language].text.replace("发", "消").replace("發", "消"), language=language)

    assert told(message).reply == tiny_engine().answer(message).reply


def test_a_value_that_is_not_translated_reads_as_in_the_frame() -> None:
    chinese = replace(shop(), policy=replace(shop().policy, translations={"en": {"发货时限": "48 hours"}}))

    assert compose(write("ja"), chinese).parts.solution == "ご注文から48 hours以内に発送します。"
    assert compose(write("zh-Hant"), chinese).parts.solution == "下單後48 小时內出貨。"


def test_a_text_that_stands_in_for_another_language_keeps_its_own_values() -> None:
    entry = replace(shop().faq["ship-when"], answer=tiny_knowledge().faq["ship-when"].answer)

    assert compose(write("ja", entry=entry), shop()).parts.solution == "Within 48 hours."


def test_a_value_of_the_request_fills_the_answer_and_is_asked_for_where_it_is_not_there() -> None:
    entry = replace(shop().faq["ship-when"], answer={"zh": "好。", "ja": "ご注文{订单号}は発送済みです。"})

    assert compose(write("ja", entry=entry, context={"订单号": "A1"}), shop()).parts.solution == "ご注文A1は発送済みです。"
    asking = compose(write("ja", entry=entry), shop())
    assert (asking.parts.solution, asking.missing) == (
        "Please send us: order number. We will check as soon as we have it.",
        ("order_no",),
    )
    assert compose(write("en", entry=entry), shop()).missing == ()


def test_replies_that_are_kept_are_told_apart_by_their_language() -> None:
    writer = ReplyWriter(shop())

    assert len({writer.write(write(language)).text for language in (*ANSWERS, "en", "zh")}) == len(ANSWERS) + 2


# ---- in a conversation ----


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        *(("ja", "ok 发", "zh"), ("ja", "DD20260001", "ja"), ("ja", "1", "ja"), ("en", "언제", "ko"), ("ja", "什么时候发货", "zh")),
        *(("zh-Hant", "退款", "zh-Hant"), ("zh-Hant", "什么时候发货", "zh"), ("zh-Hant", "ok", "zh-Hant"), ("zh", "退款", "zh")),
        *(("en", "merci", "en"), ("de", "ok", "en"), ("zh-Hans", "ok", "zh")),
    ],
)
def test_a_message_that_tells_no_language_is_answered_in_that_of_the_conversation(before: str, text: str, after: str) -> None:
    assert told(Message(text), ConversationState(language=before)).state.language == after


def test_a_question_offered_may_be_repeated_in_the_language_it_was_offered_in() -> None:
    chosen = told(Message(QUESTIONS["ja"]), ConversationState(offered=("cancel-how", "ship-when"), language="ja"))

    assert chosen.faq is not None
    assert (chosen.faq.id, chosen.reply.parts.solution) == ("ship-when", FILLED["ja"])


# ---- personal data, length and speech ----


@pytest.mark.parametrize("answer", ["お電話は13812345678へ。", "{订单号}様、発送済みです。", "{订单号} 고객님"])
@pytest.mark.parametrize("channel", list(Channel))
def test_personal_data_never_leaves_in_any_language(answer: str, channel: Channel) -> None:
    entry = replace(shop().faq["ship-when"], answer={"zh": "好。", "ja": answer})
    customer = Customer("1", name="王小红", gender="female")
    reply = compose(write("ja", entry=entry, channel=channel, customer=customer, context={"订单号": "王小红"}), shop())

    assert reply.blocked
    assert not any(private in reply.text for private in ("13812345678", "王小红", "小红"))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*ANSWERS, "th", "en", "zh"]),
    st.sampled_from(list(Channel)),
    st.sampled_from([Outcome.ANSWERED, Outcome.CLARIFY]),
    st.dictionaries(st.sampled_from(["订单号", "物流公司", "手机号"]), st.text(max_size=20)),
)
def test_whatever_a_request_carries_a_reply_is_whole(language: str, channel: Channel, outcome: Outcome, context: dict[str, str]) -> None:
    reply = compose(write(language, outcome=outcome, channel=channel, context=context), shop())

    assert not {"{", "}"} & set(reply.text)
    assert "".join(reply.segments) == (reply.text if channel is Channel.SMS else "")


@pytest.mark.parametrize(
    ("text", "kept"),
    [("é" * 40 + " " + "é" * 40, "é" * 40), ("ก" * 60 + "\u0e33\u0e31" + "ก" * 20, None), ("が" * 61 + "か\u3099" + "あ" * 20, None)],
)
def test_a_short_message_cuts_no_word_and_no_character_of_another_language(text: str, kept: str | None) -> None:
    first, second = (part.partition(")")[2] for part in segments(text)[:2])

    assert kept is None or first.strip() == kept
    assert second[0] not in "\u0e31\u3099"


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("ja", "受付は9:00–22:00です（祝日を除く）", "受付は9:00から22:00です, 祝日を除く。"),
        ("ja", "1. 返品\n2. 交換 😊", "1, 返品。\n2, 交換。"),
        ("ko", "2-5일, 400-000-0000", "2에서 5일, 4 0 0, 0 0 0, 0 0 0 0."),
        ("fr", "« 2–5 jours », 10 %", "2 à 5 jours, 10 %."),
        ("sw", "siku 2–5", "siku 2, 5."),
        ("ar", "متى؟", "متى؟"),
        ("de", "am 2026-11-25, Nr. 202611220", "am 2026-11-25, Nr. 2 0 2 6 1 1 2 2 0."),
        ("zh-Hant", "2 個工作日，48 小時", "两個工作日，四十八小時。"),
    ],
)
def test_other_languages_are_said_without_signs(language: str, written: str, said: str) -> None:
    assert speakable(written, language=language) == said


def test_on_the_telephone_each_text_is_said_as_its_own_language_says_it() -> None:
    answered = compose(write("ja", channel=Channel.PHONE), shop())
    offering = compose(write("ja", channel=Channel.PHONE, outcome=Outcome.CLARIFY), shop())

    assert answered.parts.solution == "ご注文から48時間以内に発送します。"
    assert answered.parts.confirm == "About dispatch time:"
    assert offering.parts.solution == "First, いつ発送されますか。\nSecond, How do I cancel."
    assert compose(write("zh-Hant", channel=Channel.PHONE), shop()).parts.solution == "下單後四十八小時內出貨。"


def test_a_frame_around_a_text_on_its_line_keeps_its_own_manner() -> None:
    assert speakable_with("Open at 9:00: 9:00から", {"9:00から": "ja"}, language="en") == "Open at 9 a.m.: 9:00から。"
    assert speakable_with("9:00。", {}, language="zh") == speakable("9:00。", language="zh")
